"""docs/performance.md and its plot, from what was measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from benchmarks.environments import ROOT, pins
from benchmarks.goals import GOALS, PEERS, ROWS, Goal

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = ROOT / "docs" / "performance.md"
PLOT: Final = ROOT / "docs" / "performance.svg"
WHOLE: Final = ("W14", "price", "W15", "W18")
COLUMNS: Final[tuple[str, ...]] = ("bare", "ours", "prometheus_client", "OpenTelemetry", "logfire", "ddtrace", "sentry",
                  "structlog", "elastic", "autometrics", "traceloop", "fastotel", "logging")  # fmt: skip
UNITS: Final = (
    ("bytes", "bytes", 1, "{:,.0f}"),
    ("decorated while disabled", "1 is yes", 1, "{:.0f}"),
    ("demo messages", "messages/s", 1, "{:,.0f}"),
    ("demo CPU", "us", 1e-3, "{:,.0f}"),
    ("demo rate", "share", 1, "{:.2f}"),
    ("demo telemetry CPU", "ratio", 1, "{:.2f}"),
    ("service requests", "requests/s", 1, "{:,.0f}"),
    ("service p99 of", "ratio", 1, "{:.2f}"),
    ("service p99", "ms", 1e-6, "{:.2f}"),
    ("service rate", "ratio", 1, "{:.2f}"),
    ("exported", "us", 1e-3, "{:.1f}"),
    ("export of", "ms", 1e-6, "{:,.2f}"),
    ("scrape", "ms", 1e-6, "{:,.2f}"),
    ("ready", "ms", 1e-6, "{:,.0f}"),
    ("import", "ms", 1e-6, "{:,.0f}"),
    ("", "ns", 1, "{:,.0f}"),
)
"""By how a figure's name begins: its unit, the factor to it, and its digits."""

SECTIONS: Final = (
    ("A call", ("call", "metrics alone", "generator step", "histogram.record", "decorated while")),
    (
        "A value",
        ("counter add, bound", "histogram record, bound", "gauge set, bound", "record_", "update_"),
    ),
    ("A watched part", ("cache ", "pool ", "message ", "chunk ", "swarm ")),
    ("A log line", ("log line",)),
    ("CPU from the call to the receiver", ("exported",)),
    ("Growth", ("counter add, ", "scrape", "export of", "bytes")),
)
"""The tables, by how the names of their figures begin; the first that fits has it."""

BARS: Final = {
    "a look-up in a watched cache": ("cache get", ("ours", "prometheus_client", "OpenTelemetry")),
    "a message sent (prometheus_client's without a span)": (
        "message send",
        ("ours", "prometheus_client", "OpenTelemetry"),
    ),
    "a call, as each records it": (
        "call",
        ("ours", "prometheus_client", "OpenTelemetry", "logfire", "ddtrace", "sentry"),
    ),
    "a log line as JSON": ("log line", ("ours", "structlog", "logfire")),
    "the slowest of 1,000 calls, at 1,000 a second": (
        "call 1,000 calls/s, p99.9",
        ("ours", "prometheus_client", "OpenTelemetry"),
    ),
}
"""What a reader of the plot sees, and whose."""

INTRODUCTION: Final = """\
<!-- Written by `make bench`; do not edit. -->
# What telemetry costs

`make bench` measures and writes this page, `make bench-check` compares with the goals; both take `ARGS="--rows \
W3,W4"`. Only ratios mean something on another machine.
"""

