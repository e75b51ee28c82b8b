"""The rooms that are mutated, and the tests of each."""

from __future__ import annotations

from typing import Final, NamedTuple


class Room(NamedTuple):
    """What is changed, as patterns of files, and which tests have to notice."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


ROOMS: Final = {
    "calls": Room(("qudag_otel/_calls/*.py",), ("tests/core",)),
    "fast": Room(
        ("qudag_otel/sdk/fast/*.py", "qudag_otel/_otel/*.py"), ("tests/core", "tests/sdk")
    ),
    "series": Room(
        ("qudag_otel/_series/*.py",),
        ("tests/core/test_series.py", "tests/core/test_instruments.py", "tests/recorders"),
    ),
    "redact": Room(("qudag_otel/_redact/*.py",), ("tests/redact",)),
    "query": Room(("qudag_otel/_query/*.py",), ("tests/query",)),
    "settings": Room(("qudag_otel/sdk/settings/*.py",), ("tests/sdk/test_settings.py",)),
    "export": Room(
        ("qudag_otel/sdk/export/*.py",),
        (
            "tests/sdk/test_signals.py",
            "tests/sdk/test_otlp.py",
            "tests/sdk/test_ending.py",
            "tests/sdk/test_delivery.py",
            "tests/sdk/test_receivers.py",
        ),
    ),
    "prometheus": Room(
        ("qudag_otel/sdk/prometheus/*.py",),
        ("tests/sdk/test_prometheus.py", "tests/sdk/test_door.py", "tests/sdk/test_workers.py"),
    ),
    "wrappers": Room(
        ("instrumentation/opentelemetry/instrumentation/qudag/*.py",), ("tests/instrumentation",)
    ),
    "recorders": Room(
        ("qudag_otel/recorders.py", "qudag_otel/component.py", "qudag_otel/propagation.py"),
        ("tests/recorders",),
    ),
    "logs": Room(
        ("qudag_otel/logs.py", "qudag_otel/_logs_*.py"), ("tests/recorders/test_logs.py",)
    ),
    "baseline": Room(("qudag_otel/baseline/*.py",), ("tests/baseline",)),
    "explain": Room(("qudag_otel/explain/*.py",), ("tests/explain/test_explain.py",)),
    "cli": Room(("qudag_otel/cli/*.py",), ("tests/cli",)),
    "node": Room(("qudag_otel/node/*.py",), ("tests/node",)),
}
