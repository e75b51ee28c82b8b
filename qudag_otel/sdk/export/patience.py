"""HTTP answers within one limit as a whole, not one for each byte of them.

A socket's timeout begins anew with every byte that arrives: a receiver that sends one now and
then would be listened to for ever. Connecting, the handshake of TLS and sending have one deadline
by themselves.
"""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket


class _Until(io.RawIOBase):
    """What arrives on a socket until a deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer that has come whole when the socket's timeout is over, or never."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        seconds = sock.gettimeout()
        if seconds is not None:
            raw: Any = self.fp.detach()
            self.fp = io.BufferedReader(_Until(raw, sock, time.monotonic() + seconds))


class _PlainConnection(HTTPConnection):
    response_class = _Answer


class _EncryptedConnection(HTTPSConnection):
    response_class = _Answer


class _Plain(HTTPConnectionPool):
    ConnectionCls: Any = _PlainConnection


class _Encrypted(HTTPSConnectionPool):
    ConnectionCls: Any = _EncryptedConnection


class Adapter(HTTPAdapter):
    """Connections whose answers have one deadline; for a session of requests."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the connections."""
        super().init_poolmanager(*arguments, **options)
        _patient(self.poolmanager)

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Make the connections through a proxy."""
        return _patient(super().proxy_manager_for(*arguments, **options))


def _patient(manager: Any) -> Any:
    manager.pool_classes_by_scheme = {"http": _Plain, "https": _Encrypted}
    return manager
