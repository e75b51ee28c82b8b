"""Runs `qudag-otel` as a user does, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator

DEADLINE_SECONDS = 60.0


def command(*words: str) -> list[str]:
    """The command line of `qudag-otel` with this interpreter."""
    return [sys.executable, "-m", "qudag_otel", *words]


def environment(**variables: str) -> dict[str, str]:
    """This environment without its OTEL_* variables, with ports that the system picks."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    return {**kept, "OTEL_EXPORTER_PROMETHEUS_PORT": "0", **variables}


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        command(*words),
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


class Running:
    """A command under way, and the lines it wrote to standard error so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._told = threading.Condition()
        assert process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(process.stderr,))
        self._reader.start()

    def wait_for(self, part: str) -> str:
        """The first line that contains this."""
        found: list[str] = []

        def seen() -> bool:
            found[:] = [line for line in self.lines if part in line]
            return bool(found) or not self._reader.is_alive()

        with self._told:
            assert self._told.wait_for(seen, DEADLINE_SECONDS), f"{part!r} not in {self.lines}"
        assert found, f"{part!r} not in {self.lines}"
        return found[0]

    def metrics_urls(self) -> list[str]:
        """Where it says that its metrics are."""
        return self.wait_for("metrics on").split("metrics on ")[1].strip().split(", ")

    def end(self, number: signal.Signals) -> dict[str, Any]:
        """Send it a signal, and return the JSON it ends with."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        summary: dict[str, Any] = json.loads(self.process.stdout.read())
        self.process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        return summary

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._told:
                self.lines.append(line)
                self._told.notify_all()
        with self._told:
            self._told.notify_all()


@contextmanager
def running(*words: str, **variables: str) -> Iterator[Running]:
    """A command that is ended with the block, at the latest."""
    with subprocess.Popen(
        command(*words),
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        started = Running(process)
        try:
            yield started
        finally:
            process.kill()


def eventually(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS} s: {what}"
        time.sleep(0.1)
