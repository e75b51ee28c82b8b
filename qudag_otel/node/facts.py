"""What a node's answers say, and what of it is true.

A node answers constants for numbers that it does not measure. Here stands for each number where it
is found and whether the release that was read (qudag-protocol 0.5.0: node_runner_adapter,
node_runner, rpc_server) really measures it. One that is not measured there is drawn from its first
value other than 0 on, so that a later release that measures it is believed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from qudag_otel.catalogue import metrics as m

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qudag_otel.catalogue import Metric

STATUS: Final = "get_status"
NETWORK: Final = "get_network_stats"
METHODS: Final = (STATUS, NETWORK)
"""What is asked at each poll. `test_network` dials every peer for up to 5 s each: never."""

UNWIRED: Final = "Mock"
"""The state of an RPC server that was given no node: all but its own process is made up."""

Answers = dict[str, object]
"""The result of each method that was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One number of a node's answers.

    Args:
        name: What people call it.
        paths: Where it may be: a method and the keys below its result; the first found counts.
        metric: What it becomes; None if nothing.
        labels: The metric's labels besides the node.
        measured: Whether the release that was read measures it.
        unwired: Whether it is true of an RPC server without a node, too.
        why: Why it is left out, if it is.
    """

    name: str
    paths: tuple[tuple[str, ...], ...]
    metric: Metric | None = None
    labels: tuple[tuple[str, str], ...] = ()
    measured: bool = False
    unwired: bool = False
    why: str = "the node answers a constant 0"


FACTS: Final = (
    Fact(
        name="uptime",
        paths=((NETWORK, "uptime"), (STATUS, "uptime")),
        metric=m.NODE_UPTIME,
        measured=True,
        unwired=True,
    ),
    Fact(
        name="peers",
        paths=((STATUS, "p2p", "connected_peers"), (NETWORK, "active_connections")),
        metric=m.NODE_PEERS,
        measured=True,
        why="an RPC server without a node lists peers that nobody connected to",
    ),
    Fact(
        name="vertices",
        paths=((STATUS, "dag", "vertex_count"), (STATUS, "dag_stats", "vertex_count")),
        metric=m.NODE_VERTICES,
        measured=True,
    ),
    Fact(
        name="tips",
        paths=((STATUS, "dag", "tips"), (STATUS, "dag_stats", "tip_count")),
        metric=m.NODE_TIPS,
    ),
    Fact(
        name="pending transactions",
        paths=((STATUS, "dag_stats", "pending_transactions"),),
        metric=m.NODE_PENDING,
    ),
    Fact(
        name="resident memory",
        paths=((STATUS, "memory_usage", "current_usage"),),
        metric=m.NODE_MEMORY,
        unwired=True,
    ),
    *(
        Fact(
            name=f"{what} {way}",
            paths=((NETWORK, f"{what}_{way}"),),
            metric=metric,
            labels=(("direction", direction),),
        )
        for what, metric in (("messages", m.NODE_MESSAGES), ("bytes", m.NODE_IO))
        for way, direction in (("sent", "outbound"), ("received", "inbound"))
    ),
    Fact(
        name="average latency",
        paths=((NETWORK, "average_latency"),),
        why="the node answers a constant 0, and says nowhere in which unit",
    ),
)
"""Every number that is looked at."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One number as a node answered it.

    Args:
        fact: Which one.
        value: Its value; None if it is no number that can be.
    """

    fact: Fact
    value: float | None


@dataclass(frozen=True, slots=True)
class Identity:
    """What a node says it is.

    Args:
        peer_id: Its id in the network; empty if it has none.
        state: "running", "stopped" or "unwired" (an RPC server without a node).
    """

    peer_id: str
    state: str


def readings(answers: Mapping[str, object]) -> Iterator[Reading]:
    """Every number that the answers have, true or not."""
    for fact in FACTS:
        for path in fact.paths:
            found = _at(answers, path)
            if found is not None:
                yield Reading(fact, _number(found))
                break


def identity(answers: Mapping[str, object]) -> Identity:
    """Who answered, and in which state it is."""
    state = _at(answers, (STATUS, "state"))
    running = _at(answers, (STATUS, "is_running"))
    peer_id = _at(answers, (STATUS, "p2p", "peer_id")) or _at(answers, (STATUS, "node_id")) or ""
    if state == UNWIRED:
        return Identity("", "unwired")
    stopped = running is False or (isinstance(state, str) and state.lower() == "stopped")
    return Identity(str(peer_id)[:100], "stopped" if stopped else "running")


def _at(answers: Mapping[str, object], path: tuple[str, ...]) -> object:
    found: Any = answers
    for key in path:
        if not isinstance(found, dict):
            return None
        found = cast("dict[str, object]", found).get(key)
    return found


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) and value >= 0 else None
    except OverflowError:  # an integer with hundreds of digits
        return None
