"""The `qudag-otel` command: a table of subcommands, each loaded only when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Sequence


class Command(Protocol):
    """What a subcommand's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the subcommand's options."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Run it and return the exit code: 0 success, 1 a finding, 2 bad usage."""
        ...


COMMANDS: Final = {
    "demo": "run a small QuDAG network under load, with everything it reports shown live",
    "top": "show the live view of any /metrics endpoints",
    "doctor": "check the effective configuration, and send a test span and metric",
    "metrics": "list the metrics, their labels and units",
    "dashboards": "export the Grafana dashboards",
    "alerts": "export the Prometheus alerting and recording rules",
    "baseline": "record a performance baseline, and compare a later window with it",
}


def _load(name: str) -> Command:
    return cast("Command", importlib.import_module(f"qudag_otel.cli.{name}"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: The arguments after the program's name; the process's own by default.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except ModuleNotFoundError as missing:
        sys.stderr.write(f"qudag-otel {' '.join(words[:1])}: {_remedy(missing)}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # `| head` took what it wanted; what is still buffered must not fail at exit, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="qudag-otel",
        description="OpenTelemetry observability for QuDAG nodes and any Python code around them.",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    # Only the chosen command's module is imported, so that `metrics` needs no extra of `demo`.
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        if name == next(iter(words), None):
            _load(name).add_arguments(subparser)
    arguments = parser.parse_args(words)
    return _load(arguments.command).run(arguments)


def _remedy(missing: ModuleNotFoundError) -> str:
    return (
        f"the module {missing.name!r} is not installed; "
        "install the extra that this command needs: "
        "pip install 'qudag-otel[demo,generate,baseline]'"
    )
