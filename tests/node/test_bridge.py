"""What a bridge reports of nodes that answer, lie, fall silent and come back."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import pytest

from qudag_otel.node import Address, NodeBridge
from qudag_otel.node.bridge import pause_seconds
from qudag_otel.node.memory import NodeMemory
from tests.node.peer import SILENCE, UNWIRED, WIRED, answering, peer, refusing

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.testing import Captured
    from tests.node.peer import Reply


def with_values(answers: dict[str, Any], **network: float) -> dict[str, Any]:
    """The answers with other network numbers."""
    changed = copy.deepcopy(answers)
    changed["get_network_stats"].update(network)
    return changed


def drawn(memory: NodeMemory) -> dict[str, float]:
    return {fact.name: value for fact, value in memory.values.items()}


def test_wired_node_shows_what_it_measures_alone() -> None:
    """Constants of the release are left out, each with its reason."""
    memory = NodeMemory("n1")
    memory.answered(WIRED)
    assert drawn(memory) == {"uptime": 100, "peers": 2, "vertices": 7}
    assert memory.left_out.keys() == {
        "tips", "messages sent", "messages received", "bytes sent", "bytes received",
        "average latency",
    }  # fmt: skip


def test_number_that_was_ever_more_than_zero_is_believed_from_then_on() -> None:
    """A release that measures it is not held to be one that does not, also back at 0."""
    memory = NodeMemory("n1")
    memory.answered(WIRED)
    memory.answered(with_values(WIRED, messages_sent=3, uptime=101))
    assert drawn(memory)["messages sent"] == 3
    memory.answered(with_values(WIRED, messages_sent=0, uptime=102))
    assert drawn(memory)["messages sent"] == 0
    assert "messages received" in memory.left_out


def test_latency_is_never_drawn() -> None:
    """Nobody knows its unit."""
    memory = NodeMemory("n1")
    memory.answered(with_values(WIRED, average_latency=12.5))
    assert "average latency" in memory.left_out


def test_unwired_server_shows_its_process_alone() -> None:
    """Peers, vertices and counts of a server without a node are made up; memory and uptime not."""
    memory = NodeMemory("n1")
    memory.answered(UNWIRED)
    assert memory.who is not None
    assert memory.who.state == "unwired"
    assert drawn(memory) == {"uptime": 5, "resident memory": 4096}
    memory.answered(with_values(UNWIRED, messages_sent=9))
    assert "messages sent" in memory.left_out


@pytest.mark.parametrize("value", [-1, True, "7", None, [], float("nan"), float("inf"), 10**400])
def test_number_that_cannot_be_is_left_out_alone(value: object) -> None:
    """Its neighbours are drawn."""
    answers = copy.deepcopy(WIRED)
    answers["get_status"]["dag"]["vertex_count"] = value
    memory = NodeMemory("n1")
    memory.answered(answers)
    assert "vertices" not in drawn(memory)
    assert drawn(memory)["peers"] == 2


@pytest.mark.parametrize("status", [None, [], "up", 5, {"p2p": []}, {"dag": {"tips": {}}}])
def test_status_of_another_shape_is_survived(status: object) -> None:
    """What is there is drawn."""
    memory = NodeMemory("n1")
    memory.answered({**WIRED, "get_status": status})
    assert drawn(memory)["uptime"] == 100


def test_uptime_that_begins_anew_is_a_restart() -> None:
    """Once for each; a second that two clocks differ is none."""
    memory = NodeMemory("n1")
    found = [memory.answered(with_values(WIRED, uptime=at)) for at in (100, 99, 160, 3, 4, 1)]
    assert found == [False, False, False, True, False, True]


def bridged(
    replies: list[Reply], during: Callable[[], None] | None = None, *, name: str = "n1"
) -> None:
    """Poll a peer once for each reply, under a bridge that reports."""
    current = [replies[0]]

    def reply(request: dict[str, Any]) -> bytes | None:
        return current[0](request)

    with peer(reply, name) as address:
        bridge = NodeBridge([address])
        bridge.observe()
        try:
            for current[0] in replies:
                asyncio.run(bridge.poll(address))
            if during is not None:
                during()
        finally:
            bridge.close()


def test_bridge_reports_a_node_by_its_name(telemetry: Captured) -> None:
    """Every number that is true has its metric, with the node's name, and its RPC is timed."""

    def read() -> None:
        assert telemetry.value("qudag_node_up", node_id="n1") == 1
        assert telemetry.value("qudag_node_uptime_seconds", node_id="n1") == 100
        assert telemetry.value("qudag_node_peers", node_id="n1") == 2
        assert telemetry.value("qudag_node_vertices", node_id="n1") == 7
        info = {"node_state": "running", "peer_id": "12D3KooWtest"}
        assert telemetry.value("qudag_node_info", node_id="n1", **info) == 1
        assert not telemetry.points("qudag_node_messages_total")

    bridged([answering(WIRED)], read)
    assert telemetry.value("qudag_node_rpc_duration_seconds", node_id="n1", outcome="ok") == 2


