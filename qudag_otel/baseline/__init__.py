"""Performance baselines: a window of a Prometheus kept as a small file, and compared with later.

Read in this order: `measures` (what is taken), `_collect` (how), `_file` (how it is kept),
`_statistics` and `_estimators` (what is computed), `_compare` (what is concluded), `_report` and
`_plot` (how it is shown); `benchmarks.baselines` measures how often that is right.
"""

from qudag_otel._query.prometheus import Prometheus, PrometheusError
from qudag_otel.baseline._collect import collect
from qudag_otel.baseline._compare import Finding, Verdict, compare, fails, undecided
from qudag_otel.baseline._errors import BaselineError
from qudag_otel.baseline._file import load, save
from qudag_otel.baseline._model import Recording, Series, Window, narrowed

__all__ = [
    "BaselineError",
    "Finding",
    "Prometheus",
    "PrometheusError",
    "Recording",
    "Series",
    "Verdict",
    "Window",
    "collect",
    "compare",
    "fails",
    "load",
    "narrowed",
    "save",
    "undecided",
]
