"""Swarm coordination: every task counted once, on real threads and asyncio."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import inspect
import threading
import time
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.instrumentation.qudag.swarm import MonitoredSwarmCoordinator

from qudag_otel.instruments import tracer
from qudag_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qudag_otel.testing import Captured

CREATED = "qudag_swarm_tasks_created_total"
COMPLETED = "qudag_swarm_tasks_completed_total"
LATENCY = "qudag_swarm_task_latency_seconds"
UTILIZATION = "qudag_agent_utilization_ratio"
DEPTH = "qudag_swarm_queue_depth"


class QueueFullError(Exception):
    pass


class Threads:
    """A coordinator over a thread pool; its handles are futures."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.executor = executor
        self.waiting: Counter[str] = Counter()
        self.full = False

    def submit(
        self, work: Callable[..., Any], *args: Any, task_type: str, priority: str
    ) -> Future[Any]:
        if self.full:
            raise QueueFullError(task_type)
        return self.executor.submit(work, *args)

    def queue_depths(self) -> Mapping[str, int]:
        return self.waiting


class ByHand:
    """A coordinator without handles: a test runs its tasks when it likes."""

    def __init__(self) -> None:
        self.tasks: deque[Callable[[], Any]] = deque()

    def submit(self, work: Callable[[], Any], *, task_type: str, priority: str) -> None:
        self.tasks.append(work)

    def queue_depths(self) -> Mapping[str, int]:
        return {"normal": len(self.tasks)}


