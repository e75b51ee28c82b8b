"""The option `--histograms` of what exports PromQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query.native import native
from qudag_otel.catalogue import Instrument
from qudag_otel.catalogue.metrics import METRICS

if TYPE_CHECKING:
    import argparse

    from qudag_otel._query.native import Turn

HISTOGRAMS: Final[dict[str, Turn]] = {
    "classic": str,
    "native": native(
        metric.prometheus_name for metric in METRICS if metric.instrument is Instrument.HISTOGRAM
    ),
}


def add_histograms(parser: argparse.ArgumentParser) -> None:
    """Declare it."""
    parser.add_argument(
        "--histograms", choices=tuple(HISTOGRAMS), default="classic",
        help="which form the histograms of the catalogue have in Prometheus: a series for each "
        "bucket, or native ones (default %(default)s)",
    )  # fmt: skip
