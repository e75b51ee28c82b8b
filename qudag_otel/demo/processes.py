"""A network with a process for each node; see `worker` for the other end of the conversation."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.demo.faults import FAULTS
from qudag_otel.demo.run import Options, Outcome
from qudag_otel.demo.tap import LogLine, Recent, SpanLine

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

START_SECONDS: Final = 30.0
STEP_SECONDS: Final = 30.0
"""How long a worker may take for a step of its end, in seconds."""

_LINE_BYTES: Final = 16 * 1024 * 1024
_PORT: Final = "OTEL_EXPORTER_PROMETHEUS_PORT"
_DEFAULT_PORT: Final = 9464


class WorkerError(Exception):
    """A worker ended before its time; the message says why, as far as it could tell."""


class Worker:
    """The process of one node, and what it told so far.

    Args:
        name: The node.
        process: The process.
        recent: What gets its spans and log lines.
        tell: Called with a line when something is worth telling.
    """

    def __init__(
        self,
        name: str,
        process: asyncio.subprocess.Process,
        recent: Recent,
        tell: Callable[[str], object],
    ) -> None:
        self._name = name
        self._process = process
        self._recent = recent
        self._tell = tell
        self._told: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())

    def say(self, **content: object) -> None:
        """Send it a line."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(content).encode() + b"\n")

    async def wait_for(self, kind: str, seconds: float) -> dict[str, Any]:
        """What it tells of this kind.

        Raises:
            WorkerError: If it does not in time, or ends before.
        """
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._expected(kind))
        except TimeoutError as error:
            raise WorkerError(f"{self._name} did not tell {kind!r} in {seconds:g} s") from error

    async def stop(self) -> None:
        """End the process, and wait until it has ended."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), STEP_SECONDS)
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading
        for told in self._told.values():
            told.cancel()

    def _expected(self, kind: str) -> asyncio.Future[dict[str, Any]]:
        if kind not in self._told:
            self._told[kind] = asyncio.get_running_loop().create_future()
            if self._reading.done():
                self._told[kind].set_exception(WorkerError(f"{self._name} ended"))
        return self._told[kind]

    async def _read(self) -> None:
        output = self._process.stdout
        reason = f"{self._name} ended unexpectedly"
        while output is not None and (line := await output.readline()):
            content: dict[str, Any] = json.loads(line)
            kind = content["kind"]
            if kind == "tapped":
                self._recent.add(
                    (SpanLine(**span) for span in content["spans"]),
                    (LogLine(**record) for record in content["lines"]),
                )
            elif kind == "line":
                self._tell(f"{self._name}: {content['line']}")
            elif kind == "error":
                reason = f"{self._name}: {content['text']}"
            else:
                self._expected(kind).set_result(content)
        for told in self._told.values():
            if not told.done():
                told.set_exception(WorkerError(reason))


class Network:
    """All nodes in their processes; made by `processes`."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self.urls: list[str] = []
        self.recent = Recent()

    async def meet(self) -> None:
        """Wait until all nodes listen, and tell each where."""
        addresses: dict[str, object] = {}
        for worker in self.workers:
            told = await worker.wait_for("listening", START_SECONDS)
            addresses |= told["addresses"]
            if told["metrics_url"]:
                self.urls.append(told["metrics_url"])
        for worker in self.workers:
            worker.say(addresses=addresses)

    async def until(self, stop: asyncio.Event) -> Outcome:
        """Let the load run until told to stop, and merge the nodes' accounts.

        Raises:
            WorkerError: If a worker ends before its time.
        """
        loaded = [asyncio.ensure_future(self._each("loaded", None))]
        stopping = asyncio.create_task(stop.wait())
        # A worker that dies ends the wait, too.
        await asyncio.wait((*loaded, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for worker in self.workers:
            worker.say(stop=True)
        await asyncio.wait_for(loaded[0], STEP_SECONDS)
        await self._each("settled", STEP_SECONDS)
        for worker in self.workers:
            worker.say(account=True)
        accounts = await self._each("account", STEP_SECONDS)
        return _merged([Outcome(**account["outcome"]) for account in accounts])

    async def _each(self, kind: str, seconds: float | None) -> list[dict[str, Any]]:
        return await asyncio.gather(
            *(worker.wait_for(kind, seconds or float("inf")) for worker in self.workers)
        )


@asynccontextmanager
async def processes(
    options: Options, environ: Mapping[str, str], logs: str, tell: Callable[[str], object]
) -> AsyncGenerator[Network]:
    """Start a process for every node; they end with the block.

    Each serves its own /metrics: the first on the port of the environment, the others on those
    after it, or all on ports that the system chooses if that is 0.

    Args:
        options: What is run; `local` is of no meaning here.
        environ: The environment.
        logs: Where log records are seen, one of `setup.LOGS`.
        tell: Called with a line when something is worth telling, such as a fault.

    Raises:
        WorkerError: If one cannot be started.
    """
    network = Network()
    port = environ.get(_PORT, "").strip() or str(_DEFAULT_PORT)
    try:
        for number, name in enumerate(options.everyone):
            own = str(int(port) + number) if port.isdigit() and port != "0" else port
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "qudag_otel.demo.worker",
                stdin=PIPE, stdout=PIPE, limit=_LINE_BYTES, env={**environ, _PORT: own},
            )  # fmt: skip
            worker = Worker(name, process, network.recent, tell)
            network.workers.append(worker)
            worker.say(logs=logs, **_wanted(replace(options, local=[name]), first=number == 0))
        await network.meet()
        yield network
    finally:
        await asyncio.gather(*(worker.stop() for worker in network.workers))


def _wanted(options: Options, *, first: bool) -> dict[str, object]:
    return {
        "name": options.local[0],
        "everyone": options.everyone,
        "source": str(options.source),
        "rate": options.rate / len(options.everyone),
        "seed": options.seed,
        "faults": [
            asdict(fault) for fault in options.faults if first or not FAULTS[fault.name].of_host
        ],
    }


def _merged(outcomes: list[Outcome]) -> Outcome:
    files: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    whole = Outcome(0.0, {}, 0, {}, drained=True)
    for outcome in outcomes:
        files.update(outcome.files)
        failures.update(outcome.failures)
        whole.seconds = max(whole.seconds, outcome.seconds)
        whole.messages += outcome.messages
        whole.drained &= outcome.drained
        for name, samples in outcome.counted.items():
            whole.counted.setdefault(name, []).extend(samples)
    whole.files, whole.failures = dict(files), dict(failures.most_common())
    return whole
