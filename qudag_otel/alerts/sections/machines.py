"""Runbooks of the hosts under the nodes, as their agents measure them."""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts import hosts
from qudag_otel.alerts._model import Level
from qudag_otel.alerts.sections import _terms as t
from qudag_otel.alerts.sections._model import Check, Section, cause

_USED: Final = f"max({t.named(hosts.USED, Level.FILESYSTEM)})"
_FAST: Final = Check("growth since before", f"{_USED} - {t.then(_USED)}", ">", 0.02, "1")
_SLOW: Final = Check("growth since before, little", f"{_USED} - {t.then(_USED)}", "<=", 0.02, "1")
_STATE: Final = 'state="used"'
_INODES: Final = f"sum({t.named(hosts.INODES, Level.FILESYSTEM, _STATE)})"
_FILES: Final = Check("inodes, of those before", t.changed(_INODES), ">", 1.05, "1")
_MEMORY: Final = f"max({t.named(hosts.MEMORY, Level.HOST, _STATE)})"
_GREW: Final = Check("memory more than before", f"{_MEMORY} - {t.then(_MEMORY)}", ">", 0.1, "1")
_PACKETS: Final = f"sum(rate({t.named(hosts.PACKETS, Level.HOST_DEVICE)}[5m]))"
_BUSY: Final = Check("packets, of those before", t.changed(_PACKETS), ">", 2.0, "1")
_ERRORS: Final = f"sum(rate({t.named(hosts.ERRORS, Level.HOST_DEVICE)}[5m]))"
_FULL: Final = Check("share of the filesystem in use", _USED, ">", 0.95, "1")

_FULL_CAUSES: Final = (
    cause("something writes without end: a log, a dump, a queue that nobody empties", _FAST),
    cause("slow growth that nobody watched", _SLOW),
)

SECTIONS: Final[dict[str, Section]] = {
    "HostDiskFillsUp": Section(
        value=_USED,
        impact="None yet. When it is full, stores stop writing, and queues take nothing.",
        causes=_FULL_CAUSES,
        actions=(
            "`du -xh --max-depth=2 MOUNTPOINT | sort -h` names the folder that grows.",
            "Stop what writes, shorten a retention, or give the filesystem more room.",
        ),
    ),
    "HostDiskFull": Section(
        value=_USED,
        impact="Stores stop writing, the Collector's queues take nothing, programs fail oddly.",
        causes=_FULL_CAUSES,
        actions=(
            "Delete what is surely not needed, such as old packages and rotated logs.",
            "`lsof +L1` names deleted files that a process still holds: restart it.",
        ),
    ),
    "HostInodesRunOut": Section(
        value=_INODES,
        impact="No file can be made, though there is room.",
        causes=(
            cause("a program that leaves many small files, sessions or mails for example", _FILES),
            cause("a filesystem that was made for few, large files"),
        ),
        actions=("`du --inodes -x --max-depth=2 MOUNTPOINT | sort -n` names the folder.",),
    ),
    "HostFilesystemReadOnly": Section(
        value=t.named(hosts.MODES, Level.FILESYSTEM, 'mode="ro"'),
        impact="Nothing is written there any more: stores fail, queues lose what they are given.",
        causes=(
            cause("the filesystem was full before", _FULL),
            cause("an error of the disk, after which the kernel protects what is left"),
        ),
        actions=(
            "Read the kernel's log (`dmesg -T`) before anything else.",
            "Save what is there; check the filesystem unmounted, and replace the disk if it fails.",
        ),
    ),
    "HostMemoryRunsOut": Section(
        value=_MEMORY,
        impact="The kernel may end any process of the host, a node or its Collector for example.",
        causes=(
            cause("a process that grows", _GREW),
            cause("more processes than the host has memory for"),
        ),
        actions=("`ps aux --sort -rss | head` names the largest; limit or move it.",),
    ),
    "HostNetworkErrors": Section(
        value=_ERRORS,
        impact="Connections are slow or break; nodes lose peers.",
        causes=(
            cause("more traffic than the device bears", _BUSY),
            cause("a cable, a port or a driver"),
        ),
        actions=("`ip -s link show DEVICE` and `ethtool -S DEVICE` name the kind of error.",),
    ),
}
"""The sections, by the alert's name."""