def test_silent_node_is_down_and_nothing_else(telemetry: Captured) -> None:
    """Its last numbers are not shown as if they were of now; its error has the original's type."""

    def read() -> None:
        assert telemetry.value("qudag_node_up", node_id="n1") == 0
        assert not telemetry.points("qudag_node_peers")
        assert not telemetry.points("qudag_node_info")

    bridged([answering(WIRED), lambda _: None], read)
    error = {"component": "node", "error_type": "connection_error", "node_id": "n1"}
    assert telemetry.value("qudag_errors_total", **error) == 1


def test_outage_is_told_once_and_its_end_too(
    telemetry: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """One record for each reason, none for each poll."""
    caplog.set_level("INFO", "qudag")
    refused, silent = refusing(-32001), lambda _: None
    bridged([silent, silent, silent, refused, refused, answering(WIRED), answering(WIRED)])
    told = [str(one.body) for one in telemetry.logs]
    assert told.count("node does not answer") == 2
    assert told.count("node answers again") == 1
    assert told.count("some numbers of the node are not drawn") == 1


def test_restart_is_counted(telemetry: Captured) -> None:
    """A counter that nodes' restarts can be alerted on."""
    bridged([answering(WIRED), answering(with_values(WIRED, uptime=1))])
    assert telemetry.value("qudag_node_restarts_total", node_id="n1") == 1


def test_slow_node_does_not_hold_up_another(telemetry: Captured) -> None:
    """Each node is polled on its own; run ends when it is cancelled and reports no longer."""

    async def run(slow: Address, quick: Address) -> None:
        bridge = NodeBridge([slow, quick])
        task = asyncio.create_task(bridge.run())
        while not bridge.nodes[quick].up:  # noqa: ASYNC110 - a poll has no event to wait for
            await asyncio.sleep(0.01)
        assert telemetry.value("qudag_node_up", node_id="quick") == 1
        assert not telemetry.points("qudag_node_up", node_id="slow")
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()

    with peer(lambda _: SILENCE, "slow") as slow, peer(answering(WIRED), "quick") as quick:
        asyncio.run(run(slow, quick))
    assert not telemetry.points("qudag_node_up", node_id="quick")


@pytest.mark.parametrize(
    ("addresses", "interval", "says"),
    [
        ([], 15, "one or more nodes"),
        (["a=h:1", "a=h:2"], 15, "name of its own"),
        (["h:1"], 3.9, "60 requests a minute"),
        (["/run/q.sock"], 0.4, "0.5 s or more"),
    ],
)
def test_bridge_that_cannot_work_is_refused(
    addresses: list[str], interval: float, says: str
) -> None:
    """The sentence names the bound and the remedy."""
    with pytest.raises(ValueError, match=says):
        NodeBridge([Address.parse(one) for one in addresses], interval_seconds=interval)


def test_bridge_at_the_shortest_interval_is_taken() -> None:
    """The bound itself is allowed."""
    NodeBridge([Address.parse("h:1")], interval_seconds=4)
    NodeBridge([Address.parse("/run/q.sock")], interval_seconds=0.5)


@pytest.mark.parametrize(
    ("failures", "chance", "seconds"),
    [(0, 0, 5), (0, 1, 5), (1, 1, 5), (2, 0, 10), (2, 1, 9), (3, 0, 20), (9, 0, 60), (99, 1, 54)],
)
def test_pause_grows_with_failures(failures: int, chance: float, seconds: float) -> None:
    """Twice as long each time, up to a minute, and spread by a tenth; never below the interval."""
    assert pause_seconds(5, failures, chance) == pytest.approx(seconds)
    assert pause_seconds(300, failures, chance) == 300


def test_bridge_goes_back_to_its_interval_after_an_answer(
    telemetry: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failures in a row are counted, and an answer ends the row."""
    seen: list[int] = []

    def pause(_: float, failures: int, __: float) -> float:
        seen.append(failures)
        return 0.0

    monkeypatch.setattr("qudag_otel.node.bridge.pause_seconds", pause)
    answers = [False, False, True, True]  # a poll that is answered asks twice

    def reply(request: dict[str, Any]) -> bytes | None:
        return answering(WIRED)(request) if answers and answers.pop(0) else None

    async def run(address: Address) -> None:
        task = asyncio.create_task(NodeBridge([address]).run())
        while len(seen) < 5:  # noqa: ASYNC110 - a poll has no event to wait for
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait([task], timeout=5)

    with peer(reply) as address:
        asyncio.run(run(address))
    assert seen[:5] == [1, 2, 0, 1, 2]
    assert telemetry.value("qudag_node_rpc_duration_seconds", node_id="n1", outcome="ok") == 2
