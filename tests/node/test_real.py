"""`qudag-otel node` before real nodes: the published crate, its RPC, its peers, its limits."""

from __future__ import annotations

import asyncio
import re
import signal
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from qudag_otel.node import Address, NodeBridge
from qudag_otel.node.rpc import REQUESTS_PER_MINUTE, UnreachableError, ask
from tests.demo.programs import run, running
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.nodes import QudagNode

    Start = Callable[..., QudagNode]

pytestmark = pytest.mark.servers("node")


def polled(bridge: NodeBridge) -> list[bool]:
    """Poll every node of a bridge once."""

    async def poll() -> list[bool]:
        return await asyncio.gather(*map(bridge.poll, bridge.nodes))

    return asyncio.run(poll())


def drawn(bridge: NodeBridge) -> list[dict[str, float]]:
    """The numbers drawn of each node."""
    return [{f.name: v for f, v in node.values.items()} for node in bridge.nodes.values()]


def test_explain_draws_what_the_node_measures_alone(qudag_node: Start) -> None:
    """A newcomer sees uptime, peers and vertices, and why the rest is left out."""
    node = qudag_node()
    ended = run("node", f"first={node.address}", "--explain")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(rf"^first \({re.escape(str(node.address))}\)$", ended.stdout, re.MULTILINE)
    assert "running, peer id 12D3Koo" in ended.stdout
    shown = set(re.findall(r"^  drawn +([a-z ]+?)  ", ended.stdout, re.MULTILINE))
    assert shown == {"uptime", "peers", "vertices"}
    left = re.findall(r"^  left out +([a-z ]+?)  +(.*)$", ended.stdout, re.MULTILINE)
    assert {"tips", "messages sent", "bytes received", "average latency"} <= dict(left).keys()
    assert all("constant 0" in why for _, why in left)


def test_peers_of_two_nodes_are_seen_by_both(qudag_node: Start) -> None:
    """A connection between two nodes is one peer each; the peer is the other's id."""
    first, second = qudag_node(unix=True), qudag_node()
    bridge = NodeBridge([first.address, second.address])
    assert polled(bridge) == [True, True]
    assert [one["peers"] for one in drawn(bridge)] == [0, 0]
    first.ask("add_peer", address=second.p2p)

    def connected() -> None:
        assert polled(bridge) == [True, True]
        assert [one["peers"] for one in drawn(bridge)] == [1, 1]

    eventually(connected, timeout=20, interval=1.5)
    (peer,) = first.ask("list_peers")
    assert peer["id"] == second.ask("get_status")["p2p"]["peer_id"]


def test_unwired_server_shows_nothing_that_it_makes_up(qudag_node: Start) -> None:
    """An invented peer is no peer; the memory of its process is true."""
    node = qudag_node(unix=True, unwired=True)
    node.ask("add_peer", address="/ip4/127.0.0.1/tcp/1")
    assert len(node.ask("list_peers")) == 1
    ended = run("node", f"n={node.address}", "--explain")
    assert ended.returncode == 0
    assert "  unwired\n" in ended.stdout
    shown = set(re.findall(r"^  drawn +([a-z ]+?)  ", ended.stdout, re.MULTILINE))
    assert shown == {"uptime", "resident memory"}


def test_token_is_wanted_and_given(qudag_node: Start, tmp_path: Path) -> None:
    """Without it, or with a wrong one, the sentence says where to put it; it is never shown."""
    node = qudag_node(unix=True, token="open-sesame")
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("open-sesame\n")
    wrong.write_text("closed-sesame")
    for words in ((), ("--token-file", str(wrong))):
        ended = run("node", str(node.address), "--explain", *words)
        assert ended.returncode == 1
        assert "set RPC_AUTH_TOKEN or --token-file" in ended.stdout
        assert "sesame" not in ended.stdout + ended.stderr
    assert run("node", str(node.address), "--explain", "--token-file", str(right)).returncode == 0
    by_variable = run("node", str(node.address), "--explain", RPC_AUTH_TOKEN="open-sesame")
    assert by_variable.returncode == 0


def test_node_that_answers_too_often_is_polled_less(qudag_node: Start) -> None:
    """Past its limit over TCP it closes in silence, and the sentence names limit and remedy."""
    node = qudag_node()

    async def exhaust() -> None:
        for _ in range(REQUESTS_PER_MINUTE + 1):
            await ask(node.address, "get_status", timeout_seconds=5)

    with pytest.raises(UnreachableError, match=r"60 times a minute.*Unix socket"):
        asyncio.run(exhaust())


def test_unix_socket_has_no_limit(qudag_node: Start) -> None:
    """Twice as many questions as TCP allows are all answered."""
    node = qudag_node(unix=True)

    async def many() -> None:
        for _ in range(2 * REQUESTS_PER_MINUTE):
            await ask(node.address, "get_status", timeout_seconds=5)

    asyncio.run(many())


def test_watched_node_that_is_killed_and_restarted_is_down_and_up_again(
    qudag_node: Start,
) -> None:
    """/metrics follows: 0 while it is gone, 1 again with a restart; SIGTERM ends with success."""
    node = qudag_node(unix=True)
    gone = Address.parse(f"gone={node.address.path}.none")
    words = ("node", f"n1={node.address}", f"gone={gone}", "--interval", "0.5")
    with running(*words) as command:
        url = command.wait_for("watching").rpartition(" ")[2].strip()

        def page() -> str:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())

        def shows(metric: str, node: str, value: int) -> Callable[[], None]:
            line = re.compile(rf'^{metric}\{{node_id="{node}"\}} {value}(\.0)?$', re.MULTILINE)

            def check() -> None:
                assert line.search(page())

            return check

        eventually(shows("qudag_node_up", "n1", 1))
        eventually(shows("qudag_node_up", "gone", 0))
        shows("qudag_node_restarts_total", "n1", 0)()
        time.sleep(4)  # uptime is in whole seconds, and a restart is told by it
        node.kill()
        eventually(shows("qudag_node_up", "n1", 0))
        assert 'qudag_node_uptime_seconds{node_id="n1"}' not in page()
        node.start()
        eventually(shows("qudag_node_up", "n1", 1))
        eventually(shows("qudag_node_restarts_total", "n1", 1))
        command.process.send_signal(signal.SIGTERM)
        assert command.process.wait(10) == 0
