"""The same PromQL for native histograms: one series in place of those of each bucket.

Rules and panels are written once, for classic histograms; this turns their text, so that the two
forms cannot differ. Source: https://prometheus.io/docs/specs/native_histograms/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

Turn: TypeAlias = Callable[[str], str]

_MATCHERS = r'(?:\{(?:"(?:\\.|[^"\\])*"|[^}"])*\})?'
_LE = re.compile(r'le=~"(?P<bounds>[^"]*)",?')
_GROUPED = re.compile(r" by \(le\)|, le(?=\))")
_OF = {"count": "histogram_count({})", "sum": "histogram_sum({})"}


def native(names: Iterable[str]) -> Turn:
    """What turns an expression into its native form.

    Args:
        names: The histograms that are native, as Prometheus calls them, without a suffix. Those
            of others, the Collector's for example, stay classic.
    """
    either = "|".join(map(re.escape, names))
    series = rf"(?<![\w:])(?P<name>{either})_(?P<part>bucket|count|sum)(?P<matchers>{_MATCHERS})"
    found = re.compile(
        rf"(?:(?P<function>rate|increase)\({series}\[(?P<window>[^\]]+)\](?P<at> @ [-\d.]+)?\))"
        rf"|(?P<named>label_values\()?{series.replace('?P<', '?P<plain_')}(?P<ranged>\[)?"
    )

    def turn(expression: str) -> str:
        turned = found.sub(_turned, expression)
        return _GROUPED.sub("", turned) if turned != expression else expression

    return turn


def _turned(found: re.Match[str]) -> str:
    if found["function"] is None:
        series = found["plain_name"] + found["plain_matchers"]
        if found["ranged"] or found["named"]:
            return f"{found['named'] or ''}{series}{found['ranged'] or ''}"
        return _OF.get(found["plain_part"], "{}").format(series)
    matchers = found["matchers"] or ""
    bound = _LE.search(matchers)
    inner = _LE.sub("", matchers).replace(",}", "}").replace("{}", "")
    rates = f"{found['function']}({found['name']}{inner}[{found['window']}]{found['at'] or ''})"
    if bound:
        # Of an idle histogram no fraction can be told: it has none of its none.
        upper = bound["bounds"].partition("|")[0].replace("\\\\", "")
        count = f"histogram_count({rates})"
        return f"(histogram_fraction(0, {upper}, {rates}) * ({count} > 0) or {count})"
    return _OF.get(found["part"], "{}").format(rates)
