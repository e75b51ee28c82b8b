"""Addresses, and answers of every sort."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from qudag_otel.node.rpc import (
    Address,
    AnswerTimeoutError,
    GarbledError,
    NodeError,
    RefusedError,
    UnreachableError,
    ask,
)
from tests.node.peer import SILENCE, WIRED, answering, framed, peer, refusing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node.peer import Reply


def asked(reply: Reply, *, timeout_seconds: float = 5.0, token: str = "") -> Any:
    """What `ask` makes of a peer's reply."""
    with peer(reply) as address:
        return asyncio.run(ask(address, "get_status", token=token, timeout_seconds=timeout_seconds))


@pytest.mark.parametrize(
    ("text", "shown", "name"),
    [
        ("127.0.0.1:9190", "127.0.0.1:9190", "127.0.0.1:9190"),
        ("node-1=localhost", "localhost:9090", "node-1"),
        ("[::1]:7", "[::1]:7", "[::1]:7"),
        ("a=[::1]", "[::1]:9090", "a"),
        ("unix:/run/q.sock", "unix:/run/q.sock", "unix:/run/q.sock"),
        ("b=/run/q.sock", "unix:/run/q.sock", "b"),
        ("unix:///run/q.sock", "unix:/run/q.sock", "unix:///run/q.sock"),
    ],
)
def test_address_is_read(text: str, shown: str, name: str) -> None:
    """Host, port, socket and name are found wherever they may stand."""
    address = Address.parse(text)
    assert (str(address), address.name) == (shown, name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "host:",
        "host:0",
        "host:65536",
        "host:x",
        "http://host:9090",
        "::1:90",
        "unix:",
        ":5",
    ],
)
def test_address_that_is_none_is_refused_with_an_example(text: str) -> None:
    """The sentence shows what an address looks like."""
    with pytest.raises(ValueError, match=r"write (HOST:PORT|unix:)"):
        Address.parse(text)


def test_answer_gives_its_result() -> None:
    """What stands under `result` comes back."""
    assert asked(answering(WIRED)) == WIRED["get_status"]


def test_token_travels_in_the_parameters() -> None:
    """The node finds it as `auth_token`; without one there is none."""
    seen: list[dict[str, Any]] = []

    def reply(request: dict[str, Any]) -> bytes:
        seen.append(request["params"])
        return answering(WIRED)(request) or b""

    asked(reply, token="s3cret")
    asked(reply)
    assert seen == [{"auth_token": "s3cret"}, {}]


def test_answer_of_ten_mebibytes_is_read() -> None:
    """A node with very many peers is still understood."""
    assert len(asked(answering({"get_status": "x" * (10 << 20)}))) == 10 << 20


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (lambda _: None, UnreachableError, "60 times a minute"),
        (lambda _: b"\0\0", GarbledError, "ended after 2 bytes"),
        (lambda _: framed(b"{}")[:-1], GarbledError, "before its end"),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", GarbledError, "QuDAG node's RPC"),
        (lambda _: framed(b"<html>"), GarbledError, "no JSON"),
        (lambda _: framed(b"\xff\xfe"), GarbledError, "no JSON"),
        (lambda _: framed(b"[" * 100_000), GarbledError, "no JSON"),
        (lambda _: framed(b"[]"), GarbledError, "id differs"),
        (lambda _: framed(b'{"id": "other", "result": 1}'), GarbledError, "id differs"),
        (lambda _: framed(b""), GarbledError, "no JSON"),
        (lambda r: framed(json.dumps({"id": r["id"]}).encode()), GarbledError, "neither"),
        (lambda r: framed(json.dumps({"id": r["id"], "error": "no"}).encode()), GarbledError,
         "neither"),
        (refusing(-32001), RefusedError, "--token-file"),
        (refusing(-32601), RefusedError, "another release"),
        (refusing(-32602), RefusedError, "parameters"),
        (refusing(-32603), RefusedError, "inside"),
        (refusing(-32604), RefusedError, "could not do"),
        (refusing(-1, "x" * 10_000), RefusedError, "own error"),
    ],
)  # fmt: skip
def test_answer_that_is_none_is_an_error_that_says_why(
    reply: Callable[[dict[str, Any]], bytes | None], kind: type[NodeError], says: str
) -> None:
    """Each sort of failure has its class and a sentence; none is longer than a line or two."""
    with pytest.raises(kind, match=says) as caught:
        asked(reply)
    assert len(str(caught.value)) < 500


def test_node_that_is_slow_is_given_up_in_time() -> None:
    """A connection that is accepted and never answered costs the timeout, no more."""
    with pytest.raises(AnswerTimeoutError, match=r"within 0\.05 s"):
        asked(lambda _: SILENCE, timeout_seconds=0.05)


@pytest.mark.parametrize("where", ["127.0.0.1:1", "unix:{}/none.sock"])
def test_nobody_there_is_unreachable(tmp_path: Path, where: str) -> None:
    """A refused connection and a socket that does not exist are told alike."""
    address = Address.parse(where.format(tmp_path))
    with pytest.raises(UnreachableError, match="is the node's RPC there"):
        asyncio.run(ask(address, "get_status", timeout_seconds=5))
