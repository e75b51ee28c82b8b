"""Pages of /metrics by several workers of one service, added up to one page.

A page is what `Exposition` renders as OpenMetrics; reading it back costs the scraped process
little, needs no format of its own, and runs no code of whoever sent it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qudag_otel.sdk.prometheus.exposition import number
from qudag_otel.sdk.prometheus.gauges import EACH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Modes = dict[str, str]
"""How a gauge of several workers becomes one, by family: sum, min, max, or each with its pid."""

_GAUGES: Final[dict[str, Callable[[float, float], float]]] = {
    "sum": lambda a, b: a + b,
    "min": min,
    "max": max,
}
_BUCKET: Final = "_bucket{"
_SAMPLE: Final = re.compile(
    r'([^{ ]+(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})? )(\S+)(?: (# .*))?', re.DOTALL
)
_LABEL: Final = re.compile(r'\w+="(?:[^"\\]|\\.)*"', re.DOTALL)


class _Value:
    """One sample: its value, and the exemplar behind it."""

    __slots__ = ("exemplar", "value")

    def __init__(self, value: float, exemplar: str = "") -> None:
        self.value = value
        self.exemplar = exemplar

    def plus(self, other: _Value) -> _Value:
        return _Value(self.value + other.value, newest(self.exemplar, other.exemplar))


class _Buckets:
    """One histogram: what is at or below each edge, and the samples that follow."""

    __slots__ = ("buckets", "rest")

    def __init__(self, buckets: dict[str, _Value], rest: dict[str, _Value]) -> None:
        self.buckets = buckets
        self.rest = rest

    def plus(self, other: _Buckets) -> _Buckets:
        if self.buckets.keys() == other.buckets.keys():
            buckets = {edge: one.plus(other.buckets[edge]) for edge, one in self.buckets.items()}
        else:
            edges = sorted({*self.buckets, *other.buckets}, key=float)
            mine, theirs = _spread(self.buckets, edges), _spread(other.buckets, edges)
            buckets = {
                edge: one.plus(two) for edge, one, two in zip(edges, mine, theirs, strict=True)
            }
        return _Buckets(buckets, _added(self.rest, other.rest))


def _spread(buckets: Mapping[str, _Value], edges: Iterable[str]) -> Iterator[_Value]:
    """What is known to lie at or below each edge; exact at the edges that the histogram has."""
    below = 0.0
    for edge in edges:
        found = buckets.get(edge)
        below = found.value if found else below
        yield found or _Value(below)


class Family:
    """A metric family of one page or of several.

    Args:
        name: Its name in OpenMetrics.
        kind: Its type in OpenMetrics.
    """

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.unit = ""
        self.help = ""
        self.values: dict[str, _Value] = {}
        self.histograms: dict[str, _Buckets] = {}

    def empty(self) -> Family:
        """The same family without a sample."""
        made = Family(self.name, self.kind)
        made.unit, made.help = self.unit, self.help
        return made

    def read(self, line: str) -> None:
        """Add a line of a sample."""
        exemplar = ""
        if " # {" in line:
            match = _SAMPLE.fullmatch(line)
            if match is None:
                raise ValueError(f"not a sample: {line!r}")
            head, value, exemplar = match[1], match[2], match[3] or ""
        else:
            bare, _, value = line.rpartition(" ")
            head = f"{bare} "
        sample = _Value(_parsed(value), exemplar)
        if self.kind != "histogram":
            self.values[head] = sample
        elif head.startswith(_BUCKET, len(self.name)):
            labels, _, edge = head[len(self.name) + len(_BUCKET) : -3].rpartition('le="')
            self._histogram(labels.removesuffix(",")).buckets[edge] = sample
        else:
            labels = head.partition("{")[2][:-2]
            self._histogram(labels).rest[head] = sample

    def _histogram(self, labels: str) -> _Buckets:
        found = self.histograms.get(labels)
        if found is None:
            found = self.histograms[labels] = _Buckets({}, {})
        return found

    def add(self, other: Family, mode: str, pid: int) -> None:
        """Add the same family of another page.

        Args:
            other: That one; it is left as it is.
            mode: How gauges of the same labels become one.
            pid: The process that it comes from.
        """
        for labels, theirs in other.histograms.items():
            mine = self.histograms.get(labels)
            self.histograms[labels] = mine.plus(theirs) if mine else theirs
        if self.kind == "counter":
            self.values = _added(self.values, other.values)
        elif self.kind == "info":
            self.values = _in_common(self.values, other.values)
        elif mode == EACH:
            for head, one in other.values.items():
                self.values[_labelled(head, f'pid="{pid}"')] = one
        else:
            join = _GAUGES[mode]
            for head, one in other.values.items():
                known = self.values.get(head)
                self.values[head] = _Value(join(known.value, one.value)) if known else one

    def lines(self, *, openmetrics: bool) -> Iterator[str]:
        """Render it."""
        kind, name, text = self.kind, self.name, self.help
        if not openmetrics:
            # As the exposition has it there: the name of the samples, and quotes as they are.
            name += {"counter": "_total", "info": "_info"}.get(kind, "")
            kind = "gauge" if kind == "info" else kind
            text = text.replace('\\"', '"')
        yield f"# TYPE {name} {kind}\n"
        if openmetrics and self.unit:
            yield f"# UNIT {name} {self.unit}\n"
        if text:
            yield f"# HELP {name} {text}\n"
        for head, one in self.values.items():
            yield _line(head, one, openmetrics=openmetrics)
        for labels, histogram in self.histograms.items():
            inside = f"{labels}," if labels else ""
            for edge, below in histogram.buckets.items():
                head = f'{self.name}{_BUCKET}{inside}le="{edge}"}} '
                yield _line(head, below, openmetrics=openmetrics)
            for head, value in histogram.rest.items():
                yield _line(head, value, openmetrics=openmetrics)


def read(page: bytes) -> dict[str, Family]:
    """Read a page back.

    Raises:
        ValueError: It is none.
    """
    families: dict[str, Family] = {}
    family = Family("", "")
    for line in page.decode().split("\n"):
        if not line.startswith("#"):
            if line:
                family.read(line)
            continue
        word, _, rest = line[2:].partition(" ")
        name, _, text = rest.partition(" ")
        if word == "TYPE":
            family = families[name] = Family(name, text)
        elif word == "UNIT":
            family.unit = text
        elif word == "HELP":
            family.help = text
    return families


def total(
    pages: Iterable[tuple[int, Mapping[str, Family], Modes]], ended: Mapping[str, Family]
) -> dict[str, Family]:
    """Add up what live workers show and what ended ones have counted.

    Args:
        pages: Of each live worker its pid, its families and the modes of its gauges.
        ended: What `retire` collected.
    """
    made: dict[str, Family] = {}
    for pid, families, modes in pages:
        for name, family in families.items():
            mode = modes.get(name, EACH)
            into = made.get(name)
            if into is None:
                into = made[name] = family.empty()
                if family.kind == "info":
                    into.values = dict(family.values)
            if into.kind == family.kind:
                into.add(family, mode, pid)
    for name, family in ended.items():
        into = made.setdefault(name, family.empty())
        if into.kind == family.kind:
            into.add(family, EACH, 0)
    return made


def retire(ended: dict[str, Family], families: Mapping[str, Family]) -> None:
    """Keep what a worker has counted, now that it is gone; its gauges go with it."""
    for name, family in families.items():
        if family.kind in {"counter", "histogram"}:
            into = ended.setdefault(name, family.empty())
            if into.kind == family.kind:
                into.add(family, EACH, 0)


def render(families: Mapping[str, Family], *, openmetrics: bool) -> bytes:
    """Make a page of families, in the format that a scraper asked for."""
    lines = [line for family in families.values() for line in family.lines(openmetrics=openmetrics)]
    if openmetrics:
        lines.append("# EOF\n")
    return "".join(lines).encode()


def newest(one: str, other: str) -> str:
    """The later of two exemplars; either may be empty."""
    if not one or not other:
        return one or other
    return max(other, one, key=lambda text: float(text.rpartition(" ")[2]))


def _added(mine: Mapping[str, _Value], theirs: Mapping[str, _Value]) -> dict[str, _Value]:
    made = dict(mine)
    for head, one in theirs.items():
        known = made.get(head)
        made[head] = known.plus(one) if known else one
    return made


def _in_common(mine: Mapping[str, _Value], theirs: Mapping[str, _Value]) -> dict[str, _Value]:
    """The labels of target_info that all workers share: it stands once on a page."""
    made: dict[str, _Value] = {}
    for head, other in zip(mine, theirs, strict=False):
        shared = set(_LABEL.findall(other))
        kept = [label for label in _LABEL.findall(head) if label in shared]
        made[f"{head.partition('{')[0]}{{{','.join(kept)}}} "] = mine[head]
    return made


def _labelled(head: str, label: str) -> str:
    """A sample's head with one more label."""
    bare = head[:-1]
    return f"{bare[:-1]},{label}}} " if bare.endswith("}") else f"{bare}{{{label}}} "


def _line(head: str, one: _Value, *, openmetrics: bool) -> str:
    exemplar = f" {one.exemplar}" if one.exemplar and openmetrics else ""
    return f"{head}{number(one.value)}{exemplar}\n"


def _parsed(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)
