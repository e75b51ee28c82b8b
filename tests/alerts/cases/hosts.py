"""The hosts under the nodes: disks, memory and network as the agents measure them."""

from __future__ import annotations

from typing import Final

from tests.alerts.scenario import (
    Case,
    Fires,
    Scenario,
    Series,
    counter,
    elsewhere,
    gauge,
    joined,
    silent,
)

_RULES: Final = ("hosts",)
_MINUTE: Final = 60
_DISK: Final = 'instance="host-1",mountpoint="/data",device="/dev/sda1",mode="rw",type="ext4"'
_LABELS: Final = {"instance": "host-1", "mountpoint": "/data"}


def _used(values: str, of: str = _DISK) -> Series:
    return {f"system_filesystem_utilization_ratio{{{of}}}": values}


def _fills(value: str) -> Fires:
    return Fires(
        labels=_LABELS,
        description=f"Filesystem /data of host host-1 will be at {value} within a day, if it goes"
        " on as in the last six hours.",
    )


FILLS_UP: Final = Scenario(
    name="HostDiskFillsUp",
    rules=_RULES,
    severity="warning",
    concern="disk",
    interval=_MINUTE,
    cases=(
        Case(
            name="from 68% on by a fiftieth of a percent a minute",
            series=joined(
                _used("0.68+0.0002x300"),
                elsewhere(_used("0.5x300")),
                _used("0.9x300", _DISK.replace("/data", "/")),
                _used("0.9x300", _DISK.replace("host-1", "host-2")),
            ),
            at={
                "179m": (),
                "209m": (),
                "211m": (_fills("101%"),),
                "300m": (_fills("102.8%"),),
            },
        ),
        Case(
            name="large, and as large as ever; large, and smaller each day",
            series=joined(_used("0.94x400"), elsewhere(_used("0.94-0.0002x400"))),
            at=silent(400, every=20, start=200),
        ),
        Case(
            name="grows as fast, and has most of its room",
            series=_used("0.4+0.0003x400"),
            at=silent(400, every=20, start=200),
        ),
        Case(
            name="grows as fast, up to seven tenths, and is that",
            series=joined(
                _used("0.6+0.00024x400"),
                elsewhere(_used(gauge((0.45, 240), (0.7, 240), step=_MINUTE))),
            ),
            at=silent(480, every=20, start=200),
        ),
        Case(name="full, and not more than that", series=_used("1x300"), at=silent(300, every=60)),
        Case(
            name="a host of two hours: what it unpacks at first is no trend",
            series=_used("0.75+0.001x120"),
            at=silent(120, every=10),
        ),
    ),
)


def _full(value: str) -> Fires:
    return Fires(
        labels=_LABELS,
        description=f"Filesystem /data of host host-1 is at {value}, more than 95% for 5 minutes.",
    )


FULL: Final = Scenario(
    name="HostDiskFull",
    rules=_RULES,
    severity="critical",
    concern="disk",
    cases=(
        Case(
            name="full from ten minutes on, until room is made",
            series=joined(
                _used(gauge((0.9, 10), (0.97, 20), (0.8, 20))), elsewhere(_used(gauge((0.9, 50))))
            ),
            at={"14m45s": (), "15m15s": (_full("97%"),), "29m": (_full("97%"),), "31m": ()},
        ),
        Case(name="exactly at the limit", series=_used(gauge((0.95, 30))), at=silent(30, every=5)),
    ),
)


def _inodes(used: str, free: str) -> Series:
    return {
        f'system_filesystem_inodes_usage{{{_DISK},state="{state}"}}': values
        for state, values in (("used", used), ("free", free))
    }


INODES: Final = Scenario(
    name="HostInodesRunOut",
    rules=_RULES,
    severity="warning",
    concern="inodes",
    cases=(
        Case(
            name="92 of 100 from ten minutes on; 89 of 100 elsewhere",
            series=joined(
                _inodes(gauge((50, 10), (92, 30), (80, 5)), gauge((50, 10), (8, 30), (20, 5))),
                elsewhere(_inodes(gauge((89, 45)), gauge((11, 45)))),
            ),
            at={
                "24m45s": (),
                "25m15s": (
                    Fires(
                        labels=_LABELS,
                        description="Filesystem /data of host host-1 has used 92% of its inodes,"
                        " more than 90% for 15 minutes: no file can be made without one.",
                    ),
                ),
                "41m": (),
            },
        ),
        Case(
            name="exactly at the limit; and a filesystem that counts none",
            series=joined(
                _inodes(gauge((90, 30)), gauge((10, 30))),
                elsewhere(_inodes(gauge((0, 30)), gauge((0, 30)))),
            ),
            at=silent(30, every=5),
        ),
    ),
)


