"""Runbooks of nodes that are not there, or not well, as others see them."""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts import presence
from qudag_otel.alerts import watched as w
from qudag_otel.alerts._model import Level
from qudag_otel.alerts.sections import _terms as t
from qudag_otel.alerts.sections._model import Check, Section, cause
from qudag_otel.catalogue import metrics as m

_OTHERS: Final = Level.FLEET
_UNWIRED: Final = t.raw(Level.NODE, m.NODE_INFO, 'node_state="unwired"')
_MOCK: Final = Check("it says that no node is behind its RPC", _UNWIRED, ">", 0)
_FAILED: Final = t.rate(Level.NODE, m.NODE_RPC_DURATION, 'outcome="error"', suffix="_count")
_ANSWERED: Final = t.rate(Level.NODE, m.NODE_RPC_DURATION, 'outcome="ok"', suffix="_count")
_SILENT: Final = Check("questions that it does not answer", _FAILED, ">", 0, "{question}/s")
_ANSWERS: Final = Check("questions that it answers", _ANSWERED, ">", 0, "{question}/s")
_PEERS: Final = t.of_fleet(f"{t.named(w.PEERS.name, _OTHERS)} > 0")
_ALL_ALONE: Final = Check("nodes of the network that have peers", _PEERS, "==", 0, "{node}")
_OTHERS_HAVE_PEERS: Final = Check("nodes of the network that have peers", _PEERS, ">", 0, "{node}")
_NO_PEERS: Final = Check("its peers", t.of(w.PEERS), "==", 0, "{peer}")
_GROWING: Final = t.of_fleet(f"{t.named(w.GROWTH.name, _OTHERS)} > 0")
_NONE_GROWS: Final = Check("nodes whose DAG grows", _GROWING, "==", 0, "{node}")
_OTHERS_GROW: Final = Check("nodes whose DAG grows", _GROWING, ">", 0, "{node}")
_YOUNG: Final = t.of_fleet(f"{t.named(w.UPTIME.name, _OTHERS)} < 3600")
_ALL_RESTARTED: Final = Check("nodes that started within the hour", _YOUNG, ">", 1, "{node}")


def _absent(who: presence.Presence) -> str:
    """1 for those that should be there and are not, 0 for those that are."""
    return f"{t.of(who.absent)} or 0 * {t.of(who.expected)}"


SECTIONS: Final[dict[str, Section]] = {
    "MostNodesAbsent": Section(
        value=t.of(presence.NODES_ABSENT),
        impact=("The fleet, or what tells of it, is gone; the pages of its nodes are held back."),
        causes=(
            cause("a Collector or the network between", t.COLLECTORS_ABSENT),
            cause("Prometheus refuses what is pushed", t.REFUSED),
            cause("a release that does not start", t.COLLECTORS_THERE),
        ),
        actions=(
            "Look at CollectorAbsent and StorageRejectsSamples first.",
            "Ask one of the nodes itself: is the process there?",
            "`node:qudag_node:absent` lists the nodes.",
        ),
    ),
    "NodeAbsent": Section(
        value=_absent(presence.NODES),
        impact="The node, or what tells of it, is gone.",
        causes=(
            cause("its telemetry does not reach Prometheus", t.COLLECTORS_ABSENT),
            cause("the process ended without shutting down", t.COLLECTORS_THERE),
            cause("it was taken away by force"),
        ),
        actions=(
            "Ask the node itself: is the process there, does its /metrics answer?",
            "If many nodes are absent at once, look at the Collector first.",
            (
                "It lasts until the node is back. A node that will not come back is retired: "
                "`qudag-otel alerts export --dir DIR --retired ID`, or a silence."
            ),
        ),
    ),
    "NodeDown": Section(
        value=t.of(w.UP),
        impact=("The node takes part in nothing, or nobody can tell; its peers route around it."),
        causes=(
            cause("the RPC server was started without a node", _MOCK),
            cause("the process ended or hangs", _SILENT),
            cause("its token changed"),
            cause("its RPC moved to another port or socket"),
        ),
        actions=(
            ("`qudag-otel node NAME=ADDRESS --explain` on the bridge's host says what comes back."),
            "Is the process there? Read the node's own log.",
            "The panel of failed questions tells refused, slow and garbled answers apart.",
        ),
    ),
    "NodeWithoutPeers": Section(
        value=t.of(w.PEERS),
        impact="The node is alone: what it is given reaches nobody.",
        causes=(
            cause("its first peers are gone", _ALL_ALONE),
            cause("a firewall or a changed address", _OTHERS_HAVE_PEERS),
            cause("a network of one node"),
        ),
        actions=(
            ("Do other nodes of the network have peers? If none has, look at the network first."),
            "Is the node's peer-to-peer port open from outside?",
            "Compare its list of first peers with the addresses of nodes that are up.",
        ),
    ),
    "NodeMakesNoProgress": Section(
        value=t.of(w.GROWTH),
        impact="What is sent to the node is not put into its DAG, or nothing is sent.",
        causes=(
            cause("it is cut off from the others", _NO_PEERS),
            cause("nothing is sent, as on a holiday", _NONE_GROWS),
            cause("it hangs", _OTHERS_GROW),
        ),
        actions=(
            "Compare with the vertices of other nodes: do they still grow?",
            "Has it peers (NodeWithoutPeers)?",
            "If only this one stands still, read its log, then restart it.",
        ),
    ),
    "NodeRestarted": Section(
        value=f"max_over_time({t.of(w.UPTIME)}[1h]) - {t.of(w.UPTIME)}",
        impact="None any more, if it was meant.",
        causes=(
            cause("the host was restarted", _ALL_RESTARTED),
            cause("an upgrade"),
            cause("a crash"),
        ),
        actions=("Was it meant? If not, read the end of the log before the restart.",),
    ),
    "NodeRestartsAgain": Section(
        value=f"round(increase({t.raw(Level.NODE, m.NODE_RESTARTS)}[1h]))",
        impact="The node is away again and again; its peers drop it.",
        causes=(
            cause("memory: it is killed at its limit", t.FULL_MEMORY),
            cause("a crash at the same point each time"),
            cause("a configuration that it refuses"),
        ),
        actions=(
            "Read the end of the log before a restart, and the system's log for `oom`.",
            "Start it by hand, without its supervisor, and see what it says last.",
        ),
    ),
    "NodeUnwatched": Section(
        value=_absent(presence.WATCHES),
        impact="Whether the node is up is not known; NodeDown is silent.",
        causes=(
            cause("what it pushes does not reach Prometheus", t.COLLECTORS_ABSENT),
            cause("`qudag-otel node` was killed, or its host is down", t.COLLECTORS_THERE),
        ),
        actions=(
            ("Is its process there? Start it again: it lasts until somebody watches the node."),
            "If many are unwatched at once, look at the Collector first.",
            (
                "A node that will not be watched again: `qudag-otel alerts export --dir DIR "
                "--retired ID`, or stop the bridge by SIGTERM, which says so."
            ),
        ),
    ),
}
"""The sections, by the alert's name."""
