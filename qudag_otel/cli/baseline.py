"""`qudag-otel baseline`: record a performance baseline, and compare a later window with it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qudag_otel import baseline
from qudag_otel._query.prometheus import DEFAULT_URL, TOKEN
from qudag_otel.baseline._compare import ALPHA
from qudag_otel.baseline._plot import plot
from qudag_otel.baseline._report import as_json, show_check, show_recording
from qudag_otel.baseline._statistics import BLOCKS, FEWEST
from qudag_otel.baseline.measures import BY_NAME, MEASURES
from qudag_otel.catalogue import attributes as a
from qudag_otel.cli._command import DONE, FOUND, CommandError, share
from qudag_otel.cli._times import length, moment, pair

if TYPE_CHECKING:
    import argparse

    from qudag_otel.baseline.measures import Measure

_LATE: Final = 60  # seconds: pushed samples are as late as the export interval
_MOST_STEPS: Final = 10_000  # Prometheus answers 11,000 points a series at most


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    record = actions.add_parser("record", help="keep a window as a file")
    record.add_argument("-o", "--output", type=Path, required=True, help="the file to write")
    _source(record)
    record.add_argument("--window", type=length, default=3600, help="how long (default 1h)")
    record.add_argument(
        "--step",
        type=length,
        help=f"length of a step (default: a {BLOCKS}th of the window)",
    )

    check = actions.add_parser("check", help="compare a later window with a file")
    check.add_argument("file", type=Path, help="the file that `record` wrote")
    _source(check)
    check.add_argument("--window", type=length, help="how long (default: as in the file)")
    check.add_argument("--step", type=length, help="length of a step (default: as in the file)")
    check.add_argument(
        "--tolerance", type=share, help="a change within this share is never a regression"
    )
    check.add_argument(
        "--alpha", type=share, default=ALPHA,
        help="chance of any false alarm in the whole check, at most (default %(default)s)",
    )  # fmt: skip
    check.add_argument("--strict", action="store_true", help='count "unsure" as a regression')
    check.add_argument("--json", action="store_true", help="print JSON instead of a table")
    check.add_argument("--plot", type=Path, metavar="FILE", help="draw the changes (.png, .svg)")

    show = actions.add_parser("show", help="print what a file holds")
    show.add_argument("file", type=Path, help="the file that `record` wrote")


def _source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--prometheus", default=DEFAULT_URL, metavar="URL",
        help=f"whom to ask (default %(default)s); a bearer token is read from {TOKEN}",
    )  # fmt: skip
    parser.add_argument(
        "--end", type=moment, metavar="TIME",
        help="end of the window: 2026-01-31T12:00:00Z, Unix seconds, or an age such as 1d "
        "(default: a minute ago, so that late samples are in)",
    )  # fmt: skip
    parser.add_argument("--node", action="append", default=[], help="only this node (repeatable)")
    parser.add_argument("--swarm", action="append", default=[], help="only this swarm (repeatable)")
    parser.add_argument(
        "--match", action="append", default=[], type=pair, metavar="LABEL=VALUE",
        help="only series with this label (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--measure", action="append", default=[], choices=sorted(BY_NAME), metavar="NAME",
        help=f"only this (repeatable): {', '.join(BY_NAME)}",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run it and return the exit code: 0 nothing worse, 1 a regression."""
    try:
        return {"record": _record, "check": _check, "show": _show}[arguments.action](arguments)
    except (baseline.BaselineError, baseline.PrometheusError) as error:
        raise CommandError(f"{arguments.action}: {error}") from error


def _record(arguments: argparse.Namespace) -> int:
    window = _window(arguments.window, arguments.step, arguments.end)
    recording = baseline.collect(
        _prometheus(arguments), window, _measures(arguments), _filters(arguments)
    )
    baseline.save(recording, arguments.output)
    print(f"{arguments.output}: {len(recording.series)} series of {window.steps} steps")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    old = baseline.load(arguments.file)
    kept = old.window.step if arguments.window is None else None
    length = arguments.window or old.window.steps * old.window.step
    window = _window(length, arguments.step or kept, arguments.end)
    filters = {**old.filters, **_filters(arguments)}
    old = baseline.narrowed(old, {one.name for one in _measures(arguments)}, filters)
    held = {series.measure for series in old.series}
    measures = [measure for measure in MEASURES if measure.name in held]
    new = baseline.collect(_prometheus(arguments), window, measures, filters)
    findings = baseline.compare(old, new, alpha=arguments.alpha, tolerance=arguments.tolerance)
    if arguments.json:
        print(as_json(findings))
    else:
        show_check(findings, old, new)
    if arguments.plot:
        plot(findings, arguments.plot)
    if baseline.fails(findings, strict=arguments.strict):
        return FOUND
    unknown = baseline.undecided(findings)
    if unknown:
        raise CommandError(
            f"check: nothing got worse that can be told, but nothing can be told of "
            f"{', '.join(unknown)}: take a longer window, or leave them out with --measure"
        )
    return DONE


def _show(arguments: argparse.Namespace) -> int:
    show_recording(baseline.load(arguments.file))
    return 0


def _prometheus(arguments: argparse.Namespace) -> baseline.Prometheus:
    return baseline.Prometheus(arguments.prometheus, token=os.environ.get(TOKEN, ""))


def _measures(arguments: argparse.Namespace) -> list[Measure]:
    return [one for one in MEASURES if not arguments.measure or one.name in arguments.measure]


def _filters(arguments: argparse.Namespace) -> dict[str, tuple[str, ...]]:
    filters: dict[str, tuple[str, ...]] = {
        a.NODE_ID.key: tuple(arguments.node),
        a.SWARM_ID.key: tuple(arguments.swarm),
    }
    for label, value in arguments.match:
        filters[label] = (*filters.get(label, ()), value)
    return {label: values for label, values in filters.items() if values}


def _window(length: int, step: int | None, end: int | None) -> baseline.Window:
    step = step or max(length // BLOCKS, 1)
    steps = length // step
    if steps < FEWEST:
        raise baseline.BaselineError(
            f"a window of {length} s has {steps} steps of {step} s, {FEWEST} are needed: "
            "make --window longer or --step shorter"
        )
    if steps > _MOST_STEPS:
        raise baseline.BaselineError(
            f"a window of {length} s has {steps} steps of {step} s, more than the {_MOST_STEPS} "
            "that Prometheus answers: make --step longer"
        )
    end = int(time.time()) - _LATE if end is None else end
    return baseline.Window(end=end, steps=steps, step=step)
