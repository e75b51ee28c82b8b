"""An application's own metrics: declared once, checked, bound, seen by capture and command."""

from __future__ import annotations

import itertools
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from qudag_otel import Objective, counter, gauge, histogram
from qudag_otel.instruments import declared
from qudag_otel.objectives import register
from tests.demo.programs import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qudag_otel.testing import Captured

_names = (f"own.metric{number}" for number in itertools.count())


def test_counter_bound_and_unbound_are_the_same_series(telemetry: Captured) -> None:
    """Both ways add to one series; a value that is not allowed is "other"."""
    orders = counter("shop.orders", unit="{order}", labels={"shop": ("a", "b"), "by": None})
    bound = orders.labels(shop="a", by="web")
    bound.add()
    orders.add(2, shop="a", by="web")
    orders.add(1, shop="c", by="web")
    assert telemetry.value("shop_orders_total", shop="a", by="web") == 3
    assert telemetry.value("shop.orders", shop="other") == 1
    assert telemetry.log("is none of a, b").severity == "warning"


def test_gauge_and_histogram_have_what_was_declared(telemetry: Captured) -> None:
    """Limits of labels, minimum, unit and bounds are kept."""
    depth = gauge("shop.depth", unit="{item}", labels={"queue": 2}, minimum=0)
    for queue in ("x", "y", "z"):
        depth.set(3, queue=queue)
    depth.set(-1, queue="x")
    assert telemetry.value("shop_depth", queue="x") == 3
    assert telemetry.value("shop_depth", queue="other") == 3
    waits = histogram("shop.wait", unit="ms", bounds=[1, 10])
    waits.record(5)
    (point,) = telemetry.points("shop_wait_milliseconds")
    assert (point.unit, [bound for bound, _ in point.buckets][:2]) == ("ms", [1.0, 10.0])


def test_declaring_alike_twice_gives_the_same() -> None:
    """A module that is imported twice does no harm."""
    name = next(_names)
    assert counter(name, labels={"a": ("x",)}) is counter(name, labels={"a": ("x",)})
    assert name in [metric.name for metric in declared()]


def test_destructor_and_signal_handler_may_declare_while_their_thread_does() -> None:
    """At any step of a declaration of a metric or an objective, another one does not wait."""
    names = [next(_names) for _ in range(3)]
    made: list[object] = []

    def inside(*_: Any) -> None:
        sys.settrace(None)
        made.append(counter(names[0]))
        register(names[0], "c", Objective(success=0.9))

    def trace(frame: Any, event: str, _: Any) -> Any:
        if frame.f_code.co_filename == __file__:
            return None
        if event == "line":
            inside()
        return trace

    def declare() -> None:
        for name in names[1:]:
            sys.settrace(trace)
            try:
                made.append(counter(name))
                register(name, "c", Objective(success=0.9))
            finally:
                sys.settrace(None)

    thread = threading.Thread(target=declare, daemon=True)
    thread.start()
    thread.join(10)
    assert len(made) == 4


@pytest.mark.parametrize(
    ("declare", "remedy"),
    [
        (lambda: counter("1st"), "a letter first"),
        (lambda: counter("caf\xe9"), "a letter first"),
        (lambda: counter("own.unit", unit="x" * 64), "at most 63 ASCII"),
        (lambda: counter("own.le", labels={"le": None}), "which Prometheus sets"),
        (lambda: counter("own.no", labels={"": None}), "cannot have the label ''"),
        (lambda: counter("own.text", labels={"shop": "ab"}), "a sequence of texts"),
        (lambda: histogram("own.bounds", bounds=[2, 1]), "finite and ascending"),
        (lambda: histogram("own.nan", bounds=[float("nan")]), "finite and ascending"),
        (lambda: counter("qudag.errors"), "give it another name"),
        (lambda: gauge("qudag_errors_total"), "give it another name"),
        (lambda: (counter("own.twice"), gauge("own.twice")), "declare it once"),
        (lambda: (counter("own.a_b"), counter("own.a.b")), "give it another name"),
    ],
)  # fmt: skip
def test_declaration_that_cannot_be_exported_names_the_remedy(
    declare: Callable[[], Any], remedy: str
) -> None:
    """Names, units, labels and bounds are checked where they are written."""
    with pytest.raises(ValueError, match=remedy):
        declare()


def test_labels_that_are_wrong_are_told_where_they_are_bound(telemetry: Captured) -> None:
    """One that is missing or unknown is a mistake in the program."""
    one = counter(next(_names), labels={"a": None})
    with pytest.raises(TypeError, match="needs the label 'a'"):
        one.labels()
    with pytest.raises(TypeError, match="has no label 'b'"):
        one.add(1, a="x", b="y")
    assert not telemetry.spans


def test_command_lists_what_a_module_declares(tmp_path: Path) -> None:
    """`qudag-otel metrics --module` shows own metrics beside the catalogue's."""
    (tmp_path / "shop_metrics.py").write_text(
        "from qudag_otel import counter\n"
        "counter('shop.orders', unit='{order}', description='Orders.', labels={'shop': ('a',)})\n"
    )
    shown = run("metrics", "--module", "shop_metrics", "shop.orders", PYTHONPATH=str(tmp_path))
    assert shown.returncode == 0, shown.stderr
    assert "shop_orders_total" in shown.stdout
    assert "One of a." in shown.stdout
    missing = run("metrics", "--module", "no_such_module")
    assert missing.returncode == 2
    assert "cannot import no_such_module" in missing.stderr
