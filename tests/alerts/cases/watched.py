"""Real nodes: down, alone, at a standstill, restarted, and no longer watched."""

from __future__ import annotations

from typing import Final

from tests.alerts.scenario import (
    RESTART,
    Case,
    Fires,
    Scenario,
    Series,
    counter,
    dipping,
    elsewhere,
    gauge,
    joined,
    silent,
)

_RULES: Final = ("watched",)


def _up(node: str, more: str = "") -> str:
    return f'qudag_node_up{{node_id="{node}"{more}}}'


def _info(node: str, state: str) -> str:
    return f'qudag_node_info{{node_id="{node}",peer_id="12D3",node_state="{state}"}}'


def _down(node: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"Node {node} does not answer its RPC, or says that it does not run, for"
        " 2 minutes.",
    )


DOWN: Final = Scenario(
    name="NodeDown",
    rules=_RULES,
    severity="critical",
    concern="node",
    cases=(
        Case(
            name="a node stops answering: fires after 2 minutes, until it answers for a while",
            series={
                _up("n1"): gauge((1, 10), (0, 10), (1, 20)),
                _info("n1", "running"): gauge((1, 10), (None, 10), (1, 20)),
                _up("n2"): gauge((1, 40)),
                **elsewhere({_up("n1"): gauge((1, 40))}),
            },
            at={"11m45s": (), "12m": (_down("n1"),), "20m": (_down("n1"),), "28m": ()},
        ),
        Case(
            name="it answers, and says that it is stopped or that no node is behind it",
            series={
                **{_up(node): gauge((1, 20)) for node in ("halted", "empty", "well")},
                _info("halted", "stopped"): gauge((1, 20)),
                _info("empty", "unwired"): gauge((1, 20)),
                _info("well", "running"): gauge((1, 20)),
            },
            at={"1m45s": (), "2m": (_down("empty"), _down("halted"))},
        ),
        Case(
            name="every second poll fails, of one; one in four, of another",
            series={_up("flaps"): "0 1 " * 80, _up("n2"): dipping(1, "0", 40)},
            at={"20m": (_down("flaps"),), "39m": (_down("flaps"),)},
        ),
        Case(
            name="one of two that watch it does not reach it",
            series={_up("n1", ',job="a"'): gauge((0, 20)), _up("n1", ',job="b"'): gauge((1, 20))},
            at=silent(20, every=4),
        ),
    ),
)


def _peers(node: str) -> str:
    return f'qudag_node_peers{{node_id="{node}"}}'


def _alone(node: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"Node {node} runs and has no peer for 10 minutes.",
    )


ALONE: Final = Scenario(
    name="NodeWithoutPeers",
    rules=_RULES,
    severity="warning",
    concern="node",
    cases=(
        Case(
            name="its last peer leaves; one peer is enough, and a node that is down has none",
            series={
                _peers("n1"): gauge((3, 10), (0, 30)),
                _peers("n2"): gauge((1, 40)),
                _peers("n3"): gauge((2, 10)) + " stale",
                **elsewhere({_peers("n1"): gauge((3, 40))}),
            },
            at={"19m45s": (), "20m": (_alone("n1"),), "39m": (_alone("n1"),)},
        ),
        Case(
            name="a peer that comes for a moment now and then changes nothing",
            series={_peers("n1"): dipping(0, "1", 40), _peers("n2"): dipping(4, "0", 40)},
            at={"30m": (_alone("n1"),), "39m": (_alone("n1"),)},
        ),
    ),
)


def _vertices(node: str) -> str:
    return f'qudag_node_vertices{{node_id="{node}"}}'


def _stands(node: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"The DAG of node {node} did not grow for a quarter of an hour, though it"
        " hardly ever rests as long.",
    )


_MINUTE: Final = 60

STANDSTILL: Final = Scenario(
    name="NodeMakesNoProgress",
    rules=_RULES,
    severity="warning",
    concern="node",
    interval=_MINUTE,
    cases=(
        Case(
            name="a DAG that always grew rests: after 20 minutes, and for as long as it does",
            series={
                _vertices("n1"): "0+1x240 240x600",
                # A new vertex in every fifth minute is enough.
                _vertices("n2"): "0x4 1x4 2x4 3x4 4x4 " * 34,
                # Away for so long that it has nothing to compare with, then back at the start.
                _vertices("n3"): "0+1x240 _x20 0+1x600",
                _vertices("idle"): "5x840",
                **elsewhere({_vertices("n1"): "0+1x840"}),
            },
            at={
                "4h18m": (),
                "4h19m": (_stands("n1"),),
                "9h": (_stands("n1"),),
                "13h": (_stands("n1"),),
            },
        ),
        Case(
            name="silence is usual, or not enough is known",
            series={
                # Work for ten minutes of every half hour.
                _vertices("bursts"): " ".join(f"{n}+1x9 {n + 10}x19" for n in range(0, 160, 10)),
                _vertices("new"): "_x300 0+1x150 150x80",
                _vertices("idle"): "5x540",
                **elsewhere({_vertices("idle"): "0+1x540"}),
            },
            at=silent(525, every=15, start=15),
        ),
        Case(
            name="it is down for a while and grows slowly",
            series={_vertices("n1"): "0+1x240 _x14 240x11 241x14 242x14 243x14"},
            at=silent(300, every=1, start=240),
        ),
        Case(
            name="it rests, is restarted, and still rests",
            series={_vertices("n1"): "0+1x240 240x30 _x3 0x60"},
            at={"4h30m": (_stands("n1"),), "4h45m": (), "5h15m": (_stands("n1"),)},
        ),
    ),
)


