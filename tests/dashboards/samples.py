"""`python -m tests.dashboards.samples`: how many samples each panel reads of 100 nodes and 7 days.

Counted from the expressions, as Prometheus counts: a selector reads a sample of each series at each
step, a range all that are in it. The series are those of the simulated fleet; of a series that the
catalogue does not know, one a node is assumed.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import seconds
from qudag_otel.alerts import groups
from qudag_otel.catalogue import Instrument
from qudag_otel.catalogue.metrics import METRICS
from qudag_otel.dashboards._interpolate import Screen
from tests.dashboards.files import asked
from tests.fleet.world import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel.catalogue import Metric
    from tests.dashboards.files import Asked

NODES: Final = 100
SWARMS: Final = NODES // 20
SECONDS: Final = 7 * 86_400.0
EXPORT: Final = 60.0
"""Seconds between two samples: OpenTelemetry's default, and of the stack's evaluations at most."""
_ALIKE: Final = {"component": "operation"}
"""A label that follows from another: an operation is of one component."""
_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTED: Final = re.compile(
    r"(?<![\w:$.])(?P<name>[a-z_A-Z]\w*(?::\w+)*)(?P<given>\{[^}]*\})?"
    r"(?:\[(?P<range>\w+)\])?(?![\w(:])"
)
_MATCHER: Final = re.compile(r'(\w+)(=~|!~|!=|=)("(?:[^"\\]|\\.)*")')
_KEPT: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_WORDS: Final = frozenset({"and", "or", "unless", "offset", "bool", "inf", "nan"})
_SUBQUERY: Final = re.compile(r"\[(\w+):(\w*)\]")

BOUND: Final = 15_000_000
"""What a query may read: a second or two of one core's time."""
LONGER: Final = {"qudag-alerts": 40_000_000}
"""Panels that draw what an alert compares, over the hours that it compares."""

Labels = dict[str, str]


def _values(key: str, known: tuple[str, ...]) -> tuple[str, ...]:
    return KINDS.get(key) or known or ("",)


def _sets(keys: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[list[Labels], int]:
    """The label sets of one node or swarm, and how many of these there are."""
    named = dict(keys)
    owners = NODES if "node_id" in named else SWARMS if "swarm_id" in named else NODES
    free = {
        key: _values(key, values)
        for key, values in named.items()
        if key not in {"node_id", "swarm_id", "deployment_environment_name", "cluster", "group"}
        and not (key in _ALIKE and _ALIKE[key] in named)
    }
    return [
        dict(zip(free, chosen, strict=True)) for chosen in itertools.product(*free.values())
    ], owners


def _of_metric(metric: Metric) -> dict[str, tuple[list[Labels], int]]:
    keys = [(each.key, each.values) for each in metric.attributes]
    name = metric.prometheus_name
    if metric.instrument is not Instrument.HISTOGRAM:
        return {name: _sets(keys)}
    bounds = tuple(f"{bound:g}" for bound in metric.bounds)
    plain = _sets(keys)
    return {
        f"{name}_bucket": _sets([*keys, ("le", (*bounds, "+Inf"))]),
        f"{name}_count": plain,
        f"{name}_sum": plain,
    }


def _known() -> dict[str, tuple[list[Labels], int]]:
    known = {name: sets for metric in METRICS for name, sets in _of_metric(metric).items()}
    allowed = {each.key: each.values for metric in METRICS for each in metric.attributes}
    # Of whichever histogram: as many as the finest has.
    finest = max((metric.bounds for metric in METRICS), key=len)
    allowed["le"] = (*(f"{bound:g}" for bound in finest), "+Inf")
    for series in groups.RECORDED:
        keys = [(label, allowed.get(label, ())) for label in series.level.labels]
        known[series.name] = _sets(keys)
    return known


KNOWN: Final = _known()


def _matches(labels: Labels, matchers: list[tuple[str, str, str]]) -> bool:
    for key, how, text in matchers:
        if key not in labels:
            continue
        value, wanted = labels[key], text[1:-1]
        same = re.fullmatch(wanted, value) if "~" in how else value == wanted
        if bool(same) == how.startswith("!"):
            return False
    return True


def series(name: str, given: str) -> int:
    """How many series a selector finds."""
    sets, owners = KNOWN.get(name, ([{}], NODES))
    matchers = [(key, how, text) for key, how, text in _MATCHER.findall(given)]
    return owners * sum(_matches(labels, matchers) for labels in sets)


def read(expression: str, steps: int) -> int:
    """How many samples a query reads."""
    total = 0
    bare = _KEPT.sub("", expression)
    inner = max((math.ceil(seconds(whole) / seconds(step or "1m"))
                 for whole, step in _SUBQUERY.findall(bare)), default=1)  # fmt: skip
    hidden = _TEXT.sub(lambda found: found[0].replace("}", ")"), bare)
    for found in _SELECTED.finditer(hidden):
        name = found["name"]
        if name.lower() in _WORDS or not (found["given"] or ":" in name or "_" in name):
            continue
        if hidden[: found.start()].count('"') % 2:
            continue
        each = max(1.0, seconds(found["range"]) / EXPORT) if found["range"] else 1.0
        total += round(series(name, found["given"] or "") * each * steps * inner)
    return total


def of_panel(one: Asked) -> int:
    """How many samples a query of a panel reads, with everything chosen."""
    screen = Screen(one.dashboard, seconds=SECONDS)
    steps = 1 if one.target.get("instant") else math.ceil(SECONDS / screen.step(one.target))
    return read(screen.query(one.target), steps)


def totals() -> dict[tuple[str, str], int]:
    """What each panel reads, by the dashboard's uid and the panel's number and title."""
    found: dict[tuple[str, str], int] = {}
    for one in asked("prometheus"):
        panel = (one.dashboard["uid"], f"{one.panel['id']} {one.panel['title']}")
        found[panel] = found.get(panel, 0) + of_panel(one)
    return found


def main() -> None:
    """Print the panels, those that read most first."""
    for (uid, panel), samples in sorted(totals().items(), key=lambda each: -each[1]):
        print(f"{samples:>12,}  {uid}-{panel}")  # noqa: T201 - what the command is for


if __name__ == "__main__":
    main()
