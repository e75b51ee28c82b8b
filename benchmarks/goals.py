"""The goals, and what is measured for them: data only.

P rows are those of the first benchmark, W rows came with everything that is not the decorator; `price` is whether
telemetry tells the truth about its own cost.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from benchmarks.measure import key


class Step(NamedTuple):
    """A process that measures rows.

    Args:
        rows: What it measures.
        module: The module that is run.
        words: Its arguments; "PEERS" and "SERVICE" stand for the interpreters of those environments.
        python: Whose interpreter runs it: "own" or "PEERS".
    """

    rows: tuple[str, ...]
    module: str
    words: tuple[str, ...] = ()
    python: str = "own"


PEERS: Final = {
    "logfire": ("W7", "W8", "W9", "W11"),
    "autometrics": ("W8", "W9"),
    "ddtrace": ("W7", "W8", "W9"),
    "sentry-sdk": ("W7", "W8", "W9"),
    "elastic-apm": ("W9",),
    "traceloop-sdk": ("W9",),
}
"""The rows that each peer has something like, by its distribution."""

STEPS: Final = (
    Step(("W14",), "benchmarks.demo"),
    Step(("price",), "benchmarks.demo", ("price",)),
    Step(("W15",), "benchmarks.load", ("SERVICE",)),
    Step(("W18", "P7"), "benchmarks.startup", ("PEERS",)),
    *(Step(("W17",), "benchmarks.tails", (who,))
      for who in ("ours", "prometheus_client", "OpenTelemetry", "bare")),
    Step(("W1",), "benchmarks.hot", ("W1",)),
    Step(("W2",), "benchmarks.hot", ("W2",)),
    Step(("W3", "W6"), "benchmarks.hot", ("W3",)),
    Step(("W4", "W5", "W6"), "benchmarks.hot", ("W4",)),
    Step(("W6",), "benchmarks.hot", ("W6",)),
    Step(("W7",), "benchmarks.hot", ("W7",)),
    Step(("W8",), "benchmarks.hot", ("W8",)),
    Step(("P1", "P2", "P8", "W9"), "benchmarks.hot", ("W9",)),
    Step(("P3",), "benchmarks.modes", ("unsampled",)),
    Step(("P4", "W12"), "benchmarks.modes", ("disabled",)),
    Step(("W13",), "benchmarks.modes", ("untraced",)),
    Step(("W11",), "benchmarks.hot", ("W11",)),
    Step(("P5", "W10", "W11"), "benchmarks.export", ("ours",)),
    Step(("P5", "W10", "W11"), "benchmarks.export", ("OpenTelemetry",)),
    Step(("W10",), "benchmarks.export", ("fastotel",), "PEERS"),
    Step(("P9", "W16"), "benchmarks.memory"),
    Step(("W16",), "benchmarks.growth"),
    *(Step(("P6", "W16"), "benchmarks.growth", (who,))
      for who in ("ours", "prometheus_client", "OpenTelemetry")),
    *(Step(rows, "benchmarks.peers", (peer,), "PEERS") for peer, rows in PEERS.items()),
)  # fmt: skip


class Goal(NamedTuple):
    """A ratio that has to be met: (over - less) / times / (under - base).

    Args:
        row: The row that it belongs to.
        name: What it says.
        over: The figure of ours.
        under: The figure that it is compared with; empty for a bound on the figure itself.
        most: The most it may be; the least, where more is better.
        moonshot: What it may come to yet; 0 for none.
        less: A figure to take off `over`.
        base: A figure to take off `under`.
        times: What `over` counts for, such as the number of its spans.
        more_is_better: `most` is the least that it may be.
    """

    row: str
    name: str
    over: str
    under: str
    most: float
    moonshot: float = 0
    less: str = ""
    base: str = ""
    times: float = 1
    more_is_better: bool = False

    def figures(self) -> list[str]:
        """All that it is made of."""
        return [name for name in (self.over, self.under, self.less, self.base) if name]

    def ratio(self, found: dict[str, float]) -> float:
        """The measured ratio."""
        over = (found[self.over] - (found[self.less] if self.less else 0)) / self.times
        if not self.under:
            return over
        return over / (found[self.under] - (found[self.base] if self.base else 0))

    def met(self, found: dict[str, float]) -> bool:
        """Whether it holds."""
        ratio = self.ratio(found)
        return ratio >= self.most if self.more_is_better else ratio <= self.most


OURS, PROM, OTEL = "ours", "prometheus_client", "OpenTelemetry"
TIMED: Final = key("metrics alone", PROM)
CALL: Final = key("call", OURS)
BARE: Final = key("call", "bare")
EMPTY: Final = key("metrics alone", "bare")


def versus(row: str, what: str, who: str, most: float, moonshot: float = 0) -> Goal:
    """Ours against one other, doing the same."""
    return Goal(row, f"{what} / {who}", key(what, OURS), key(what, who), most, moonshot)


def growing(row: str, what: str, first: str, last: str, most: float, times: float = 1) -> Goal:
    """Ours of many against ours of few."""
    return Goal(
        row, f"{what}: {last} / {first}", key(last, OURS), key(first, OURS), most, times=times
    )


def added(what: str, spans: int) -> Goal:
    """What a watched call adds, for each of its spans."""
    return Goal("W5", f"{what}, each added span / Histogram.time()", key(what, OURS), TIMED, 0.8, 0.5,
                less=key(what, "bare"), base=EMPTY, times=spans)  # fmt: skip


def awaited(what: str) -> Goal:
    """What a watched coroutine function adds, against what a watched function adds."""
    title = f"{what}, coroutine functions"
    return Goal("W6", f"{title} / plain, both added cost", key(title, OURS), key(what, OURS), 1.3, 1.1,
                less=key(title, "bare"), base=key(what, "bare"))  # fmt: skip


def idle(what: str) -> Goal:
    """What is left of a wrapper or recorder that is disabled, in nanoseconds."""
    title = f"{what}, disabled"
    return Goal("W12", f"{title}: added ns", key(title, OURS), "", 150, less=key(title, "bare"))


def stating(mode: str, bound: float) -> Goal:
    """What telemetry says that it costs, within a fifth of what it costs."""
    return Goal("price", f"demo, cost that telemetry states / cost measured, {mode}",
                key("demo telemetry CPU, said / measured", mode), "", bound, more_is_better=bound < 1)  # fmt: skip


RECORDERS: Final = ("record_throughput", "record_cache_lookup", "record_error", "record_pool_request",
                    "record_cache_eviction", "record_operation_time", "update_cache_memory")  # fmt: skip
SPANS: Final = {
    "message send": 1,
    "message handle": 1,
    "chunk processing": 1,
    "swarm submit to completion": 2,
}
WATCHED: Final = ("cache get", "pool acquire and release", *SPANS)

GOALS: Final = (
    Goal("W14", "demo, messages/s with OTLP of all signals / off", key("demo rate of off", "OTLP"), "", 0.85, 0.95,
         more_is_better=True),
    Goal("W14", "demo, messages/s with /metrics read each second / off", key("demo rate of off", "/metrics"), "", 0.95,
         0.98, more_is_better=True),
    *(stating(mode, most) for mode in ("OTLP", "/metrics") for most in (1.2, 0.8)),
    Goal("W15", "service, requests/s with ten decorated functions / without us", key("service rate of contrib alone", OURS),
         "", 0.97, 0.99, more_is_better=True),
    Goal("W15", "service, p99 with ten decorated functions / without us", key("service p99 of contrib alone", OURS),
         "", 1.03, 1.01),
    versus("W18", "ready to export, import included", OTEL, 0.6, 0.4),
    versus("W1", "counter add, bound", PROM, 0.4, 0.2),
    versus("W1", "histogram record, bound", PROM, 0.3, 0.2),
    versus("W1", "gauge set, bound", PROM, 0.3, 0.2),
    *(versus("W2", name, PROM, 0.2, 0.15) for name in RECORDERS),
    versus("W3", "cache get", PROM, 1.0, 0.7),
    versus("W3", "cache put", PROM, 1.0, 0.7),
    versus("W4", "pool acquire and release", PROM, 0.9, 0.6),
    *(added(what, spans) for what, spans in SPANS.items()),
    *(awaited(what) for what in WATCHED),
    *(Goal("W7", f"{what} / Histogram.time()", key(what, OURS), TIMED, 1.0, 0.6)
      for what in ("call with 2 captured arguments", "call with set_attribute", "call with add_event")),
    Goal("W7", "call with a log line, without the line / Histogram.time()", key("call with a log line", OURS),
         TIMED, 1.0, 0.6, less=key("call with a log line", "bare")),
    versus("W8", "call that raises", OTEL, 0.05, 0.02),
    Goal("W9", "call with metrics and span / Histogram.time()", CALL, TIMED, 0.55),
    Goal("W9", "call, 3 attributes / histogram.record, 3 attributes", key("call, 3 attributes", OURS),
         key("histogram.record, 3 attributes", OTEL), 0.12),
    versus("W10", "exported span with 2 values of its own, CPU", OTEL, 0.06, 0.03),
    versus("W10", "exported span with an error, CPU", OTEL, 0.1, 0.03),
    versus("W11", "log line", "structlog", 1.0, 0.7),
    versus("W11", "exported log record, CPU", OTEL, 0.3, 0.1),
    *(idle(what) for what in ("cache get", "cache put", "pool acquire and release", *SPANS, *RECORDERS[:3])),
    Goal("W13", "call, traces exported nowhere / call without a span", key("call, traces exported nowhere", OURS),
         key("call without a span", OURS), 1.1),
    growing("W16", "operations", "call, 1 operations", "call, 10,000 operations", 2.0),
    growing("W16", "threads", "call, 1 threads", "call, 64 threads", 1.5),
    growing("W16", "adding", "counter add, 10 series", "counter add, 100,000 series", 2.0),
    growing("W16", "scrape, per series", "scrape of 10,000 series", "scrape of 100,000 series", 1.3, 10),
    growing("W16", "export, per series", "export of 10,000 series", "export of 100,000 series", 1.3, 10),
    versus("W16", "bytes per series", OTEL, 1.0),
    versus("W16", "bytes per idle call site", OTEL, 1.0),
    versus("W17", "call saturated, p99.9", PROM, 3, 1.5),
    versus("W17", "call saturated, p99.99", PROM, 10, 3),
    versus("W17", "call saturated, p99.9", OTEL, 0.5),
    versus("W17", "call saturated, p99.99", OTEL, 0.2),
    versus("W17", "call 1,000 calls/s, p99.9", PROM, 3, 1.5),
    versus("W17", "call 1,000 calls/s, p99.9", OTEL, 0.5),
    Goal("P1", "call, 3 attributes / histogram.record, 3 attributes", key("call, 3 attributes", OURS),
         key("histogram.record, 3 attributes", OTEL), 0.2),
    versus("P2", "metrics alone", PROM, 0.3),
    Goal("P2", "call with metrics and span / Histogram.time()", CALL, TIMED, 1.0),
    versus("P3", "call, unsampled", OTEL, 0.25),
    Goal("P4", "decorated while disabled is the same object", key("decorated while disabled is the same object", OURS),
         "", 1, more_is_better=True),
    versus("P5", "exported span, CPU", OTEL, 0.1),
    versus("P6", "scrape of 10,000 series", PROM, 0.5),
    versus("P7", "import", OTEL, 0.35),
    Goal("P8", "call, coroutine function / call, both added cost", key("call, coroutine function", OURS), CALL, 1.5,
         less=key("call, coroutine function", "bare"), base=BARE),
    Goal("P8", "call of a block / call, both added cost", key("call of a block", OURS), CALL, 1.5, less=BARE, base=BARE),
    Goal("P8", "call below another / call, both added cost", key("call below another", OURS), CALL, 1.5,
         less=key("call below another", "bare"), base=BARE),
    Goal("P8", "generator step / call, both added cost", key("generator step", OURS), CALL, 0.5,
         less=key("generator step", "bare"), base=BARE),
    versus("P9", "bytes per idle call site", OTEL, 1.0),
    versus("P9", "bytes per queued span", OTEL, 1.0),
)  # fmt: skip
ROWS: Final = tuple(dict.fromkeys(goal.row for goal in GOALS))
