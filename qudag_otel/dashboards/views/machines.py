"""The machines under the nodes, as the agent on each measures them."""

from __future__ import annotations

from typing import Final

from qudag_otel._query import promql
from qudag_otel.catalogue import attributes as a
from qudag_otel.dashboards import _external as x
from qudag_otel.dashboards._promql import WINDOW, of_fleet
from qudag_otel.dashboards._view import Query, View

_HOST: Final = (*a.SCOPE, "instance")
"""A machine: hosts of one name may be in several environments."""
_NO_AGENT: Final = "No agent reports a host: run a Collector with agent.yaml there."


def _rate(metric: x.External, *keep: str) -> str:
    rates = promql.rate(of_fleet(metric.name), WINDOW)
    return promql.aggregate("sum", (*_HOST, *keep), rates)


def _most(metric: x.External, *keep: str, where: str = "") -> str:
    series = of_fleet(metric.name, *([where] if where else []))
    return promql.aggregate("max", (*_HOST, *keep), series)


FILESYSTEMS: Final = View(
    title="Filesystems in use",
    description=(
        "Share of each filesystem in use, by host. The Collector's queues and the stores live on "
        "one of these: make room or raise the disk before it is full."
    ),
    queries=(
        Query(
            expression=_most(x.FILESYSTEM_USED, "mountpoint"),
            legend="{{instance}} {{mountpoint}}",
        ),
    ),
    empty=_NO_AGENT,
    unit="percentunit",
    maximum=1.0,
)
DISKS: Final = View(
    title="Disks, read and written",
    description=(
        "Bytes a second on each disk. A steady climb without load is a loop that writes, often a "
        "log or a queue."
    ),
    queries=(
        Query(
            expression=_rate(x.DISK_IO, "device", "direction"),
            legend="{{instance}} {{device}} {{direction}}",
        ),
    ),
    empty=_NO_AGENT,
    unit="binBps",
)
BUSY: Final = View(
    title="Disks busy",
    description=(
        "Share of the time in which a disk had work. Near 100% everything that syncs waits, also "
        "the queues of a Collector."
    ),
    queries=(Query(expression=_rate(x.DISK_BUSY, "device"), legend="{{instance}} {{device}}"),),
    empty=_NO_AGENT,
    unit="percentunit",
    maximum=1.0,
)
NETWORK: Final = View(
    title="Network, received and sent",
    description=(
        "Bytes a second through each interface. Compare with the message rate: traffic without "
        "messages is somebody else's."
    ),
    queries=(
        Query(
            expression=_rate(x.NETWORK_IO, "device", "direction"),
            legend="{{instance}} {{device}} {{direction}}",
        ),
    ),
    empty=_NO_AGENT,
    unit="binBps",
)
NETWORK_FAULTS: Final = View(
    title="Network errors and drops",
    description=(
        "Packets a second that an interface refused or dropped. It should be zero: a cable, a "
        "driver, or a queue that is too short."
    ),
    queries=(
        Query(
            expression=(
                f"{_rate(x.NETWORK_ERRORS, 'device')} + {_rate(x.NETWORK_DROPPED, 'device')}"
            ),
            legend="{{instance}} {{device}}",
        ),
    ),
    empty=_NO_AGENT,
    unit="cps",
)
LOAD: Final = View(
    title="Load by core",
    description=(
        "Processes that run or want to, of five minutes, for each core. Above 1 they wait for one "
        "another."
    ),
    queries=(
        Query(
            expression=f"{_most(x.HOST_LOAD)} / {_most(x.HOST_CORES)}",
            legend="{{instance}}",
        ),
    ),
    empty=_NO_AGENT,
    unit="short",
)
MEMORY: Final = View(
    title="Memory in use",
    description=(
        "Share of each host's memory in use, without what the kernel gives back when asked. Near "
        "100% the kernel ends a process."
    ),
    queries=(
        Query(
            expression=_most(x.HOST_MEMORY, where='state="used"'),
            legend="{{instance}}",
        ),
    ),
    empty=_NO_AGENT,
    unit="percentunit",
    maximum=1.0,
)
