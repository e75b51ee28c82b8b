"""A Kafka broker that keeps its topics in memory."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from tests.servers.process import Ports, Server, ServerError

if TYPE_CHECKING:
    from pathlib import Path


class Kafka(Server):
    """One broker; `address` is what clients are given."""

    name = "kafka"

    def __init__(self, folder: Path) -> None:
        """Prepare, do not start; the log goes into `folder`."""
        ports = Ports()
        self._port = ports["kafka"].number
        self.address = f"127.0.0.1:{self._port}"
        super().__init__(
            "kafka",
            [str(self._port)],
            url=self.address,
            health="",
            folder=folder,
            storage=folder,
            ports=ports,
        )

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Return when it takes connections.

        Raises:
            ServerError: it does not within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise ServerError(f"{self.name} is not ready:\n{self.log_tail()}") from None
                time.sleep(0.05)
            else:
                return
