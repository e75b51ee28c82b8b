"""Swarm coordination: tasks from creation to end, queues, and how busy the agents are."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from opentelemetry import context
from opentelemetry.instrumentation.qudag._agents import Agent, Agents
from opentelemetry.instrumentation.qudag._owner import Node, Readings, observe_weakly
from opentelemetry.instrumentation.qudag._tasks import Task, status_of

from qudag_otel import identity
from qudag_otel._calls.awaiting import plain
from qudag_otel._calls.wrapped import Ends, failure, is_coroutine, pass_through, site_of, tell
from qudag_otel._foreign import interrupts
from qudag_otel._otel.context import current, detach, running_in
from qudag_otel._series.table import Table
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import spans as s
from qudag_otel.catalogue import thresholds as t
from qudag_otel.catalogue.attributes import PRIORITY, TASK_STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from qudag_otel._calls.site import Site
    from qudag_otel.catalogue import Span

__all__ = ["Agent", "MonitoredSwarmCoordinator", "SwarmCoordinator"]

_created: Final = Table(m.TASKS_CREATED, "add", "task_type", "priority", owner="swarm_id")
_ended: Final = Table(m.TASKS_COMPLETED, "add", "task_type", "status", owner="swarm_id")
_latencies: Final = Table(m.TASK_LATENCY, "record", "task_type", owner="swarm_id")

HandleT_co = TypeVar("HandleT_co", covariant=True)


class SwarmCoordinator(Protocol[HandleT_co]):
    """Hands tasks to agents; `submit` may be a coroutine function.

    `submit` is called with the work first, which is a function or a coroutine function, and with
    the keywords `task_type` and `priority`; what else it takes is its own. It returns a handle. If
    the handle has `add_done_callback` (a future of asyncio or of concurrent.futures), the task
    ends when the handle does; otherwise when its work has run.
    """

    def submit(self, *args: Any, **kwargs: Any) -> HandleT_co:
        """Queue a task: `submit(work, ..., task_type="verify", priority="high")`."""
        ...

    def queue_depths(self) -> Mapping[str, int]:
        """Waiting tasks by priority, now; read at collection, from any thread."""
        ...


class MonitoredSwarmCoordinator(Generic[HandleT_co]):
    """Watches a swarm coordinator.

    - A task counts as created when it is submitted, and as completed when it ends: success,
      timeout (TimeoutError), cancelled, or failure. Every created task that ends is counted once,
      one that `submit` refused as well. Failures and timeouts count as errors.
    - The latency is the time from submission to end. One over `anomaly_seconds` is logged.
    - The queue is as deep as the coordinator says when metrics are collected; a priority that it
      does not mention is 0 deep.
    - An agent's utilization is the share of time that it worked since the previous collection.

    Submission is a span "submit task", and the work is a span "run task" below it, in whatever
    thread or task it runs.

    Args:
        coordinator: The coordinator to watch.
        swarm_id: The swarm; by default the process's.
        node_id: The node that its errors and log records belong to; by default the process's.
        component: The `component` label of its errors.
        queue_type: The `queue_type` label of the queue.
        task_types: Types known in advance; their counters start at 0 instead of being absent.
        anomaly_seconds: A task that took longer is logged as an anomaly, in seconds.
        expected_seconds: What a task is expected to take at most, in seconds.
        wrap_work: Whether work is run in a span and counted as an agent's. Without, it is handed
            over as it is, which a pool of processes needs.
    """

    def __init__(
        self,
        coordinator: SwarmCoordinator[HandleT_co],
        *,
        swarm_id: str | None = None,
        node_id: str | None = None,
        component: str = "swarm",
        queue_type: str = "tasks",
        task_types: Iterable[str] = (),
        anomaly_seconds: float = t.TASK_ANOMALY_SECONDS,
        expected_seconds: float = t.TASK_EXPECTED_SECONDS,
        wrap_work: bool = True,
    ) -> None:
        self.wrapped = coordinator
        self.queue_type = queue_type
        self._swarm_id = swarm_id
        self._labels = {} if swarm_id is None else {"swarm_id": swarm_id}
        self._node = Node(component, node_id)
        self._anomaly_seconds = anomaly_seconds
        self._expected_seconds = expected_seconds
        self._wrap_work = wrap_work
        self._agents = Agents()
        self._submitting = self._site(s.SUBMIT_TASK, "send", "submit")
        self._running = self._site(s.RUN_TASK, "process", "run")
        self._later = is_coroutine(coordinator.submit)
        for task_type in task_types:
            for priority in PRIORITY.values:
                _created[task_type, priority, swarm_id](0)
            for status in TASK_STATUS.values:
                _ended[task_type, status, swarm_id](0)
        pass_through(self, coordinator, "submit")
        self._stops = (
            observe_weakly(m.QUEUE_DEPTH, self.read_queue),
            observe_weakly(m.AGENT_UTILIZATION, self.read_agents),
        )

    @property
    def swarm_id(self) -> str:
        """The swarm's id as it is exported."""
        return identity.swarm_id() if self._swarm_id is None else self._swarm_id

    def submit(
        self, work: Any, /, *args: Any, task_type: str, priority: str = "normal", **kwargs: Any
    ) -> HandleT_co:
        """Hand a task to the swarm and follow it to its end.

        Args:
            work: What an agent will do: a function or a coroutine function. Anything else, such
                as a coroutine, is handed over as it is.
            args: Passed on.
            task_type: The kind of task.
            priority: "low", "normal", "high" or "critical".
            kwargs: Passed on.

        Returns:
            What the coordinator's `submit` returns.
        """
        _created[task_type, priority, self._swarm_id]()
        task = Task(task_type, priority, self._completed)
        submit = self.wrapped.submit
        if self._later:
            later: Any = self._submitted(submit, task, work, args, kwargs)
            return later  # type: ignore[no-any-return]  # as `submit` gives
        start = self._submitting.start
        call = start((task_type, priority))
        task.context = current()
        try:
            handle = submit(
                self._carried(work, task), *args, task_type=task_type, priority=priority, **kwargs
            )
        except BaseException as error:
            self._ends(task).failed(call, error)
            raise
        try:
            known = type(handle) in plain
        except BaseException as odd:  # a class whose own class is odd
            if interrupts(odd):
                raise
            known = False
        if known:
            tell(task.accepted, call, handle)
            call.leave()
            return handle
        returned: HandleT_co = self._ends(task).returned(call, handle)
        return returned

    async def _submitted(
        self, submit: Callable[..., Any], task: Task, work: Any, args: Any, kwargs: Any
    ) -> Any:
        """The same with a `submit` that is a coroutine function."""
        start = self._submitting.start
        call = start((task.task_type, task.priority))
        task.context = current()
        try:
            handle = await submit(
                self._carried(work, task), *args,
                task_type=task.task_type, priority=task.priority, **kwargs,
            )  # fmt: skip
        except BaseException as error:
            self._ends(task).failed(call, error)
            raise
        tell(task.accepted, call, handle)
        call.leave()
        return handle

    def _ends(self, task: Task) -> Ends:
        return Ends(task.refused, task.accepted, hands_over=True)

    def agent(self, agent_id: str, agent_type: str = "worker") -> AbstractContextManager[Agent]:
        """An agent, from entering the block to leaving it.

        Work that was submitted here and runs inside the block (in the same thread or asyncio
        task, or in a task started there) counts as the agent's working time; other work does
        through `Agent.busy`.

        Args:
            agent_id: The agent.
            agent_type: The kind of agent.
        """
        return self._agents.entered(agent_id, agent_type)

    def close(self) -> None:
        """End the observation of queue and agents."""
        for stop in self._stops:
            stop()

    def read_queue(self) -> Readings:
        """Waiting tasks by priority as the coordinator has them now."""
        depths = self.wrapped.queue_depths()
        for priority, depth in {**dict.fromkeys(PRIORITY.values, 0), **depths}.items():
            labels = {"queue_type": self.queue_type, "priority": priority, **self._labels}
            yield labels, depth

    def read_agents(self) -> Readings:
        """The utilization of every agent since the previous collection."""
        for (agent_id, agent_type), share in self._agents.utilizations().items():
            yield {"agent_id": agent_id, "agent_type": agent_type, **self._labels}, share

    def _carried(self, work: Any, task: Task) -> Any:
        """The work, so that it runs in a span below that of its submission; of the same kind."""
        if not (self._wrap_work and callable(work)):
            return work
        if type(work) is FunctionType and not work.__dict__:  # which may mark it as a coroutine's
            later = is_coroutine(work)
        else:
            later = inspect.iscoroutinefunction(work)
        make = _arun if later else _run
        made: Any = make(work, task, self._agents, self._running)
        # What `functools.update_wrapper` does costs more than both spans.
        made.__wrapped__ = work
        made.__name__ = getattr(work, "__name__", "run")
        made.__qualname__ = getattr(work, "__qualname__", "run")
        return made

    def _site(self, span: Span, operation: str, name: str) -> Site:
        return site_of(
            span,
            {
                s.MESSAGING_SYSTEM.key: s.MESSAGING_SYSTEM.values[0],
                s.MESSAGING_OPERATION.key: operation,
                s.MESSAGING_OPERATION_NAME.key: name,
            },
            identity={s.SWARM.key: self._swarm_id},
            varying=(s.TASK_TYPE.key, s.TASK_PRIORITY.key),
            weight=4.5,
        )

    def _completed(self, task: Task, error: BaseException | None) -> None:
        status = status_of(error)
        _ended[task.task_type, status, self._swarm_id](1, task.context)
        _latencies[task.task_type, self._swarm_id](task.seconds, task.context)
        if error is not None or task.seconds > self._anomaly_seconds:
            with running_in(task.context):
                self._went_wrong(task, status, error)

    def _went_wrong(self, task: Task, status: str, error: BaseException | None) -> None:
        failed = failure(error)
        if failed is not None:
            self._node.count_error(failed)
        if task.seconds > self._anomaly_seconds:
            self._node.log.performance_anomaly(
                task.task_type,
                expected=self._expected_seconds,
                actual=task.seconds,
                unit="s",
                swarm_id=self.swarm_id,
                priority=task.priority,
                status=status,
            )