class Asyncio:
    """Agents that take tasks from a queue; a task may have a time limit."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[asyncio.Future[Any], Any, float | None]] = asyncio.Queue()

    async def submit(
        self, work: Any, *, task_type: str, priority: str, limit: float | None = None
    ) -> asyncio.Future[Any]:
        handle: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self.queue.put((handle, work, limit))
        return handle

    def queue_depths(self) -> Mapping[str, int]:
        return {"normal": self.queue.qsize()}

    async def serve_one(self) -> None:
        handle, work, limit = await self.queue.get()
        if handle.cancelled():
            return
        try:
            handle.set_result(await asyncio.wait_for(work(), limit))
        except Exception as error:  # noqa: BLE001 - it belongs to the handle
            handle.set_exception(error)


def fail() -> None:
    raise ConnectionError("lost")


def time_out() -> None:
    raise TimeoutError


def test_swarm_task_that_succeeds_counts_from_creation_to_end(telemetry: Captured) -> None:
    """A task is created with its priority, completed with its status, and took its time."""
    with ThreadPoolExecutor(1) as executor:
        swarm = MonitoredSwarmCoordinator(Threads(executor), swarm_id="s1")
        handle = swarm.submit(max, 1, 2, task_type="verify", priority="high")
        assert handle.result() == 2

    labels = {"swarm_id": "s1", "task_type": "verify"}
    assert telemetry.value(CREATED, priority="high", **labels) == 1
    assert telemetry.value(COMPLETED, status="success", **labels) == 1
    count, seconds = telemetry.histogram(LATENCY, **labels)
    assert (count, seconds > 0) == (1, True)


@pytest.mark.parametrize(
    ("work", "status", "error"),
    [(fail, "failure", "ConnectionError"), (time_out, "timeout", "TimeoutError")],
)
def test_swarm_task_that_fails_counts_status_and_error(
    telemetry: Captured, work: Callable[[], None], status: str, error: str
) -> None:
    """Failure and timeout are told apart, and both are errors of the swarm."""
    with ThreadPoolExecutor(1) as executor:
        swarm = MonitoredSwarmCoordinator(Threads(executor), node_id="n1")
        handle = swarm.submit(work, task_type="verify")
        assert handle.exception() is not None

    assert telemetry.value(COMPLETED, status=status) == 1
    assert telemetry.value("qudag.errors", component="swarm", error_type=error, node_id="n1") == 1
    assert telemetry.span("run task").status == "error"


def test_swarm_task_cancelled_in_the_queue_is_completed_as_cancelled(telemetry: Captured) -> None:
    """A task that never ran still ends, without an error."""
    release = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        swarm = MonitoredSwarmCoordinator(Threads(executor), task_types=["verify"])
        swarm.submit(release.wait, task_type="verify")
        queued = swarm.submit(max, 1, 2, task_type="verify")
        assert queued.cancel()
        release.set()

    assert telemetry.value(COMPLETED, status="cancelled") == 1
    assert telemetry.value(COMPLETED, status="success") == 1
    assert not telemetry.points("qudag.errors")


def test_swarm_that_refuses_a_task_completes_it_as_failed(telemetry: Captured) -> None:
    """A refused task is created and failed, so that created minus completed is what is open."""
    with ThreadPoolExecutor(1) as executor:
        coordinator = Threads(executor)
        coordinator.full = True
        swarm = MonitoredSwarmCoordinator(coordinator)
        with pytest.raises(QueueFullError, match="verify"):
            swarm.submit(fail, task_type="verify")

    assert telemetry.value(CREATED) == telemetry.value(COMPLETED, status="failure") == 1
    assert telemetry.value("qudag.errors", error_type=f"{__name__}.QueueFullError") == 1
    assert telemetry.span("submit task").status == "error"


def test_swarm_without_handles_ends_a_task_when_its_work_has_run(telemetry: Captured) -> None:
    """Where no handle tells of the end, the work does; open tasks are not completed."""
    coordinator = ByHand()
    swarm = MonitoredSwarmCoordinator(coordinator, task_types=["verify"])
    swarm.submit(lambda: None, task_type="verify")
    swarm.submit(fail, task_type="verify")
    assert telemetry.value(COMPLETED) == 0

    coordinator.tasks.popleft()()
    with pytest.raises(ConnectionError):
        coordinator.tasks.popleft()()

    assert telemetry.value(COMPLETED, status="success") == 1
    assert telemetry.value(COMPLETED, status="failure") == 1


def test_swarm_that_runs_a_task_at_once_counts_it_once(telemetry: Captured) -> None:
    """Work that has run before `submit` returns is completed, with and without a handle."""

    class AtOnce(ByHand):
        def submit(self, work: Callable[[], Any], *, task_type: str, priority: str) -> None:
            work()

    MonitoredSwarmCoordinator(AtOnce()).submit(lambda: None, task_type="verify")

    assert telemetry.value(COMPLETED, status="success") == 1
    assert telemetry.histogram(LATENCY)[0] == 1


def test_swarm_queue_is_as_deep_as_the_coordinator_says(telemetry: Captured) -> None:
    """All priorities are reported at collection; one that is not mentioned is 0."""
    with ThreadPoolExecutor(1) as executor:
        coordinator = Threads(executor)
        swarm = MonitoredSwarmCoordinator(coordinator, queue_type="own")
        coordinator.waiting.update(normal=3, critical=1)

        found = {
            point.labels["priority"]: point.value
            for point in telemetry.points(DEPTH, queue_type="own")
        }

    assert found == {"low": 0, "normal": 3, "high": 0, "critical": 1}
    swarm.close()
    assert not telemetry.points(DEPTH, queue_type="own")


def test_swarm_with_known_types_starts_at_zero(telemetry: Captured) -> None:
    """Known types have a series for each priority and status before the first task."""
    MonitoredSwarmCoordinator(ByHand(), task_types=["verify"])

    assert [point.value for point in telemetry.points(CREATED)] == [0] * 4
    assert [point.value for point in telemetry.points(COMPLETED)] == [0] * 4


def test_swarm_work_is_traced_below_its_submission_in_another_thread(telemetry: Captured) -> None:
    """The trace goes from the caller through the queue into the thread that works."""

    def work() -> None:
        with tracer().start_as_current_span("inside"):
            pass

    with ThreadPoolExecutor(1) as executor, tracer().start_as_current_span("outside"):
        swarm = MonitoredSwarmCoordinator(Threads(executor), swarm_id="s1")
        swarm.submit(work, task_type="verify").result()

    assert telemetry.span("submit task").parent == "outside"
    assert telemetry.span("submit task").kind == "producer"
    run = telemetry.span("run task")
    assert (run.kind, run.parent) == ("consumer", "submit task")
    assert run.attributes["qudag.task.type"] == "verify"
    assert run.attributes["qudag.swarm.id"] == "s1"
    assert telemetry.span("inside").parent == "run task"


def test_swarm_agent_utilization_is_the_share_of_time_it_worked(telemetry: Captured) -> None:
    """An agent that works all the time is at 1, one that waits is at 0."""
    coordinator = ByHand()
    swarm = MonitoredSwarmCoordinator(coordinator, swarm_id="s1")

    def look() -> None:
        with swarm.agent("a2", "spare"):
            busy = telemetry.value(UTILIZATION, agent_id="a1", agent_type="verifier")
            idle = telemetry.value(UTILIZATION, agent_id="a2", agent_type="spare", swarm_id="s1")
        assert idle == 0
        assert 0 < busy <= 1

    with swarm.agent("a1", "verifier") as agent:
        assert agent.agent_id == "a1"
        swarm.submit(look, task_type="verify")
        coordinator.tasks.popleft()()

    assert telemetry.span("run task").attributes["qudag.agent.id"] == "a1"
    # Both have left: they are reported once more, and then no longer.
    assert len(telemetry.points(UTILIZATION, swarm_id="s1")) == 2
    assert not telemetry.points(UTILIZATION, swarm_id="s1")


def test_swarm_agent_busy_by_hand_counts_overlapping_blocks_once(telemetry: Captured) -> None:
    """Work that runs elsewhere is counted by `busy`; two blocks at a time are not 200%."""
    swarm = MonitoredSwarmCoordinator(ByHand())

    with swarm.agent("a1") as agent, agent.busy(), agent.busy():
        deadline = time.monotonic() + 30
        telemetry.value(UTILIZATION)
        while (share := telemetry.value(UTILIZATION, agent_id="a1")) < 1:
            assert time.monotonic() < deadline
    assert share == 1
    assert agent.utilization() is not None


def test_swarm_agents_that_leave_unseen_stay_bounded() -> None:
    """Where nobody collects, those that left are kept once each, and not without end."""
    swarm = MonitoredSwarmCoordinator(ByHand())
    for number in range(3000):
        for agent in (f"a{number % 3}", f"b{number}"):
            with swarm.agent(agent):
                pass
    assert len(swarm._agents.utilizations()) <= 1000


def test_swarm_agent_entered_twice_is_one_agent(telemetry: Captured) -> None:
    """Two blocks of one agent are one series, present until the last one is left."""
    swarm = MonitoredSwarmCoordinator(ByHand())

    with swarm.agent("a1") as first:
        with swarm.agent("a1") as second:
            assert second is first
        assert len(telemetry.points(UTILIZATION)) == 1
        assert len(telemetry.points(UTILIZATION)) == 1


def test_swarm_work_in_another_swarms_agent_is_not_its_work(telemetry: Captured) -> None:
    """An agent is only credited with the work of its own swarm."""
    mine, other = ByHand(), ByHand()
    swarm = MonitoredSwarmCoordinator(mine, swarm_id="s1")
    MonitoredSwarmCoordinator(other, swarm_id="s2").submit(lambda: None, task_type="verify")

    with swarm.agent("a1"):
        other.tasks.popleft()()

    assert "qudag.agent.id" not in telemetry.span("run task").attributes


def test_swarm_task_over_the_limit_is_logged_as_an_anomaly(telemetry: Captured) -> None:
    """A slow task is an anomaly with expected and actual time, in its own trace."""
    with ThreadPoolExecutor(1) as executor:
        swarm = MonitoredSwarmCoordinator(
            Threads(executor), swarm_id="s1", anomaly_seconds=0, expected_seconds=1e-9
        )
        swarm.submit(max, 1, 2, task_type="verify").result()

    log = telemetry.log("performance anomaly", swarm_id="s1", status="success", unit="s")
    assert log.severity == "error"
    assert log.attributes["qudag.operation"] == "verify"
    assert log.attributes["expected"] == 1e-9
    assert log.trace_id == telemetry.span("submit task").trace_id


def test_swarm_task_within_the_limit_is_not_logged(telemetry: Captured) -> None:
    """The catalogue's limit of a minute is the default."""
    with ThreadPoolExecutor(1) as executor:
        MonitoredSwarmCoordinator(Threads(executor)).submit(max, 1, 2, task_type="verify")

    assert telemetry.value(COMPLETED) == 1
    assert not telemetry.logs


