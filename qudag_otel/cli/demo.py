"""`qudag-otel demo`: a small QuDAG network under load, and all that it reports."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path
from typing import Final

from qudag_otel.cli._command import INTERRUPTED, CommandError, bounded, positive, told

MAX_NODES: Final = 50
_NODES: Final = bounded(f"a whole number from 2 to {MAX_NODES}", 2, MAX_NODES + 1, parse=int)
_EPILOG: Final = """\
faults, each as NAME[=AMOUNT][@START[+SECONDS]], such as slow-task=2@10+30:
{faults}

The OTEL_* variables apply: with OTEL_EXPORTER_OTLP_ENDPOINT set, traces, metrics and logs are sent
there, too. /metrics is always served, by default on 127.0.0.1:9464; OTEL_EXPORTER_PROMETHEUS_PORT=0
lets the system choose the port. In a terminal there is a live view; elsewhere progress lines go to
standard error, and with --headless a JSON summary goes to standard output.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    from qudag_otel.demo.faults import FAULTS, parse

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG.format(
        faults="\n".join(
            f"  {name:<15} {kind.help}; AMOUNT is {kind.unit}, {kind.amount:g} if not given"
            for name, kind in FAULTS.items()
        )
    )
    parser.add_argument(
        "--nodes", type=_NODES, default=3, metavar="N", help="how many nodes, 2 or more (3)"
    )
    parser.add_argument(
        "--processes", action="store_true", help="a process for each node, with its own /metrics"
    )
    parser.add_argument(
        "--rate", type=positive, default=60.0, metavar="FILES",
        help="files sent a second by all nodes together (60); beyond what the machine can do, "
        "as many as it can",
    )  # fmt: skip
    parser.add_argument(
        "--duration", type=positive, metavar="SECONDS", help="when to stop; by default at Ctrl-C"
    )
    parser.add_argument(
        "--source", type=Path, metavar="FOLDER",
        help="whose files are sent; by default the standard library's sources",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=0, help="what the choice of files and keys follows from (0)"
    )
    parser.add_argument(
        "--fault", type=told(parse), action="append", default=[], metavar="FAULT", dest="faults",
        help="something that goes wrong, see below; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--headless", action="store_true", help="no live view; a JSON summary at the end"
    )
    parser.add_argument(
        "--log", choices=("text", "json"),
        help="write the nodes' log records to standard error, where there is no live view",
    )  # fmt: skip
    parser.add_argument(
        "--record", type=_writable, metavar="FILE.svg", help="save the last live view as a picture"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and return the exit code."""
    from qudag_otel.cli._demo import Session
    from qudag_otel.demo.processes import WorkerError
    from qudag_otel.demo.sources import SourceError, standard_library
    from qudag_otel.sdk import ConfigurationError

    arguments.source = arguments.source or standard_library()
    try:
        return asyncio.run(Session(arguments, dict(os.environ)).run())
    except (SourceError, ConfigurationError, WorkerError) as error:
        raise CommandError(str(error)) from error
    except asyncio.CancelledError:
        return INTERRUPTED


def _writable(text: str) -> Path:
    # Told at the start, not after a run whose picture is lost.
    path = Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot write to {text!r}; name a file that can be")
    return path