def _mode(mode: str, values: str, device: str = "/dev/sda1") -> Series:
    of = f'instance="host-1",mountpoint="/data",device="{device}",type="ext4",state="used"'
    return {f'system_filesystem_usage_bytes{{{of},mode="{mode}"}}': values}


_READ_ONLY: Final = Fires(
    labels=_LABELS,
    description="Filesystem /data of host host-1 could be written to, and is read-only for"
    " 2 minutes.",
)

READ_ONLY: Final = Scenario(
    name="HostFilesystemReadOnly",
    rules=_RULES,
    severity="critical",
    concern="disk",
    cases=(
        Case(
            name="read-only from ten minutes on, for hours",
            series=joined(
                _mode("rw", gauge((1e9, 10))),
                _mode("ro", gauge((None, 10), (1e9, 200))),
                elsewhere(_mode("rw", gauge((1e9, 210)))),
            ),
            at={"11m45s": (), "12m30s": (_READ_ONLY,), "200m": (_READ_ONLY,)},
        ),
        Case(
            name="always read-only, beside what is written to",
            series=joined(
                _mode("ro", gauge((1e9, 30))),
                elsewhere(_mode("rw", gauge((1e9, 30)))),
                {
                    each.replace("/data", "/"): values
                    for each, values in _mode("rw", gauge((1e9, 30))).items()
                },
                {
                    each.replace("host-1", "host-2"): values
                    for each, values in _mode("rw", gauge((1e9, 30))).items()
                },
            ),
            at=silent(30, every=5),
        ),
    ),
)


def _memory(values: str, state: str = "used") -> Series:
    return {f'system_memory_utilization_ratio{{instance="host-1",state="{state}"}}': values}


MEMORY: Final = Scenario(
    name="HostMemoryRunsOut",
    rules=_RULES,
    severity="warning",
    concern="host_memory",
    cases=(
        Case(
            name="97% from ten minutes on; 94% elsewhere",
            series=joined(
                _memory(gauge((0.5, 10), (0.97, 20), (0.5, 10))),
                elsewhere(_memory(gauge((0.94, 40)))),
            ),
            at={
                "19m45s": (),
                "20m15s": (
                    Fires(
                        labels={"instance": "host-1"},
                        description="Host host-1 uses 97% of its memory, more than 95% for"
                        " 10 minutes.",
                    ),
                ),
                "31m": (),
            },
        ),
        Case(
            name="97% that is cached; and exactly the limit in use",
            series=joined(
                _memory(gauge((0.97, 30)), "cached"), elsewhere(_memory(gauge((0.95, 30))))
            ),
            at=silent(30, every=5),
        ),
    ),
)

_CARD: Final = 'instance="host-1",device="eth0",direction="receive"'


def _network(faulty: float, packets: float) -> Series:
    return {
        f"system_network_errors_total{{{_CARD}}}": counter((0, 10), (faulty, 40), (0, 10)),
        f"system_network_packets_total{{{_CARD}}}": counter((packets, 60)),
    }


NETWORK: Final = Scenario(
    name="HostNetworkErrors",
    rules=_RULES,
    severity="warning",
    concern="network",
    cases=(
        Case(
            name="two of a hundred from ten minutes on; one of two hundred elsewhere",
            series=joined(_network(2, 100), elsewhere(_network(0.5, 100))),
            at={
                "25m": (),
                "31m": (
                    Fires(
                        labels={"instance": "host-1", "device": "eth0", "direction": "receive"},
                        description="Of the packets on eth0 (receive) of host host-1 2% are"
                        " faulty, more than 1% for 15 minutes.",
                    ),
                ),
                "59m": (),
            },
        ),
        Case(
            name="just more than one of a hundred",
            series=_network(1.05, 100),
            at={
                "50m": (
                    Fires(
                        labels={"instance": "host-1", "device": "eth0", "direction": "receive"},
                        description="Of the packets on eth0 (receive) of host host-1 1.05% are"
                        " faulty, more than 1% for 15 minutes.",
                    ),
                ),
            },
        ),
        Case(name="exactly one", series=_network(1, 100), at=silent(60, every=5)),
        Case(name="just less than one", series=_network(0.95, 100), at=silent(60, every=5)),
        Case(name="an idle card", series=_network(0, 0), at=silent(60, every=10)),
    ),
)

SCENARIOS: Final = (FILLS_UP, FULL, INODES, READ_ONLY, MEMORY, NETWORK)
