"""Executors, process pools, queues and Celery: tasks created, ended, and those that wait."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import multiprocessing
import queue
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import celery
import pytest
from opentelemetry.instrumentation.qudag.adapters.asyncio import AsyncioInstrumentor
from opentelemetry.instrumentation.qudag.adapters.celery import CeleryTaskInstrumentor
from opentelemetry.instrumentation.qudag.adapters.concurrent_futures import ExecutorInstrumentor
from opentelemetry.instrumentation.qudag.adapters.multiprocessing import ProcessPoolInstrumentor
from opentelemetry.instrumentation.qudag.adapters.queues import QueueInstrumentor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qudag_otel.testing import Captured

CREATED = "qudag_swarm_tasks_created_total"
COMPLETED = "qudag_swarm_tasks_completed_total"
LATENCY = "qudag_swarm_task_latency_seconds"
DEPTH = "qudag_swarm_queue_depth"


def fails(number: int) -> int:
    """Fail for each third."""
    if number % 3 == 0:
        raise ValueError(number)
    return number


@pytest.mark.parametrize("watched", [ExecutorInstrumentor], indirect=True)
def test_tasks_of_threads_end_as_they_do(telemetry: Captured, watched: Any) -> None:
    """By what they call, through a partial; those that wait are seen meanwhile."""
    assert watched is not None
    go = threading.Event()
    with ThreadPoolExecutor(2, "indexer") as executor:
        held = [executor.submit(functools.partial(go.wait, 20)) for _ in range(2)]
        futures = [executor.submit(fails, number) for number in range(30)]
        cancelled = executor.submit(fails, 1)
        assert cancelled.cancel()
        assert telemetry.value(DEPTH, queue_type="indexer") == 31
        go.set()
        assert all(one.result() for one in held)
        assert sum(1 for one in futures if one.exception()) == 10
    assert telemetry.value(DEPTH, queue_type="indexer") == 0
    assert telemetry.value(CREATED, task_type="fails") == 31
    wanted = {"success": 20, "failure": 10, "cancelled": 1}
    for status, count in wanted.items():
        assert telemetry.value(COMPLETED, task_type="fails", status=status) == count
    assert telemetry.value(LATENCY, task_type="fails") == 31
    assert telemetry.value(COMPLETED, task_type="Event.wait", status="success") == 2


@pytest.mark.parametrize("watched", [ExecutorInstrumentor], indirect=True)
def test_tasks_of_a_process_pool_end_as_they_do(telemetry: Captured, watched: Any) -> None:
    """Counted in the process that submits them; chunks of a map are of what they call."""
    assert watched is not None
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        assert executor.submit(abs, -1).result() == 1
        assert list(executor.map(abs, [-1, -2, -3], chunksize=3)) == [1, 2, 3]
    assert telemetry.value(COMPLETED, task_type="abs", status="success") == 2


@pytest.mark.parametrize("watched", [ProcessPoolInstrumentor], indirect=True)
def test_tasks_of_multiprocessing_end_as_they_do(telemetry: Captured, watched: Any) -> None:
    """One apply is a task, and a whole map is one."""
    assert watched is not None
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(abs, (-1,)) == 1
        assert pool.map(abs, range(-50, 0), chunksize=5) == list(range(50, 0, -1))
        with pytest.raises(ValueError, match="invalid literal"):
            pool.apply(int, ("x",))
        assert telemetry.value(DEPTH, queue_type="multiprocessing") == 0
    assert telemetry.value(CREATED, task_type="abs") == 2
    assert telemetry.value(COMPLETED, task_type="abs", status="success") == 2
    assert telemetry.value(COMPLETED, task_type="int", status="failure") == 1


@pytest.mark.parametrize("watched", [QueueInstrumentor], indirect=True)
def test_what_waits_in_queues_is_read(telemetry: Captured, watched: Any) -> None:
    """Of threads and of tasks; those of one name are added up, one that is gone is not."""
    orders: queue.Queue[int] = queue.Queue()
    more: asyncio.Queue[int] = asyncio.Queue()
    for number in range(3):
        orders.put(number)
        more.put_nowait(number)
    watched.watch(orders, "orders")
    watched.watch(more, "orders")
    assert telemetry.value(DEPTH, queue_type="orders") == 6
    orders.get()
    del more
    assert telemetry.value(DEPTH, queue_type="orders") == 2


async def waits(number: int) -> int:
    """End as the number says."""
    await asyncio.sleep(0)
    if number == 1:
        raise TimeoutError
    return fails(number)


def ended(telemetry: Captured, kind: str) -> dict[str, float]:
    """How many tasks of a kind ended, by status."""
    points = telemetry.points(COMPLETED)
    return {
        str(one.labels["status"]): one.value
        for one in points
        if one.labels["task_type"] == kind and one.value
    }


@pytest.mark.parametrize("watched", [AsyncioInstrumentor], indirect=True)
def test_tasks_of_asyncio_end_as_they_do(telemetry: Captured, watched: Any) -> None:
    """By what they run; those that are not done are seen meanwhile, and none is kept alive."""
    assert watched is not None

    async def load() -> None:
        tasks = [asyncio.create_task(waits(number)) for number in range(7)]
        endless = [asyncio.create_task(asyncio.Event().wait()) for _ in range(2)]
        async with asyncio.TaskGroup() as group:
            group.create_task(waits(2))
        assert len(await asyncio.gather(*tasks, return_exceptions=True)) == 7
        assert telemetry.value(DEPTH, queue_type="asyncio") == 3
        endless.pop().cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert telemetry.value(DEPTH, queue_type="asyncio") == 2

    asyncio.run(load())
    assert telemetry.value(DEPTH, queue_type="asyncio") == 0
    assert telemetry.value(CREATED, task_type="waits") == 8
    assert ended(telemetry, "waits") == {"success": 4, "failure": 3, "timeout": 1}
    assert ended(telemetry, "Event.wait") == {"cancelled": 2}
    assert telemetry.value(LATENCY, task_type="waits") == 8


@pytest.mark.parametrize("watched", [AsyncioInstrumentor], indirect=True)
def test_asyncio_tells_still_of_an_error_that_nobody_saw(telemetry: Captured, watched: Any) -> None:
    """A look at how a task ended is not taken for the program's own."""
    assert watched is not None
    told: list[str] = []

    async def load() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context["message"]))
        task = asyncio.create_task(waits(0))
        await asyncio.wait([task])
        del task
        gc.collect()

    asyncio.run(load())
    assert told == ["Task exception was never retrieved"]