def test_async_swarm_counts_ends_by_the_handle(telemetry: Captured) -> None:
    """Success, the coordinator's own time limit, and a task cancelled while it waits."""

    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    async def forever() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        coordinator = Asyncio()
        swarm = MonitoredSwarmCoordinator(coordinator)
        done = await swarm.submit(answer, task_type="verify")
        limited = await swarm.submit(forever, task_type="verify", limit=0.001)
        cancelled = await swarm.submit(answer, task_type="verify")
        by_lambda = await swarm.submit(answer, task_type="verify")
        cancelled.cancel()
        assert telemetry.value(DEPTH, priority="normal") == 4
        with swarm.agent("a1"):
            for _ in range(4):
                await coordinator.serve_one()
        assert await done == await by_lambda == 42
        with pytest.raises(TimeoutError):
            await limited

    asyncio.run(main())

    assert telemetry.value(COMPLETED, status="success") == 2
    assert telemetry.value(COMPLETED, status="timeout") == 1
    assert telemetry.value(COMPLETED, status="cancelled") == 1
    agents = [span.attributes.get("qudag.agent.id") for span in telemetry.spans]
    assert agents.count("a1") == 3
    assert {s.parent for s in telemetry.spans if s.name == "run task"} == {"submit task"}


def test_async_swarm_failure_that_nobody_awaits_is_still_reported_by_asyncio(
    telemetry: Captured,
) -> None:
    """Watching a future does not silence asyncio's warning about an error nobody looked at."""
    complaints: list[str] = []

    async def broken() -> None:
        raise ConnectionError

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
        coordinator = Asyncio()
        swarm = MonitoredSwarmCoordinator(coordinator)
        await swarm.submit(broken, task_type="verify")
        await coordinator.serve_one()
        await asyncio.sleep(0)
        gc.collect()

    asyncio.run(main())

    assert telemetry.value(COMPLETED, status="failure") == 1
    assert complaints == ["Future exception was never retrieved"]


