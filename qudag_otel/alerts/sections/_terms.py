"""Queries that several sections ask, and how a query names the alert's subject."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qudag_otel._query import promql
from qudag_otel.alerts import pipeline, presence
from qudag_otel.alerts import recording as r
from qudag_otel.alerts._model import Level
from qudag_otel.alerts.promql import WINDOW, on
from qudag_otel.alerts.sections._model import Check
from qudag_otel.catalogue import metrics as m

if TYPE_CHECKING:
    from qudag_otel.alerts._model import Recorded
    from qudag_otel.catalogue import Metric

LOGS: Final = (
    "Read the log of the node's service in VictoriaLogs, around the time at which it began."
)
TRACES: Final = "Open an exemplar of the panel and look where its trace spends the time."

_SELECTED: Final = re.compile(r"\}(\[[^\]]+\])?")
_GREW: Final = 1.3
_FEW: Final = 0.1

_UNVERIFIED: Final = 'error_type=~"(?i).*(signature|author|corrupt|forg|verif).*"'
_DISCONNECTED: Final = (
    'error_type=~"(?i)(.*[.])?(connection.*error|.*timeout.*|.*unreachable.*|.*unavailable.*|'
    'gaierror|brokenpipe.*|oserror|incompletereaderror)"'
)
_EXHAUSTED: Final = 'error_type=~"(?i).*exhausted.*"'


def named(name: str, level: Level, *matchers: str) -> str:
    """The series of a name that belong to the alert's subject at a level."""
    return promql.select(name, f"<{level.prefix}>", *matchers)


def of(recorded: Recorded, *matchers: str) -> str:
    """A recorded series of the alert's subject."""
    return named(recorded.name, recorded.level, *matchers)


def raw(level: Level, metric: Metric, *matchers: str, suffix: str = "") -> str:
    """A metric's series of the alert's subject."""
    return named(f"{metric.prometheus_name}{suffix}", level, *matchers)


def rate(level: Level, metric: Metric, *matchers: str, suffix: str = "") -> str:
    """The sum of the rates of the subject's counters; 0 if there is none."""
    return f"(sum(rate({raw(level, metric, *matchers, suffix=suffix)}[{WINDOW}])) or vector(0))"


def then(expression: str) -> str:
    """An expression as it was before the alert began."""
    return _SELECTED.sub(r"\g<0> @ <before>", expression)


def changed(expression: str) -> str:
    """How many times as large as before the alert began."""
    return f"{expression} / ({then(expression)} > 0)"


def of_fleet(expression: str) -> str:
    """How many series an expression has; 0 for none."""
    return f"(count({expression}) or vector(0))"


_NODE: Final = Level.NODE
_TOTAL: Final = raw(_NODE, m.SYSTEM_MEMORY, 'memory_type="total"')
_PROCESSES: Final = f"group by (instance) ({_TOTAL})"
_VERSIONS: Final = f"group by (job, service_version) ({named('target_info', Level.PROCESS)})"

RESTARTED: Final = Check(
    "processes of the node that were not there before",
    of_fleet(f"({_PROCESSES} unless {then(_PROCESSES)}) and on () {then(_PROCESSES)}"),
    ">",
    0,
)
RELEASED: Final = Check(
    "versions of the service that were not there before",
    of_fleet(f"({_VERSIONS} unless {then(_VERSIONS)}) and on (job) {then(_VERSIONS)}"),
    ">",
    0,
)
OTHERS_ABSENT: Final = Check(
    "nodes that are absent", of_fleet(named(presence.NODES.absent.name, Level.FLEET)), ">", 0
)

UNVERIFIED: Final = Check(
    "errors about signatures and authors",
    rate(_NODE, m.ERRORS, _UNVERIFIED),
    ">",
    _FEW,
    "{error}/s",
)
DISCONNECTED: Final = Check(
    "errors of connections and timeouts", rate(_NODE, m.ERRORS, _DISCONNECTED), ">", _FEW,
    "{error}/s",
)  # fmt: skip
EXHAUSTED: Final = Check(
    "errors for want of a connection", rate(_NODE, m.ERRORS, _EXHAUSTED), ">", _FEW, "{error}/s"
)
QUIET: Final = Check("errors", rate(_NODE, m.ERRORS), "<=", _FEW, "{error}/s")

