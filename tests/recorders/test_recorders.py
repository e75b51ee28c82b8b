"""Recorders: metrics by hand, and bad values that change nothing."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qudag_otel import recorders
from qudag_otel.catalogue import metrics as m
from qudag_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import Generator

    from qudag_otel.testing import Captured

DURATION = "qudag_operation_duration_seconds"
BAD = [math.nan, math.inf, -math.inf, -1.0, "fast", None]


def test_timed_block_records_its_duration_and_tells_it(telemetry: Captured) -> None:
    """The block's time is a series of its name, its module and its outcome; there is no span."""
    with recorders.timed("load", node_id="n1") as timer:
        assert math.isnan(timer.seconds)

    labels = {"operation": "load", "component": "test_recorders", "node_id": "n1"}
    count, seconds = telemetry.histogram(DURATION, outcome="ok", **labels)
    assert count == 1
    assert 0 < seconds <= timer.seconds
    assert not telemetry.spans


def test_timed_block_that_raises_is_an_error(telemetry: Captured) -> None:
    """The exception is counted, goes on unchanged, and the time is known."""
    with (
        pytest.raises(ConnectionError, match="lost"),
        recorders.timed("load", component="store") as timer,
    ):
        raise ConnectionError("lost")

    assert timer.seconds > 0
    assert telemetry.value(DURATION, operation="load", outcome="error") == 1
    assert telemetry.value("qudag.errors", component="store", error_type="ConnectionError") == 1


def test_timed_decorator_measures_functions_of_every_kind(telemetry: Captured) -> None:
    """Plain functions, coroutines and generators keep their kind and are measured to their end."""

    @recorders.timed("plain")
    def plain(number: int) -> int:
        return number + 1

    @recorders.timed("coroutine", component="own")
    async def coroutine() -> str:
        await asyncio.sleep(0)
        return "done"

    @recorders.timed("generator")
    def generator() -> Generator[int]:
        yield 1
        yield 2

    assert plain(1) == 2
    assert plain.__name__ == "plain"
    assert asyncio.run(coroutine()) == "done"
    assert list(generator()) == [1, 2]

    for name in ("plain", "coroutine", "generator"):
        assert telemetry.value(DURATION, operation=name, outcome="ok") == 1
    assert telemetry.value(DURATION, operation="coroutine", component="own") == 1
    assert not telemetry.spans


def test_timed_decorator_without_a_name_uses_the_functions(telemetry: Captured) -> None:
    """The default is the qualified name."""

    @recorders.timed()
    def work() -> None:
        pass

    work()

    (point,) = telemetry.points(DURATION)
    assert str(point.labels["operation"]).endswith("work")


def test_timed_without_what_it_needs_says_so() -> None:
    """A block without a name and a decorator without parentheses are mistakes with a remedy."""
    with (
        pytest.raises(TypeError, match="a block needs a name"),
        recorders.timed(),
    ):
        pass
    with pytest.raises(TypeError, match=r"write @timed\(\)"):
        recorders.timed(test_timed_without_what_it_needs_says_so)  # type: ignore[arg-type]  # the mistake


def test_record_operation_time_adds_to_the_same_histogram(telemetry: Captured) -> None:
    """A time measured elsewhere is a series like any other operation's."""
    recorders.record_operation_time("load", 0.5)
    recorders.record_operation_time("load", 1.5, outcome="error", component="store", node_id="n1")

    assert telemetry.histogram(DURATION, component="test_recorders", outcome="ok") == (1, 0.5)
    assert telemetry.histogram(DURATION, component="store", node_id="n1") == (1, 1.5)


@pytest.mark.parametrize("bad", BAD)
def test_record_operation_time_with_a_bad_value_drops_it(telemetry: Captured, bad: float) -> None:
    """What is no duration is dropped, with one warning for many."""
    for _ in range(3):
        recorders.record_operation_time("load", bad)

    assert not telemetry.points(DURATION)
    assert telemetry.log("dropped").severity == "warning"


@pytest.mark.parametrize(
    "kind", ["connection_error", "timeout_error", "validation_error", "unknown_error"]
)
def test_error_of_the_nodes_own_classes_keeps_its_name(telemetry: Captured, kind: str) -> None:
    """As QuDAG names them."""
    recorders.record_error("n1", "network", kind)
    assert telemetry.value("qudag_errors_total", error_type=kind) == 1


def test_record_error_takes_names_classes_and_exceptions(telemetry: Captured) -> None:
    """All three give the label that the decorator would give."""
    recorders.record_error("n1", "store", "disk_full")
    recorders.record_error("n1", "store", TimeoutError)
    recorders.record_error("n1", "store", TimeoutError("late"))
    recorders.record_error(None, "store", subprocess.TimeoutExpired("x", 1))

    errors = "qudag_errors_total"
    assert telemetry.value(errors, node_id="n1", error_type="disk_full") == 1
    assert telemetry.value(errors, node_id="n1", error_type="TimeoutError") == 2
    assert telemetry.value(errors, component="store", error_type="subprocess.TimeoutExpired") == 1


def test_update_resource_usage_reports_the_latest_share(telemetry: Captured) -> None:
    """The gauge is used / maximum."""
    recorders.update_resource_usage("disk", 10, 100)
    recorders.update_resource_usage("disk", 75, 100)

    assert telemetry.value("qudag_resource_used_ratio", resource="disk") == 0.75


