"""`qudag-otel alerts`: export the rules, with those for a user's own objectives."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qudag_otel import _generated, objectives
from qudag_otel.alerts import groups, rendering
from qudag_otel.alerts.annotations import DEFAULT_GRAFANA, DEFAULT_RUNBOOKS, Links
from qudag_otel.alerts.objectives import ObjectiveError
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import prefix
from qudag_otel.cli._command import CommandError
from qudag_otel.cli._histograms import HISTOGRAMS, add_histograms
from qudag_otel.cli._prefix import add_prefix

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    export = actions.add_parser("export", help="write the alerting and recording rules")
    export.add_argument("--dir", type=Path, required=True, help="the folder to write to")
    export.add_argument(
        "--format", choices=("rules", "prometheusrule"), default="rules",
        help="Prometheus' rule files, or one PrometheusRule of Kubernetes (default %(default)s)",
    )  # fmt: skip
    export.add_argument(
        "--module", action="append", default=[], metavar="NAME",
        help="import this module and add rules for the objectives it declares (may be repeated)",
    )  # fmt: skip
    export.add_argument(
        "--node", action="append", default=[], metavar="WHO", type=_labels,
        help="a node that must be there, even if it was never heard of; its id, or labels such as "
        "node_id=ID,cluster=NAME (may be repeated)",
    )  # fmt: skip
    export.add_argument(
        "--retired", action="append", default=[], metavar="WHO", type=_labels,
        help="a node that need not come back, spelled as for --node, or a swarm: swarm_id=ID "
        "(may be repeated)",
    )  # fmt: skip
    export.add_argument(
        "--collectors", action="append", default=[], metavar="JOB=COUNT", type=_count,
        help="how many Collectors of a job must be there; without, as many as there were "
        "(may be repeated)",
    )  # fmt: skip
    add_histograms(export)
    add_prefix(export)
    export.add_argument("--namespace", default="", help="of Kubernetes, for a PrometheusRule")
    export.add_argument(
        "--release", default="",
        help="the label `release` of a PrometheusRule, by which a Prometheus selects its rules",
    )  # fmt: skip
    export.add_argument(
        "--runbooks", default=DEFAULT_RUNBOOKS, help="where the runbooks are (default %(default)s)"
    )
    export.add_argument(
        "--grafana", default=DEFAULT_GRAFANA, help="Grafana's root URL (default %(default)s)"
    )


def _labels(text: str) -> dict[str, str]:
    """Labels, from `ID` or `label=value,...`."""
    if "=" not in text:
        return {a.NODE_ID.key: text}
    labels = dict(item.split("=", 1) for item in text.split(",") if "=" in item)
    if not {a.NODE_ID.key, a.SWARM_ID.key} & set(labels):
        raise ValueError(text)
    return labels


def _count(text: str) -> tuple[str, int]:
    job, _, count = text.rpartition("=")
    return job, int(count)


def run(arguments: argparse.Namespace) -> int:
    """Write the files."""
    # As `python -m` does: modules are looked for where the command is run.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - sys.path holds strings
    for module in arguments.module:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise CommandError(f"cannot import {module}: {error!r}") from error
    registered = objectives.registered()
    if arguments.module and not registered:
        raise CommandError(
            f"{', '.join(arguments.module)}: no objective there; give @instrumented "
            "objective=Objective(success=0.999)"
        )
    try:
        given = groups.listed(
            nodes=arguments.node,
            retired=arguments.retired,
            collectors=dict(arguments.collectors),
        )
        files = groups.rule_files(registered=registered, given=given)
    except ObjectiveError as error:
        raise CommandError(str(error)) from error
    render = {
        "rules": rendering.rules_yaml,
        "prometheusrule": rendering.prometheus_rule_yaml,
    }[arguments.format]
    style = rendering.Style(
        links=Links(
            runbooks=arguments.runbooks,
            grafana=arguments.grafana,
            explaining="".join(
                f" --{name} {getattr(arguments, name)}"
                for name, usual in (("histograms", "classic"), ("prefix", prefix.DEFAULT))
                if getattr(arguments, name) != usual
            ),
        ),
        namespace=arguments.namespace,
        release=arguments.release,
        turn=HISTOGRAMS[arguments.histograms],
    )
    texts = {arguments.dir / name: text for name, text in render(files, style).items()}
    texts = {path: prefix.turned(text, arguments.prefix) for path, text in texts.items()}
    try:
        _generated.write(texts)
    except OSError as error:
        raise CommandError(f"cannot write to {arguments.dir}: {error}") from error
    for path in texts:
        print(path)
    return 0
