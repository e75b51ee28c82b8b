"""A server as a child process: ports, start, readiness, stop, logs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Self

from tests.servers.build import binary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_READY_SECONDS = 90.0
_STOP_SECONDS = 30.0

# Runs in the child before the server does: on Linux the kernel ends the server when this process
# is killed without a farewell. (A preexec_fn would do the same, but not safely beside threads.)
_FOLLOW = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""

LIVE: list[Server] = []
"""The servers that run now, for the logs of a failing test."""


class ServerError(RuntimeError):
    """A server did not start; the message ends with the last lines of its log."""


class Port:
    """A loopback port, reserved for as long as this object lives.

    The socket stays bound but never listens. With SO_REUSEADDR on both sides the server may
    listen on the port, stop and listen again, while the kernel gives it to no one else.
    """

    def __init__(self, number: int = 0) -> None:
        """Reserve a port; by default a free one that the system chooses.

        Raises:
            OSError: somebody listens on it.
        """
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", number))
        except OSError:
            self._socket.close()
            raise
        self.number: int = self._socket.getsockname()[1]

    def __str__(self) -> str:
        return f"127.0.0.1:{self.number}"

    def close(self) -> None:
        self._socket.close()


class Ports:
    """Ports by name: those that are given, and free ones for every other name."""

    def __init__(self, given: Mapping[str, int] | None = None) -> None:
        self._given = given or {}
        self._ports: dict[str, Port] = {}

    def __getitem__(self, name: str) -> Port:
        if name not in self._ports:
            self._ports[name] = Port(self._given.get(name, 0))
        return self._ports[name]

    def close(self) -> None:
        """Give all back."""
        for port in self._ports.values():
            port.close()
        self._ports.clear()


class Server:
    """One server process that can be stopped and started again on the same ports and storage.

    Attributes:
        url: base URL of its HTTP API.
        health: URL that answers 200 when it is ready.
        storage: the folder that holds what it stores.
        ports: its ports by name.
    """

    name = "server"

    def __init__(
        self,
        program: str,
        arguments: Sequence[str | Path],
        *,
        url: str,
        health: str,
        folder: Path,
        storage: Path,
        environment: Mapping[str, str] | None = None,
        ports: Ports | None = None,
        directory: Path | None = None,
    ) -> None:
        """Prepare, do not start.

        Args:
            program: the name of its binary, which is built when it starts.
            arguments: the rest of its command.
            url: base URL of its HTTP API.
            health: URL that answers 200 when it is ready.
            folder: where its log goes; made.
            storage: the folder that holds what it stores; made.
            environment: variables beside those of this process.
            ports: the ports to give back in the end.
            directory: its working directory; `folder` by default.
        """
        self.url = url
        self.health = health
        self.storage = storage
        self._program = program
        self._arguments = [str(part) for part in arguments]
        self._environment = {**os.environ, **(environment or {})}
        self.ports = ports or Ports()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        storage.mkdir(parents=True, exist_ok=True)
        self._directory = directory or folder
        self.log = folder / f"{self.name}.log"

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    def start(self, *, wait: bool = True, outlive: bool = False) -> Self:
        """Start the process.

        Args:
            wait: return when its health endpoint says yes.
            outlive: let it run on when this process ends.

        Raises:
            BuildError: there is no binary of it.
            ServerError: it ended, or was not ready within 90 s.
        """
        command = self._command()
        if self._process is not None:
            raise ServerError(f"{self.name} runs already")
        follow = [sys.executable, "-IS", "-c", _FOLLOW, str(os.getpid())]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command if outlive else [*follow, *command],
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        LIVE.append(self)
        if wait:
            self.wait_ready()
        return self

    def _command(self) -> list[str]:
        return [str(binary(self._program)), *self._arguments]

    def wait_ready(self, timeout: float = _READY_SECONDS) -> None:
        """Return when the health endpoint says yes; raise ServerError otherwise."""
        process = self._process
        if process is None:
            raise ServerError(f"{self.name} was not started")
        deadline = time.monotonic() + timeout
        while not is_healthy(self.health):
            if (code := process.poll()) is not None:
                raise ServerError(f"{self.name} ended with {code}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{self.name} is not ready at {self.health} after {timeout:.0f} s:\n"
                    f"{self.log_tail()}"
                )
            time.sleep(0.1)

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        """End the process and whatever it started; what it stored stays."""
        process, self._process = self._process, None
        if process is None:
            return
        LIVE.remove(self)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sig)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(_STOP_SECONDS)

    def kill(self) -> None:
        """End the process without letting it put anything in order."""
        self.stop(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start, with the same ports and storage."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop for good and give the ports back."""
        self.stop()
        self.ports.close()

    def log_tail(self, lines: int = 40) -> str:
        """The last lines that the process printed."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def is_healthy(url: str) -> bool:
    """Whether a health endpoint answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
