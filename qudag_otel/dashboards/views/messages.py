"""Messages and chunks: rate, errors, duration."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qudag_otel.alerts import recording as r
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import uids
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import equals, gauge, rate, recorded
from qudag_otel.dashboards._queries import heatmap
from qudag_otel.dashboards._view import Kind, Query, View

_SILENT: Final = "No selected node reports messages. Telemetry Health shows which nodes are silent."
_UNCHUNKED: Final = "No message was chunked in this window."

THROUGHPUT: Final = View(
    title="Message Throughput",
    description=(
        "Messages a second that passed each node, in and out. The yellow area is the warning "
        "threshold. A line at zero is a node that stopped processing: look at its errors and "
        "its logs. A line that ends is a node that went silent: look at Telemetry Health."
    ),
    queries=(Query(expression=rate(m.MESSAGE_THROUGHPUT, a.NODE_ID), legend="{{node_id}}"),),
    empty=_SILENT,
    unit="mps",
    steps=thresholds.of_baseline("throughput"),
    details=uids.MESSAGES,
)
THROUGHPUT_ALONE: Final = replace(THROUGHPUT, title="Messages by node", details="")
BY_DIRECTION: Final = View(
    title="Messages by direction",
    description=(
        "Messages a second, received and sent, over the selected nodes. If only one direction "
        "drops, look at the connections; if both drop, at the node."
    ),
    queries=(Query(expression=rate(m.MESSAGE_THROUGHPUT, a.DIRECTION), legend="{{direction}}"),),
    empty=_SILENT,
    unit="mps",
)
BY_TYPE: Final = View(
    title="Messages by type",
    description=(
        "Messages a second of each type, added up. One type that vanishes while the others stay "
        "points at its sender, not at the node."
    ),
    queries=(
        Query(expression=rate(m.MESSAGE_THROUGHPUT, a.MESSAGE_TYPE), legend="{{message_type}}"),
    ),
    empty=_SILENT,
    unit="mps",
    stack=True,
)
CHUNKING_P95: Final = View(
    title="Chunk Processing Performance",
    description=(
        "Time to split and compress a message that 95% of the messages stay under, by node. "
        "Above the threshold: compare message sizes, then CPU and the compression algorithm."
    ),
    queries=(Query(expression=recorded(r.CHUNKING_P95), legend="{{node_id}}"),),
    empty=_UNCHUNKED,
    unit="s",
    steps=thresholds.of_alert("HighChunkingLatency"),
    details=uids.MESSAGES,
)
CHUNKS: Final = View(
    title="Chunks by message type",
    description=(
        "Chunks a second of each type of message, added up. Many chunks with few messages means "
        "large messages."
    ),
    queries=(
        Query(expression=rate(m.CHUNKS_PROCESSED, a.MESSAGE_TYPE), legend="{{message_type}}"),
    ),
    empty="No selected node reports chunks.",
    unit="cps",
    stack=True,
)
CHUNKING_BY_SIZE: Final = View(
    title="Chunking time by message size, p95",
    description=(
        "Time to chunk a message that 95% of the messages of a size stay under. If only large "
        "messages are slow, chunking is at its limit; if all are, the host is."
    ),
    queries=(
        Query(
            expression=recorded(r.CHUNKING_P95_BY_SIZE),
            legend="{{node_id}} {{message_size_bucket}}",
        ),
    ),
    empty=_UNCHUNKED,
    unit="s",
    steps=thresholds.of_alert("HighChunkingLatency"),
)
CHUNKING_HEATMAP: Final = View(
    title="Chunking time, every message",
    description=(
        "How many messages a second took how long. Each dot is one message with a trace: open a "
        "high one to see where its time went. Two separate bands are two kinds of message."
    ),
    queries=heatmap(r.CHUNKING_BUCKETS, m.CHUNKING_DURATION),
    empty=_UNCHUNKED,
    unit="s",
    kind=Kind.HEATMAP,
    minimum=None,
)
COMPRESSION: Final = View(
    title="Compression ratio",
    description=(
        "Share of bytes that compression saved on the latest message. Below the threshold the "
        "content does not compress (already compressed, encrypted): consider switching it off "
        "for that type."
    ),
    queries=(
        Query(
            expression=gauge("avg", m.COMPRESSION_RATIO, a.NODE_ID, a.COMPRESSION_TYPE),
            legend="{{node_id}} {{compression_type}}",
        ),
    ),
    empty="No selected node reports a compression ratio.",
    unit="percentunit",
    maximum=1.0,
    steps=thresholds.of_baseline("compression"),
)
INBOUND: Final = View(
    title="Received by node",
    description="Messages a second that each node received. Uneven load shows here first.",
    queries=(
        Query(
            expression=rate(
                m.MESSAGE_THROUGHPUT, a.NODE_ID, where=(equals(a.DIRECTION, "inbound"),)
            ),
            legend="{{node_id}}",
        ),
    ),
    empty=_SILENT,
    unit="mps",
)
OUTBOUND: Final = View(
    title="Sent by node",
    description=(
        "Messages a second that each node sent. A node that receives and does not send is stuck "
        "in between: look at its chunking, cache and pool."
    ),
    queries=(
        Query(
            expression=rate(
                m.MESSAGE_THROUGHPUT, a.NODE_ID, where=(equals(a.DIRECTION, "outbound"),)
            ),
            legend="{{node_id}}",
        ),
    ),
    empty=_SILENT,
    unit="mps",
)
