"""What an explanation consists of."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qudag_otel._query.stores import Trace


class State(enum.Enum):
    """How an alert is."""

    FIRING = "firing"
    PENDING = "pending"
    SILENT = "silent"


class Verdict(enum.Enum):
    """What the queries of a cause say."""

    FITS = "fits"
    UNKNOWN = "unknown"
    DOES_NOT_FIT = "does not fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One subject of an alert, and since when.

    Args:
        labels: The labels that name it.
        state: How the alert is about it.
        since: When the alert's condition began to hold, in seconds since 1970; None if it does not.
        before: A time shortly before that.
    """

    labels: Mapping[str, str]
    state: State
    since: float | None
    before: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The value that an alert compares.

    Args:
        query: The query for it.
        unit: Its UCUM unit.
        before: Before it began; None without a value.
        now: At the time that is explained.
    """

    query: str
    unit: str
    before: float | None
    now: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one query of a cause said.

    Args:
        words: What is asked, for people.
        query: The query; it has a result if it speaks for the cause.
        value: The number; None without data.
        unit: Its UCUM unit.
        holds: Whether it speaks for the cause; None without data.
    """

    words: str
    query: str
    value: float | None
    unit: str
    holds: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause, weighed.

    Args:
        cause: What it is.
        verdict: Whether it fits.
        evidence: Why.
    """

    cause: str
    verdict: Verdict
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something else that was different at the time.

    Args:
        kind: Which kind of change.
        words: What, in a sentence.
        at: When, in seconds since 1970; None if that is not known.
    """

    kind: str
    words: str
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One subject, explained.

    Args:
        episode: Whom it is about and since when.
        reading: The value then and now.
        findings: The causes, the best first.
    """

    episode: Episode
    reading: Reading
    findings: tuple[Finding, ...]


@dataclass(slots=True, kw_only=True)
class Report:
    """All that is known of an alert.

    Args:
        alert: Its name.
        summary: What it is about.
        severity: How loudly it speaks.
        threshold: What its value is compared with, in words.
        at: The time that is explained, in seconds since 1970.
        expressions: What Prometheus evaluates.
        cases: The subjects that were looked into.
        others: How many more subjects there are.
        last_fired: When it fired last, if it does not now; None if it did not within a day.
        changes: What else was different.
        traces: Failed and slow traces of that time, with links.
        lines: Log lines of those traces, else the warnings of that time.
        lines_query: The query for them.
        actions: What to do.
        missing: A sentence for each part that could not be told.
    """

    alert: str
    summary: str
    severity: str
    threshold: str
    at: float
    expressions: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()
    others: int = 0
    last_fired: float | None = None
    changes: tuple[Change, ...] = ()
    traces: tuple[tuple[Trace, str], ...] = ()
    lines: tuple[Mapping[str, str], ...] = ()
    lines_query: str = ""
    actions: tuple[str, ...] = ()
    missing: list[str] = field(default_factory=list[str])

    @property
    def healthy(self) -> bool:
        """Whether the alert has no reason to speak."""
        return all(case.episode.state is State.SILENT for case in self.cases)
