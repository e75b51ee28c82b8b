"""One run of the demo in one process: start, load, faults, stop, and the account of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from qudag_otel.demo import faults
from qudag_otel.demo._watched import WatchedNode
from qudag_otel.demo.cluster import Cluster
from qudag_otel.demo.load import Load
from qudag_otel.demo.sources import FileSource
from qudag_otel.demo.tally import Sample, Tally

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from pathlib import Path

    from qudag_otel.demo.pool import Address

DRAIN_SECONDS: Final = 5.0
"""How long the end of a run waits for files and tasks under way, in seconds each."""

MAX_FAILURES: Final = 5
"""How many reasons for failed files are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is run.

    Args:
        local: The names of the nodes in this process.
        everyone: The names of all nodes of the network.
        source: The folder whose files are sent.
        rate: Files a second, by the nodes of this process together.
        seed: What files, keys and forgeries follow from.
        faults: What goes wrong, and when.
    """

    local: Sequence[str]
    everyone: Sequence[str]
    source: Path
    rate: float
    seed: int
    faults: Sequence[faults.Fault] = ()


@dataclass(slots=True)
class Outcome:
    """What a run came to.

    Args:
        seconds: How long the load lasted.
        files: Files delivered and failed.
        messages: Messages that passed a node, each once outbound and once inbound.
        failures: The most frequent reasons for which files failed.
        drained: Whether all that was under way at the end was still done.
        counted: Every metric of the contract as the nodes counted it, see `Tally.counted`.
    """

    seconds: float
    files: dict[str, int]
    messages: int
    failures: dict[str, int]
    drained: bool
    counted: dict[str, list[Sample]] = field(default_factory=dict[str, "list[Sample]"])


class Run:
    """The nodes of this process under load; made by `running`."""

    def __init__(self, options: Options, tell: Callable[[str], object]) -> None:
        self._options = options
        self._tell = tell
        self.cluster = Cluster(options.local, options.everyone, options.seed)
        # Before the nodes start: agents and connections are watched from their first moment.
        self._watched = [WatchedNode(node) for node in self.cluster.nodes]
        self.load = Load(
            [
                (
                    watched.send_file,
                    FileSource(options.source, options.seed + options.everyone.index(name)),
                )
                for name, watched in zip(options.local, self._watched, strict=True)
            ],
            options.rate,
            options.seed,
        )
        self._tally = Tally(self.cluster.nodes)
        self._seconds = 0.0
        self.addresses: Mapping[str, Address] = {}

    async def start(self) -> None:
        """Start the nodes."""
        self.addresses = await self.cluster.start()

    async def until(self, stop: asyncio.Event) -> Outcome:
        """Run the load and its faults until told to stop, let what is under way end, and account.

        Processes of one network take the three steps together, so that none hands another work
        that has closed its account.
        """
        await self.load_until(stop)
        drained = await self.settle()
        return await self.account(drained=drained)

    async def load_until(self, stop: asyncio.Event) -> None:
        """Run the load and its faults until told to stop, and let the files arrive."""
        started = time.monotonic()
        loading = asyncio.create_task(self.load.run(stop))
        besides = [
            *(asyncio.create_task(watched.report()) for watched in self._watched),
            *(
                asyncio.create_task(faults.inject(fault, self.cluster, self.load, self._tell))
                for fault in self._options.faults
            ),
        ]
        await stop.wait()
        self._seconds = time.monotonic() - started
        for task in (*besides, loading):
            task.cancel()
        await asyncio.gather(*besides, loading, return_exceptions=True)
        await self.load.drain(DRAIN_SECONDS)

    async def settle(self) -> bool:
        """Let the agents finish; whether they did in time."""
        return await self.cluster.drain(DRAIN_SECONDS)

    async def account(self, *, drained: bool) -> Outcome:
        """End the agents, and tell what the run came to; the nodes rest from now on."""
        await self.cluster.quiesce()
        return Outcome(
            seconds=self._seconds,
            files=dict(self.load.files),
            messages=sum(node.messages.total() for node in self.cluster.nodes),
            failures=dict(self.load.failures.most_common(MAX_FAILURES)),
            drained=drained,
            counted=self._tally.counted(),
        )

    async def stop(self) -> None:
        """Stop the nodes and their observation."""
        await self.cluster.quiesce()
        await self.cluster.stop()
        for watched in self._watched:
            watched.close()


@asynccontextmanager
async def running(options: Options, tell: Callable[[str], object]) -> AsyncGenerator[Run]:
    """Nodes that listen and wait for load; they stop when the block ends.

    Args:
        options: What is run.
        tell: Called with a line when something is worth telling, such as a fault.

    Raises:
        SourceError: If the folder cannot be used.
    """
    run = Run(options, tell)
    try:
        await run.start()
        yield run
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await run.stop()
