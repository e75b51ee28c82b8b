"""Collections that nobody would make on purpose: any names, units, labels and values."""

from __future__ import annotations

import enum
import random
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np
from opentelemetry import trace
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from qudag_otel._otel.storage import quicken
from qudag_otel.sdk.prometheus.reader import PrometheusReader


class Level(enum.IntEnum):
    """A number with a name."""

    LOW = 1


NUMBERS: Final[tuple[Any, ...]] = (
    0, 1, 3, 0.0, -0.0, 2.5, 1e-300, 5e-324, 1e308, True, False, Level.LOW, 2**62, 2**70, 10**200,
    np.float64(3.5), np.float32(0.1), np.int8(4), np.int64(2**62), np.uint64(2**63),
    np.bool_(True), np.longdouble(1.5), Fraction(1, 3), Decimal("0.1"), Decimal("1e200"),
)  # fmt: skip
NAMES: Final = (
    "bytes", "x", "x_count", "x_sum", "x_bucket", "x_total", "x.total", "x_created", "X", "x-info",
    "target", "target_info", "total", "a_total_total", "s", "seconds", "h/h", "ratio", "n" * 255,
)  # fmt: skip
RENAMED: Final = ("9lives", "caf\xe9", "\xe9", "a b", "::", "_total", "le", "x\udc80")
UNITS: Final = (
    "",
    "1",
    "By",
    "s",
    "ms",
    "%",
    "{x}",
    "{x}/s",
    "m/s",
    "a b",
    "bytes",
    "total",
    "count",
)
KEYS: Final = (
    "le", "quantile", "job", "instance", "node.id", "node_id", "otel_scope_name", "__name__", "",
    " ", "1", "\xe9", "a-b", "a_b", "exported_le", "key_1", "\udc80", "trace_id", "_",
)  # fmt: skip
VALUES: Final[tuple[Any, ...]] = (
    "", "v", 'a"b', "a\\nb\\", "a\nb", "a\rb\r\n", "\x00", "\u2028",
    "caf\udce9", "\ud83d", "\U0001f600",
    "+Inf", " ", "}", "# {", True, 3, 2.5, float("nan"), ["a", "\udc80"], [1, 2], (),
    b"\xff", "w" * 300,
)  # fmt: skip


def page(seed: int, *, openmetrics: bool) -> str:
    """One scrape of a collection; the same for the same seed."""
    chance = random.Random(seed)
    reader = PrometheusReader(scope_labels=chance.random() < 0.5)
    source = MeterProvider(
        [reader], Resource(_attributes(chance)), AlwaysOnExemplarFilter(), shutdown_on_exit=False,
        views=[*_views(chance)],
    )  # fmt: skip
    if chance.random() < 0.7:
        quicken(source, reader)
    context = trace.set_span_in_context(
        NonRecordingSpan(SpanContext(2**127 + 1, 2**63 + 1, False, TraceFlags(1)))
    )
    for _ in range(chance.randint(1, 12)):
        scope: dict[str, Any] = {k: str(v) for k, v in _attributes(chance).items() if k}
        meter = source.get_meter(
            chance.choice(["a", "b", ""]), chance.choice([None, "1"]), attributes=scope
        )
        _record(chance, meter, context)
    reader.scrape(openmetrics=not openmetrics)
    found = reader.scrape(openmetrics=openmetrics).decode()
    source.shutdown()
    return found


def _views(chance: random.Random) -> list[View]:
    views = [
        View(
            instrument_name="s",
            aggregation=ExponentialBucketHistogramAggregation(max_scale=chance.randint(-9, 20)),
        )
    ]
    views += [
        View(instrument_name=name, name=chance.choice(RENAMED)) for name in chance.sample(NAMES, 3)
    ]
    views.append(View(instrument_name="ratio", attribute_keys={"a_b"}))
    views.append(
        View(
            instrument_name="x_total",
            aggregation=ExplicitBucketHistogramAggregation(boundaries=[0, 1, 2**40]),
        )
    )
    return views


def _attributes(chance: random.Random) -> dict[str, Any]:
    keys = chance.sample(KEYS, chance.randint(0, 4))
    return {key: chance.choice(VALUES) for key in keys}


def _record(chance: random.Random, meter: Any, context: Any) -> None:
    kind = chance.choice(["counter", "up_down_counter", "gauge", "histogram", "histogram"])
    made = getattr(meter, f"create_{kind}")(
        chance.choice(NAMES),
        chance.choice(UNITS),
        chance.choice(["", "text", 'a "b" \\ \n c', "\udc80 ", "# EOF"]),
    )
    for _ in range(chance.randint(1, 4)):
        value = chance.choice(NUMBERS)
        attributes = _attributes(chance)
        try:
            if kind == "gauge":
                made.set(value, attributes)
            elif kind == "histogram":
                made.record(value, attributes, context)
            else:
                made.add(value, attributes, context)
        except (TypeError, OverflowError, RuntimeWarning):  # the SDK adds up what Python cannot
            continue