def test_swarm_keeps_the_kind_and_name_of_the_work(telemetry: Captured) -> None:
    """A coordinator that looks at the work sees what was submitted; coroutines stay as they are."""
    received: list[Any] = []

    class Looking(ByHand):
        def submit(self, work: Any, *, task_type: str, priority: str) -> None:
            received.append(work)

    async def answer() -> None:
        pass

    swarm = MonitoredSwarmCoordinator(Looking())
    coroutine = answer()
    for work in (answer, fail, coroutine):
        swarm.submit(work, task_type="verify")
    MonitoredSwarmCoordinator(Looking(), wrap_work=False).submit(fail, task_type="verify")

    assert [inspect.iscoroutinefunction(work) for work in received] == [True, False, False, False]
    assert received[0].__name__ == "answer"
    assert received[1].__wrapped__ is fail
    assert received[2] is coroutine
    assert received[3] is fail
    coroutine.close()


Outcome = st.sampled_from(["success", "failure", "timeout", "cancelled", "refused"])


@settings(max_examples=25, deadline=None)
@given(outcomes=st.lists(Outcome, max_size=25), workers=st.integers(1, 4))
def test_swarm_with_any_tasks_counts_each_exactly_once(outcomes: list[str], workers: int) -> None:
    """Whatever the outcomes and threads, statuses are exact and nothing is lost or doubled."""
    works: dict[str, Callable[[], None]] = {
        "success": lambda: None,
        "failure": fail,
        "timeout": time_out,
        "cancelled": lambda: None,
        "refused": fail,
    }
    expected: Counter[str] = Counter()
    with capture() as telemetry, ThreadPoolExecutor(workers) as executor:
        coordinator = Threads(executor)
        swarm = MonitoredSwarmCoordinator(coordinator)
        handles: list[Future[Any]] = []
        for outcome in outcomes:
            coordinator.full = outcome == "refused"
            status = outcome
            try:
                handle = swarm.submit(works[outcome], task_type="verify")
            except QueueFullError:
                status = "failure"
            else:
                handles.append(handle)
                if outcome == "cancelled" and not handle.cancel():
                    status = "success"
            expected[status] += 1
        concurrent.futures.wait(handles)
        executor.shutdown()

        completed = {p.labels["status"]: p.value for p in telemetry.points(COMPLETED) if p.value}
        assert completed == dict(expected)
        assert sum(p.value for p in telemetry.points(CREATED)) == len(outcomes)
        assert sum(p.value for p in telemetry.points(LATENCY)) == len(outcomes)
