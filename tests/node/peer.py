"""A peer that speaks the RPC's framing and says what a test wants it to say.

For what the real node cannot be made to say; everything else is tested against the real one.
"""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from qudag_otel.node import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Reply = Callable[[dict[str, Any]], bytes | None]

SILENCE = b"silence"

WIRED: dict[str, Any] = {
    "get_status": {
        "is_running": True,
        "dag": {"vertex_count": 7, "tips": 0},
        "p2p": {"peer_id": "12D3KooWtest", "connected_peers": 2},
        "dark_resolver_enabled": False,
    },
    "get_network_stats": {
        "total_connections": 2, "active_connections": 2, "messages_sent": 0,
        "messages_received": 0, "bytes_sent": 0, "bytes_received": 0, "average_latency": 0.0,
        "uptime": 100,
    },
}  # fmt: skip
UNWIRED: dict[str, Any] = {
    "get_status": {
        "node_id": "node_mock", "state": "Mock", "uptime": 5, "peers": [{"id": "peer_1"}],
        "dag_stats": {"vertex_count": 0, "edge_count": 0, "tip_count": 0, "finalized_height": 0,
                      "pending_transactions": 0},
        "memory_usage": {"total_allocated": 0, "current_usage": 4096, "peak_usage": 9},
    },
    "get_network_stats": {"active_connections": 1, "messages_sent": 0, "uptime": 5},
}  # fmt: skip


def framed(body: bytes) -> bytes:
    """An answer's bytes."""
    return struct.pack(">I", len(body)) + body


def answering(results: dict[str, Any]) -> Reply:
    """Answer each method with its result."""

    def reply(request: dict[str, Any]) -> bytes:
        answer = {"id": request["id"], "result": results[request["method"]], "error": None}
        return framed(json.dumps(answer).encode())

    return reply


def refusing(code: int, message: str = "no") -> Reply:
    """Answer everything with an error."""

    def reply(request: dict[str, Any]) -> bytes:
        error = {"code": code, "message": message, "data": None}
        return framed(json.dumps({"id": request["id"], "result": None, "error": error}).encode())

    return reply


@contextmanager
def peer(reply: Reply, name: str = "n1") -> Iterator[Address]:
    """Listen for as long as the block runs; a reply of None closes without an answer.

    What a reply raises ends its connection, too; one of `SILENCE` says nothing until the end.
    """
    over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            header = connection.recv(4, socket.MSG_WAITALL)
            if len(header) < 4:  # the asking side hung up first
                return
            (length,) = struct.unpack(">I", header)
            answer = reply(json.loads(connection.recv(length, socket.MSG_WAITALL)))
            if answer is SILENCE:
                over.wait(60)
            elif answer is not None:
                with suppress(OSError):  # the asking side may have hung up
                    connection.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Address.parse(f"{name}=127.0.0.1:{server.server_address[1]}")
        finally:
            over.set()
            server.shutdown()
            thread.join()
