"""What panels read of 100 nodes and 7 days is bounded."""

from __future__ import annotations

import pytest

from tests.dashboards import samples


def test_no_panel_reads_more_than_its_bound() -> None:
    """Raw histograms of a fleet are a hundred million samples; recorded series are few."""
    over = {
        panel: read
        for panel, read in samples.totals().items()
        if read > samples.LONGER.get(panel[0], samples.BOUND)
    }
    assert over == {}


@pytest.mark.parametrize(
    ("expression", "steps", "expected"),
    [
        ("node:qudag_messages:rate5m", 10, 100 * 10),
        ('node_le:qudag_chunking_seconds_bucket:rate5m{le="+Inf"}', 10, 100 * 10),
        ('sum by (node_id) (node:qudag_messages:rate5m{node_id=~".*"} offset 1h)', 10, 100 * 10),
        ('rate(qudag_errors_total{component="store"}[5m])', 2, 100 * 1 * 2 * 5),
        ('rate(qudag_message_throughput_total{direction="inbound"}[10m])', 1, 100 * 3 * 10),
        ("max_over_time(swarm:qudag_tasks_waiting:sum[50m]) > 0", 1, 5 * 50),
        ("max_over_time(swarm:qudag_tasks_waiting:sum[50m:5m]) > 0", 1, 5 * 10),
    ],
)
def test_samples_are_counted_as_prometheus_counts(
    expression: str, steps: int, expected: int
) -> None:
    """A sample of each series at each step; in a range, all that are in it."""
    assert samples.read(expression, steps) == expected