def _run(work: Callable[..., Any], task: Task, agents: Agents, site: Site) -> Callable[..., Any]:
    """Work as a function."""
    values = (task.task_type, task.priority)

    def run(*args: Any, **kwargs: Any) -> Any:
        token = None if current() is task.context else context.attach(task.context)
        start = site.start
        call = start(values)
        try:
            try:
                if agents.present():
                    with agents.working():
                        result = work(*args, **kwargs)
                else:
                    result = work(*args, **kwargs)
            except BaseException as error:
                Ends(task.broke).failed(call, error)
                raise
            try:
                known = type(result) in plain
            except BaseException as odd:  # a class whose own class is odd
                if interrupts(odd):
                    raise
                known = False
            if not known:
                if inspect.iscoroutine(result) and agents.present():
                    result = agents.finish(result)
                return Ends(task.broke, task.ran).returned(call, result)
            tell(task.ran, call, result)
            call.leave()
            return result
        finally:
            if token is not None:
                detach(token)

    return run


def _arun(work: Callable[..., Any], task: Task, agents: Agents, site: Site) -> Callable[..., Any]:
    """Work as a coroutine function."""
    values = (task.task_type, task.priority)

    async def arun(*args: Any, **kwargs: Any) -> Any:
        token = None if current() is task.context else context.attach(task.context)
        start = site.start
        call = start(values)
        try:
            try:
                if agents.present():
                    with agents.working():
                        result = await work(*args, **kwargs)
                else:
                    result = await work(*args, **kwargs)
            except BaseException as error:
                Ends(task.broke).failed(call, error)
                raise
            tell(task.ran, call, result)
            call.leave()
            return result
        finally:
            if token is not None:
                detach(token)

    return arun
