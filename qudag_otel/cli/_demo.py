"""A session of the demo: network, view or progress lines, and the summary."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import signal
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Console, Group
from rich.live import Live

from qudag_otel.cli._scrape import Snapshot, scrape
from qudag_otel.cli._tapped import panels
from qudag_otel.cli._view import View
from qudag_otel.demo.cluster import node_names
from qudag_otel.demo.processes import processes
from qudag_otel.demo.run import Options, Outcome, Run, running
from qudag_otel.demo.setup import show_logs, telemetry
from qudag_otel.demo.tap import Recent, Tap

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator, Mapping

    from rich.console import RenderableType

REFRESH_SECONDS: Final = 1.0
LINE_SECONDS: Final = 5.0
"""How often a progress line is written where there is no live view."""
WINDOW_SECONDS: Final = 10.0
FLUSH_SECONDS: Final = 5.0

_PICTURE: Final = (150, 56)
"""Columns and lines of the recorded picture."""


class Network(Protocol):
    """Nodes in this process or in others."""

    @property
    def urls(self) -> list[str]:
        """Where their metrics are."""
        ...

    @property
    def recent(self) -> Recent:
        """Their latest traces and log lines."""
        ...

    async def until(self, stop: asyncio.Event) -> Outcome:
        """Run the load until told to stop."""
        ...


class _Here:
    """The network in this process."""

    def __init__(self, run: Run, tap: Tap, urls: list[str]) -> None:
        self._run = run
        self._tap = tap
        self._recent = Recent()
        self.urls = urls

    @property
    def recent(self) -> Recent:
        self._recent.add(self._tap.spans(), self._tap.logs.lines())
        return self._recent

    async def until(self, stop: asyncio.Event) -> Outcome:
        return await self._run.until(stop)


class Session:
    """One run of `qudag-otel demo`.

    Args:
        arguments: The command's options.
        environ: The environment.
    """

    def __init__(self, arguments: argparse.Namespace, environ: Mapping[str, str]) -> None:
        self._arguments = arguments
        self._environ = environ
        self._console = Console()
        self._stop = asyncio.Event()
        title = f"QuDAG demo: {arguments.nodes} nodes"
        if arguments.faults:
            title += f", faults: {', '.join(fault.name for fault in arguments.faults)}"
        self._view = View(title, WINDOW_SECONDS)

    async def run(self) -> int:
        """Run it, and return the exit code.

        Raises:
            SourceError, ConfigurationError, WorkerError: If it cannot be run.
        """
        loop = asyncio.get_running_loop()
        this = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, this)
        async with self._network() as network:
            self._tell(f"{self._arguments.nodes} nodes; metrics on {', '.join(network.urls)}")
            if self._arguments.duration:
                loop.call_later(self._arguments.duration, self._stop.set)
            watching = asyncio.create_task(self._watch(network))
            watching.add_done_callback(lambda _: self._stop.set())  # also if it fails
            outcome = await network.until(self._stop)
            await watching
            # The nodes rest: what they counted and what is reported can be compared.
            reported = await self._scrape(network.urls)
        self._finish(outcome, reported)
        return 0

    @asynccontextmanager
    async def _network(self) -> AsyncGenerator[Network]:
        arguments = self._arguments
        names = node_names(arguments.nodes)
        options = Options(
            local=names,
            everyone=names,
            source=arguments.source,
            rate=arguments.rate,
            seed=arguments.seed,
            faults=arguments.faults,
        )
        logs = "view" if self._interactive else arguments.log or "none"
        if arguments.processes:
            async with processes(options, self._environ, logs, self._tell) as network:
                yield network
            return
        show_logs(logs)
        tap = Tap()
        with telemetry(self._environ, tap) as live:
            async with running(options, self._tell) as run:
                yield _Here(run, tap, [live.metrics_url] if live.metrics_url else [])
                await asyncio.to_thread(live.force_flush, FLUSH_SECONDS)

    def _end(self, this: asyncio.Task[int] | None) -> None:
        """End in good order; when told so again, at once."""
        if self._stop.is_set() and this is not None:
            this.cancel()
        self._stop.set()

    @property
    def _interactive(self) -> bool:
        return not self._arguments.headless and self._console.is_terminal

    def _tell(self, line: str) -> None:
        if not self._interactive:
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
            sys.stderr.flush()

    async def _watch(self, network: Network) -> None:
        if self._interactive:
            with Live(console=self._console, screen=True, auto_refresh=False) as screen:
                while not await self._stopped(REFRESH_SECONDS):
                    self._view.add(await self._scrape(network.urls))
                    screen.update(self._screen(network, self._console), refresh=True)
        else:
            told = time.monotonic()
            while not await self._stopped(REFRESH_SECONDS):
                self._view.add(await self._scrape(network.urls))
                if time.monotonic() - told >= LINE_SECONDS:
                    told = time.monotonic()
                    self._tell(self._view.line())
        if self._arguments.record:
            columns, lines = _PICTURE
            picture = Console(record=True, width=columns, height=lines, file=io.StringIO())
            picture.print(self._screen(network, picture))
            drawn = picture.export_svg(title="qudag-otel demo")
            # A picture that is looked at asks nobody for a font.
            drawn = re.sub(r"@font-face\s*\{[^}]*\}\s*", "", drawn)
            self._arguments.record.write_text(drawn, encoding="utf-8")

    @staticmethod
    async def _scrape(urls: list[str]) -> list[Snapshot]:
        # Reading and parsing take a while: not on the loop that the nodes run on.
        return await asyncio.gather(*(asyncio.to_thread(scrape, url) for url in urls))

    def _screen(self, network: Network, console: Console) -> RenderableType:
        metrics = self._view.draw(console.width)
        left = console.height - len(console.render_lines(metrics))
        return Group(metrics, panels(network.recent, left))

    async def _stopped(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        return self._stop.is_set()

    def _finish(self, outcome: Outcome, reported: list[Snapshot]) -> None:
        rate = outcome.messages / outcome.seconds if outcome.seconds else 0.0
        if self._arguments.headless:
            json.dump(
                {
                    **asdict(outcome),
                    "messages_per_second": rate,
                    "metrics_urls": [snapshot.url for snapshot in reported],
                    "reported": _samples(reported),
                },
                sys.stdout,
            )
            sys.stdout.write("\n")
        else:
            self._console.print(
                f"{outcome.seconds:.0f} s, {outcome.files.get('delivered', 0)} files delivered, "
                f"{outcome.files.get('failed', 0)} failed, {outcome.messages} messages, "
                f"{rate:.0f} messages/s"
            )


def _samples(snapshots: list[Snapshot]) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for snapshot in snapshots:
        for name, series in snapshot.samples.items():
            found.setdefault(name, []).extend(
                {"labels": dict(sorted(labels)), "value": value} for labels, value in series.items()
            )
    return found
