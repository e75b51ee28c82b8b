"""`qudag-otel doctor`: what the configuration is, and whether telemetry gets where it says."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from qudag_otel._redact import mask
from qudag_otel.cli._command import DONE, FOUND, seconds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from qudag_otel.sdk.settings.settings import Setting


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--all", action="store_true", help="show the variables that have their default, too"
    )
    parser.add_argument("--json", action="store_true", help="print JSON at the end")
    parser.add_argument(
        "--timeout", type=seconds, default=10.0, metavar="SECONDS",
        help="how long each receiver may take to acknowledge (10)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print the findings, and return 0, or 1 if something is wrong."""
    # gRPC's own words would go to the terminal, past everything that could mask them.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from qudag_otel.cli._doctor import Finding, Level, examine, settings_of, versions
    from qudag_otel.sdk import ConfigurationError

    environ = dict(os.environ)
    report = _Json() if arguments.json else _Lines(every=arguments.all)
    report.versions(dict(versions()))
    findings: Iterable[Finding]
    try:
        settings = settings_of(environ)
    except ConfigurationError as error:
        report.settings([])
        findings = [Finding(Level.FAIL, str(error))]
    else:
        report.settings([one for one in settings if arguments.all or one.origin != "default"])
        findings = examine(settings, environ, arguments.timeout)
    worst = Level.OK
    for finding in findings:
        report.finding(finding.level.name, mask(finding.text))
        worst = max(worst, finding.level)
    code = FOUND if worst is Level.FAIL else DONE
    report.end(code)
    return code


class _Lines:
    """For people, as it is found."""

    def __init__(self, *, every: bool) -> None:
        self._every = every

    def versions(self, found: Mapping[str, str]) -> None:
        print("Versions")
        for name, version in found.items():
            print(f"  {name:<40} {version}")

    def settings(self, shown: Sequence[Setting]) -> None:
        print("\nConfiguration" if self._every else "\nConfiguration (--all shows defaults, too)")
        for one in shown:
            print(f"  {one.name:<40} {one.value or '(empty)'}  [{one.origin}]")
        if not shown:
            print("  every variable has its default")
        print("\nChecks")

    def finding(self, level: str, text: str) -> None:
        print(f"  {level:<5} {text}", flush=True)

    def end(self, code: int) -> None:
        del code


class _Json:
    """For programs, at the end."""

    def __init__(self) -> None:
        self._report: dict[str, object] = {}
        self._findings: list[dict[str, str]] = []

    def versions(self, found: Mapping[str, str]) -> None:
        self._report["versions"] = found

    def settings(self, shown: Sequence[Setting]) -> None:
        self._report["configuration"] = [
            {"name": one.name, "value": one.value, "origin": one.origin} for one in shown
        ]

    def finding(self, level: str, text: str) -> None:
        self._findings.append({"level": level, "text": text})

    def end(self, code: int) -> None:
        self._report |= {"findings": self._findings, "ok": code == DONE}
        print(json.dumps(self._report, indent=2))
