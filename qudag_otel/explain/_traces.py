"""The traces of the time, those that failed and those that took longest, and their log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from qudag_otel._query.stores import Jaeger, Logs, Trace

_ASKED: Final = 100
_FAILED: Final = 4
_SLOWEST: Final = 3
_LINES: Final = 10
_SERVICES: Final = 3
_INSTANCE: Final = "service.instance.id"
_NODE: Final = "qudag.node.id"
_WARNING: Final = 13
"""The severity number of a warning. Source: OpenTelemetry, logs data model."""


def traces(
    jaeger: Jaeger, known: Mapping[str, Collection[str]], start: float, end: float
) -> list[Trace]:
    """Failed traces of a time, the latest first, then the slowest of those that did not fail.

    Args:
        jaeger: Whom to ask.
        known: What is known of the subject.
        start: From when, in seconds since 1970.
        end: Until when.

    Raises:
        StoreError: No answer.
    """
    failed: dict[str, Trace] = {}
    others: dict[str, Trace] = {}
    for service in sorted({job.rpartition("/")[2] for job in known.get("job", ())})[:_SERVICES]:
        for tags in _whose(known):
            failing = {**tags, "error": "true"}
            for one in jaeger.traces(service, start, end, tags=failing, limit=_FAILED):
                failed[one.trace_id] = one
            for one in jaeger.traces(service, start, end, tags=tags, limit=_ASKED):
                others[one.trace_id] = one
    latest = sorted(failed.values(), key=lambda one: -one.start)[:_FAILED]
    slowest = sorted(
        (one for one in others.values() if not one.failure), key=lambda one: -one.seconds
    )
    return [*latest, *slowest[:_SLOWEST]]


def _whose(known: Mapping[str, Collection[str]]) -> list[dict[str, str]]:
    """What tells the subject's spans from others: the process that pushed them, else the node."""
    pushed = [each for each in known.get("instance", ()) if ":" not in each]
    if pushed:
        return [{_INSTANCE: each} for each in pushed[:_SERVICES]]
    return [{_NODE: each} for each in list(known.get("node_id", ()))[:_SERVICES]] or [{}]


def lines_query(known: Mapping[str, Collection[str]], found: Collection[Trace]) -> str:
    """LogsQL for the lines of some traces, or without any for the subject's warnings."""
    if found:
        return f"trace_id:in({','.join(_quoted(one.trace_id) for one in found)})"
    words = [f"severity_number:>={_WARNING}"]
    for field, label in ((_INSTANCE, "instance"), ("service.name", "job")):
        values = [each for each in known.get(label, ()) if ":" not in each]
        if values:
            names = (each.rpartition("/")[2] for each in values)
            words.insert(0, f"{field}:in({','.join(map(_quoted, names))})")
            break
    return " ".join(words)


def lines(logs: Logs, query: str, start: float, end: float) -> list[dict[str, str]]:
    """The lines of a query, the oldest first.

    Raises:
        StoreError: No answer.
    """
    found = logs.lines(query, start, end, limit=_LINES)
    return sorted(found, key=lambda line: line.get("_time", ""))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
