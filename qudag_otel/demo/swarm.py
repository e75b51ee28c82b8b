"""A swarm of asyncio agents that work on tasks by priority."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

PRIORITIES: Final = ("critical", "high", "normal", "low")
"""The priorities of tasks, most urgent first."""

URGENT: Final = frozenset(PRIORITIES[:2])
"""What an urgent agent takes; a general one takes everything."""


class QueueFullError(Exception):
    """More tasks wait than the swarm keeps."""


@dataclass(slots=True, eq=False)
class Task:
    """A piece of work.

    Args:
        type: What kind of work it is.
        work: What an agent awaits.
        done: Gets the result, or what went wrong.
        created: When it was submitted, on the monotonic clock, in seconds.
    """

    type: str
    work: Callable[[], Awaitable[object]]
    done: asyncio.Future[object]
    created: float = field(default_factory=time.monotonic)


@dataclass(slots=True, eq=False)
class Agent:
    """A worker, and the account of its time.

    Args:
        id: Its name within the swarm.
        type: urgent agents wait for urgent tasks only, general ones take any.
    """

    id: str
    type: str
    worked_seconds: float = 0.0
    busy_since: float | None = None

    def busy_seconds(self) -> float:
        """How long it has worked since it started, the task in hand included, in seconds."""
        since = self.busy_since
        return self.worked_seconds + (0.0 if since is None else time.monotonic() - since)

    def takes(self, priority: str) -> bool:
        """Whether it works on tasks of this priority."""
        return self.type == "general" or priority in URGENT


class Swarm:
    """Agents that take the most urgent task first.

    Args:
        swarm_id: Its name.
        general: How many agents take any task.
        urgent: How many agents keep themselves free for urgent tasks.
        queue_limit: How many tasks may wait.
        timeout_seconds: How long an agent works on one task, in seconds.
    """

    def __init__(
        self,
        swarm_id: str,
        general: int = 2,
        urgent: int = 1,
        queue_limit: int = 5000,
        timeout_seconds: float = 120.0,
    ) -> None:
        self.swarm_id = swarm_id
        self.agents = tuple(
            Agent(f"{kind}-{number}", kind)
            for kind, count in (("general", general), ("urgent", urgent))
            for number in range(1, count + 1)
        )
        self.presence: Callable[[str, str], AbstractContextManager[object]] = _unwatched
        self._queue_limit = queue_limit
        self._timeout_seconds = timeout_seconds
        self._queues: dict[str, deque[Task]] = {priority: deque() for priority in PRIORITIES}
        self._waiting: dict[Agent, asyncio.Future[Task]] = {}
        self._running: list[asyncio.Task[None]] = []
        self.created: Counter[tuple[str, str]] = Counter()
        self.completed: Counter[tuple[str, str]] = Counter()
        self.latency_seconds: defaultdict[str, float] = defaultdict(float)
        self.errors: Counter[type[BaseException]] = Counter()

    def queue_depths(self) -> Mapping[str, int]:
        """How many tasks wait, by priority."""
        return {priority: len(queue) for priority, queue in self._queues.items()}

    @property
    def outstanding(self) -> int:
        """How many tasks were submitted and have not ended."""
        return self.created.total() - self.completed.total()

    def start(self) -> None:
        """Let the agents work, on the running event loop."""
        self._running = [asyncio.create_task(self._serve(agent)) for agent in self.agents]

    async def stop(self) -> None:
        """End the agents; tasks in hand and tasks that wait are cancelled."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running = []
        for queue in self._queues.values():
            while queue:
                queue.popleft().done.cancel()
        await asyncio.sleep(0)  # futures tell of their end on the loop's next turn

    async def submit(
        self,
        work: Callable[[], Awaitable[object]],
        *,
        task_type: str,
        priority: str = "normal",
    ) -> asyncio.Future[object]:
        """Hand a task to the swarm; the future tells of its end.

        Raises:
            QueueFullError: If too many tasks wait already.
        """
        agent = next((agent for agent in self._waiting if agent.takes(priority)), None)
        self.created[task_type, priority] += 1
        if agent is None and sum(self.queue_depths().values()) >= self._queue_limit:
            self.completed[task_type, "failure"] += 1
            self.errors[QueueFullError] += 1
            raise QueueFullError(f"{self._queue_limit} tasks wait already")
        task = Task(task_type, work, asyncio.get_running_loop().create_future())
        task.done.add_done_callback(lambda _: self._count(task))
        if agent is None:
            self._queues[priority].append(task)
        else:
            self._waiting.pop(agent).set_result(task)
        return task.done

    async def _serve(self, agent: Agent) -> None:
        with self.presence(agent.id, agent.type):
            while True:
                task = await self._next(agent)
                agent.busy_since = time.monotonic()
                try:
                    async with asyncio.timeout(self._timeout_seconds):
                        result = await task.work()
                except asyncio.CancelledError:
                    task.done.cancel()
                    raise
                except Exception as error:  # noqa: BLE001  # an agent survives its task's failure
                    task.done.set_exception(error)
                else:
                    task.done.set_result(result)
                finally:
                    agent.worked_seconds, agent.busy_since = agent.busy_seconds(), None

    def _count(self, task: Task) -> None:
        if task.done.cancelled():
            status = "cancelled"
        elif (error := task.done.exception()) is None:
            status = "success"
        else:
            status = "timeout" if isinstance(error, TimeoutError) else "failure"
            self.errors[type(error)] += 1
        self.completed[task.type, status] += 1
        self.latency_seconds[task.type] += time.monotonic() - task.created

    async def _next(self, agent: Agent) -> Task:
        for priority, queue in self._queues.items():
            if queue and agent.takes(priority):
                return queue.popleft()
        handed: asyncio.Future[Task] = asyncio.get_running_loop().create_future()
        self._waiting[agent] = handed
        try:
            return await handed
        except asyncio.CancelledError:
            self._waiting.pop(agent, None)
            if handed.done() and not handed.cancelled():
                handed.result().done.cancel()  # handed over in the same step
            raise


def _unwatched(_agent_id: str, _agent_type: str) -> AbstractContextManager[object]:
    return nullcontext()
