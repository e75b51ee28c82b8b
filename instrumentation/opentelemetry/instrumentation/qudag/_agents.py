"""Agents of a swarm and the share of time that they work."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace

from qudag_otel.catalogue.spans import AGENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Mapping

MINIMUM_WINDOW_SECONDS: Final = 0.1
"""The shortest time that a utilization is computed over; a collection that follows sooner repeats
the former value, because two readers may collect at almost the same time."""

_LEFT_LIMIT: Final = 1000  # as many agents as a process reports; nobody may ever collect


class Agent:
    """One agent of a swarm; made by `MonitoredSwarmCoordinator.agent`.

    Args:
        agent_id: The agent.
        agent_type: The kind of agent.
    """

    def __init__(self, agent_id: str, agent_type: str) -> None:
        self.agent_id = agent_id
        self.agent_type = agent_type
        self._lock = threading.Lock()
        self._running = 0
        self._since = 0.0
        self._worked = 0.0
        self._read_at = time.monotonic()
        self._worked_before = 0.0
        self._share: float | None = None

    @contextmanager
    def busy(self) -> Generator[None]:
        """Count the time of a block as working time; blocks that overlap count once."""
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._since = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._worked += time.monotonic() - self._since

    def utilization(self) -> float | None:
        """The share of time worked since the previous question; None if no time has passed."""
        with self._lock:
            now = time.monotonic()
            elapsed = now - self._read_at
            repeated = self._share is not None and elapsed < MINIMUM_WINDOW_SECONDS
            if elapsed > 0 and not repeated:
                worked = self._worked + (now - self._since if self._running else 0.0)
                self._share = min(1.0, (worked - self._worked_before) / elapsed)
                self._worked_before, self._read_at = worked, now
            return self._share


class Agents:
    """The agents of one swarm.

    One that left is reported once more, so that the work it did last is not lost.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: dict[tuple[str, str], tuple[Agent, int]] = {}
        self._left: dict[tuple[str, str], Agent] = {}

    @contextmanager
    def entered(self, agent_id: str, agent_type: str) -> Generator[Agent]:
        """An agent that is present, and current, during a block."""
        key = (agent_id, agent_type)
        with self._lock:
            back = self._left.pop(key, None)
            agent, entries = self._present.get(key) or (back or Agent(agent_id, agent_type), 0)
            self._present[key] = (agent, entries + 1)
        token = _current.set((self, agent))
        try:
            yield agent
        finally:
            _current.reset(token)
            with self._lock:
                _, entries = self._present.pop(key)
                if entries > 1:
                    self._present[key] = (agent, entries - 1)
                elif len(self._left) < _LEFT_LIMIT:
                    self._left[key] = agent

    @contextmanager
    def working(self) -> Generator[None]:
        """Count a block as working time of the current agent, if that is one of these."""
        agents, agent = _current.get() or (None, None)
        if agents is not self or agent is None:
            yield
            return
        trace.get_current_span().set_attribute(AGENT.key, agent.agent_id)
        with agent.busy():
            yield

    def present(self) -> bool:
        """Whether one of these is the current agent."""
        here = _current.get()
        return here is not None and here[0] is self

    async def finish(self, work: Awaitable[Any]) -> Any:
        """Await some work as working time of the current agent."""
        with self.working():
            return await work

    def utilizations(self) -> Mapping[tuple[str, str], float]:
        """The utilization of every agent by id and type."""
        with self._lock:
            left, self._left = self._left, {}
            agents = [*left.values(), *(agent for agent, _ in self._present.values())]
        found = {(agent.agent_id, agent.agent_type): agent.utilization() for agent in agents}
        return {key: share for key, share in found.items() if share is not None}


_current: ContextVar[tuple[Agents, Agent] | None] = ContextVar("qudag_agent", default=None)
