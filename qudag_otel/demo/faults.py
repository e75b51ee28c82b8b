"""Faults to order: each makes one part of the network misbehave, and mends it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import mmap
import os
import re
import threading
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import psutil

from qudag_otel.demo.pool import PoolExhaustedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from qudag_otel.demo.cluster import Cluster
    from qudag_otel.demo.load import Load
    from qudag_otel.demo.network import Node
    from qudag_otel.demo.pool import Connection

Effect: TypeAlias = "Callable[[Cluster, Load, float], AbstractAsyncContextManager[None]]"

SPARED_MEMORY: Final = 0.05
"""The share of the host's memory that the fault `memory` never takes."""

_MIB: Final = 1 << 20
_BLOCK: Final = 16 * _MIB
"""How much is taken in one step: on a busy machine each waits for its turn."""


class FaultError(ValueError):
    """A fault that cannot be ordered; the message says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One ordered fault.

    Args:
        name: A key of `FAULTS`.
        amount: How bad, in the unit that `FAULTS` tells.
        start: When it begins, in seconds after the load.
        seconds: How long it lasts; None means to the end.
    """

    name: str
    amount: float
    start: float = 0.0
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What one name of fault does.

    Args:
        effect: Makes it so, and mends it at the end of the block.
        amount: The amount if none is given.
        unit: What the amount means.
        help: What it does, in a few words.
        maximum: The largest amount that makes sense.
        of_host: It happens to the host, so one process of a network is enough to cause it.
    """

    effect: Effect
    amount: float
    unit: str
    help: str
    maximum: float = float("inf")
    of_host: bool = False


@asynccontextmanager
async def _cold_cache(cluster: Cluster, _load: Load, amount: float) -> AsyncGenerator[None]:
    async def clear() -> None:
        while True:
            for node in cluster.nodes:
                node.cache.clear()
            await asyncio.sleep(amount)

    async with _background(clear):
        yield


@asynccontextmanager
async def _pool_exhausted(cluster: Cluster, _load: Load, amount: float) -> AsyncGenerator[None]:
    held: list[tuple[Node, Connection]] = []

    async def take(node: Node) -> None:
        with contextlib.suppress(PoolExhaustedError, OSError):
            held.append((node, await node.parts.pool.acquire(node.peers[0])))

    try:
        await asyncio.gather(
            *(
                take(node)
                for node in cluster.nodes
                for _ in range(max(1, round(node.pool.limit * amount)))
            )
        )
        yield
    finally:
        for node, connection in held:
            node.parts.pool.release(connection)


@asynccontextmanager
async def _slow_task(cluster: Cluster, _load: Load, amount: float) -> AsyncGenerator[None]:
    for node in cluster.nodes:
        node.task_delay_seconds = amount
    try:
        yield
    finally:
        for node in cluster.nodes:
            node.task_delay_seconds = 0.0


@asynccontextmanager
async def _error_burst(_cluster: Cluster, load: Load, amount: float) -> AsyncGenerator[None]:
    load.forged_share = amount
    try:
        yield
    finally:
        load.forged_share = 0.0


@asynccontextmanager
async def _stall(_cluster: Cluster, load: Load, _amount: float) -> AsyncGenerator[None]:
    load.flowing.clear()
    try:
        yield
    finally:
        load.flowing.set()


@asynccontextmanager
async def _cpu(_cluster: Cluster, _load: Load, amount: float) -> AsyncGenerator[None]:
    enough = threading.Event()

    def burn() -> None:
        block = bytes(_MIB)
        while not enough.is_set():
            hashlib.sha256(block).digest()  # gives the interpreter up, so that nodes go on

    threads = [
        threading.Thread(target=burn, name=f"fault-cpu-{number}", daemon=True)
        for number in range(round(amount))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()


@asynccontextmanager
async def _memory(_cluster: Cluster, _load: Load, amount: float) -> AsyncGenerator[None]:
    blocks: list[mmap.mmap] = []

    def take(size: int) -> mmap.mmap:
        # Mapped, so that it goes back to the system at once; written to, so that it is taken.
        block = mmap.mmap(-1, size)
        block.write(b"\1" * size)
        return block

    async def fill() -> None:
        missing = math.ceil(amount) * _MIB
        while missing:
            memory = psutil.virtual_memory()
            if memory.available > memory.total * SPARED_MEMORY:
                size = min(missing, _BLOCK)
                blocks.append(await asyncio.to_thread(take, size))
                missing -= size
            else:
                await asyncio.sleep(0.1)
        await asyncio.Event().wait()

    try:
        async with _background(fill):
            yield
    finally:
        for block in blocks:
            block.close()


@asynccontextmanager
async def _background(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


_CORES: Final = os.cpu_count() or 1

FAULTS: Final = {
    "cold-cache": Kind(_cold_cache, 0.05, "seconds between clearings", "caches are emptied"),
    "pool-exhausted": Kind(_pool_exhausted, 1.0, "share of connections", "connections are held", 1),
    "slow-task": Kind(_slow_task, 45.0, "seconds a task", "agents take longer"),
    "error-burst": Kind(_error_burst, 0.5, "share of files", "signatures are forged", 1),
    "stall": Kind(_stall, 1.0, "of no meaning", "no file is sent"),
    "cpu": Kind(_cpu, _CORES, "busy cores", "cores are kept busy", 4 * _CORES, of_host=True),
    "memory": Kind(_memory, 512.0, "MiB", "memory is taken, 5% is spared", 1 << 20, of_host=True),
}
"""The faults by name."""

_SPELLING: Final = re.compile(
    r"(?P<name>[a-z-]+)(=(?P<amount>[\d.]+))?(@(?P<start>[\d.]+)(\+(?P<seconds>[\d.]+))?)?"
)


def parse(text: str) -> Fault:
    """The fault that `NAME[=AMOUNT][@START[+SECONDS]]` orders.

    Raises:
        FaultError: If it is not spelled so, unknown, or out of range.
    """
    spelled = _SPELLING.fullmatch(text)
    if spelled is None:
        raise FaultError(f"{text!r} is not NAME[=AMOUNT][@START[+SECONDS]], e.g. slow-task=2@10+30")
    kind = FAULTS.get(spelled["name"])
    if kind is None:
        raise FaultError(f"there is no fault {spelled['name']!r}; choose {', '.join(FAULTS)}")
    try:
        amount = float(spelled["amount"] or kind.amount)
        start = float(spelled["start"] or 0)
        seconds = None if spelled["seconds"] is None else float(spelled["seconds"])
    except ValueError as error:
        raise FaultError(f"{text!r} holds something that is not a number") from error
    if not 0 < amount <= kind.maximum:
        raise FaultError(
            f"the amount of {spelled['name']} is in {kind.unit}, "
            f"above 0 and up to {kind.maximum:g}: {amount:g}"
        )
    return Fault(spelled["name"], amount, start, seconds)


async def inject(fault: Fault, cluster: Cluster, load: Load, tell: Callable[[str], object]) -> None:
    """Make a fault happen at its time; cancelling this mends it.

    Args:
        fault: What to do.
        cluster: The nodes it happens to.
        load: The load it happens to.
        tell: Called with a line when it begins and when it ends.
    """
    await asyncio.sleep(fault.start)
    async with FAULTS[fault.name].effect(cluster, load, fault.amount):
        tell(f"fault {fault.name} begins")
        if fault.seconds is None:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(fault.seconds)
    tell(f"fault {fault.name} ends")
