"""`qudag-otel doctor`: what the configuration is, and whether telemetry gets where it says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from qudag_otel.cli._command import seconds

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--all", action="store_true", help="show the variables that have their default, too"
    )
    parser.add_argument(
        "--timeout", type=seconds, default=10.0, metavar="SECONDS",
        help="how long each receiver may take to acknowledge (10)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print the findings, and return 0, or 1 if something is wrong."""
    import os

    from qudag_otel._redact import mask
    from qudag_otel.cli._doctor import Level, examine, settings_of, versions
    from qudag_otel.sdk import ConfigurationError

    environ = dict(os.environ)
    print("Versions")
    for name, version in versions():
        print(f"  {name:<40} {version}")
    print("\nConfiguration" if arguments.all else "\nConfiguration (--all shows defaults, too)")
    try:
        settings = settings_of(environ)
    except ConfigurationError as error:
        print(f"  FAIL  {error}")
        return 1
    shown = [one for one in settings if arguments.all or one.origin != "default"]
    for one in shown:
        print(f"  {one.name:<40} {one.value or '(empty)'}  [{one.origin}]")
    if not shown:
        print("  every variable has its default")
    print("\nChecks")
    worst = Level.OK
    for finding in examine(settings, environ, arguments.timeout):
        print(f"  {finding.level.name:<5} {mask(finding.text)}")
        sys.stdout.flush()
        worst = max(worst, finding.level)
    return int(worst is Level.FAIL)