WHERE: Final = {
    "W14": "The table says what telemetry takes of a message, and of that how much its calls (spans, values, trace context "
    "in and out of a message) and its threads (draining, encoding, pages). A message of the demo is some 270 us of work, "
    "makes three spans and four or five values, and carries the trace context: each is cold when its turn comes, and costs "
    "many times what it does in the rows below, where it is called again and again.",
    "W15": "Ten calls cost some 10 us of a request's 5 ms. A tail of eight connections on one core is a queue: whatever a "
    "request costs, it costs the seven behind it, too. The same without us differs from bare by more.",
    "W18": "What ours and the SDK both load is a row of its own, and more than the goal alone: the SDK is what ours "
    "exports with. On top come our own modules, the patterns of the redactor among them, and a thread for each signal. "
    '`python -X importtime -c "import qudag_otel; qudag_otel.configure()"`',
    "W2": "The recorder's own call and the bound series' `add` are nine tenths, the look-up of the series by its labels is one.",
    "W4": "Of an acquisition, the opening and ending of the span is the largest part; then the wrapper itself and the "
    "ledger of who holds a connection. What is counted waits with the span.",
    "W5": "Of a message, the opening and ending of the span is the largest part. Of a chunk, its bytes are summed while "
    "they are there, and its size finds its bucket. A task has two spans in two functions made for it, a record of who "
    "tells of its end, and a counter and a histogram at that end, which comes when it comes.",
    "W6": "A watched coroutine function is a second coroutine around the first: where little is added, it shows.",
    "W7": "Beside the call itself: `trace.get_current_span()`, which goes through several functions of OpenTelemetry's API, "
    "keeping what it is told, and weighing that, as what waits for export is bounded in bytes. The log line asks for the "
    "ids of the span around it and writes them.",
    "W8": "More than a third of it is in `_calls/failure.py`: class, text, causes and places in the code are read while the exception "
    "is there, and only these are kept.",
    "W9": "A call is two readings of a clock, a trace id, an object that is span and context, two changes of the "
    "context and one append, none of them most of it. Opening and ending are two functions that all kinds of callable "
    "share; written out in each they would cost less.",
    "W10": "The figure of the call alone is in the table below: for values it is a fifth, for an error a third. The rest is "
    "our thread's: it weighs what was said, finds the bytes of each value among those it has encoded before, and joins "
    "them. An error whose text was not met before is masked anew, which costs several times as much as all else; the "
    "benchmark's is always the same.",
    "W11": "The standard library makes a record and looks for its place in the code before either handler sees it. Of "
    "what is exported the call is more than half, see below, and of that the record of the standard library a sixth; the "
    "rest reads, masks and keeps its fields.",
    "W12": "What is left of a disabled recorder is a call with its arguments, and the look-up of a series that does "
    "nothing. A cache's `get` takes a `validation_type=` that the cache itself does not know: so it stays, and calls.",
    "W13": "A span that nobody exports is opened all the same, as what is logged or called inside may ask for it: the "
    "context that makes it findable and the object are the price. What nobody asks is better decorated with "
    "`spans=False`.",
    "W16": "Calls of many operations in turn find nothing in the processor's caches; prometheus_client's grow alike. "
    "Threads share one interpreter with the one that exports: with a single one a call costs twice what it does alone "
    "already. A series of ours is one of the SDK's and what appends to it, so it is never less; a call site has two "
    "series more than the SDK's by hand, of its failures, which begin at 0.",
    "W17": "Saturated means that the thread that exports never rests: each time it has its turn, the caller waits for "
    "the interpreter, up to `sys.getswitchinterval()` (5 ms). prometheus_client has no thread, and exports no span.",
    "P7": "The decorator needs OpenTelemetry's API and the redactor's patterns. "
    '`python -X importtime -c "import qudag_otel; qudag_otel.instrumented"`',
    "P9": "As W16: two series more, of its failures, which begin at 0.",
}
"""Where the time of a row goes that misses its goal; `--profile` shows it."""

PROFILED: Final = 'In which functions the time goes: `make bench ARGS="--rows W5 --profile"`.'

METHOD: Final = """\
## How it is measured

- Each figure is the least of up to 150 repeats of up to 1,000 calls on one core, the garbage collector resting; \
whoever is compared takes turns within one process, except peers that need packages of their own.
- Ours is set up by `configure()` with all signals exported over OTLP to a receiver in another process, and each row \
first sees there that a call exports what the row says; the SDK's spans are queued and go nowhere. What waits is sent \
between repeats. `prometheus_client` is used as its documentation shows it, with children bound beforehand where that \
is possible.
- "bare" is the same call without telemetry. A peer's call is what its own decorator records: a span, for most.
- A call of sentry and elastic alone is a transaction with a span; "below another" is the span.
- The demo sends as fast as it can on one core, sink and scraper on another; the service is FastAPI under uvicorn, \
asked over 8 connections by a client on another core. Their figures are medians of rounds in turn, of ratios within a \
round. Off is `OTEL_SDK_DISABLED=true` from the start. What telemetry states of its cost is compared with the demo off, \
exporting and scraped side by side on one core.
- Tails are the least of 4 rounds, quantile by quantile: 250,000 calls (the SDK 100,000), or 6,000 at 1,000 a second.
"""


def unit(what: str) -> tuple[str, float, str]:
    """The unit of a figure, the factor to it, and its digits."""
    return next(
        (name, factor, digits) for start, name, factor, digits in UNITS if what.startswith(start)
    )


def section(what: str) -> str:
    """The table that a figure belongs to."""
    return next(
        (
            title
            for title, starts in SECTIONS
            if what.startswith(starts) and not what.startswith("counter add, bound")
        ),
        "A value" if what.startswith("counter add, bound") else "The whole program",
    )


