"""The dashboards against the types of the pinned Grafana and of the SDK they are built with."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from qudag_otel.catalogue import uids
from qudag_otel.dashboards._sdk import JSONEncoder, dashboard, register_default_plugins
from tests.dashboards import node
from tests.dashboards.files import DASHBOARDS, panels
from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.dashboards.files import Json


def test_dashboards_type_check_against_grafanas_schema(tmp_path: Path) -> None:
    """Every dashboard, its panels' options and their field settings satisfy `tsc --strict`."""
    assert node.check(DASHBOARDS, tmp_path) == ""


def _threshold_mode(dashboard: Json) -> None:
    dashboard["panels"][0]["fieldConfig"]["defaults"]["thresholds"]["mode"] = "relative"


def _unknown_option(dashboard: Json) -> None:
    dashboard["panels"][0]["options"]["sparkle"] = True


def _unknown_field_setting(dashboard: Json) -> None:
    dashboard["panels"][1]["fieldConfig"]["defaults"]["custom"]["lineWidth"] = "thick"


@pytest.mark.parametrize("spoil", [_threshold_mode, _unknown_option, _unknown_field_setting])
def test_type_check_of_a_spoilt_dashboard_fails(
    spoil: Callable[[Json], None], tmp_path: Path
) -> None:
    """A value that Grafana's types do not know is found, wherever it is."""
    overview = copy.deepcopy(DASHBOARDS[uids.OVERVIEW])
    spoil(overview)
    assert "error TS" in node.check({"spoilt": overview}, tmp_path)


def test_lock_of_the_types_names_grafanas_line() -> None:
    """The types are those of the Grafana in compose.yaml."""
    lock = json.loads((REPOSITORY / "tests" / "dashboards" / "package-lock.json").read_text())
    compose = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
    image = compose["services"]["grafana"]["image"]
    line = ".".join(image.rpartition(":")[2].split(".")[:2])
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages["node_modules/@grafana/schema"]["version"].startswith(f"{line}.")


@pytest.mark.parametrize("uid", uids.DASHBOARDS)
def test_dashboard_read_back_by_the_sdk_is_unchanged(uid: str) -> None:
    """The SDK reads each file and writes the same again, apart from defaults it adds."""
    register_default_plugins()
    again = json.loads(json.dumps(dashboard.Dashboard.from_json(DASHBOARDS[uid]), cls=JSONEncoder))
    assert list(_lost(DASHBOARDS[uid], again, uid)) == []


def _lost(before: Any, after: Any, where: str) -> list[str]:
    """What is in `before` and not, or differently, in `after`."""
    if isinstance(before, dict):
        if not isinstance(after, dict):
            return [where]
        return [
            one for key in before for one in _lost(before[key], after.get(key), f"{where}.{key}")
        ]
    if isinstance(before, list):
        if not isinstance(after, list) or len(before) != len(after):
            return [where]
        pairs = enumerate(zip(before, after, strict=True))
        return [one for index, pair in pairs for one in _lost(*pair, f"{where}[{index}]")]
    return [] if before == after else [where]


def test_panels_use_no_type_that_grafana_removed() -> None:
    """Every panel type has options in the pinned schema; none is of the removed kind."""
    removed = {"graph", "singlestat", "table-old", "heatmap-old", "grafana-piechart-panel"}
    used = {panel["type"] for _, panel in panels()}
    assert used <= set(node._KINDS)
    assert not used & removed