@pytest.mark.parametrize(
    ("used", "maximum"), [(1, 0), (1, -1), (-1, 1), (math.nan, 1), (1, math.inf), ("1", 1)]
)
def test_update_resource_usage_with_bad_values_keeps_the_former(
    telemetry: Captured, used: float, maximum: float
) -> None:
    """No division by zero, no negative share: one warning, and the former value stays."""
    recorders.update_resource_usage("disk", 1, 2)
    recorders.update_resource_usage("disk", used, maximum)
    recorders.update_resource_usage("disk", used, maximum)

    assert telemetry.value("qudag.resource.used") == 0.5
    assert telemetry.log("maximum > 0").severity == "warning"


def test_record_throughput_counts_by_type_and_direction(telemetry: Captured) -> None:
    """Messages add up; an unknown direction is "other" with a warning."""
    recorders.record_throughput("file", "inbound")
    recorders.record_throughput("file", "inbound", 4)
    recorders.record_throughput("file", "sideways")

    metric = "qudag_message_throughput_total"
    assert telemetry.value(metric, message_type="file", direction="inbound") == 5
    assert telemetry.value(metric, direction="other") == 1
    assert telemetry.log("sideways").severity == "warning"


def test_record_pool_request_keeps_both_sides_of_the_ratio(telemetry: Captured) -> None:
    """After a single miss, hits exist at 0; the wait is recorded where there is one."""
    recorders.record_pool_request("peer", hit=False, wait_seconds=0.25)
    assert telemetry.value("qudag_connection_pool_hits_total", pool_type="peer") == 0
    assert telemetry.value("qudag_connection_pool_misses_total", pool_type="peer") == 1

    recorders.record_pool_request("peer", hit=True)
    assert telemetry.value("qudag_connection_pool_hits_total", pool_type="peer") == 1
    assert telemetry.histogram("qudag_connection_wait_time_seconds") == (1, 0.25)


def test_update_pool_connections_is_exported_until_the_next_report(telemetry: Captured) -> None:
    """Each collection has the latest numbers of each pool."""
    recorders.update_pool_connections("peer", active=1, idle=2)
    recorders.update_pool_connections("peer", active=3, idle=0, node_id="n2")
    recorders.update_pool_connections("peer", active=4, idle=1)

    metric = "qudag_active_connections"
    for _ in range(2):
        assert telemetry.value(metric, node_id="n2", state="active") == 3
        values = {
            (p.labels["node_id"], p.labels["state"]): p.value for p in telemetry.points(metric)
        }
        assert len(values) == 4
        assert sorted(values.values()) == [0, 1, 3, 4]


def test_update_cache_memory_with_a_bad_value_keeps_the_former(telemetry: Captured) -> None:
    """A negative size is dropped with a warning."""
    recorders.update_cache_memory("validation", 1024)
    recorders.update_cache_memory("validation", -1)

    assert telemetry.value("qudag_cache_memory_bytes", cache_type="validation") == 1024
    assert telemetry.log("qudag.cache.memory").severity == "warning"


def test_update_functions_with_endless_names_stay_bounded(telemetry: Captured) -> None:
    """Memory does not grow with the number of names; one warning says so."""
    for number in range(1100):
        recorders.update_cache_memory(f"cache-{number}", number)

    assert len(telemetry.points("qudag.cache.memory")) == m.CACHE_MEMORY.attributes[1].limit + 1
    assert telemetry.value("qudag.cache.memory", cache_type="other") == 1099
    assert sum("one more than the" in str(log.body) for log in telemetry.logs) == 1


def test_recorders_in_a_new_capture_report_nothing_of_the_former(telemetry: Captured) -> None:
    """What an update function reported belongs to its capture; reporting works again."""
    recorders.update_cache_memory("validation", 1)
    with capture() as inner:
        assert not inner.points("qudag.cache.memory")
        recorders.update_cache_memory("validation", 2)
        assert inner.value("qudag.cache.memory") == 2
    assert not telemetry.points("qudag.cache.memory")


def test_record_cache_lookup_and_eviction_count(telemetry: Captured) -> None:
    """Lookups keep both sides of the ratio; evictions have a reason."""
    recorders.record_cache_lookup("signature", hit=True)
    recorders.record_cache_lookup("signature", hit=False)
    recorders.record_cache_eviction("validation", "expired", 3)

    assert telemetry.value("qudag_validation_cache_hits_total") == 1
    assert telemetry.value("qudag_validation_cache_misses_total") == 1
    assert telemetry.value("qudag_cache_evictions_total", reason="expired") == 3


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.floats() | st.integers()))
def test_record_operation_time_with_any_numbers_counts_the_usable(values: list[float]) -> None:
    """Exactly the finite numbers of 0 or more are recorded."""
    usable = [value for value in values if math.isfinite(value) and value >= 0]
    with capture() as telemetry:
        for value in values:
            recorders.record_operation_time("load", value)
        if not usable:
            assert not telemetry.points(DURATION)
            return
        assert telemetry.histogram(DURATION)[0] == len(usable)


def test_recorders_load_no_sdk() -> None:
    """Importing recorders, logger, components and propagation needs the API alone."""
    program = (
        "import sys, qudag_otel.recorders, qudag_otel.logs, qudag_otel.component,"
        " qudag_otel.propagation\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.sdk')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
