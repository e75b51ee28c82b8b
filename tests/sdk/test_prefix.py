"""Another prefix for the metrics of operations, and everything that names them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from qudag_otel import ConfigurationError, configure
from qudag_otel.catalogue import prefix
from qudag_otel.cli import main
from tests.sdk import programs

if TYPE_CHECKING:
    from pathlib import Path

QUIET = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none",
         "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "0"}  # fmt: skip
OURS = re.compile(r"(?<![\w:])(?:acme_shop|qudag)_(?:operation_\w+|errors_total)")


PROGRAM = """
    import re, urllib.request
    from qudag_otel import configure, instrumented
    from qudag_otel.sdk import current

    def fails():
        raise LookupError

    watched = instrumented(name="fails", spans={spans}, expected=KeyError)(fails)
    configure()
    try:
        watched()
    except LookupError:
        page = urllib.request.urlopen(current().metrics_url).read().decode()
        print(*set(re.findall(r"^(\\w+)", page, re.MULTILINE)))
"""


@pytest.mark.parametrize("spans", [True, False])
def test_operations_have_the_prefix_that_was_chosen(tmp_path: Path, spans: bool) -> None:
    """Durations, calls in flight and errors, on every road; what is QuDAG's own stays."""
    variables = {**QUIET, "OTEL_PYTHON_QUDAG_PREFIX": "acme.shop"}
    out, _ = programs.run(tmp_path, PROGRAM.format(spans=spans), variables)
    found = set(out.split())
    assert {"acme_shop_operation_duration_seconds_count", "acme_shop_operation_active",
            "acme_shop_errors_total"} <= found  # fmt: skip
    assert {name for name in found if name.startswith(("qudag_operation", "qudag_errors"))} == set()


@pytest.mark.parametrize("words", ["alerts export", "dashboards export", "stack export"])
def test_what_is_exported_follows(tmp_path: Path, words: str) -> None:
    """The same files, with the names that a process with that prefix serves, and no other."""
    for name in ("qudag", "acme.shop"):
        assert main([*words.split(), "--dir", str(tmp_path / name), "--prefix", name]) == 0
    files = [path for path in (tmp_path / "qudag").rglob("*") if path.suffix in {".yaml", ".json"}]
    named: set[str] = set()
    for path in files:
        before = path.read_text()
        after = (tmp_path / "acme.shop" / path.relative_to(tmp_path / "qudag")).read_text()
        named |= set(OURS.findall(after))
        after = after.replace(" --prefix acme.shop", "")  # as `explain` is told of it
        assert prefix.turned(before, "acme.shop") == after
        assert after.replace("acme_shop_", "qudag_") == before
    assert named
    assert all(name.startswith("acme_shop_") for name in named)


@pytest.mark.parametrize("wrong", ["9a", "a-b", "a..b", "a.", "ä"])
def test_prefix_that_no_name_can_begin_with_is_refused(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the variable and by the option, with a sentence."""
    with pytest.raises(ConfigurationError, match="OTEL_PYTHON_QUDAG_PREFIX"):
        configure(environ={**QUIET, "OTEL_PYTHON_QUDAG_PREFIX": wrong})
    with pytest.raises(SystemExit):
        main(["alerts", "export", "--dir", ".", "--prefix", wrong])
    assert "begins with a letter" in capsys.readouterr().err