_ACTIVE: Final = f"(sum({raw(_NODE, m.OPERATION_ACTIVE)}) or vector(0))"
IN_FLIGHT: Final = Check("operations in flight", _ACTIVE, ">", 0, "{operation}")
NOTHING_IN_FLIGHT: Final = Check("operations in flight", _ACTIVE, "==", 0, "{operation}")

_OUT: Final = rate(_NODE, m.MESSAGE_THROUGHPUT, 'direction="outbound"')
NOTHING_SENT: Final = Check("messages sent, of those before", changed(_OUT), "<", _FEW, "1")
STILL_SENT: Final = Check("messages sent, of those before", changed(_OUT), ">=", _FEW, "1")
MORE_MESSAGES: Final = Check(
    "messages, of those before", changed(of(r.MESSAGES_RATE)), ">=", _GREW, "1"
)


_IDLE: Final = of(r.POOL_CONNECTIONS, 'state="idle"')
_USED: Final = of(r.POOL_CONNECTIONS, 'state="active"')
NO_CONNECTION: Final = Check(
    "connections in use where none is idle",
    f"(sum({_USED} and {on(Level.NODE_POOL)} {_IDLE} == 0) or vector(0))", ">", 0, "{connection}",
)  # fmt: skip
LONG_WAIT: Final = Check("wait for a connection", of(r.POOL_WAIT_P95), ">", 1.0, "s")
MORE_REQUESTS: Final = Check(
    "requests for a connection, of those before", changed(of(r.POOL_REQUESTS)), ">=", _GREW, "1"
)
AS_MANY_REQUESTS: Final = Check(
    "requests for a connection, of those before", changed(of(r.POOL_REQUESTS)), "<", _GREW, "1"
)

BUSY_CPU: Final = Check("CPU in use on the host", of(r.CPU_PERCENT), ">", 80.0, "%")

WAITING: Final = Check("tasks that wait", of(r.TASKS_WAITING), ">", 10.0, "{task}")
FEW_WAITING: Final = Check("tasks that wait", of(r.TASKS_WAITING), "<=", 10.0, "{task}")
MORE_TASKS: Final = Check(
    "tasks created, of those before", changed(of(r.TASKS_CREATED_RATE)), ">=", _GREW, "1"
)
AS_MANY_TASKS: Final = Check(
    "tasks created, of those before", changed(of(r.TASKS_CREATED_RATE)), "<", _GREW, "1"
)
BUSY_AGENTS: Final = Check("time that agents work", of(r.AGENT_UTILIZATION_AVG), ">", 0.7, "1")
IDLE_AGENTS: Final = Check("time that agents work", of(r.AGENT_UTILIZATION_AVG), "<", 0.3, "1")


def tasks_ended(status: str) -> Check:
    """Tasks that ended with a status, above a handful an hour."""
    return Check(
        f"tasks that ended as {status}",
        rate(Level.SWARM, m.TASKS_COMPLETED, f'status="{status}"'),
        ">",
        0.001,
        "{task}/s",
    )


def evicted(reason: str) -> Check:
    """Entries that leave caches for a reason, so many that it matters."""
    return Check(
        f"entries that leave, {reason}",
        rate(Level.NODE_CACHE, m.CACHE_EVICTIONS, promql.among("reason", reason.split(" or "))),
        ">",
        _FEW,
        "{entry}/s",
    )


NOTHING_EVICTED: Final = Check(
    "entries that leave", rate(Level.NODE_CACHE, m.CACHE_EVICTIONS), "<=", _FEW, "{entry}/s"
)

LOUD: Final = Check("errors", rate(_NODE, m.ERRORS), ">", _FEW, "{error}/s")
FULL_MEMORY: Final = Check("memory in use on the host", of(r.MEMORY_RATIO), ">", 0.9, "1")

_COLLECTORS: Final = f"(max({pipeline.ABSENT.name}) or vector(0))"
COLLECTORS_ABSENT: Final = Check("Collectors that are absent", _COLLECTORS, ">", 0, "{Collector}")
COLLECTORS_THERE: Final = Check("Collectors that are absent", _COLLECTORS, "<=", 0, "{Collector}")


def sum_of(function: str, selector: str, window: str = WINDOW) -> str:
    """The sum of a function of counters over a range; 0 if there is none."""
    return f"(sum({function}({selector}[{window}])) or vector(0))"


REFUSED: Final = Check(
    "requests that Prometheus refuses",
    sum_of("rate", 'prometheus_http_requests_total{handler=~"/api/v1/(otlp|write).*",code=~"4.."}'),
    ">",
    0,
    "{request}/s",
)
