"""Of every alert the value that it compares, and its threshold: drawn from the rule itself."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Final

from qudag_otel._query.units import duration
from qudag_otel.alerts.drawn import drawn
from qudag_otel.alerts.groups import ALERT_RULES
from qudag_otel.catalogue import uids
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import narrowed
from qudag_otel.dashboards._view import EXPECTED, Placed, Query, Section, View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qudag_otel.alerts._model import AlertRule
    from qudag_otel.catalogue import Alert

_UNITS: Final = {
    "1": "percentunit", "%": "percent", "s": "s", "By": "bytes", "{message}/s": "mps",
    "{error}/s": "eps", "{entry}/s": "cps", "{item}/s": "eps", "{failure}/s": "eps",
    "{row}/s": "eps", "{sample}/s": "eps", "{task}/s": "ops", "{trace}/s": "eps",
}  # fmt: skip
_LABEL: Final = re.compile(r"<(\w+)>")
_WORDS: Final = ("value", "limit", "duration")
_LIMIT: Final = "limit"
_FIRST_ROW: Final = 1000
_PANEL: Final = (12, 8)
_REST: Final = "Telemetry, the stack and objectives"


def _queries(rule: AlertRule) -> Iterator[Query]:
    """The value, and what it is compared with where that is no number."""
    labels = [key for key in _LABEL.findall(rule.description) if key not in _WORDS]
    subject = " ".join(f"{{{{{key}}}}}" for key in dict.fromkeys(labels))
    value, limits = drawn(rule)
    yield Query(expression=narrowed(value), legend=subject or "now")
    for limit in limits:
        yield Query(expression=narrowed(limit), legend=f"{_LIMIT} {subject}".strip())


def _view(alert: Alert) -> View:
    rules = [rule for rule in ALERT_RULES if rule.alert.name == alert.name]
    shown = drawn(rules[0])
    alike = [rule.alert for rule in ALERT_RULES if drawn(rule) == shown]
    after = f" for {duration(rules[0].duration)}" if rules[0].duration else ""
    steps = () if shown.limits else thresholds.of_alerts([alert, *alike])
    return View(
        title=alert.name,
        description=(
            f"{alert.summary}. This is the very value that the alert compares, and where it begins"
            f" to be one{after}; the alert's section in the runbooks says what to do."
        ),
        queries=tuple(dict.fromkeys(query for rule in rules for query in _queries(rule))),
        empty="Nothing that the alert looks at is there now.",
        unit=_UNITS.get(alert.unit, "none"),
        steps=steps,
        colors=((f"^{_LIMIT}", EXPECTED),),
        details=uids.area(alert).uid,
        minimum=None if alert.unit == "{Collector}" else 0.0,
    )


def sections() -> tuple[Section, ...]:
    """A folded row for each area, with a panel for each of its alerts."""
    alerts = {rule.alert.name: rule.alert for rule in ALERT_RULES}

    def row(alert: Alert) -> str:
        return alert.panel.value if alert.panel else _REST

    by_row = groupby(sorted(alerts.values(), key=row), key=row)
    return tuple(
        Section(
            title,
            tuple(Placed(uids.location(one).panel_id, _view(one), *_PANEL) for one in members),
            panel_id=_FIRST_ROW + number,
            folded=True,
        )
        for number, (title, members) in enumerate(by_row)
    )
