"""Swarm coordination: tasks from creation to end, queues, and how busy the agents are."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from opentelemetry.instrumentation.qudag._agents import Agent, Agents
from opentelemetry.instrumentation.qudag._calls import Observation, is_error, observed
from opentelemetry.instrumentation.qudag._owner import Node, Readings, observe_weakly
from opentelemetry.instrumentation.qudag._tasks import Task, status_of

from qudag_otel import identity
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import spans as s
from qudag_otel.catalogue import thresholds as t
from qudag_otel.catalogue.attributes import PRIORITY, TASK_STATUS
from qudag_otel.instruments import series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

__all__ = ["Agent", "MonitoredSwarmCoordinator", "SwarmCoordinator"]

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
        for task_type in task_types:
            for priority in PRIORITY.values:
                self._count_created(task_type, priority, 0)
            for status in TASK_STATUS.values:
                self._count_completed(task_type, status, 0)
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
        self._count_created(task_type, priority, 1)
        attributes = self._attributes("send", "submit", task_type, priority)
        task: Task | None = None

        def hand_over() -> HandleT_co:
            nonlocal task
            # Made here, inside the span, so that the work's span is below it.
            task = Task(task_type, priority, self._completed)
            carried = self._carrying(work, task) if self._wrap_work and callable(work) else work
            return self.wrapped.submit(
                carried, *args, task_type=task_type, priority=priority, **kwargs
            )

        return observed(
            Observation(
                ended=lambda call: task.handed_over(call) if task is not None else None,
                span=s.SUBMIT_TASK,
                attributes=attributes,
            ),
            hand_over,
        )

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
        observation = Observation(
            ended=task.ran,
            span=s.RUN_TASK,
            attributes=self._attributes("process", "run", task.task_type, task.priority),
            parent=task.context,
            during=self._agents.working,
        )
        if inspect.iscoroutinefunction(work):

            @functools.wraps(work)
            async def run(*args: Any, **kwargs: Any) -> Any:
                return await observed(observation, work, *args, **kwargs)

            return run
        return functools.update_wrapper(functools.partial(observed, observation, work), work)

    def _attributes(
        self, operation: str, name: str, task_type: str, priority: str
    ) -> dict[str, str | int]:
        return {
            s.SWARM.key: self.swarm_id,
            s.MESSAGING_SYSTEM.key: s.MESSAGING_SYSTEM.values[0],
            s.MESSAGING_OPERATION.key: operation,
            s.MESSAGING_OPERATION_NAME.key: name,
            s.TASK_TYPE.key: task_type,
            s.TASK_PRIORITY.key: priority,
        }

    def _completed(self, task: Task, error: BaseException | None) -> None:
        status = status_of(error)
        self._count_completed(task.task_type, status, 1)
        series(m.TASK_LATENCY, task_type=task.task_type, **self._labels).record(task.seconds)
        if error is not None and is_error(error):
            self._node.count_error(error)
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

    def _count_created(self, task_type: str, priority: str, amount: int) -> None:
        series(m.TASKS_CREATED, task_type=task_type, priority=priority, **self._labels).add(amount)

    def _count_completed(self, task_type: str, status: str, amount: int) -> None:
        series(m.TASKS_COMPLETED, task_type=task_type, status=status, **self._labels).add(amount)
