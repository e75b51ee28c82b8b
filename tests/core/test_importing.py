"""Functions that are instrumented by their names when their modules are imported."""

from __future__ import annotations

import importlib
import inspect
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.qudag.functions import FunctionsInstrumentor

from qudag_otel import _warnings
from qudag_otel._calls import importing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qudag_otel.testing import Captured

ORDERS = '''
from functools import wraps

def place(item: str) -> str:
    """Place an order."""
    return f"one {item}"

def cancel() -> None: ...

def _hidden() -> None: ...

class Cart:
    def add(self) -> str:
        return "added"

    @staticmethod
    def empty() -> str:
        return "empty"
'''


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """A package whose module `shop.orders` is imported by a call."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "orders.py").write_text(ORDERS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    _warnings.reset()
    yield lambda: importlib.import_module("shop.orders")
    importing.forget()
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def names(telemetry: Captured) -> list[str]:
    """The spans so far."""
    return [span.name for span in telemetry.spans]


def test_named_functions_are_instrumented_at_import(
    telemetry: Captured, shop: Callable[[], Any]
) -> None:
    """Functions, methods and static methods; the others stay as they were."""
    importing.watch(["shop.orders:place", "shop.orders:Cart.add", "shop.orders:Cart.empty"])
    orders = shop()
    assert (orders.place("tea"), orders.Cart().add(), orders.Cart.empty()) == (
        "one tea",
        "added",
        "empty",
    )
    orders.cancel()
    assert names(telemetry) == ["place", "Cart.add", "Cart.empty"]
    assert telemetry.span("place").attributes["qudag.component"] == "orders"
    assert inspect.getsource(orders) == ORDERS
    assert inspect.getdoc(orders.place) == "Place an order."
    assert type(orders.__loader__).__name__ == "SourceFileLoader"


def test_star_means_the_public_functions_of_a_module(
    telemetry: Captured, shop: Callable[[], Any]
) -> None:
    """Not what it imports, no classes, and what is decorated already only once."""
    importing.watch(["shop.orders:*", "shop.orders:place"])
    orders = shop()
    orders.place("tea")
    orders.cancel()
    orders._hidden()
    orders.wraps(print)
    orders.Cart().add()
    assert names(telemetry) == ["place", "cancel"]


@pytest.mark.parametrize("again", [False, True])
def test_module_that_is_imported_already_is_instrumented_at_once(
    telemetry: Captured, shop: Callable[[], Any], again: bool
) -> None:
    """Also when it is asked for twice, and when the module is loaded anew."""
    orders = shop()
    for _ in range(2):
        importing.watch(["shop.orders:place"])
    if again:
        importlib.reload(orders)
    orders.place("tea")
    assert names(telemetry) == ["place"]


def test_what_is_not_found_is_told_once_and_the_rest_works(
    telemetry: Captured, shop: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A name with a mistake in it costs nobody the import."""
    wrong = ["shop.orders:plaice", "shop.orders:Cart.remove", "shop.orders:__doc__", "no colon"]
    importing.watch([*wrong, "shop.orders:place", "sys:exit.no"])
    orders = shop()
    importlib.reload(orders)
    orders.place("tea")
    assert names(telemetry) == ["place"]
    for name in wrong:
        assert len([one for one in caplog.records if name in one.message]) == 1


def test_module_that_fails_fails_as_before(telemetry: Captured, shop: Callable[[], Any]) -> None:
    """Its own exception, and a second import tries again."""
    importing.watch(["shop.orders:place", "shop.gone:place"])
    package = importlib.import_module("shop")
    file = f"{package.__path__[0]}/orders.py"
    with open(file, "w") as out:  # noqa: PTH123 - shorter
        out.write("raise RuntimeError('at import')")
    with pytest.raises(RuntimeError, match="at import"):
        shop()
    with open(file, "w") as out:  # noqa: PTH123 - shorter
        out.write(ORDERS + "# longer")
    importlib.invalidate_caches()
    shop().place("tea")
    with pytest.raises(ModuleNotFoundError, match=r"shop\.gone"):
        importlib.import_module("shop.gone")
    assert names(telemetry) == ["place"]


def test_modules_of_an_archive_share_a_loader(
    telemetry: Captured, shop: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is instrumented by its own names."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("shop/__init__.py", "")
        archive.writestr("shop/orders.py", ORDERS)
        archive.writestr("shop/others.py", ORDERS)
    monkeypatch.syspath_prepend(tmp_path / "all.zip")
    importing.watch(["shop.orders:place", "shop.others:cancel"])
    orders = shop()
    others = importlib.import_module("shop.others")
    assert ".zip" in orders.__file__
    for module in (orders, others):
        module.place("tea")
        module.cancel()
    assert names(telemetry) == ["place", "cancel"]


def test_instrumentor_takes_variable_or_list(
    telemetry: Captured, shop: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`opentelemetry-instrument` gives it nothing, a configuration file its `functions`."""
    monkeypatch.setenv("OTEL_PYTHON_QUDAG_INSTRUMENT", " shop.orders:place , ")
    FunctionsInstrumentor().instrument()
    FunctionsInstrumentor().uninstrument()
    assert not importing._FINDER.wanted
    FunctionsInstrumentor().instrument(functions=["shop.orders:cancel"])
    orders = shop()
    FunctionsInstrumentor().uninstrument()
    orders.place("tea")
    orders.cancel()
    assert names(telemetry) == ["cancel"]


def test_without_telemetry_nothing_is_watched(
    shop: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTEL_SDK_DISABLED leaves the import system alone."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    importing.watch(["shop.orders:place"])
    assert importing._FINDER not in sys.meta_path
    assert not hasattr(shop().place, "__wrapped__")
