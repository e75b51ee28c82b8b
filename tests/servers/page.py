"""The dashboards in a browser: a page of Perses' packages in front of a Prometheus."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qudag_otel.dashboards import _perses
from qudag_otel.dashboards.boards import BOARDS
from tests.servers.build import build
from tests.servers.process import Ports, Server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel.dashboards._view import Board

_WEB: Final = Path(__file__).with_name("web.py")


class Page(Server):
    """The page, with dashboards as `qudag-otel dashboards export --format perses` writes them."""

    name = "page"

    def __init__(
        self,
        folder: Path,
        *,
        prometheus: str,
        boards: Iterable[Board] = BOARDS,
        ports: Ports | None = None,
    ) -> None:
        """Prepare, do not start.

        Args:
            folder: where log and dashboards go.
            prometheus: the URL of whom it asks.
            boards: what it shows, the first one at first.
            ports: "dashboards".
        """
        ports = ports or Ports()
        port = ports["dashboards"]
        self._prometheus = prometheus
        super().__init__(
            "page",
            [],
            url=f"http://{port}",
            health=f"http://{port}/",
            folder=folder,
            storage=folder,
            ports=ports,
        )
        self._dashboards = folder / "dashboards.json"
        texts = _perses.rendered(boards).values()
        self._dashboards.write_text(json.dumps([json.loads(text) for text in texts]))

    def _command(self) -> list[str]:
        # Isolated: beside web.py are modules of ours that the standard library does not mean.
        python = [sys.executable, "-I", str(_WEB), str(self.ports["dashboards"].number)]
        return [*python, self._prometheus, str(build("page")), str(self._dashboards)]
