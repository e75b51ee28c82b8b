"""A real QuDAG node: the published crate with its RPC, on loopback alone."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from qudag_otel.node.rpc import Address, NodeError, ask
from tests.servers.process import Ports, Server, ServerError

if TYPE_CHECKING:
    from pathlib import Path


class QudagNode(Server):
    """A node whose RPC listens on a TCP port, or on a Unix socket."""

    name = "qudag-node"

    def __init__(
        self,
        folder: Path,
        *,
        unix: bool = False,
        unwired: bool = False,
        token: str = "",
        ports: Ports | None = None,
    ) -> None:
        """Prepare, do not start.

        Args:
            folder: where the log goes, and the socket.
            unix: listen on a Unix socket, which has no limit of requests.
            unwired: serve the RPC without a node behind it.
            token: what requests have to carry; empty for nothing.
            ports: "rpc" and "p2p".
        """
        ports = ports or Ports()
        self.token = token
        self.p2p = f"/ip4/127.0.0.1/tcp/{ports['p2p'].number}"
        where = str(folder / "rpc.sock") if unix else str(ports["rpc"].number)
        self.address = Address.parse(where if unix else f"127.0.0.1:{where}")
        super().__init__(
            "qudag-node",
            [where, str(ports["p2p"].number), *(["unwired"] * unwired)],
            url=str(self.address),
            health="",
            folder=folder,
            storage=folder,
            environment={"RPC_AUTH_TOKEN": token} if token else {},
            ports=ports,
        )

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Return when the RPC answers."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.ask("get_status")
            except NodeError as error:
                if time.monotonic() > deadline:
                    raise ServerError(f"{error}:\n{self.log_tail()}") from error
                time.sleep(0.05)
            else:
                return

    def ask(self, method: str, **params: str) -> Any:
        """Ask its RPC, with its token."""
        question = ask(self.address, method, params, token=self.token, timeout_seconds=5)
        return asyncio.run(question)
