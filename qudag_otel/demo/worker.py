"""One node of the demo in a process of its own: `python -m qudag_otel.demo.worker`.

It talks JSON lines with the process that started it. It is told, in this order: what to run, where
all nodes listen, "stop", "account"; the end of its input ends it at any time. It tells: where it
listens, what its taps caught, "loaded", "settled", and its account; or "error", and ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.demo import faults
from qudag_otel.demo.run import Options, Run, running
from qudag_otel.demo.setup import show_logs, telemetry
from qudag_otel.demo.sources import SourceError
from qudag_otel.demo.tap import Tap
from qudag_otel.sdk import ConfigurationError

if TYPE_CHECKING:
    from qudag_otel.sdk import Telemetry

TAP_SECONDS: Final = 0.5
FLUSH_SECONDS: Final = 5.0
SHOWN_TRACES: Final = 8
"""One trace of so many is told; all processes choose the same ones."""


def tell(kind: str, **content: object) -> None:
    """Tell the process that started this one."""
    sys.stdout.write(json.dumps({"kind": kind, **content}) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Do what this module says above."""
    told = await _input()
    wanted = await _next(told)
    if wanted is None:
        return
    options = Options(
        local=[wanted["name"]],
        everyone=wanted["everyone"],
        source=Path(wanted["source"]),
        rate=wanted["rate"],
        seed=wanted["seed"],
        faults=[faults.Fault(**fault) for fault in wanted["faults"]],
    )
    show_logs(wanted["logs"])
    tap = Tap()
    with telemetry(os.environ, tap, node_id=wanted["name"]) as live:
        async with running(options, lambda line: tell("line", line=line)) as run:
            tell("listening", addresses=dict(run.addresses), metrics_url=live.metrics_url)
            await _work(run, tap, told, live)


async def _work(run: Run, tap: Tap, told: asyncio.StreamReader, live: Telemetry) -> None:
    met = await _next(told)
    if met is None:
        return
    run.cluster.meet(met["addresses"])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ended = asyncio.create_task(_stop_when_told(told, stop))
    tapping = asyncio.create_task(_tell_of(tap))
    await run.load_until(stop)
    tell("loaded")
    drained = await run.settle()
    tell("settled")
    await ended
    await _next(told)
    tapping.cancel()
    await asyncio.to_thread(live.force_flush, FLUSH_SECONDS)
    tell("account", outcome=asdict(await run.account(drained=drained)))
    await _next(told)  # until the input ends, /metrics can be read


async def _stop_when_told(told: asyncio.StreamReader, stop: asyncio.Event) -> None:
    await _next(told)
    stop.set()


async def _tell_of(tap: Tap) -> None:
    while True:
        await asyncio.sleep(TAP_SECONDS)
        spans = [asdict(line) for line in tap.spans() if line.trace_id % SHOWN_TRACES == 0]
        tell("tapped", spans=spans, lines=[asdict(line) for line in tap.logs.lines()])


async def _input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def _next(told: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next line; None at the end of the input."""
    line = await told.readline()
    content: dict[str, Any] | None = json.loads(line) if line else None
    return content


if __name__ == "__main__":
    # Ctrl-C reaches the whole group of processes; the one that started this ends it in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asyncio.run(main())
    except (SourceError, ConfigurationError) as error:
        tell("error", text=str(error))
        sys.exit(2)
