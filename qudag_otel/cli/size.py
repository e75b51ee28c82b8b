"""`qudag-otel size`: machines, memory and disk for so many nodes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from qudag_otel.cli._command import bounded

if TYPE_CHECKING:
    import argparse

_EPILOG: Final = """\
What one record takes was measured (make bench-pipeline) with records that are alike, so that those
of an application may take more room: docs/operating.md, "Sizing", says what is left out.
"""
_positive: Final = bounded("a number above 0", 1e-9)
_number: Final = bounded("0 or a number above", 0)
_share: Final = bounded("a percentage from 0 to 100", 0, 100.000001)
_OPTIONS: Final = (
    ("--spans", _number, 10, "N", "spans a second of a node"),
    ("--series", _number, 500, "N", "series of a node"),
    ("--interval", _positive, 60, "SECONDS", "from one export of metrics to the next"),
    ("--logs", _number, 1, "N", "log records a second of a node"),
    ("--trace", _positive, 10, "N", "spans of a trace"),
    ("--kept", _share, 10, "PERCENT", "of the spans, what sampling keeps"),
    ("--wait", _positive, 90, "SECONDS", "how long traces wait for the decision"),
    ("--outage", _number, 60, "MINUTES", "without stores that the queues last"),
    ("--traces-days", _number, 7, "DAYS", "retention of traces"),
    ("--metrics-days", _number, 15, "DAYS", "retention of metrics"),
    ("--logs-days", _number, 7, "DAYS", "retention of logs"),
    ("--cores", _positive, 4, "N", "cores of a machine"),
    ("--memory", _positive, 16, "GIB", "memory of a machine"),
    ("--load", bounded("a percentage above 0, to 100", 1e-9, 100.000001), 50, "PERCENT",
     "of a machine, what is planned with"),
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "--nodes", type=bounded("a whole number above 0", 1, parse=int), default=100, metavar="N",
        help="how many nodes send (100)",
    )  # fmt: skip
    for name, read, default, unit, words in _OPTIONS:
        parser.add_argument(
            name, type=read, default=float(default), metavar=unit, help=f"{words} ({default})"
        )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Print the answer."""
    from qudag_otel.stack.sizing import GIB, Fleet, size

    answer = size(
        Fleet(
            nodes=arguments.nodes,
            spans=arguments.spans,
            series=arguments.series,
            interval=arguments.interval,
            logs=arguments.logs,
            trace=arguments.trace,
            kept=arguments.kept / 100,
            wait=arguments.wait,
            outage=arguments.outage,
            days={
                "spans": arguments.traces_days,
                "points": arguments.metrics_days,
                "logs": arguments.logs_days,
            },
            cores=arguments.cores,
            memory=arguments.memory * GIB,
            load=arguments.load / 100,
        )
    )
    if arguments.json:
        print(json.dumps(answer.as_data(), indent=2))
        return 0
    row = "{:<20}{:>9}{:>10}{:>12}{:>12}".format
    print(row("", "machines", "cores", "memory", "disk"))
    for tier in answer.tiers:
        name, machines = (
            (tier.name, str(tier.machines)) if tier.machines else ("agent, on each node", "")
        )
        print(
            row(name, machines, f"{tier.cpu:.3g}", f"{tier.memory / GIB:.2f} GiB",
                f"{tier.disk / GIB:.2f} GiB")
        )  # fmt: skip
    print(row("together", answer.machines, "", "", "").rstrip())
    for name, value in answer.settings.items():
        print(f"each gateway needs {name}={value}")
    for note in answer.notes:
        print(note)
    return 0
