"""`qudag-otel metrics`: the catalogue as a table or as JSON."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Final

from qudag_otel.catalogue.metrics import CONTRACT, METRICS
from qudag_otel.cli._command import CommandError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from qudag_otel.catalogue import Metric

_HEADER: Final = ("NAME", "KIND", "UNIT", "LABELS", "MEANING")
_NARROWEST: Final = 60
_INDENT: Final = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help="tell everything about these, by Prometheus or OpenTelemetry name",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--contract", action="store_true", help="only the metrics whose names never change"
    )
    parser.add_argument(
        "--module", action="append", default=[], metavar="NAME",
        help="import this module and tell the metrics that it declares, too (may be repeated)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print the catalogue; a name that is not in it is an error."""
    metrics = [*(CONTRACT if arguments.contract else METRICS), *_declared_by(arguments.module)]
    known = {name: metric for metric in metrics for name in (metric.prometheus_name, metric.name)}
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        raise CommandError(f"there is no metric {unknown[0]!r}")
    chosen = [known[name] for name in arguments.names] or list(metrics)
    if arguments.json:
        print(json.dumps([as_data(metric) for metric in chosen], indent=2))
    elif arguments.names:
        print("\n\n".join(_details(metric) for metric in chosen))
    else:
        _print_table([_HEADER, *(_row(metric) for metric in chosen)])
    return 0


def _declared_by(modules: Sequence[str]) -> list[Metric]:
    if not modules:
        return []
    from qudag_otel.instruments import declared

    # As `python -m` does: modules are looked for where the command is run.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - sys.path holds strings
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise CommandError(f"cannot import {name}: {error}") from error
    return declared()


def as_data(metric: Metric) -> dict[str, object]:
    """A metric as JSON-ready data."""
    return {
        "prometheus_name": metric.prometheus_name,
        "name": metric.name,
        "instrument": metric.instrument.value,
        "unit": metric.unit,
        "description": metric.description,
        "group": metric.group.value,
        "attributes": [
            {
                "key": attribute.key,
                "description": attribute.description,
                "values": list(attribute.values),
            }
            for attribute in metric.attributes
        ],
        "bounds": list(metric.bounds),
    }


def _row(metric: Metric) -> tuple[str, ...]:
    return (
        metric.prometheus_name,
        metric.instrument.value,
        metric.unit,
        ",".join(metric.attribute_keys),
        metric.description,
    )


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _details(metric: Metric) -> str:
    width = max(_NARROWEST, shutil.get_terminal_size().columns)
    indent = " " * _INDENT
    texts = [
        metric.description,
        f"OpenTelemetry name {metric.name}, {metric.instrument.value}, unit {metric.unit}",
        *(
            f"{attribute.key}: {attribute.description}"
            + (f" One of {', '.join(attribute.values)}." if attribute.values else "")
            for attribute in metric.attributes
        ),
    ]
    if metric.bounds:
        texts.append(f"bucket bounds: {', '.join(f'{bound:g}' for bound in metric.bounds)}")
    body = (
        textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)
        for text in texts
    )
    return "\n".join((metric.prometheus_name, *body))