def markdown(found: dict[str, float], rows: tuple[str, ...] = ROWS) -> str:
    """The document.

    Args:
        found: All figures.
        rows: Whose goals it shows.
    """
    goals = [goal for goal in GOALS if goal.row in rows and set(goal.figures()) <= found.keys()]
    return "\n".join([
        INTRODUCTION,
        *_table([goal for goal in goals if goal.row in WHOLE], found),
        *_figures("The whole program", found),
        "",
        "![What a look-up, a send, a call and a log line cost, ours and peers](performance.svg)",
        "",
        "## Goals",
        "",
        *_table([goal for goal in goals if goal.row not in WHOLE], found),
        *_where(goals, found),
        *(line for title, _ in SECTIONS for line in _figures(title, found)),
        "",
        METHOD,
        _versions(),
        "",
    ])  # fmt: skip


def missed(found: dict[str, float], rows: tuple[str, ...]) -> list[str]:
    """The goals that do not hold, in words."""
    return [
        f"{goal.row} is missed: {goal.name} is {_number(goal.ratio(found))} instead of at "
        f"{'least' if goal.more_is_better else 'most'} {goal.most:g}"
        for goal in GOALS
        if goal.row in rows and not goal.met(found)
    ]


def _table(goals: list[Goal], found: dict[str, float]) -> list[str]:
    lines = ["| | ours / theirs | ratio | goal | moonshot | |", "|---|---|---:|---:|---:|---|"]
    for goal in goals:
        sign = "≥" if goal.more_is_better else "≤"
        far = f"{sign} {goal.moonshot:g}" if goal.moonshot else ""
        met = "met" if goal.met(found) else "**missed**"
        lines.append(
            f"| {goal.row} | {goal.name} | {_number(goal.ratio(found))} | {sign} {goal.most:g} | {far} | {met} |"
        )
    return lines


def _where(goals: list[Goal], found: dict[str, float]) -> list[str]:
    rows = dict.fromkeys(goal.row for goal in goals if not goal.met(found))
    lines = [f"- {row}: {WHERE[row]}" for row in rows if row in WHERE]
    return ["", "## Where a goal is missed", "", PROFILED, "", *lines] if lines else []


def _number(ratio: float) -> str:
    return (
        f"{ratio:.3f}" if abs(ratio) < 0.1 else f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2f}"
    )


def _figures(title: str, found: dict[str, float]) -> list[str]:
    names = [name.split(" | ") for name in found]
    whats = list(dict.fromkeys(what for what, _ in names if section(what) == title))
    present = {who for what, who in names if what in whats}
    whom = [who for who in COLUMNS if who in present]
    whom += [who for _, who in names if who in present and who not in whom]
    whom = list(dict.fromkeys(whom))
    if not whats:
        return []
    lines = [
        "",
        f"## {title}",
        "",
        f"| | unit | {' | '.join(whom)} |",
        f"|---|---|{'---:|' * len(whom)}",
    ]
    for what in whats:
        name, factor, digits = unit(what)
        cells = (
            digits.format(found[f"{what} | {who}"] * factor) if f"{what} | {who}" in found else ""
            for who in whom
        )
        lines.append(f"| {what} | {name} | {' | '.join(cells)} |")
    return lines


def _versions() -> str:
    peers, service = pins("PEERS"), pins("SERVICE")
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores; opentelemetry-sdk {version('opentelemetry-sdk')}, prometheus-client "
        f"{version('prometheus-client')}, {', '.join(f'{peer} {peers[peer]}' for peer in (*PEERS, 'fastotel'))}, structlog {version('structlog')}; the service: "
        f"fastapi {service['fastapi']}, opentelemetry-sdk {service['opentelemetry-sdk']}."
    )


def plot(found: dict[str, float], path: Path = PLOT) -> None:
    """Groups of bars on one logarithmic axis, each bar with its figure."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "qudag-otel"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        len(BARS), figsize=(9, 8.5), sharex=True, height_ratios=[len(w) for _, w in BARS.values()]
    )
    for ax, (title, (what, whom)) in zip(axes, BARS.items(), strict=True):
        there = [who for who in reversed(whom) if f"{what} | {who}" in found]
        values = [found[f"{what} | {who}"] / 1000 for who in there]
        colors = ["tab:green" if who == "ours" else "tab:gray" for who in there]
        bars = ax.barh(
            [who if who != "ours" else "qudag-otel" for who in there], values, color=colors
        )
        ax.bar_label(bars, [f"{value:.3g} us" for value in values], padding=4)
        ax.set_title(title, loc="left", fontsize=11)
        ax.set_xscale("log")
        ax.spines[["top", "right"]].set_visible(False)
        ax.margins(x=0.15)
    axes[-1].set_xlabel("microseconds each, on a logarithmic axis (less is better)")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
