"""`qudag-otel explain`: do what an alert's runbook says, and tell which causes fit."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from qudag_otel._query.prometheus import DEFAULT_URL, TOKEN, Prometheus, PrometheusError
from qudag_otel._query.stores import JAEGER_URL, LOGS_URL, Jaeger, Logs, StoreError
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import prefix
from qudag_otel.catalogue import thresholds as t
from qudag_otel.cli._command import DONE, FOUND, CommandError
from qudag_otel.cli._histograms import HISTOGRAMS, add_histograms
from qudag_otel.cli._prefix import add_prefix
from qudag_otel.cli._times import moment, pair

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.epilog = (
        "exit codes: 0 the alert has no reason to speak; 1 it speaks, and is explained; "
        "2 cannot be done"
    )
    parser.add_argument(
        "alert", metavar="ALERT", choices=[alert.name for alert in t.ALERTS],
        help="the alert's name, as in docs/runbooks.md",
    )  # fmt: skip
    parser.add_argument("--node", metavar="ID", help="only this node")
    parser.add_argument("--swarm", metavar="ID", help="only this swarm")
    parser.add_argument(
        "--match", action="append", default=[], type=pair, metavar="LABEL=VALUE",
        help="only subjects with this label (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--at", type=moment, metavar="TIME",
        help="when: 2026-01-31T12:00:00Z, Unix seconds, or an age such as 1h (default: now)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--prometheus", default=DEFAULT_URL, metavar="URL",
        help=f"where metrics are (default %(default)s); a bearer token is read from {TOKEN}",
    )  # fmt: skip
    parser.add_argument(
        "--jaeger", default=JAEGER_URL, metavar="URL",
        help="where traces are (default %(default)s); empty for nowhere",
    )  # fmt: skip
    parser.add_argument(
        "--logs", default=LOGS_URL, metavar="URL",
        help="the VictoriaLogs where log lines are (default %(default)s); empty for nowhere",
    )  # fmt: skip
    add_histograms(parser)
    add_prefix(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explain it; 0 if there is nothing to explain."""
    from qudag_otel.explain.report import Stores, explain
    from qudag_otel.explain.show import as_json, text

    filters = {
        **dict(arguments.match),
        **({a.NODE_ID.key: arguments.node} if arguments.node else {}),
        **({a.SWARM_ID.key: arguments.swarm} if arguments.swarm else {}),
    }
    try:
        stores = Stores(
            prometheus=Prometheus(arguments.prometheus, token=os.environ.get(TOKEN, "")),
            jaeger=Jaeger(arguments.jaeger) if arguments.jaeger else None,
            logs=Logs(arguments.logs) if arguments.logs else None,
        )
    except (PrometheusError, StoreError) as error:
        raise CommandError(str(error)) from error
    at = time.time() if arguments.at is None else float(arguments.at)
    histograms = HISTOGRAMS[arguments.histograms]

    def turn(query: str) -> str:
        return prefix.turned(histograms(query), arguments.prefix)

    report = explain(arguments.alert, stores, at, filters, turn=turn)
    print(as_json(report) if arguments.json else text(report))
    if not report.cases:
        raise CommandError("without Prometheus nothing can be told of an alert")
    return DONE if report.healthy else FOUND
