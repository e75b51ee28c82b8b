"""`qudag-otel dashboards`: for Grafana or Perses; or draw the overview without either."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qudag_otel._query import prometheus
from qudag_otel.catalogue import prefix
from qudag_otel.cli._command import CommandError, positive
from qudag_otel.cli._histograms import HISTOGRAMS, add_histograms
from qudag_otel.cli._prefix import add_prefix
from qudag_otel.dashboards import _build, _perses, custom
from qudag_otel.dashboards._grafana import TOKEN, Grafana, GrafanaError
from qudag_otel.dashboards.boards import BOARDS

if TYPE_CHECKING:
    import argparse

_FORMATS: Final = {"grafana": _build.rendered, "perses": _perses.rendered}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    export = actions.add_parser("export", help="write the dashboards to files or into Grafana")
    target = export.add_mutually_exclusive_group(required=True)
    target.add_argument("--dir", type=Path, help="a folder, for file provisioning")
    target.add_argument("--url", help=f"Grafana's root URL; the token is read from {TOKEN}")
    export.add_argument(
        "--format", choices=tuple(_FORMATS), default="grafana",
        help="whose: Grafana's JSON, or Perses' for `percli apply` (default %(default)s)",
    )  # fmt: skip
    export.add_argument("--folder", default="", help="the uid of the folder in Grafana")
    export.add_argument(
        "--module", action="append", default=[], metavar="NAME",
        help="import this module and add a dashboard of what it instruments (may be repeated)",
    )  # fmt: skip

    add_histograms(export)
    add_prefix(export)

    picture = actions.add_parser("picture", help="draw the overview's panels as an image")
    picture.add_argument("-o", "--output", type=Path, required=True, help="a .png or .svg file")
    picture.add_argument(
        "--prometheus", default=prometheus.DEFAULT_URL, metavar="URL",
        help=f"whom to ask (default %(default)s); a token is read from {prometheus.TOKEN}",
    )  # fmt: skip
    picture.add_argument(
        "--minutes", type=positive, default=60.0, help="how far back (default %(default)g)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run it."""
    if arguments.action == "picture":
        return _picture(arguments)
    return _export(arguments)


def _export(arguments: argparse.Namespace) -> int:
    if arguments.url and arguments.format != "grafana":
        raise CommandError(f"--url is Grafana's: write --format {arguments.format} with --dir")
    boards = list(BOARDS)
    if arguments.module:
        # As `python -m` does: modules are looked for where the command is run.
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - sys.path holds strings
        try:
            boards.append(custom.board(arguments.module))
        except ImportError as error:
            raise CommandError(f"cannot import {', '.join(arguments.module)}: {error}") from error
        except custom.NoOperationsError as error:
            raise CommandError(str(error)) from error
    files = {
        name: prefix.turned(text, arguments.prefix)
        for name, text in _FORMATS[arguments.format](
            boards, HISTOGRAMS[arguments.histograms]
        ).items()
    }
    if arguments.dir is not None:
        try:
            arguments.dir.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (arguments.dir / name).write_text(text, encoding="utf-8")
                print(arguments.dir / name)
        except OSError as error:
            raise CommandError(f"cannot write to {arguments.dir}: {error}") from error
        return 0
    try:
        grafana = Grafana(arguments.url, os.environ.get(TOKEN, ""))
        for text in files.values():
            print(grafana.save(text, arguments.folder))
    except GrafanaError as error:
        raise CommandError(str(error)) from error
    return 0


def _picture(arguments: argparse.Namespace) -> int:
    # matplotlib belongs to another extra, and takes a second to load.
    from qudag_otel.dashboards.picture import PictureError, draw

    try:
        asked = prometheus.Prometheus(
            arguments.prometheus, token=os.environ.get(prometheus.TOKEN, "")
        )
        draw(asked, arguments.output, seconds=60 * arguments.minutes)
    except (PictureError, prometheus.PrometheusError) as error:
        raise CommandError(str(error)) from error
    print(arguments.output)
    return 0
