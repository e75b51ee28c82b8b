"""W15: requests a second and their p99, in turn of every kind of the service. Prints JSON.

All kinds run; only one is asked at a time, by some connections that each wait for the answer. The
figures are medians over rounds, and so are the ratios, each taken within a round.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from typing import Any

from benchmarks.measure import SHORT, key, pin, report
from benchmarks.rig import EXPORTING
from benchmarks.sink import Sink

WHO = {"bare": "bare", "contrib": "contrib alone", "ours": "ours", "spans": "OpenTelemetry"}
CONNECTIONS = 8
ROUNDS = 1 if SHORT else 7
SECONDS = 0.3 if SHORT else 2.0
REQUEST = b"GET /numbers/7 HTTP/1.1\r\nHost: bench\r\n\r\n"
SPANS = {"bare": 0, "contrib": 1, "ours": 11, "spans": 11}
"""The least that one request makes: contrib's, and one for each of the ten steps."""


async def asked(port: int, seconds: float) -> list[float]:
    """How long each request took, in seconds, until the time is up."""
    took: list[float] = []
    ends = time.perf_counter() + seconds

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (began := time.perf_counter()) < ends:
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = next(
                line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
            )
            await reader.readexactly(int(length.partition(b":")[2]))
            took.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return took


def get(port: int, path: str) -> None:
    """One request."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        answer.read()


def witnessed(kind: str, port: int) -> None:
    """See at the sink that a request makes the spans that it should."""
    seen = Sink().witness(lambda: get(port, "/numbers/7"), lambda: get(port, "/flush"))
    if (len(seen["spans"]) >= SPANS[kind]) is False or (kind == "bare" and seen["spans"]):
        raise RuntimeError(f"{kind} sends {seen}")


def main(python: str) -> dict[str, float]:
    """All kinds, in turn.

    Args:
        python: The interpreter of the service's environment.
    """
    root = os.getcwd()  # noqa: PTH109 - as `python -m` found this module
    environ = {**os.environ, **EXPORTING, "PYTHONPATH": f"{root}{os.pathsep}{root}/instrumentation"}
    rates: dict[str, list[float]] = {kind: [] for kind in WHO}
    p99s: dict[str, list[float]] = {kind: [] for kind in WHO}
    with ExitStack() as stack:
        ports: dict[str, int] = {}
        for kind in WHO:
            started: Any = subprocess.Popen(
                [python, "-m", "benchmarks.service", kind],
                stdout=subprocess.PIPE,
                text=True,
                env=environ,
            )
            stack.callback(started.wait)
            stack.callback(started.kill)
            ports[kind] = int(started.stdout.readline())
            witnessed(kind, ports[kind])
            asyncio.run(asked(ports[kind], SECONDS / 2))
        for number in range(ROUNDS):
            order = list(WHO)[number % len(WHO) :] + list(WHO)[: number % len(WHO)]
            for kind in order:
                took = sorted(asyncio.run(asked(ports[kind], SECONDS)))
                rates[kind].append(len(took) / SECONDS)
                p99s[kind].append(took[int(0.99 * len(took))])
    found: dict[str, float] = {}
    for kind, who in WHO.items():
        found[key("service requests/s", who)] = statistics.median(rates[kind])
        found[key("service p99", who)] = statistics.median(p99s[kind]) * 1e9
        for title, values in (
            ("service rate of contrib alone", rates),
            ("service p99 of contrib alone", p99s),
        ):
            pairs = zip(values[kind], values["contrib"], strict=True)
            found[key(title, who)] = statistics.median(one / other for one, other in pairs)
    return found


if __name__ == "__main__":
    pin(last=False)
    report(main(sys.argv[1]))
