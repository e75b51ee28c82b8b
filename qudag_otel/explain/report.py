"""An alert explained: each part asks one store, and one that does not answer costs its part."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from qudag_otel._query.prometheus import PrometheusError
from qudag_otel._query.stores import StoreError
from qudag_otel.alerts.reference import limit_of
from qudag_otel.alerts.runbooks import SECTIONS
from qudag_otel.catalogue import thresholds as t
from qudag_otel.explain._asked import Asked
from qudag_otel.explain._causes import findings, reading
from qudag_otel.explain._changes import changes
from qudag_otel.explain._company import company
from qudag_otel.explain._episodes import episodes, expressions, last_fired, silent
from qudag_otel.explain._model import Case, Report
from qudag_otel.explain._traces import lines, lines_query, traces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qudag_otel._query.native import Turn
    from qudag_otel._query.prometheus import Prometheus
    from qudag_otel._query.stores import Jaeger, Logs, Trace
    from qudag_otel.catalogue import Alert
    from qudag_otel.explain._model import Episode

T = TypeVar("T")

ALERTS: Final = {alert.name: alert for alert in t.ALERTS}
"""Every alert that can be explained."""

_CASES: Final = 3
"""How many subjects are looked into, the longest in trouble first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Whom to ask; None is left out.

    Args:
        prometheus: Metrics and alerts.
        jaeger: Traces.
        logs: Log lines.
    """

    prometheus: Prometheus
    jaeger: Jaeger | None = None
    logs: Logs | None = None


def explain(
    alert: str,
    stores: Stores,
    at: float,
    filters: Mapping[str, str] | None = None,
    *,
    turn: Turn = str,
    scale: float = 1.0,
) -> Report:
    """Do what an alert's section of the runbooks says.

    Args:
        alert: The alert's name, a key of `ALERTS`.
        stores: Whom to ask.
        at: The time to explain, in seconds since 1970.
        filters: Labels that its subjects must have.
        turn: What becomes of each query, as of the rules: other names, native histograms.
        scale: What the durations of the rules are divided by; 1 outside of tests.

    Raises:
        KeyError: There is no such alert.
    """
    asked = Asked(prometheus=stores.prometheus, at=at, turn=turn, scale=scale)
    return _Explaining(ALERTS[alert], stores, asked, filters or {}).done()


@dataclass(slots=True)
class _Explaining:
    """One explanation under way."""

    alert: Alert
    stores: Stores
    asked: Asked
    filters: Mapping[str, str]
    missing: list[str] = field(default_factory=list[str])

    def done(self) -> Report:
        name = self.alert.name
        asked = self.asked
        report = Report(
            alert=name,
            summary=self.alert.summary,
            severity=self.alert.severity.value,
            threshold=limit_of(self.alert),
            at=asked.at,
            actions=SECTIONS[name].actions,
            missing=self.missing,
        )
        found = self._part("metrics", partial(episodes, asked, name, self.filters))
        if found is None:
            # Without a subject traces and lines would be anybody's.
            return report
        report.expressions = tuple(expressions(asked, name))
        report.others = max(len(found) - _CASES, 0)
        if not found:
            report.last_fired = self._part("past", partial(last_fired, asked, name, self.filters))
        chosen = found[:_CASES] or [silent(asked, self.filters)]
        known = [self._part("subject", partial(company, asked, one)) or {} for one in chosen]
        cases = [
            self._part("causes", partial(self._case, asked, one, labels))
            for one, labels in zip(chosen, known, strict=True)
        ]
        report.cases = tuple(case for case in cases if case is not None)
        first, labels = chosen[0], known[0]
        report.changes = self._part("changes", partial(changes, asked, name, first, labels)) or ()
        if found:
            self._stored(report, first, labels)
        return report

    def _case(self, asked: Asked, episode: Episode, known: Mapping[str, list[str]]) -> Case:
        return Case(
            episode=episode,
            reading=reading(asked, self.alert, known, episode.before),
            findings=findings(asked, self.alert.name, known, episode.before)
            if episode.since is not None
            else (),
        )

    def _stored(self, report: Report, episode: Episode, known: Mapping[str, list[str]]) -> None:
        """Traces and log lines from before the alert began until the time that is explained."""
        jaeger, logs, start = self.stores.jaeger, self.stores.logs, episode.before
        found: list[Trace] = []
        if jaeger is not None:
            found = self._part("traces", partial(traces, jaeger, known, start, self.asked.at)) or []
            report.traces = tuple((one, jaeger.link(one.trace_id)) for one in found)
        if logs is None:
            return
        for of in (found, []):  # without lines of those traces, the subject's warnings
            report.lines_query = lines_query(known, of)
            told = self._part(
                "lines", partial(lines, logs, report.lines_query, start, self.asked.at)
            )
            report.lines = tuple(told or ())
            if told or told is None:
                return

    def _part(self, part: str, ask: Callable[[], T]) -> T | None:
        """What a store answers; if it does not, a sentence about what is missing for it."""
        try:
            return ask()
        except (PrometheusError, StoreError) as error:
            self.missing.append(f"No {part}: {error}.")
            return None
