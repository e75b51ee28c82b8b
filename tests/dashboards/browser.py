"""A headless Chromium that looks at the dashboards' page, and what it sees there."""

from __future__ import annotations

import contextlib
import urllib.parse
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from playwright.sync_api import sync_playwright

from tests.servers.build import binary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import ConsoleMessage, Page, Request, Response

_OPTIONS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
)  # fmt: skip
_SIZE: Final = (1600, 900)
_MILLISECONDS: Final = 60_000
_QUERIES: Final = ("/api/v1/query", "/api/v1/query_range")

# Panels below the screen are drawn, too, without the cost of a screen so tall; nothing moves; and
# what is written onto a canvas can be read.
_BEFORE: Final = """
window.IntersectionObserver = class {
  constructor(told) { this.told = told; }
  observe(target) {
    queueMicrotask(() => this.told([{ target, isIntersecting: true, intersectionRatio: 1 }], this));
  }
  unobserve() {}
  disconnect() {}
};
addEventListener('DOMContentLoaded', () => {
  const still = document.createElement('style');
  still.textContent =
    '*, *::before, *::after { animation: none !important; transition: none !important; }';
  document.head.append(still);
});
const fillText = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
  (this.canvas.texts ??= new Set()).add(text);
  return fillText.call(this, text, ...at);
};
"""
_WAITS: Final = '[aria-label="Loading..."], [role=progressbar], .MuiSkeleton-root'
_DRAWN: Final = f"""(count) => {{
  const panels = [...document.querySelectorAll('[data-testid=panel]')];
  return panels.length === count && panels.every((panel) => {{
    const canvases = [...panel.querySelectorAll('canvas')];
    return !panel.querySelector('{_WAITS}')
      && (!canvases.length || canvases.some(({{ texts }}) => texts));
  }});
}}"""
_READ: Final = """() => [...document.querySelectorAll('[data-testid=panel]')].map((panel) => ({
  title: panel.querySelector('h6').innerText,
  lines: panel.querySelector('.MuiCardContent-root').innerText.split('\\n'),
  cells: [...panel.querySelectorAll('td')].map((cell) => cell.innerText),
  canvas: [...panel.querySelectorAll('canvas')].flatMap(({ texts }) => [...(texts ?? [])]),
  alert: panel.querySelector('[role=alert], [data-testid*=Alert]')?.innerText ?? '',
}))"""


class Seen(NamedTuple):
    """A panel as it is drawn.

    Attributes:
        title: what stands above it.
        lines: its text, line by line.
        cells: the cells of its table or legend.
        canvas: what is written onto its canvases.
        alert: what it says went wrong.
    """

    title: str
    lines: list[str]
    cells: list[str]
    canvas: list[str]
    alert: str


class Window:
    """A window of the browser.

    Attributes:
        page: Playwright's page.
        complaints: what the console and the network had to complain about.
    """

    def __init__(self, page: Page, url: str) -> None:
        """Open a page that `tests.servers.page` serves."""
        self.page = page
        self.complaints: list[str] = []
        self._answers: list[Response] = []
        page.set_default_timeout(_MILLISECONDS)
        page.add_init_script(_BEFORE)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self._failed)
        page.on("response", self._response)
        page.goto(url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"warning", "error"}:
            self.complaints.append(message.text)

    def _failed(self, request: Request) -> None:
        # What is not waited for any more is given up.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.url}: {response.status}")
        elif urllib.parse.urlsplit(response.url).path in _QUERIES:
            self._answers.append(response)

    def show(self, title: str) -> None:
        """Choose a dashboard at the top."""
        self._answers.clear()
        self.page.get_by_role("combobox", name="Dashboard").click()
        self.page.get_by_role("option", name=title, exact=True).click()

    def choose(self, variable: str, value: str) -> None:
        """Choose a value of a variable, and nothing else."""
        self._answers.clear()
        box = self.page.get_by_role("combobox", name=variable)
        box.click()
        self.page.get_by_role("option", name=value, exact=True).click()
        box.press("Escape")

    def follow(self, title: str, link: str) -> None:
        """Click the link of a panel, which appears when the mouse is above it."""
        self._answers.clear()
        panel = self.page.get_by_test_id("panel").filter(
            has=self.page.get_by_role("heading", name=title, exact=True)
        )
        panel.hover()
        panel.get_by_label(link).locator("visible=true").click()

    def panels(self, count: int) -> list[Seen]:
        """The panels, when so many are there and each is drawn."""
        self.page.wait_for_function(_DRAWN, arg=count)
        found: list[dict[str, Any]] = self.page.evaluate(_READ)
        return [Seen(**one) for one in found]

    def answers(self) -> dict[str, list[dict[str, str]]]:
        """What the dashboard that was last chosen has asked, and the labels it was answered."""
        found = {}
        for response in self._answers:
            asked = urllib.parse.parse_qs(
                response.request.post_data or urllib.parse.urlsplit(response.url).query
            )
            found[asked["query"][0]] = [one["metric"] for one in response.json()["data"]["result"]]
        return found


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright's."""
    program = str(binary("chromium"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        try:
            yield browser
        finally:
            browser.close()
