"""The rules of the hosts under the nodes, from what the agents measure of them.

Source: OpenTelemetry Collector, metadata of the host_metrics receiver's scrapers, version 0.159.
"""

from __future__ import annotations

from typing import Final

from qudag_otel._query.promql import aggregate, number
from qudag_otel.alerts._model import Level
from qudag_otel.alerts._rules import crossed, rule
from qudag_otel.alerts.promql import WINDOW, total
from qudag_otel.catalogue import thresholds as t

USED: Final = "system_filesystem_utilization_ratio"
INODES: Final = "system_filesystem_inodes_usage"
MODES: Final = "system_filesystem_usage_bytes"
MEMORY: Final = "system_memory_utilization_ratio"
ERRORS: Final = "system_network_errors_total"
PACKETS: Final = "system_network_packets_total"

_MOUNT: Final = Level.FILESYSTEM
_REMEMBERED: Final = "3d"
"""How long a filesystem that could be written to is known to have been one."""


def _most(level: Level, expression: str) -> str:
    return aggregate("max", level.labels, expression)


_DAY: Final = number(t.DISK_FULL_WITHIN)
_FULLER: Final = _most(_MOUNT, f"predict_linear({USED}[6h], {_DAY})")
_LARGE: Final = f"{_most(_MOUNT, USED)} > {number(t.DISK_LEAST)}"
_OLD: Final = _most(_MOUNT, f"{USED} offset 3h")
_TAKEN: Final = total(_MOUNT, f'{INODES}{{state="used"}}')
_INODES: Final = f"{_TAKEN} / {total(_MOUNT, INODES)}"
_READ_ONLY: Final = aggregate("group", _MOUNT.labels, f'{MODES}{{mode="ro"}}')
_WRITTEN: Final = aggregate(
    "group", _MOUNT.labels, f'last_over_time({MODES}{{mode="rw"}}[{_REMEMBERED}])'
)
_DEVICE: Final = Level.HOST_DEVICE
_FAULTY: Final = (
    f"{total(_DEVICE, f'rate({ERRORS}[{WINDOW}])')}"
    f" / {total(_DEVICE, f'rate({PACKETS}[{WINDOW}])')}"
)

HOST_RULES: Final = (
    rule(
        "HostDiskFillsUp",
        "disk",
        # A trend of less than three hours is none.
        f"{crossed('HostDiskFillsUp', _FULLER)} and {_LARGE} and {_OLD}",
        "Filesystem <mountpoint> of host <instance> will be at <value> within a day, if it goes on"
        " as in the last six hours.",
    ),
    rule(
        "HostDiskFull",
        "disk",
        crossed("HostDiskFull", _most(_MOUNT, USED)),
        "Filesystem <mountpoint> of host <instance> is at <value>, more than <limit> for"
        " <duration>.",
    ),
    rule(
        "HostInodesRunOut",
        "inodes",
        crossed("HostInodesRunOut", _INODES),
        "Filesystem <mountpoint> of host <instance> has used <value> of its inodes, more than"
        " <limit> for <duration>: no file can be made without one.",
    ),
    rule(
        "HostFilesystemReadOnly",
        "disk",
        f"{crossed('HostFilesystemReadOnly', _READ_ONLY)} and {_WRITTEN}",
        "Filesystem <mountpoint> of host <instance> could be written to, and is read-only for"
        " <duration>.",
    ),
    rule(
        "HostMemoryRunsOut",
        "host_memory",
        crossed("HostMemoryRunsOut", _most(Level.HOST, f'{MEMORY}{{state="used"}}')),
        "Host <instance> uses <value> of its memory, more than <limit> for <duration>.",
    ),
    rule(
        "HostNetworkErrors",
        "network",
        crossed("HostNetworkErrors", _FAULTY),
        "Of the packets on <device> (<direction>) of host <instance> <value> are faulty, more than"
        " <limit> for <duration>.",
    ),
)
"""The rules of hosts."""
