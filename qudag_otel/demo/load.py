"""The load: files sent at a rate, by the nodes in turn."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qudag_otel.demo.sources import FileSource

MAX_IN_FLIGHT: Final = 64
"""How many files may be on their way at once; at that point the load waits for the network."""


class Sender(Protocol):
    """What sends a file: a node's `send_file`, watched or not."""

    async def __call__(self, path: Path, *, forged: bool) -> None: ...


class Load:
    """Sends files at a rate, as unevenly as independent senders do.

    If the network is slower than that, it sends as fast as it can.

    Args:
        senders: What sends, in turn, and the files that it chooses from.
        rate: Files a second, on average.
        seed: What the moments and the choice of forged files follow from.
    """

    def __init__(
        self, senders: Sequence[tuple[Sender, FileSource]], rate: float, seed: int
    ) -> None:
        self._senders = itertools.cycle(senders)
        self._rate = rate
        self._random = random.Random(seed)  # noqa: S311  # a reproducible choice, not a secret
        self._in_flight: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(MAX_IN_FLIGHT)
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.forged_share = 0.0
        self.files: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop."""
        due = time.monotonic()
        while not stop.is_set():
            await self.flowing.wait()
            await self._room.acquire()
            task = asyncio.create_task(self._send())
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
            # Behind by more than a second: what was missed is not made up in one burst.
            due = max(due + self._random.expovariate(self._rate), time.monotonic() - 1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def drain(self, seconds: float) -> None:
        """Wait until all files have arrived, at most so long; what is left then is given up."""
        pending = self._in_flight
        if pending:
            _, pending = await asyncio.wait(pending, timeout=seconds)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    async def _send(self) -> None:
        forged = self._random.random() < self.forged_share
        send, source = next(self._senders)
        try:
            await send(source.next(), forged=forged)
        except Exception as error:  # noqa: BLE001  # a load generator outlives what it loads
            self.files["failed"] += 1
            self.failures[f"{type(error).__name__}: {error}"] += 1
        else:
            self.files["delivered"] += 1
        finally:
            self._room.release()
