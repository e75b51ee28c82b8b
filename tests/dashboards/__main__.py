"""`python -m tests.dashboards`: pictures of the dashboards while a demo's faults begin, in docs.

The demo is scraped and the rules are evaluated every second, so that some minutes show all.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from qudag_otel.catalogue import uids
from tests.dashboards.browser import Window, chromium
from tests.dashboards.files import DASHBOARDS
from tests.demo.programs import running
from tests.servers.backends import QUICK_PROMETHEUS, Prometheus
from tests.servers.build import REPOSITORY
from tests.servers.page import Page

_SECONDS: Final = 240
_FAULTS: Final = ("error-burst=0.3@100", "cold-cache@160")
_PICTURES: Final = {uids.OVERVIEW: (12, 1100), uids.POOL_CACHE: (11, 1130)}
"""How many panels are seen at first, and how high they stand."""


def main() -> None:
    """Run the demo, and take the pictures at its end."""
    faults = [word for fault in _FAULTS for word in ("--fault", fault)]
    with (
        tempfile.TemporaryDirectory() as folder,
        running("demo", "--headless", "--nodes", "3", "--rate", "15", *faults) as demo,
    ):
        (url,) = demo.metrics_urls()
        target = url.removeprefix("http://").partition("/")[0]
        with (
            Prometheus(
                Path(folder, "prometheus"),
                overrides=QUICK_PROMETHEUS,
                targets={"applications": [{"targets": [target]}]},
            ) as prometheus,
            Page(Path(folder, "page"), prometheus=prometheus.url) as page,
            chromium() as browser,
        ):
            time.sleep(_SECONDS)
            for uid, (count, height) in _PICTURES.items():
                shown = browser.new_page(viewport={"width": 1600, "height": height})
                window = Window(
                    shown,
                    f"{page.url}/d/{uid}?start={_SECONDS}s&refresh=0s&var-interval=15s",
                )
                window.panels(count)
                path = REPOSITORY / "docs" / f"{uid.removeprefix('qudag-')}.png"
                shown.screenshot(path=path)
                sys.stdout.write(f"{DASHBOARDS[uid]['title']}: {path}\n")


if __name__ == "__main__":
    main()