def _uptime(node: str) -> str:
    return f'qudag_node_uptime_seconds{{node_id="{node}"}}'


def _restarted(node: str, before: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"Node {node} was restarted within the last hour; it had been up for"
        f" {before} longer.",
    )


RESTARTED: Final = Scenario(
    name="NodeRestarted",
    rules=_RULES,
    severity="info",
    concern="restarts",
    cases=(
        Case(
            name="uptime begins anew: at once, for an hour; two clocks differ a little",
            series={
                _uptime("n1"): "3000+15x80 _x3 0+15x400",
                _uptime("n2"): "3000+15x40 3480+15x400",
                **elsewhere({_uptime("n1"): "3000+15x480"}),
            },
            at={
                "20m45s": (),
                "21m": (_restarted("n1", "1h 10m 0s"),),
                "50m": (_restarted("n1", "41m 0s"),),
                "81m": (),
            },
        ),
        Case(
            name="it was up for hardly two minutes",
            series={_uptime("n1"): "0+15x8 0+15x100", _uptime("n2"): "5+15x8 0+15x100"},
            at={"2m": (), "2m15s": (_restarted("n2", "2m 5s"),)},
        ),
    ),
)


def _again(node: str, times: int) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"Node {node} restarts again and again: {times} restarts within an hour.",
    )


def _restarts(node: str, more: str = "") -> str:
    return f'qudag_node_restarts_total{{node_id="{node}"{more}}}'


AGAIN: Final = Scenario(
    name="NodeRestartsAgain",
    rules=_RULES,
    severity="warning",
    concern="restarts",
    cases=(
        Case(
            name="three restarts within an hour; two, and one an hour, are none of it",
            series={
                _restarts("n1"): "0x19 1x19 2x19 3x400",
                _restarts("n2"): "0x19 1x19 2x400",
                _restarts("n3"): "0x119 1x239 2x239 3x239",
                # Two that watch it count each.
                _restarts("n4", ',job="a"'): "0x19 1x19 2x400",
                _restarts("n4", ',job="b"'): "0x19 1x19 2x400",
                **elsewhere({_restarts("n1"): "0x500"}),
            },
            at={"14m45s": (), "15m15s": (_again("n1", 3),), "30m": (_again("n1", 3),), "90m": ()},
        ),
        Case(
            name="who watches is restarted, and counts from 0",
            series={_restarts("n1"): counter((0, 5), RESTART, (0, 40))},
            at=silent(40, every=10),
        ),
    ),
)


def _unwatched(node: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"Nobody watches node {node} for 5 minutes: `qudag-otel node` ended, or what"
        " it tells does not arrive.",
    )


def _bridge(
    name: str, nodes: tuple[str, ...], samples: int, *, ends: bool, first: int = 0
) -> Series:
    """Somebody who watches nodes and pushes; the last sample says whether it ends on purpose."""
    of = f'job="qudag-node",instance="{name}"'
    before = f"_x{first} " if first else ""
    return {
        **{_up(node, f",{of}"): f"{before}1x{samples}" for node in nodes},
        f"qudag_process_ended{{{of}}}": f"_x{first + samples} {int(ends)}",
    }


def _scraped(name: str, node: str, after: str) -> Series:
    of = f'job="x",instance="{name}:1"'
    return {_up(node, f",{of}"): "1x40 stale", f"up{{{of}}}": f"1x40 {after}"}


UNWATCHED: Final = Scenario(
    name="NodeUnwatched",
    rules=("recording", "watched"),
    severity="warning",
    concern="presence",
    cases=(
        Case(
            name="who watches is killed, ends on purpose, or another one takes over",
            series=joined(
                _bridge("killed", ("n1", "n2"), 40, ends=False),
                _bridge("other", ("n2",), 400, ends=False),
                _bridge("stopped", ("n3",), 40, ends=True),
                _bridge("before", ("n4",), 40, ends=True),
                _bridge("after", ("n4",), 300, ends=False, first=60),
            ),
            at={"19m": (), "22m": (_unwatched("n1"),), "35m": (_unwatched("n1"),)},
        ),
        Case(
            name="it is scraped: a target that does not answer is missed, one taken away is not",
            series=joined(
                _scraped("dead", "n1", "0x240"),
                _scraped("moved", "n2", "stale"),
                elsewhere(_scraped("dead", "n1", "1x240")),
                elsewhere({_up("n1", ',job="y",instance="z"'): gauge((1, 70))}),
            ),
            at={"14m": (), "18m": (_unwatched("n1"),), "30m": (_unwatched("n1"),)},
        ),
        Case(
            name="an operator says that it will not be watched again",
            series={
                **_bridge("killed", ("n1",), 40, ends=False),
                'node:qudag_watched_node:retired{node_id="n1"}': "_x100 1x120",
            },
            at={"24m": (_unwatched("n1"),), "30m": ()},
        ),
        Case(
            name="a node that does not answer is watched",
            series={_up("n1"): gauge((1, 10), (0, 15))},
            at=silent(25, every=5),
        ),
    ),
)

SCENARIOS: Final = (DOWN, ALONE, STANDSTILL, RESTARTED, AGAIN, UNWATCHED)
