"""Runbooks of messages, chunks and the work on them."""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts import baselines as b
from qudag_otel.alerts import recording as r
from qudag_otel.alerts._model import Level
from qudag_otel.alerts.sections import _terms as t
from qudag_otel.alerts.sections._model import Check, Section, cause
from qudag_otel.catalogue import metrics as m

_MESSAGES = t.rate(Level.NODE, m.CHUNKING_DURATION, suffix="_count")
_PER_MESSAGE: Final = f"{t.of(r.CHUNKS_RATE)} / on () ({_MESSAGES} > 0)"
_LARGER: Final = Check("chunks a message, of those before", t.changed(_PER_MESSAGE), ">", 1.3, "1")
_SMALL: Final = Check("chunks a message", _PER_MESSAGE, "<=", 1.01, "{chunk}")

SECTIONS: Final[dict[str, Section]] = {
    "MessageProcessingStalled": Section(
        value=t.of(r.MESSAGES_RATE),
        impact="Messages to and from the node wait or are lost; its peers see timeouts.",
        causes=(
            cause("no connection is free, so that nothing can be sent", t.NO_CONNECTION),
            cause("all peers are unreachable", t.DISCONNECTED),
            cause("the process hangs on a lock or a full disk", t.IN_FLIGHT),
            cause("nothing is sent any more, by intent", t.QUIET, t.NOTHING_IN_FLIGHT),
        ),
        actions=(
            (
                "Look at the swarm's queue and the pool of the same node: waiting tasks or no"
                " idle connection name the place."
            ),
            t.LOGS,
            "If nothing shows, take a stack dump (`py-spy dump`) and restart the node.",
        ),
    ),
    "HighErrorRate": Section(
        value=t.of(r.ERROR_RATE),
        impact="Part of the component's work fails and may be lost.",
        causes=(
            cause("a peer sends what cannot be verified", t.UNVERIFIED),
            cause("no connection becomes free in time", t.EXHAUSTED),
            cause("a dependency is down", t.DISCONNECTED),
            cause("a new release", t.RELEASED),
        ),
        actions=(
            "See which `error_type` it is on the dashboard of operations.",
            t.TRACES,
            t.LOGS,
        ),
    ),
    "LowMessageThroughput": Section(
        value=t.of(r.MESSAGES_RATE),
        impact="Messages take longer to reach their peers.",
        causes=(
            cause("the pool is a bottleneck", t.LONG_WAIT),
            cause("the swarm is a bottleneck", t.WAITING),
            cause("packets or connections are lost", t.DISCONNECTED),
            cause("little is sent, as at night", t.QUIET, t.FEW_WAITING),
        ),
        actions=(
            "Compare with the baseline: is this usual at this hour?",
            "Look at pool wait time, queue depth and CPU of the same node.",
        ),
    ),
    "HighChunkingLatency": Section(
        value=t.of(r.CHUNKING_P95),
        impact="Every message waits for its chunks; senders time out.",
        causes=(
            cause("CPU is short", t.BUSY_CPU),
            cause("messages are larger than usual", _LARGER),
            cause("a costly compression level"),
        ),
        actions=(
            "Split by `message_size_bucket`: do only large messages take long?",
            "Look at the CPU of the host.",
            t.TRACES,
        ),
    ),
    "LowCompressionRatio": Section(
        value=t.of(r.COMPRESSION_AVG),
        impact="More bytes are sent and stored than needed.",
        causes=(
            cause("content that is compressed or encrypted already"),
            cause("very small messages", _SMALL),
        ),
        actions=(
            ("Look at the message types; switch compression off for those that gain nothing."),
        ),
    ),
    "MessageThroughputRegression": Section(
        value=f"{t.of(b.MESSAGES.average)} / ({t.of(b.MESSAGES.previous_low)} > 0)",
        impact="The node does a fifth less than at the same time yesterday and last week.",
        causes=(
            cause("a release since then", t.RELEASED),
            cause("a peer left", t.OTHERS_ABSENT),
            cause("errors keep messages away", t.LOUD),
            cause("less is sent, as on a holiday", t.QUIET),
        ),
        actions=(
            "Compare releases and the number of peers.",
            ("Run `qudag-otel baseline check` against a baseline recorded before the release."),
        ),
    ),
    "MostWorkFails": Section(
        value=f"sum({t.of(r.ERROR_RATE)}) / sum({t.of(r.MESSAGES_RATE)})",
        impact="Whoever uses it gets errors, though they are too few for HighErrorRate.",
        causes=(
            cause("what comes in cannot be verified", t.UNVERIFIED),
            cause("no connection becomes free in time", t.EXHAUSTED),
            cause("a dependency is down", t.DISCONNECTED),
            cause("a new release", t.RELEASED),
            cause("a wrong configuration or key", t.RESTARTED),
        ),
        actions=(
            "See which `error_type` it is on the dashboard of operations.",
            t.TRACES,
            t.LOGS,
        ),
    ),
    "ComponentUnhealthy": Section(
        value=t.of(r.COMPONENT_UP_MIN),
        impact="A part of the node says of itself that it cannot work.",
        causes=(cause("what its health check looks at: see the component's documentation"),),
        actions=("Read the component's log; a change of health is logged with its reason.",),
    ),
    "UnusuallyLowThroughput": Section(
        value=t.of(r.MESSAGES_RATE),
        impact="Perhaps none: it is unusual, not necessarily wrong.",
        causes=(
            cause("errors keep messages away", t.LOUD),
            cause("an upstream outage", t.OTHERS_ABSENT),
            cause("a change of routing"),
            cause("a holiday", t.QUIET),
        ),
        actions=("See the band on the panel: how far outside, since when, other nodes too?",),
    ),
    "UnusuallyHighThroughput": Section(
        value=t.of(r.MESSAGES_RATE),
        impact="Perhaps none yet; queues and CPU may follow.",
        causes=(
            cause("a peer that sends again and again", t.LOUD),
            cause("a burst", t.QUIET),
            cause("a test"),
        ),
        actions=(
            "See which message type and direction grew.",
            "Look at queue, CPU and errors.",
        ),
    ),
    "UnusuallyHighChunkingLatency": Section(
        value=t.of(r.CHUNKING_P95),
        impact="Messages are slower than they usually are at this hour.",
        causes=(
            cause("larger messages", _LARGER),
            cause("CPU in use elsewhere", t.BUSY_CPU),
        ),
        actions=("As for HighChunkingLatency.",),
    ),
}
"""The sections, by the alert's name."""
