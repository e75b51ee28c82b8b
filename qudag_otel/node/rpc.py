"""One question to a QuDAG node, over TCP or a Unix socket.

A connection carries one request and one answer; each is a length of four bytes, big-endian, and
JSON. Source: crate qudag-protocol 0.5.0, module rpc_server.

    NodeError
    +-- UnreachableError      no connection, or one that was closed without an answer
    +-- AnswerTimeoutError    no whole answer in time
    +-- GarbledError          an answer that is none
    +-- RefusedError          an error of the node's own, with its code
"""

from __future__ import annotations

import asyncio
import json
import struct
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, cast

from qudag_otel.errors import error_type

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PORT: Final = 9090
REQUESTS_PER_MINUTE: Final = 60
"""What a node answers a client address over TCP; further connections are closed in silence."""

_LENGTH: Final = struct.Struct(">I")
_LARGEST_BYTES: Final = 16 << 20  # the node takes requests of 10 MiB; a list of peers stays below
_LARGEST_PORT: Final = 65535
_UNIX: Final = "unix:"
_AUTHENTICATION: Final = -32001
_MEANINGS: Final = {
    _AUTHENTICATION: "it wants a token: set RPC_AUTH_TOKEN or --token-file to the node's own",
    -32601: "it does not know the method; is this a QuDAG node of another release?",
    -32602: "it does not accept the parameters; is this a QuDAG node of another release?",
    -32603: "it failed inside",
    -32604: "it could not do what was asked",
}


class NodeError(Exception):
    """A question to a node that was not answered.

    Attributes:
        kind: The error type that it counts as, one of the original monitor's.
    """

    kind = "unknown_error"


class UnreachableError(NodeError):
    """There is no connection to the node."""

    kind = "connection_error"


class AnswerTimeoutError(NodeError):
    """The node did not answer in time."""

    kind = "timeout_error"


class GarbledError(NodeError):
    """The node's answer cannot be understood."""

    kind = "validation_error"


class RefusedError(NodeError):
    """The node answered with an error.

    Args:
        code: The error's code, as JSON-RPC has them.
        message: The node's own words.
    """

    def __init__(self, code: int, message: str) -> None:
        meaning = _MEANINGS.get(code, "the node's own error")
        super().__init__(f"the node refused with {code}: {meaning} ({message[:200]!r})")
        self.code = code
        if code == _AUTHENTICATION:
            self.kind = "authentication_error"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node's RPC is.

    Args:
        name: What its metrics call the node, as `node_id`.
        path: The Unix socket; empty over TCP.
        host: The host; empty for a Unix socket.
        port: The port.
    """

    name: str
    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address: `[NAME=]HOST[:PORT]` or `[NAME=]unix:PATH`.

        Without a name the node is called by its address. The port is 9090 if none is given.

        Raises:
            ValueError: It is no address; the message says what one looks like.
        """
        name, equals, where = text.partition("=")
        if not equals:
            name, where = "", text
        where = where.strip()
        if where.startswith((_UNIX, "/")):
            path = where.removeprefix(_UNIX).removeprefix("//")
            if not path:
                raise ValueError(f"{text!r} names no socket; write unix:/run/qudag/rpc.sock")
            return cls(name.strip() or where, path=path)
        host, port = _host_and_port(text, where)
        return cls(name.strip() or where, host=host, port=port)

    def __str__(self) -> str:
        if self.path:
            return f"{_UNIX}{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _host_and_port(text: str, where: str) -> tuple[str, int]:
    host, colon, port = where.rpartition(":")
    if not colon or (where.endswith("]") and where.startswith("[")):
        host, port = where, str(DEFAULT_PORT)
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    usable = host and "/" not in host and not host.count(":") * (not bracketed)
    if not usable or not port.isdecimal() or not 0 < int(port) <= _LARGEST_PORT:
        raise ValueError(
            f"{text!r} is no address of a node's RPC; write HOST:PORT, such as 127.0.0.1:9090, or"
            " unix:PATH, each with NAME= before it if you like"
        )
    return host, int(port)


async def ask(
    address: Address,
    method: str,
    params: Mapping[str, str] | None = None,
    *,
    token: str = "",
    timeout_seconds: float,
) -> Any:
    """Ask a node and return the result of its answer.

    Args:
        address: The node.
        method: The RPC method.
        params: The method's parameters.
        token: Its authentication token, if it has one.
        timeout_seconds: How long connection and answer may take together.

    Raises:
        NodeError: It did not answer, or not well; the message names what to do.
    """
    request: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "method": method,
        "params": {**(params or {})},
    }
    if token:
        request["params"]["auth_token"] = token
    try:
        async with asyncio.timeout(timeout_seconds):
            body = await _exchange(address, json.dumps(request).encode())
    except TimeoutError:
        raise AnswerTimeoutError(
            f"no answer to {method} within {timeout_seconds:g} s; is it busy, or is something else"
            " listening there?"
        ) from None
    return _result(body, request["id"])


async def _exchange(address: Address, request: bytes) -> bytes:
    try:
        if address.path:
            reader, writer = await asyncio.open_unix_connection(address.path)
        else:
            reader, writer = await asyncio.open_connection(address.host, address.port)
    except OSError as error:
        raise UnreachableError(
            f"no connection: {error.strerror or error}; is the node's RPC there?"
        ) from error
    try:
        writer.write(_LENGTH.pack(len(request)) + request)
        await writer.drain()
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > _LARGEST_BYTES:
            raise GarbledError(
                f"the answer claims to have {length} bytes, more than {_LARGEST_BYTES}; is this the"
                " port of a QuDAG node's RPC?"
            )
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise _unfinished(address, len(error.partial)) from error
    except (ConnectionResetError, BrokenPipeError) as error:  # closed before it was asked
        raise _unfinished(address, 0) from error
    except OSError as error:
        raise UnreachableError(f"the connection broke: {error.strerror or error}") from error
    finally:
        writer.transport.abort()  # one answer a connection: there is nothing to wait for


def _unfinished(address: Address, received: int) -> NodeError:
    if received:
        return GarbledError(f"the answer ended after {received} bytes, before its end")
    limit = (
        ""
        if address.path
        else f"; over TCP it answers a client address {REQUESTS_PER_MINUTE} times a minute: poll"
        " less often, or through its Unix socket"
    )
    return UnreachableError(f"the node closed the connection without an answer{limit}")


def _result(body: bytes, wanted: str) -> Any:
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise GarbledError(f"the answer is no JSON: {error_type(problem)}") from problem
    answer = _object(found)
    if answer.get("id") != wanted:
        raise GarbledError("the answer is not one to this question: its id differs")
    error = _object(answer.get("error"))
    code = error.get("code")
    if isinstance(code, int):
        raise RefusedError(code, str(error.get("message", "")))
    if answer.get("error") is not None or "result" not in answer:
        raise GarbledError("the answer has neither a result nor an error that can be understood")
    return answer["result"]


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
