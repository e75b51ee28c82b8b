"""The committed dashboards, and their parts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qudag_otel.dashboards._build import panels_of
from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = REPOSITORY / "grafana" / "dashboards"
LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")

Json = dict[str, Any]


def load() -> dict[str, Json]:
    """Every committed dashboard, by its uid."""
    found = (json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json")))
    return {dashboard["uid"]: dashboard for dashboard in found}


DASHBOARDS: Final = load()


class Asked(NamedTuple):
    """One query of one panel."""

    dashboard: Json
    panel: Json
    target: Json

    @property
    def name(self) -> str:
        """Where it is, for people."""
        return f"{self.dashboard['uid']}-{self.panel['id']}-{self.target['refId']}"

    @property
    def source(self) -> str:
        """The type of the data source it goes to."""
        return str(self.target["datasource"]["type"])


def panels() -> Iterator[tuple[Json, Json]]:
    """Every panel with its dashboard."""
    for dashboard in DASHBOARDS.values():
        for panel in panels_of(dashboard):
            yield dashboard, panel


def asked(source: str = "") -> list[Asked]:
    """Every query, or those to one type of data source."""
    found = [
        Asked(dashboard, panel, target)
        for dashboard, panel in panels()
        for target in panel["targets"]
    ]
    return [one for one in found if source in {"", one.source}]
