"""The `qudag-otel` command: a table of subcommands, each loaded only when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING, Final, Protocol, cast

from qudag_otel import __version__
from qudag_otel.cli._command import DONE, IMPOSSIBLE, INTERRUPTED, UNREAD, CommandError
from qudag_otel.cli._extras import remedy

if TYPE_CHECKING:
    from collections.abc import Sequence


class Command(Protocol):
    """What a subcommand's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the subcommand's options."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Run it and return the exit code, as `_command` has them.

        Raises:
            CommandError: It cannot be done.
        """
        ...


COMMANDS: Final = {
    "demo": "run a small QuDAG network under load, with everything it reports shown live",
    "top": "show the live view of any /metrics endpoints",
    "node": "watch real QuDAG nodes through their RPC",
    "doctor": "check the effective configuration, and send a test span and metric",
    "metrics": "list the metrics, their labels and units",
    "dashboards": "export the Grafana dashboards",
    "alerts": "export the Prometheus alerting and recording rules",
    "explain": "do what an alert's runbook says, and tell which causes fit",
    "stack": "write the servers around an application for Docker Compose or Helm, and check them",
    "size": "tell the machines, memory and disk that the servers take for so many nodes",
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
    _open_streams()
    try:
        return _flushed(words)
    except ModuleNotFoundError as missing:
        problem = remedy(missing)
    except CommandError as error:
        problem = str(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence()  # `| head` took what it wanted
        return UNREAD
    except OSError as error:
        _silence()
        problem = str(error)
    sys.stderr.write(f"qudag-otel {' '.join(words[:1])}: {problem}\n")
    return IMPOSSIBLE


def _open_streams() -> None:
    """Write to nowhere what would go to a stream that was closed, as under `>&-`."""
    # Left open: it is the stream of the process from here on.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _flushed(words: list[str]) -> int:
    """Run it, and have what it wrote fail here, where that is answered, and not at exit."""
    try:
        return _run(words)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _silence() -> None:
    """Let nothing that is still buffered for a stream that cannot take it fail at exit, too."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="qudag-otel",
        description="OpenTelemetry observability for QuDAG nodes and any Python code around them.",
        epilog="exit codes: 0 done, and nothing is wrong; 1 done, and found something wrong; "
        "2 cannot be done",
    )
    parser.add_argument("--version", action="version", version=f"qudag-otel {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    chosen = parser
    # Only the chosen command's module is imported, so that `metrics` needs no extra of `demo`.
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        if name == next(iter(words), None):
            _load(name).add_arguments(subparser)
            chosen = subparser
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        # `parse_args` would answer with the usage of all commands, which has no option in it.
        chosen.error(f"unrecognized arguments: {' '.join(unknown)}")
    if arguments.command is None:
        parser.print_help()
        return DONE
    return _load(arguments.command).run(arguments)
