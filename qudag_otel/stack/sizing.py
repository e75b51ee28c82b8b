"""How much the stack takes for so many nodes, from what one record was measured to take.

Linear in records, series and time, as measured. Left out are rules and queries (docs/operating.md,
"A fleet of 200 nodes"), the series that the gateway makes of spans, and the replicas of a store.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.stack.measured import MEASURED

if TYPE_CHECKING:
    from collections.abc import Mapping

MIB: Final = 1 << 20
GIB: Final = 1 << 30
DAY: Final = 86400.0
BLOCKS: Final = 12
"""Blocks that hold a retention: Prometheus merges them up to a tenth of it."""
STORES: Final = {"spans": "jaeger", "points": "prometheus", "logs": "victorialogs"}
"""By kind of record, the store that keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What is to be carried.

    Args:
        nodes: How many send.
        spans: Spans a second of each.
        series: Series of each.
        interval: Seconds from one export of metrics to the next.
        logs: Log records a second of each.
        trace: Spans of one trace.
        kept: The share of spans that sampling keeps.
        wait: Seconds that a trace waits for its decision.
        outage: Minutes without stores that queues on disk last.
        days: Retention in days, by kind of record.
        cores: Of one machine.
        memory: Of one machine, in bytes.
        load: The share of a machine that is planned with.
    """

    nodes: int
    spans: float = 10.0
    series: float = 500.0
    interval: float = 60.0
    logs: float = 1.0
    trace: float = 10.0
    kept: float = 0.1
    wait: float = 90.0
    outage: float = 60.0
    days: Mapping[str, float] = field(
        default_factory=lambda: {"spans": 7.0, "points": 15.0, "logs": 7.0}
    )
    cores: float = 4.0
    memory: float = 16.0 * GIB
    load: float = 0.5

    @property
    def rates(self) -> dict[str, float]:
        """Records a second of one node, by kind."""
        return {"spans": self.spans, "points": self.series / self.interval, "logs": self.logs}


@dataclass(frozen=True, slots=True)
class Tier:
    """What one tier takes, all of its machines together.

    Args:
        name: Of the tier; `agent` is one on each node.
        machines: How many, of those that were described; 0 for the agents, which share the nodes'.
        cpu: Cores at work, on average.
        memory: In bytes.
        disk: In bytes.
    """

    name: str
    machines: int
    cpu: float
    memory: float
    disk: float


@dataclass(frozen=True, slots=True)
class Size:
    """The answer.

    Args:
        tiers: The gateways, the stores, and an agent.
        settings: Variables of each gateway that follow from the load, where defaults would not do.
        notes: What does not fit.
    """

    tiers: tuple[Tier, ...]
    settings: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def machines(self) -> int:
        """Of gateways and stores together."""
        return sum(tier.machines for tier in self.tiers)

    def as_data(self) -> dict[str, Any]:
        """For JSON, with what it was measured with."""
        return {
            "machines": self.machines,
            "tiers": [asdict(tier) for tier in self.tiers],
            "settings": dict(self.settings),
            "notes": list(self.notes),
            "measured": MEASURED,
        }


DEFAULTS: Final = {"OTELCOL_SAMPLING_TRACES": 50000, "OTELCOL_QUEUE_SIZE": 10000}


def size(fleet: Fleet, measured: Mapping[str, Any] = MEASURED) -> Size:
    """Machines, cores, memory and disk for a fleet.

    Args:
        fleet: What is to be carried.
        measured: What one record takes.
    """
    each = fleet.rates
    total = {kind: rate * fleet.nodes for kind, rate in each.items()}
    stored = {**total, "spans": total["spans"] * fleet.kept}
    memory, cpu, outage = measured["memory"], measured["cpu"], fleet.outage * 60
    gateway = _tier(
        "gateway",
        fleet,
        _sum(cpu["gateway"], total) + stored["spans"] * cpu["gateway"]["kept"],
        memory["gateway"] + total["spans"] * fleet.wait * memory["span"],
        outage * _sum(measured["queue"], stored),
    )
    stores = {
        kind: _tier(
            store,
            fleet,
            stored[kind] * cpu["store"][kind],
            memory[store],
            stored[kind] * DAY * fleet.days[kind] * measured["disk"][kind],
        )
        for kind, store in STORES.items()
    }
    series = fleet.nodes * fleet.series
    points = stores["points"]
    stores["points"] = _tier(
        points.name,
        fleet,
        points.cpu,
        points.memory + series * memory["series"],
        points.disk + series * (BLOCKS * measured["disk"]["series"] + measured["disk"]["wal"]),
    )
    agent = Tier(
        "agent", 0, _sum(cpu["agent"], each), memory["agent"],
        outage * _sum(measured["queue"], each),
    )  # fmt: skip
    traces = total["spans"] / fleet.trace / gateway.machines
    wanted = {
        "OTELCOL_SAMPLING_TRACES": math.ceil(traces * fleet.wait),
        "OTELCOL_QUEUE_SIZE": math.ceil(traces * fleet.kept * outage),
    }
    return Size(
        (gateway, *stores.values(), agent),
        {name: value for name, value in wanted.items() if value > DEFAULTS[name]},
        tuple(
            f"{tier.name} takes {tier.machines} such machines, and is one process: "
            "larger machines, or a store that spreads"
            for tier in stores.values()
            if tier.machines > 1
        ),
    )


def _sum(costs: Mapping[str, float], rates: Mapping[str, float]) -> float:
    return sum(costs[kind] * rate for kind, rate in rates.items())


def _tier(name: str, fleet: Fleet, cpu: float, memory: float, disk: float) -> Tier:
    full = max(cpu / (fleet.cores * fleet.load), memory / (fleet.memory * fleet.load))
    return Tier(name, max(1, math.ceil(full)), cpu, memory, disk)
