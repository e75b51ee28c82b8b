"""The rules of what is outside both bands: unusual for this hour, and for any hour of the day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import number
from qudag_otel.alerts import baselines as b
from qudag_otel.alerts._rules import ALERTS, rule
from qudag_otel.catalogue import Comparison
from qudag_otel.catalogue import thresholds as t

if TYPE_CHECKING:
    from qudag_otel.alerts._model import AlertRule


def _floor(contract: str) -> float:
    """A share of an alert's threshold, below which a latency is too small to matter."""
    return ALERTS[contract].threshold * t.ANOMALY_FLOOR


FLOORS: Final = {
    "UnusuallyLowThroughput": ALERTS["LowMessageThroughput"].threshold,
    "UnusuallyHighThroughput": ALERTS["LowMessageThroughput"].threshold,
    "UnusuallyHighChunkingLatency": _floor("HighChunkingLatency"),
    "UnusuallyHighTaskLatency": _floor("HighSwarmTaskLatency"),
    "UnusuallyLowCacheHitRate": t.ANOMALY_FLOOR,
}
"""What is smaller than this is never called unusual: of what is low the median, else the value."""


def _outside(name: str, tracked: b.Tracked, concern: str, words: str) -> AlertRule:
    """A rule that fires outside both bands, if it is large enough."""
    alert = ALERTS[name]
    x, sign = tracked.base.name, alert.comparison.value
    below = alert.comparison is Comparison.BELOW
    adaptive = tracked.adaptive_lower if below else tracked.adaptive_upper
    robust = tracked.robust_lower if below else tracked.robust_upper
    large = f"{tracked.median.name if below else x} > {number(FLOORS[name])}"
    outside = f"{x} {sign} {robust.name}"
    if below:  # the band of a day and a night may reach down to 0, and says nothing then
        outside = f"({outside} or {x} and {robust.name} == 0)"
    return rule(
        name,
        concern,
        f"{x} {sign} {adaptive.name} and {outside} and {large}",
        f"{words}, {'less' if below else 'more'} than is usual at this hour and within the last"
        " day, for <duration>.",
    )


ANOMALY_RULES: Final = (
    _outside(
        "UnusuallyLowThroughput", b.MESSAGES, "throughput",
        "Node <node_id> processes <value>",
    ),
    _outside(
        "UnusuallyHighThroughput", b.MESSAGES, "throughput",
        "Node <node_id> processes <value>",
    ),
    _outside(
        "UnusuallyHighChunkingLatency", b.CHUNKING, "chunking",
        "On node <node_id> 5% of the messages take <value> or longer to chunk",
    ),
    _outside(
        "UnusuallyHighTaskLatency", b.TASKS, "tasks",
        "In swarm <swarm_id> 5% of the <task_type> tasks take <value> or longer",
    ),
    _outside(
        "UnusuallyLowCacheHitRate", b.CACHE_HITS, "cache",
        "The validation cache of node <node_id> answers <value> of the lookups",
    ),
)  # fmt: skip
"""The rules on the anomaly bands."""
