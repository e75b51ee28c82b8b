"""`qudag-otel stack`: the servers around an application, for Docker Compose or Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from qudag_otel.catalogue import prefix
from qudag_otel.cli._command import DONE, FOUND, CommandError
from qudag_otel.cli._prefix import add_prefix

if TYPE_CHECKING:
    import argparse

_WRITTEN: Final = (".yaml", ".yml", ".json", ".tpl")
_NEXT: Final = """\
start it:      docker compose --file {folder}/compose.yaml up --detach --wait
check it:      qudag-otel stack check --dir {folder}
then send to:  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317
look at:       http://127.0.0.1:3001 (Grafana; user admin, password in {password})"""

_NEXT_WITH_HELM: Final = """\
look at it:    helm template qudag {folder}
install it:    helm install qudag {folder} --namespace monitoring --create-namespace"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    export = actions.add_parser(
        "export",
        help="write Collector, Prometheus, Alertmanager, log store, Jaeger and Grafana files",
    )
    export.add_argument("--dir", type=Path, required=True, help="the folder to write to")
    export.add_argument(
        "--format", choices=("compose", "helm"), default="compose",
        help="for Docker Compose, or as a Helm chart for Kubernetes (compose)",
    )  # fmt: skip
    export.add_argument(
        "--force", action="store_true", help="overwrite files that differ from what is written"
    )
    export.add_argument(
        "--fast", action="store_true",
        help="export, scrape, evaluate and draw every 5 s in place of 15 to 60 s (compose only)",
    )  # fmt: skip
    add_prefix(export)
    check = actions.add_parser("check", help="tell what is wrong with such a folder")
    check.add_argument(
        "--dir", type=Path, default=Path(), help="the folder with compose.yaml (this one)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run it."""
    return {"export": _export, "check": _check}[arguments.action](arguments)


def _export(arguments: argparse.Namespace) -> int:
    from qudag_otel.stack import _fast, _files

    folder: Path = arguments.dir
    helm = arguments.format == "helm"
    if helm and arguments.fast:
        raise CommandError("--fast is of --format compose; the chart has no Prometheus to speed up")
    texts = _files.chart() if helm else _files.files()
    if arguments.fast:
        texts = _fast.fast(texts)
    if arguments.prefix != prefix.DEFAULT:
        texts = {
            name: prefix.turned(content.decode(), arguments.prefix).encode()
            if name.endswith(_WRITTEN)
            else content
            for name, content in texts.items()
        }
    try:
        differing = [
            name
            for name, content in texts.items()
            if (folder / name).exists() and (folder / name).read_bytes() != content
        ]
        if differing and not arguments.force:
            raise CommandError(
                f"{folder} has other files than would be written: {', '.join(differing)}; "
                "choose another folder, or overwrite them with --force"
            )
        for path in _files.write(folder, texts):
            print(path)
        if not helm:
            _files.prepare(folder / _files.STATE)
    except OSError as error:
        raise CommandError(f"cannot write to {folder}: {error}") from error
    if helm:
        print(_NEXT_WITH_HELM.format(folder=folder))
        return DONE
    password = folder / _files.STATE / _files.KEPT[1]
    print(_NEXT.format(folder=folder, password=password))
    return DONE


def _check(arguments: argparse.Namespace) -> int:
    from qudag_otel.stack import _check as stack

    if not (arguments.dir / "compose.yaml").is_file():
        raise CommandError(
            f"there is no compose.yaml in {arguments.dir}: write one with "
            f"`qudag-otel stack export --dir {arguments.dir}`"
        )
    worst = DONE
    for level, text in stack.check(arguments.dir):
        print(f"  {level.value:<5} {text}", flush=True)
        worst = FOUND if level is stack.Level.FAIL else worst
    return worst
