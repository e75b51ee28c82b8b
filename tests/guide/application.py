"""Logs a few known lines through the SDK, as two nodes would: `python -m ... NODE`."""

from __future__ import annotations

import logging
import sys

from opentelemetry import trace

from qudag_otel.logs import get_logger
from qudag_otel.sdk import configure

TRACE = "0af7651916cd43dd8448eb211c80319c"


def first() -> None:
    """Two errors, a warning and a small anomaly."""
    pool = get_logger("pool")
    pool.error("no connection to peer-7")
    pool.error("no connection to peer-8")
    pool.warning("slow handshake")
    get_logger("swarm").performance_anomaly("verify", expected=30.0, actual=31.0, unit="s")


def second() -> None:
    """One error, a large anomaly, and a line in a trace."""
    get_logger("cache").error("cache file is damaged")
    swarm = get_logger("swarm")
    swarm.performance_anomaly("verify", expected=30.0, actual=40.0, unit="s")
    swarm.info("all is well")
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    context = trace.SpanContext(int(TRACE, 16), 1, is_remote=False, trace_flags=flags)
    with trace.use_span(trace.NonRecordingSpan(context)):
        swarm.info("task taken")


if __name__ == "__main__":
    logging.getLogger("qudag").setLevel(logging.DEBUG)
    with configure(service_name="qudag", node_id=sys.argv[1], sigterm=False):
        {"node-1": first, "node-2": second}[sys.argv[1]]()
