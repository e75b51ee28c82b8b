"""Polls nodes and reports them: up or down, what they say of themselves, how fast they answer."""

from __future__ import annotations

import asyncio
import functools
import random
import time
from typing import TYPE_CHECKING, Final

from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import observe, series
from qudag_otel.logs import get_logger
from qudag_otel.node.facts import FACTS, METHODS
from qudag_otel.node.memory import NodeMemory
from qudag_otel.node.rpc import REQUESTS_PER_MINUTE, NodeError, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from qudag_otel.catalogue import Metric
    from qudag_otel.node.facts import Answers, Fact
    from qudag_otel.node.rpc import Address

COMPONENT: Final = "node"
_SHARE: Final = 0.5  # of what a node answers over TCP; the rest is left to people and their tools
LEAST_TCP_SECONDS: Final = 60 * len(METHODS) / (REQUESTS_PER_MINUTE * _SHARE)
LEAST_UNIX_SECONDS: Final = 0.5
_LONGEST_SECONDS: Final = 60.0
_SPREAD: Final = 0.1
_log = get_logger(COMPONENT)


def pause_seconds(interval: float, failures: int, chance: float) -> float:
    """Seconds from one poll to the next.

    The interval after an answer and after the first failure; then twice as long each time, up to a
    minute, and up to a tenth less, so that many nodes that fell silent together are not all asked
    in the same moment.

    Args:
        interval: What is wanted, in seconds; never less than this.
        failures: How many polls in a row had no answer.
        chance: A random number from 0 to 1.
    """
    longest = max(interval, _LONGEST_SECONDS)
    wanted = min(interval * 2.0 ** min(max(0, failures - 1), 10), longest)
    return max(interval, wanted * (1 - _SPREAD * chance))


class NodeBridge:
    """Watches QuDAG nodes through their RPC until it is stopped.

    What a node answers becomes metrics at each collection; while it does not answer there is
    `qudag.node.up` alone. `run()` never raises for what nodes do, and stops when its task is
    cancelled.

    Args:
        addresses: The nodes.
        token: Their authentication token, if they have one.
        interval_seconds: From one poll of a node to the next; longer while it does not answer.
        timeout_seconds: How long one answer may take.

    Raises:
        ValueError: Two nodes have one name, there is none, or the interval is below what a node
            answers.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        token: str = "",
        interval_seconds: float = 15.0,
        timeout_seconds: float = 5.0,
    ) -> None:
        names = [one.name for one in addresses]
        if not names or len(set(names)) < len(names):
            raise ValueError("give one or more nodes, each with a name of its own (NAME=ADDRESS)")
        for one in addresses:
            least = LEAST_UNIX_SECONDS if one.path else LEAST_TCP_SECONDS
            if interval_seconds < least:
                raise ValueError(
                    f"{one} cannot be polled every {interval_seconds:g} s: a node answers"
                    f" {REQUESTS_PER_MINUTE} requests a minute over TCP, and a poll takes"
                    f" {len(METHODS)}; use {least:g} s or more"
                    + ("" if one.path else f", or its Unix socket ({LEAST_UNIX_SECONDS:g} s)")
                )
        self.nodes = {one: NodeMemory(one.name) for one in addresses}
        self._token = token
        self._interval = interval_seconds
        self._timeout = timeout_seconds
        self._told: set[tuple[str, str]] = set()
        self._stops: list[Callable[[], None]] = []

    async def run(self) -> None:
        """Poll and report until cancelled."""
        self.observe()
        try:
            async with asyncio.TaskGroup() as group:
                for address in self.nodes:
                    group.create_task(self._watch(address))
        finally:
            self.close()

    def close(self) -> None:
        """Report no longer; calling it again does nothing."""
        while self._stops:
            self._stops.pop()()

    async def poll(self, address: Address) -> bool:
        """Ask one node once; whether it answered."""
        node = self.nodes[address]
        answers: Answers = {}
        try:
            for method in METHODS:
                answers[method] = await self._asked(address, method)
        except NodeError as error:
            self._silent(node, address, error)
            return False
        was_down = node.up is False
        if node.answered(answers):
            series(m.NODE_RESTARTS, node_id=node.name).add(1)
            _log.warning("node was restarted", operation="poll", node=node.name)
        if was_down:
            _log.info("node answers again", operation="poll", node=node.name)
        self._tell(node)
        return True

    async def _watch(self, address: Address) -> None:
        failures = 0
        series(m.NODE_RESTARTS, node_id=self.nodes[address].name).add(0)
        while True:
            started = time.monotonic()
            failures = 0 if await self.poll(address) else failures + 1
            pause = pause_seconds(self._interval, failures, random.random())  # noqa: S311 - no secret
            await asyncio.sleep(max(0.0, started + pause - time.monotonic()))

    async def _asked(self, address: Address, method: str) -> object:
        labels = {"node_id": address.name}
        started = time.perf_counter()
        outcome = "error"
        try:
            answer = await ask(address, method, token=self._token, timeout_seconds=self._timeout)
            outcome = "ok"
        except NodeError as error:
            series(m.ERRORS, component=COMPONENT, error_type=error.kind, **labels).add(1)
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            took = time.perf_counter() - started
            series(m.NODE_RPC_DURATION, method=method, outcome=outcome, **labels).record(took)
        return answer

    def _silent(self, node: NodeMemory, address: Address, error: NodeError) -> None:
        if node.problem != str(error):  # one record an outage, and one for each new reason
            _log.error(
                "node does not answer", operation="poll", node=node.name, address=str(address),
                reason=str(error),
            )  # fmt: skip
        node.silent(str(error))

    def _tell(self, node: NodeMemory) -> None:
        """Name once what a node answers and is not drawn."""
        new = {
            name: why for name, why in node.left_out.items() if (node.name, name) not in self._told
        }
        if new:
            self._told.update((node.name, name) for name in new)
            _log.info(
                "some numbers of the node are not drawn", operation="poll", node=node.name, **{
                    name.replace(" ", "_"): why for name, why in new.items()
                },
            )  # fmt: skip

    def observe(self) -> None:
        """Report from now on what polls have found; `run` does so by itself."""
        facts: dict[Metric, list[Fact]] = {}
        for fact in FACTS:
            if fact.metric is not None:
                facts.setdefault(fact.metric, []).append(fact)
        self._stops = [
            observe(m.NODE_UP, self._read_up),
            observe(m.NODE_INFO, self._read_info),
            *(
                observe(metric, functools.partial(self._read, tuple(among)))
                for metric, among in facts.items()
            ),
        ]

    def _read_up(self) -> Iterable[tuple[Mapping[str, str], float]]:
        for node in self.nodes.values():
            if node.up is not None:
                yield {"node_id": node.name}, float(node.up)

    def _read_info(self) -> Iterable[tuple[Mapping[str, str], float]]:
        for node in self.nodes.values():
            if node.up and node.who is not None:
                yield {
                    "node_id": node.name, "peer_id": node.who.peer_id, "node_state": node.who.state
                }, 1.0  # fmt: skip

    def _read(self, among: tuple[Fact, ...]) -> Iterable[tuple[Mapping[str, str], float]]:
        for node in self.nodes.values():
            values = node.values
            for fact in among:
                if fact in values:
                    yield {"node_id": node.name, **dict(fact.labels)}, values[fact]
