"""The fast profile: exported, scraped, evaluated and drawn every five seconds.

It is the stack's files with other numbers, and an `.env` for what compose.yaml reads there.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ENVIRONMENT_FILE: Final = ".env"
ENVIRONMENT: Final = """\
# The fast profile, read by docker compose. Applications outside of it need
# OTEL_METRIC_EXPORT_INTERVAL=5000, too.
QUDAG_EXPORT_INTERVAL=5s
OTEL_METRIC_EXPORT_INTERVAL=5000
OTELCOL_SELF_INTERVAL_MS=5000
OTELCOL_SPAN_METRICS_INTERVAL=5s
"""
SWAPS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "collector-config/backends/prometheus.yaml": (
        ("scrape_interval: 15s", "scrape_interval: 5s"),
        ("evaluation_interval: 15s", "evaluation_interval: 5s"),
        # An export's interval, a batch of the Collector's, and as much again for a busy machine.
        ("rule_query_offset: 1m", "rule_query_offset: 10s"),
        ("(60 s by OpenTelemetry's default)", "(5 s in this profile)"),
    ),
    # What panels draw; what remembers for days goes on once a minute.
    "alerts/rules/recording.yaml": (
        ("- name: qudag-distributions\n    interval: 1m\n", "- name: qudag-distributions\n"),
    ),
    "grafana/dashboards/*.json": (
        ('"text": "1m",\n          "value": "1m"', '"text": "5s",\n          "value": "5s"'),
        ('"query": "15s,30s,1m,', '"query": "5s,15s,30s,1m,'),
    ),
}
"""By file, what stands there and what takes its place."""


def fast(texts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The stack's files in the fast profile.

    Args:
        texts: Them as they are, by path.
    """
    made = {ENVIRONMENT_FILE: ENVIRONMENT.encode(), **texts}
    for pattern, swaps in SWAPS.items():
        for name in fnmatch.filter(made, pattern):
            for old, new in swaps:
                made[name] = made[name].replace(old.encode(), new.encode())
    return made


def as_in(folder: Path, texts: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The stack's files in the profile that a folder was exported in."""
    told = folder / ENVIRONMENT_FILE
    is_fast = told.is_file() and told.read_bytes() == ENVIRONMENT.encode()
    return fast(texts) if is_fast else texts
