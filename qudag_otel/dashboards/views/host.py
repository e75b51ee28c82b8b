"""The host: CPU, memory, and named resources."""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import uids
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import differs, equals, gauge
from qudag_otel.dashboards._view import Query, View

_UNMONITORED: Final = "No selected node reports its host: is the system monitor switched on?"
_PERCENT: Final = 100.0


def _memory(kind: str) -> str:
    # max, not sum: several processes of one host report the same memory.
    return gauge("max", m.SYSTEM_MEMORY, a.NODE_ID, where=(equals(a.MEMORY_TYPE, kind),))


_CPU: Final = (
    gauge("avg", m.CPU_USAGE, a.NODE_ID, where=(equals(a.CPU_CORE, "average"),))
    + " or "
    + gauge("avg", m.CPU_USAGE, a.NODE_ID, where=(differs(a.CPU_CORE, "average"),))
)
_MEMORY_SHARE: Final = f"{_memory('used')} / {_memory('total')}"

CPU: Final = View(
    title="CPU in use",
    description=(
        "CPU of each node's host, average over its cores. Above the threshold: compare with the "
        "message rate (load) and the cache hit rate (repeated work), then look at single cores."
    ),
    queries=(Query(expression=_CPU, legend="{{node_id}}"),),
    empty=_UNMONITORED,
    unit="percent",
    maximum=100.0,
    steps=thresholds.of_baseline("cpu"),
)
MEMORY: Final = View(
    title="Memory in use",
    description=(
        "Share of each node's host memory in use. Above the threshold the next allocation may "
        "end a process: look at the caches first, then at what else runs there."
    ),
    queries=(Query(expression=f"{_PERCENT:g} * {_MEMORY_SHARE}", legend="{{node_id}}"),),
    empty=_UNMONITORED,
    unit="percent",
    maximum=100.0,
    steps=thresholds.of_baseline("memory"),
)
USAGE: Final = View(
    title="Resource Usage",
    description=(
        "Share of each host's CPU and memory in use. The red area is critical for both. High CPU "
        "slows everything on the node; memory near its end stops it. Details show the cores and "
        "the warning thresholds of either."
    ),
    queries=(
        Query(expression=_CPU, legend="{{node_id}} CPU"),
        Query(expression=f"{_PERCENT:g} * {_MEMORY_SHARE}", legend="{{node_id}} memory"),
    ),
    empty=_UNMONITORED,
    unit="percent",
    maximum=100.0,
    steps=thresholds.common_critical("cpu", "memory"),
    details=uids.HOST,
)
CORES: Final = View(
    title="CPU by core",
    description=(
        "CPU in use on every core. One core at 100% beside idle ones is work that does not "
        "spread over threads."
    ),
    queries=(
        Query(
            expression=gauge(
                "avg", m.CPU_USAGE, a.NODE_ID, a.CPU_CORE, where=(differs(a.CPU_CORE, "average"),)
            ),
            legend="{{node_id}} core {{cpu_core}}",
        ),
        Query(
            expression=gauge("max", m.PROCESS_CPU, a.NODE_ID),
            legend="{{node_id}} the node's own process, of all cores",
        ),
    ),
    empty=_UNMONITORED,
    unit="percent",
    maximum=100.0,
)
MEMORY_BYTES: Final = View(
    title="Memory in bytes",
    description=(
        "Memory of each host, used and installed, and of the node's own process. A line that "
        "climbs for days without load is a leak."
    ),
    queries=(
        Query(
            expression=gauge("max", m.SYSTEM_MEMORY, a.NODE_ID, a.MEMORY_TYPE),
            legend="{{node_id}} {{memory_type}}",
        ),
        Query(
            expression=gauge("max", m.PROCESS_MEMORY, a.NODE_ID),
            legend="{{node_id}} the node's own process",
        ),
    ),
    empty=_UNMONITORED,
    unit="bytes",
)
RESOURCES: Final = View(
    title="Named resources in use",
    description=(
        "Share in use of the resources that applications report by name, such as a disk or a "
        "queue of their own. Ask the application's owner what its limit means."
    ),
    queries=(
        Query(
            expression=gauge("max", m.RESOURCE_USED, a.NODE_ID, a.RESOURCE),
            legend="{{node_id}} {{resource}}",
        ),
    ),
    empty="No application on the selected nodes reports a resource of its own.",
    unit="percentunit",
    maximum=1.0,
)
