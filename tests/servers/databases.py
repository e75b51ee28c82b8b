"""PostgreSQL and Redis, for the pools of their clients."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.process import Ports, Server, ServerError

if TYPE_CHECKING:
    from collections.abc import Sequence

_READY_SECONDS = 30.0


class Database(Server):
    """A server that is ready when it answers a question with what it should.

    Attributes:
        port: Where it listens, on 127.0.0.1.
    """

    question = b""
    answer = b""

    def __init__(self, program: str, arguments: Sequence[str], folder: Path, storage: Path) -> None:
        """Prepare, do not start; "{port}" in `arguments` becomes its port."""
        ports = Ports()
        self.port = ports["database"].number
        super().__init__(
            program,
            [one.format(port=self.port) for one in arguments],
            url=f"127.0.0.1:{self.port}",
            health="",
            folder=folder,
            storage=storage,
            ports=ports,
        )

    def wait_ready(self, timeout: float = _READY_SECONDS) -> None:
        """Return when it answers.

        Raises:
            ServerError: It ended, or does not within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self._process is None or self._process.poll() is not None:
                raise ServerError(f"{self.name} ended:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} is not ready:\n{self.log_tail()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as asking:
                asking.sendall(self.question)
                return asking.recv(64).startswith(self.answer)
        except OSError:
            return False


class Redis(Database):
    """A Redis that keeps nothing on disk."""

    name = "redis"
    question, answer = b"PING\r\n", b"+PONG"

    def __init__(self, folder: Path) -> None:
        """Prepare, do not start; the log goes into `folder`."""
        arguments = ["--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__("redis-server", arguments, folder, folder)


class PostgreSQL(Database):
    """A PostgreSQL with the user `tester`, who needs no password, and the database `postgres`."""

    name = "postgresql"
    # A start packet of version 3.0 with the user alone; the answer says who may come in.
    question = b"\x00\x00\x00\x15\x00\x03\x00\x00user\x00tester\x00\x00"
    answer = b"R\x00\x00\x00\x08\x00\x00\x00\x00"

    def __init__(self, folder: Path) -> None:
        """Prepare, do not start; the log goes into `folder`."""
        # Its own user has to reach it, and pytest's folders are its owner's alone.
        self._data = Path(tempfile.mkdtemp(prefix="qudag-postgresql-"))
        super().__init__("postgres", ["{port}", str(self._data)], folder, self._data)

    def close(self) -> None:
        """Stop for good, and delete what it stored."""
        super().close()
        shutil.rmtree(self._data, ignore_errors=True)
