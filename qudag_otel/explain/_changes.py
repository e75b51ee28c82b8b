"""What else was different when an alert began: alerts, processes, errors, load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import equal, select
from qudag_otel._query.units import quantity
from qudag_otel.alerts import recording as r
from qudag_otel.alerts._model import Level
from qudag_otel.alerts.sections._terms import named, of, raw, then
from qudag_otel.alerts.sections.binding import bound
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.explain._model import Change

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from qudag_otel.explain._asked import Asked
    from qudag_otel.explain._model import Episode

    Known = Mapping[str, Collection[str]]

_MOST: Final = 5
"""How many of a kind are told."""
_OWN: Final = frozenset({"__name__", "alertname", "alertstate", "severity", "concern"})
_PROCESSES: Final = f"group by (job, instance) ({named('target_info', Level.PROCESS)})"
_VERSIONS: Final = f"group by (job, service_version) ({named('target_info', Level.PROCESS)})"
_ERRORS: Final = f"sum by (component, error_type) (rate({raw(Level.NODE, m.ERRORS)}[5m])) > 0"
_CALLS: Final = f"sum by (operation, component) ({of(r.OPERATION_RATE)})"


def changes(asked: Asked, alert: str, episode: Episode, known: Known) -> tuple[Change, ...]:
    """What else was different.

    Args:
        asked: Whom to ask.
        alert: The alert that is explained.
        episode: Whom it is about.
        known: What is known of that subject.

    Raises:
        PrometheusError: No answer.
    """
    return (
        *_alerts(asked, alert, episode),
        *_processes(asked, episode, known),
        *_errors(asked, episode, known),
        *_operations(asked, episode, known),
    )


def _alerts(asked: Asked, alert: str, episode: Episode) -> list[Change]:
    """Other alerts of the same fleet, those first that began before."""
    fleet = [equal(key, episode.labels[key]) for key in a.SCOPE if key in episode.labels]
    # An alert of the stack has no fleet, and is everybody's.
    selected = select("ALERTS_FOR_STATE", *fleet)
    alone = select("ALERTS_FOR_STATE", 'concern=~"collectors|telemetry|watcher"')
    states = {_key(labels): labels["alertstate"] for labels, _ in asked.instant(select("ALERTS"))}
    begun: dict[str, list[tuple[float, str, str]]] = {}
    for labels, since in asked.instant(f"{selected} or {alone}"):
        name = labels["alertname"]
        state = states.get(_key(labels))
        if name in {alert, "Watchdog"} or state is None:
            continue
        subject = ", ".join(v for k, v in sorted(labels.items()) if k not in _OWN)
        begun.setdefault(name, []).append((since, state, subject))
    told = sorted((min(each), name, each) for name, each in begun.items())
    return [
        Change(
            kind="alert",
            words=f"{name} is {state} ({subject}{_more(len(each) - 1)})",
            at=since,
        )
        for (since, state, subject), name, each in told[: 2 * _MOST]
    ]


def _key(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((k, v) for k, v in labels.items() if k not in {"__name__", "alertstate"})


def _more(count: int) -> str:
    return f", and {count} more" if count else ""


def _processes(asked: Asked, episode: Episode, known: Known) -> list[Change]:
    """Processes and versions that came or went since before; those whose names are not fixed."""
    scope: Known = {key: each for key, each in known.items() if key != "instance"}
    if "job" not in scope:
        return []
    found: list[Change] = []
    for expression, label, noun in (
        (_PROCESSES, "instance", "process"),
        (_VERSIONS, "service_version", "version"),
    ):
        for now, former, verb in (
            (expression, then(expression), "came"),
            (then(expression), expression, "went"),
        ):
            query = bound(f"{now} unless {former}", scope, episode.before)
            came = [
                f"{labels['job']} {labels[label]}"
                for labels, _ in asked.instant(query)
                if labels.get(label)
            ]
            if came:
                words = f"{noun} {verb}: {came[0]}{_more(len(came) - 1)}"
                found.append(Change(kind="rollout", words=words))
    return found


def _errors(asked: Asked, episode: Episode, known: Known) -> list[Change]:
    query = bound(_ERRORS, known, episode.before)
    before = {_tuple(labels): value for labels, value in asked.instant(query, episode.before)}
    now = sorted(asked.instant(query), key=lambda one: -one[1])[:_MOST]
    return [
        Change(
            kind="errors",
            words=f"{labels.get('error_type', '')} in {labels.get('component', '')}: "
            f"{quantity(value, '{error}/s')}, "
            f"before {quantity(before.get(_tuple(labels), 0.0), '{error}/s')}",
        )
        for labels, value in now
    ]


def _operations(asked: Asked, episode: Episode, known: Known) -> list[Change]:
    query = bound(_CALLS, known, episode.before)
    day = asked.seconds(86_400.0)
    before = {_tuple(labels): value for labels, value in asked.instant(query, episode.before)}
    yesterday = {_tuple(labels): value for labels, value in asked.instant(query, asked.at - day)}
    now = {_tuple(labels): (labels, value) for labels, value in asked.instant(query)}
    busiest = sorted(now.items(), key=lambda one: -one[1][1])[:_MOST]
    found: list[Change] = []
    for key, (labels, value) in busiest:
        name = f"{labels.get('operation', '')} ({labels.get('component', '')})"
        words = [
            f"{name}: {quantity(value, '{call}/s')}",
            *(
                f"{when} {quantity(former[key], '{call}/s')}"
                for when, former in (("before", before), ("yesterday", yesterday))
                if key in former
            ),
        ]
        found.append(Change(kind="operations", words=", ".join(words)))
    return found


def _tuple(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))
