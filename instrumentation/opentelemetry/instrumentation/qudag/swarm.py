"""Swarm coordination: tasks from creation to end, queues, and how busy the agents are."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from opentelemetry import context
from opentelemetry.instrumentation.qudag._agents import Agent, Agents
from opentelemetry.instrumentation.qudag._owner import Node, Readings, observe_weakly
from opentelemetry.instrumentation.qudag._tasks import Task, status_of

from qudag_otel import identity
from qudag_otel._calls.wrapped import Watch, failure, pass_through, site_of
from qudag_otel._otel.context import running_in
from qudag_otel._series.table import Table
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import spans as s
from qudag_otel.catalogue import thresholds as t
from qudag_otel.catalogue.attributes import PRIORITY, TASK_STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from qudag_otel._calls.site import Call, Site
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
        self._submit = Watch(self._site(s.SUBMIT_TASK, "send", "submit"), hands_over=True)
        self._run = Watch(self._site(s.RUN_TASK, "process", "run"))
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

        def hand_over() -> Any:
            task.context = context.get_current()  # inside the span, so that the work's is below it
            carried = self._carrying(work, task) if self._wrap_work and callable(work) else work
            return self.wrapped.submit(
                carried, *args, task_type=task_type, priority=priority, **kwargs
            )

        def handed_over(
            _call: Call, _values: object, result: object, error: BaseException | None
        ) -> None:
            task.handed_over(result, error)

        handle: HandleT_co = self._submit(hand_over, handed_over, (task_type, priority), (), {})
        return handle

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

    def _carrying(self, work: Callable[..., Any], task: Task) -> Callable[..., Any]:
        """The work, so that it runs in the span that it was submitted in; of the same kind."""
        watch, ran = self._run, task.ran
        values = (task.task_type, task.priority)
        busy = self._agents.busily(work)

        def run(*args: Any, **kwargs: Any) -> Any:
            with running_in(task.context):
                return watch(busy, ran, values, args, kwargs)

        async def arun(*args: Any, **kwargs: Any) -> Any:
            with running_in(task.context):
                return await watch(busy, ran, values, args, kwargs)

        return functools.update_wrapper(arun if inspect.iscoroutinefunction(work) else run, work)

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
        )

    def _completed(self, task: Task, error: BaseException | None) -> None:
        status = status_of(error)
        _ended[task.task_type, status, self._swarm_id]()
        _latencies[task.task_type, self._swarm_id](task.seconds)
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
