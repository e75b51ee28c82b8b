"""An explanation as people read it, and as programs do."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from qudag_otel._query.units import quantity
from qudag_otel.explain._model import State, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qudag_otel.explain._model import Case, Evidence, Finding, Report

_KINDS: Final = {
    "alert": "Other alerts",
    "rollout": "Processes and versions",
    "errors": "Errors",
    "operations": "Busiest operations",
}
_MARKS: Final = {Verdict.FITS: "+", Verdict.UNKNOWN: "?", Verdict.DOES_NOT_FIT: "-"}
_UNPRINTABLE: Final = re.compile(r"(?!\A\n)[\x00-\x1f\x7f-\x9f]")
_FIELDS: Final = ("error", "exception.message", "exception.type")


def as_json(report: Report) -> str:
    """The report as one JSON object; times are seconds since 1970."""
    data: dict[str, Any] = {"healthy": report.healthy, **asdict(report)}
    data["traces"] = [{**asdict(trace), "link": link} for trace, link in report.traces]
    return json.dumps(data, indent=2, default=_plain)


def text(report: Report) -> str:
    """The report as text, what matters most first."""
    # What others wrote must not steer the terminal.
    return "\n".join(_UNPRINTABLE.sub("\ufffd", line) for line in _text(report))


def _text(report: Report) -> Iterator[str]:
    yield f"{report.alert} ({report.severity}): {report.summary}"
    if not report.cases:
        yield "Nothing can be told of it."
    elif report.healthy:
        yield from _healthy(report)
    for case in report.cases:
        yield from _case(report, case)
    if report.others:
        yield f"\n{report.others} more: choose one by --node, --swarm or --match"
    yield from _changes(report)
    yield from _traces(report)
    yield from _lines(report)
    if report.cases and not report.healthy:
        yield "\nWhat to do"
        yield from (f"  {number}. {action}" for number, action in enumerate(report.actions, 1))
    if report.missing:
        yield ""
        yield from dict.fromkeys(report.missing)


def _healthy(report: Report) -> Iterator[str]:
    yield f"Healthy at {_moment(report.at)}: it has no reason to speak."
    if report.last_fired is not None:
        moment = datetime.fromtimestamp(report.last_fired, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        yield f"It fired last at {_moment(report.last_fired)}: --at {moment} explains that."


def _case(report: Report, case: Case) -> Iterator[str]:
    episode, reading = case.episode, case.reading
    named = ", ".join(f"{key} {value}" for key, value in sorted(episode.labels.items()))
    if episode.state is not State.SILENT and episode.since is not None:
        yield f"\n{named or 'everything'}: {episode.state.value}, since {_moment(episode.since)}"
    elif named:
        yield f"\n{named}"
    now, before = _value(reading.now, reading.unit), _value(reading.before, reading.unit)
    limit = f"; the alert speaks if it is {report.threshold}" if report.threshold else ""
    yield f"  now {now}, before {before}{limit}"
    yield f"    {reading.query}"
    for finding in case.findings:
        yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  {_MARKS[finding.verdict]} {finding.verdict.value}: {finding.cause}"
    if not finding.evidence:
        yield "      no query can tell"
    for evidence in finding.evidence:
        yield f"      {_said(evidence)}"
        yield f"        {evidence.query}"


def _said(evidence: Evidence) -> str:
    said = {True: "yes", False: "no", None: "no data"}[evidence.holds]
    value = "" if evidence.value is None else f", it is {_value(evidence.value, evidence.unit)}"
    return f"{evidence.words}? {said}{value}"


def _changes(report: Report) -> Iterator[str]:
    for kind, title in _KINDS.items():
        told = [change for change in report.changes if change.kind == kind]
        if told:
            yield f"\n{title}"
        for change in told:
            yield f"  {change.words}" + (f", since {_moment(change.at)}" if change.at else "")


def _traces(report: Report) -> Iterator[str]:
    if report.traces:
        yield "\nTraces, those that failed first"
    for trace, link in report.traces:
        name, seconds = trace.longest
        yield (
            f"  {_moment(trace.start)} {trace.operation}, {_value(trace.seconds, 's')}, "
            f"{quantity(trace.spans, '{span}')}; longest by itself: {name}, {_value(seconds, 's')}"
        )
        if trace.failure:
            yield f"    failed: {trace.failure}"
        yield f"    {link}"


def _lines(report: Report) -> Iterator[str]:
    if report.lines:
        yield "\nLog lines"
        yield f"  {report.lines_query}"
    for line in report.lines:
        yield f"    {_line(line)}"


def _line(line: Mapping[str, str]) -> str:
    said = [line[field] for field in _FIELDS if line.get(field)]
    words = (line.get("_time", "")[:19], line.get("severity_text", ""), line.get("_msg", ""), *said)
    return " ".join(word for word in words if word)


def _value(value: float | None, unit: str) -> str:
    return "no data" if value is None else quantity(value, unit)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else dict(value)  # type: ignore[call-overload]