@pytest.mark.parametrize("watched", [AsyncioInstrumentor], indirect=True)
def test_late_loops_are_told_whoever_runs_them(telemetry: Captured, watched: Any) -> None:
    """One that begins, and one that runs already; none after its end, and once each."""

    def late() -> float:
        lag = "qudag.eventloop.lag"
        try:
            return telemetry.value(lag)
        except AssertionError:  # none yet
            return 0

    async def held() -> None:
        before = late()
        while late() == before:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
        assert list(watched.loops) == [asyncio.get_running_loop()]

    async def there_before() -> None:
        watched.uninstrument()
        await asyncio.sleep(0)
        assert list(watched.loops) == []
        watched.instrument()
        watched.watch(asyncio.get_running_loop(), interval=0.01)
        await held()

    asyncio.run(held())
    assert list(watched.loops) == []
    asyncio.run(there_before())
    assert list(watched.loops) == []


@pytest.fixture
def _logging() -> Iterator[None]:
    """The root logger as it was: a worker of Celery sets it up for itself."""
    root = logging.getLogger()
    level, handlers, disabled = root.level, root.handlers.copy(), logging.root.manager.disable
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.disable(disabled)


@pytest.mark.usefixtures("_logging")
@pytest.mark.parametrize("watched", [CeleryTaskInstrumentor], indirect=True)
def test_tasks_of_celery_are_counted_where_they_are_sent_and_where_they_end(
    telemetry: Captured, watched: Any
) -> None:
    """Through a broker in memory and a worker of its own thread; a retry is no end."""
    assert watched is not None
    app = celery.Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.update(
        worker_hijack_root_logger=False, worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=False,
    )  # fmt: skip
    tries: list[int] = []

    @app.task(name="shop.charge", bind=True, max_retries=1, default_retry_delay=0)  # type: ignore[untyped-decorator]
    def charge(self: Any, number: int) -> int:
        tries.append(number)
        if number == 0 and tries.count(0) == 1:
            raise self.retry()
        if number == 1:
            raise ValueError(number)
        return number

    from celery.contrib.testing.worker import start_worker

    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL"):
        results = [charge.delay(number) for number in range(4)]
        for result in results:
            result.get(timeout=20, propagate=False)
        deadline = time.monotonic() + 20
        while len(tries) < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert telemetry.value(CREATED, task_type="shop.charge") == 5  # one of them sent again
    assert telemetry.value(COMPLETED, task_type="shop.charge", status="success") == 3
    assert telemetry.value(COMPLETED, task_type="shop.charge", status="failure") == 1
    assert telemetry.value(LATENCY, task_type="shop.charge") == 4
