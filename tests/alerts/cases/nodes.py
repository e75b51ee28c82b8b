"""Throughput, errors, memory, CPU, chunking, compression, presence: what is told by node."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qudag_otel.catalogue import metrics as m
from tests.alerts.scenario import (
    RESTART,
    SCOPE,
    Case,
    Fires,
    Scenario,
    Series,
    counter,
    dipping,
    elsewhere,
    gauge,
    histogram,
    joined,
    silent,
)

_BOTH: Final = ("recording", "alerts")


def _messages(node: str, message_type: str = "file", more: str = "") -> str:
    return (
        f'qudag_message_throughput_total{{node_id="{node}",message_type="{message_type}",'
        f'direction="inbound"{more}}}'
    )


def _stalled(node: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"Node {node} processes no message any more, for 2 minutes longer than is"
        " usual for it.",
    )


STALLED: Final = Scenario(
    name="MessageProcessingStalled",
    rules=_BOTH,
    severity="critical",
    concern="throughput",
    cases=(
        Case(
            name="all message types of a node stop: fires once for the node, after 2 minutes",
            series={
                _messages("n1", "file", ',job="qudag",instance="a"'): counter((100, 10), (0, 12)),
                _messages("n1", "ping", ',job="qudag",instance="b"'): counter((1, 10), (0, 12)),
                _messages("slow"): counter((0.5, 10), (0, 12)),
                _messages("healthy"): counter((100, 22)),
                _messages("idle"): counter((0, 22)),
            },
            at={
                "16m30s": (),
                "16m45s": (_stalled("n1"), _stalled("slow")),
                "22m": (_stalled("n1"), _stalled("slow")),
            },
        ),
        Case(
            name="messages flow again: the alert ends",
            series={_messages("n1"): counter((100, 10), (0, 10), (100, 2))},
            at={"20m": (_stalled("n1"),), "20m30s": (), "22m": ()},
        ),
        Case(
            name="one rare message type on a healthy node",
            series={
                _messages("n1"): counter((100, 60)),
                _messages("n1", "rare"): "0x100 1x140",
            },
            at=silent(60),
        ),
        Case(
            name="one message in four minutes is not nothing",
            series={_messages("n1"): "0x15 1x15 2x15 3x15 4x15 5x15 6x15 7x15"},
            at=silent(30),
        ),
        Case(
            name="a node that never had anything to do",
            series={_messages("n1"): counter((0, 60))},
            at=silent(60),
        ),
        Case(
            name="a restart: a minute without samples, then the counter begins at 0",
            series={_messages("n1"): counter((100, 10), (None, 1), RESTART, (100, 20))},
            at=silent(30),
        ),
    ),
)


def _few(node: str, rate: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"Node {node} processes {rate} messages/s, less than 10 messages/s for"
        " 5 minutes.",
    )


LOW: Final = Scenario(
    name="LowMessageThroughput",
    rules=_BOTH,
    severity="warning",
    concern="throughput",
    cases=(
        Case(
            name="few messages of all types together: fires after 5 minutes",
            series={
                _messages("n1", "file", ',job="qudag"'): counter((100, 10), (6.5, 15)),
                _messages("n1", "ping", ',job="qudag"'): counter((10, 10), (3, 15)),
                _messages("crawling"): counter((100, 10), (0.1, 15)),
                _messages("enough"): counter((100, 10), (10.5, 15)),
            },
            at={
                # The five-minute rate is below 10 when the last fast sample has left the range.
                "19m15s": (),
                "25m": (_few("n1", "9.5"), _few("crawling", "0.1")),
            },
        ),
        Case(
            name="the whole duration, and not one evaluation less",
            series={_messages("n1"): counter((9.5, 20))},
            at={
                # Rates exist from the second sample on.
                "5m": (),
                "5m15s": (_few("n1", "9.5"),),
            },
        ),
        Case(
            name="exactly 10 messages a second",
            # A sample a minute: the rate is exact.
            series={_messages("n1"): counter((10, 60), step=60)},
            interval=60,
            at=silent(60, start=6),
        ),
        Case(
            name="none at all is the other alert's",
            series={_messages("n1"): counter((100, 10), (0, 20))},
            at=silent(30),
        ),
        Case(
            name="one rare message type on a healthy node",
            series={
                _messages("n1"): counter((100, 60)),
                _messages("n1", "rare"): counter((0.01, 60)),
            },
            at=silent(60),
        ),
        Case(
            name="the floor's two sides: below six messages a minute all is chance",
            series={
                _messages("less"): counter((0.098, 120)),
                _messages("more"): counter((0.105, 120)),
                **elsewhere({_messages("less"): counter((1, 5), (0, 115))}),
            },
            at={"110m": (_few("more", "0.105"),)},
        ),
        Case(
            name="around the threshold: one ticket, which ends ten minutes after the last time",
            series={_messages("n1"): counter((9, 10), *[(11, 6), (9, 6)] * 3, (12, 30))},
            at={
                "10m": (_few("n1", "9"),),
                "50m": (_few("n1", "9.947"),),
                "70m": (),
            },
        ),
        Case(
            name="a start: the five-minute rate climbs for some minutes",
            series={_messages("n1"): counter((12, 30))},
            at=silent(30),
        ),
        Case(
            name="a restart",
            series={_messages("n1"): counter((100, 10), (None, 1), RESTART, (100, 20))},
            at=silent(30),
        ),
    ),
)


def _errors(node: str, component: str, error_type: str) -> str:
    return (
        f'qudag_errors_total{{node_id="{node}",component="{component}",error_type="{error_type}"}}'
    )


def _fails(component: str, rate: str) -> Fires:
    return Fires(
        labels={"node_id": "n1", "component": component},
        description=f"Component {component} of node n1 fails at {rate} errors/s, more than"
        " 0.1 errors/s for 2 minutes.",
    )


ERRORS: Final = Scenario(
    name="HighErrorRate",
    rules=_BOTH,
    severity="critical",
    concern="errors",
    cases=(
        Case(
            name="four rare types of errors add up: fires after 2 minutes, for the component",
            series={
                **{
                    _errors("n1", "pool", kind): counter((0, 10), (0.08, 15))
                    for kind in ("A", "B", "C", "D")
                },
                _errors("n1", "cache", "A"): counter((0, 10), (0.05, 15)),
                _errors("n2", "cache", "A"): counter((0, 10), (0.07, 15)),
            },
            # 0.32 errors/s reach 0.1/s of the five-minute average after 94 s.
            at={
                "13m30s": (),
                "13m45s": (_fails("pool", "0.24"),),
                "25m": (_fails("pool", "0.32"),),
            },
        ),
        Case(
            name="the threshold's two sides",
            series={
                _errors("n1", "more", "A"): counter((0.105, 20)),
                _errors("n1", "less", "A"): counter((0.095, 20)),
            },
            at={"15m": (_fails("more", "0.105"),)},
        ),
        Case(
            name="exactly 0.1 errors a second",
            # A sample a minute: the rate is exact.
            series={_errors("n1", "pool", "A"): counter((0.1, 30), step=60)},
            interval=60,
            at=silent(30),
        ),
        Case(
            name="a restart of a node that has counted many",
            series={_errors("n1", "pool", "A"): "1000x40 0x40"},
            at=silent(20),
        ),
        Case(
            name="a healthy node counts an error now and then",
            series={_errors("n1", "pool", "A"): counter((0.005, 60))},
            at=silent(60),
        ),
    ),
)


def _memory(node: str, kind: str, more: str = "") -> str:
    return f'qudag_system_memory_bytes{{node_id="{node}",memory_type="{kind}"{more}}}'


def _uses(node: str, share: str, limit: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"The host of node {node} uses {share} of its memory, more than {limit}"
        " for 5 minutes.",
    )


def _filled(node: str, used: str) -> Series:
    return {_memory(node, "used"): used, _memory(node, "total"): gauge((100, 60))}


_GIB: Final = float(1 << 30)
_HOSTS: Final = {
    # Two processes of one host report the same memory: it is not twice as large.
    **{
        _memory("n1", "used", f',instance="{each}"'): gauge((8 * _GIB, 10), (15 * _GIB, 10))
        for each in ("a", "b")
    },
    **{
        _memory("n1", "total", f',instance="{each}"'): gauge((16 * _GIB, 20)) for each in ("a", "b")
    },
    _memory("n2", "used"): gauge((88, 20)),
    _memory("n2", "total"): gauge((100, 20)),
    _memory("n3", "used"): gauge((84, 20)),
    _memory("n3", "total"): gauge((100, 20)),
    _memory("at90", "used"): gauge((90, 20)),
    _memory("at90", "total"): gauge((100, 20)),
    _memory("over90", "used"): gauge((91, 20)),
    _memory("over90", "total"): gauge((100, 20)),
}

MEMORY: Final = Scenario(
    name="HighMemoryUsage",
    rules=_BOTH,
    severity="critical",
    concern="memory",
    cases=(
        Case(
            name="one host of five is almost full: fires after 5 minutes, 90% itself does not",
            series=_HOSTS,
            at={
                "4m45s": (),
                "14m45s": (_uses("over90", "91%", "90%"),),
                "15m": (_uses("n1", "93.75%", "90%"), _uses("over90", "91%", "90%")),
            },
        ),
        Case(
            name="in spite of dips and gaps; a host without memory is no full one",
            series={
                **_filled("dips", dipping(95, 10, 60)),
                **_filled("gaps", dipping(95, "NaN", 60)),
                **_filled("missing", "95 _ " * 120),
                **_filled("half", "95x1 10x1 " * 60),
                _memory("none", "used"): gauge((5, 60)),
                _memory("none", "total"): gauge((0, 60)),
            },
            at={
                "30m": tuple(_uses(each, "95%", "90%") for each in ("dips", "gaps", "missing")),
            },
        ),
        Case(
            name="a restart: a minute without samples",
            series={
                _memory("n1", "used"): gauge((8, 10), (None, 1), (8, 10)),
                _memory("n1", "total"): gauge((16, 10), (None, 1), (16, 10)),
            },
            at=silent(21),
        ),
    ),
)

ELEVATED_MEMORY: Final = Scenario(
    name="ElevatedMemoryUsage",
    rules=_BOTH,
    severity="warning",
    concern="memory",
    cases=(
        Case(
            name="above 85%: fires after 5 minutes",
            series=_HOSTS,
            at={
                "4m45s": (),
                "5m": (
                    _uses("n2", "88%", "85%"),
                    _uses("at90", "90%", "85%"),
                    _uses("over90", "91%", "85%"),
                ),
            },
        ),
        Case(
            name="exactly 85%",
            series={
                _memory("n1", "used"): gauge((85, 14)),
                _memory("n1", "total"): gauge((100, 14)),
            },
            at=silent(14),
        ),
        Case(
            name="in spite of dips and gaps; not for a host that is full now and then",
            series={
                **_filled("dips", dipping(88, 10, 60)),
                **_filled("gaps", dipping(88, "NaN", 60)),
                **_filled("half", "88x1 10x1 " * 60),
            },
            at={"30m": (_uses("dips", "88%", "85%"), _uses("gaps", "88%", "85%"))},
        ),
    ),
)


def _cpu(node: str, core: str) -> str:
    return f'qudag_cpu_usage_percent{{node_id="{node}",cpu_core="{core}"}}'


def _busy(node: str, share: str, limit: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"The host of node {node} uses {share} of its CPU, more than {limit}"
        " for 5 minutes.",
    )


_CPUS: Final = {
    _cpu("n1", "average"): gauge((20, 10), (82, 10)),
    _cpu("n1", "0"): gauge((20, 10), (64, 10)),
    _cpu("n1", "1"): gauge((20, 10), (100, 10)),
    # No average: that of the cores.
    _cpu("cores", "0"): gauge((100, 20)),
    _cpu("cores", "1"): gauge((94, 20)),
    _cpu("onecore", "average"): gauge((30, 20)),
    _cpu("onecore", "0"): gauge((100, 20)),
    _cpu("n3", "average"): gauge((10, 20)),
    _cpu("at80", "average"): gauge((80, 20)),
    _cpu("at90", "average"): gauge((90, 20)),
}

CPU: Final = Scenario(
    name="HighCPUUsage",
    rules=_BOTH,
    severity="warning",
    concern="cpu",
    cases=(
        Case(
            name="one host of six is busy: fires after 5 minutes; one busy core of many is none",
            series=_CPUS,
            at={
                "4m45s": (),
                "14m45s": (_busy("cores", "97%", "80%"), _busy("at90", "90%", "80%")),
                "15m": (
                    _busy("n1", "82%", "80%"),
                    _busy("cores", "97%", "80%"),
                    _busy("at90", "90%", "80%"),
                ),
            },
        ),
        Case(
            name="busy for four minutes only",
            series={_cpu("n1", "average"): gauge((20, 10), (99, 4), (20, 10))},
            at=silent(24),
        ),
        Case(
            name="in spite of dips and gaps; not for a host that is busy now and then",
            series={
                _cpu("dips", "average"): dipping(85, 79, 60),
                _cpu("gaps", "average"): dipping(85, "NaN", 60),
                _cpu("cores", "1"): dipping(85, "NaN", 60),
                _cpu("missing", "average"): "85 _ " * 120,
                _cpu("half", "average"): "99x1 20x1 " * 60,
            },
            at={
                "30m": tuple(
                    _busy(each, "85%", "80%") for each in ("dips", "gaps", "cores", "missing")
                ),
            },
        ),
    ),
)

CRITICAL_CPU: Final = Scenario(
    name="CriticalCPUUsage",
    rules=_BOTH,
    severity="critical",
    concern="cpu",
    cases=(
        Case(
            name="above 90%: fires after 5 minutes, 90% itself does not",
            series={**_CPUS, _cpu("n4", "average"): gauge((94, 20))},
            at={
                "4m45s": (),
                "5m": (_busy("cores", "97%", "90%"), _busy("n4", "94%", "90%")),
                "20m": (_busy("cores", "97%", "90%"), _busy("n4", "94%", "90%")),
            },
        ),
        Case(
            name="in spite of dips and gaps; not for a host that is busy now and then",
            series={
                _cpu("dips", "average"): dipping(99, 79, 60),
                _cpu("gaps", "average"): dipping(99, "NaN", 60),
                _cpu("half", "average"): "99x1 20x1 " * 60,
            },
            at={"30m": (_busy("dips", "99%", "90%"), _busy("gaps", "99%", "90%"))},
        ),
    ),
)


def _chunking(node: str, size: str) -> str:
    return f'node_id="{node}",message_size_bucket="{size}"'


CHUNKING: Final = Scenario(
    name="HighChunkingLatency",
    rules=_BOTH,
    severity="warning",
    concern="chunking",
    cases=(
        Case(
            name="a tenth of the messages is slow: fires after 5 minutes, for the node",
            series=joined(
                histogram(m.CHUNKING_DURATION, _chunking("n1", "small"), (9, 0.01, 20)),
                histogram(
                    m.CHUNKING_DURATION,
                    _chunking("n1", "xlarge"),
                    (1, 0.2, 10),
                    (1, 0.8, 10),
                ),
                histogram(m.CHUNKING_DURATION, _chunking("n2", "small"), (9, 0.01, 20)),
                histogram(m.CHUNKING_DURATION, _chunking("n2", "xlarge"), (0.4, 0.8, 20)),
            ),
            at={
                "15m": (),
                "20m": (
                    Fires(
                        labels={"node_id": "n1"},
                        description="On node n1 5% of the messages take 750ms or longer to chunk,"
                        " more than 500 ms for 5 minutes.",
                    ),
                ),
            },
        ),
        Case(
            name="the threshold's two sides, and the duration",
            series=joined(
                # 95% are under 0.5 s, or not quite.
                histogram(m.CHUNKING_DURATION, _chunking("less", "small"), (95, 0.4, 20)),
                histogram(m.CHUNKING_DURATION, _chunking("less", "large"), (5, 0.8, 20)),
                histogram(m.CHUNKING_DURATION, _chunking("more", "small"), (94.5, 0.4, 20)),
                histogram(m.CHUNKING_DURATION, _chunking("more", "large"), (5.5, 0.8, 20)),
            ),
            at={
                "5m": (),
                "5m15s": (
                    Fires(
                        labels={"node_id": "more"},
                        description="On node more 5% of the messages take 545.5ms or longer to"
                        " chunk, more than 500 ms for 5 minutes.",
                    ),
                ),
            },
        ),
        Case(
            name="no messages, and then one slow one",
            series=histogram(
                m.CHUNKING_DURATION,
                _chunking("n1", "xlarge"),
                (0, 1, 10),
                (0.066667, 2, 0.25),
                (0, 1, 20),
            ),
            at=silent(30),
        ),
    ),
)


def _compression(node: str, kind: str) -> str:
    return f'qudag_compression_ratio{{node_id="{node}",compression_type="{kind}"}}'


def _chunks(node: str) -> str:
    return f'qudag_chunks_processed_total{{node_id="{node}",message_type="file"}}'


def _saves(node: str, share: str, kind: str = "zstd") -> Fires:
    return Fires(
        labels={"node_id": node, "compression_type": kind},
        description=f"On node {node} compression with {kind} saves {share} of the bytes, less than"
        " 50% for 10 minutes.",
    )


COMPRESSION: Final = Scenario(
    name="LowCompressionRatio",
    rules=_BOTH,
    severity="info",
    concern="compression",
    cases=(
        Case(
            name="an algorithm saves little: fires after 10 minutes, while chunks are processed",
            series={
                _compression("n1", "zstd"): gauge((0.7, 10), (0.2, 30)),
                _compression("n1", "lz4"): gauge((0.6, 40)),
                _compression("n1", "none"): gauge((0, 40)),
                _chunks("n1"): counter((10, 40)),
                _compression("more", "zstd"): gauge((0.48, 40)),
                _chunks("more"): counter((0.5, 40)),
                _compression("exact", "zstd"): gauge((0.5, 40)),
                _chunks("exact"): counter((10, 40)),
                _compression("idle", "zstd"): gauge((0.1, 40)),
                _chunks("idle"): counter((0, 40)),
            },
            at={
                "10m": (),
                "10m15s": (_saves("more", "48%"),),
                "20m": (_saves("more", "48%"),),
                "40m": (_saves("n1", "20%"), _saves("more", "48%")),
            },
        ),
        Case(
            name="a message without a ratio among others, an idle namesake in another fleet",
            series={
                _compression("n1", "zstd"): dipping(0.3, "NaN", 60),
                _chunks("n1"): counter((10, 60)),
                **elsewhere(
                    {
                        _compression("n1", "zstd"): gauge((0.3, 60)),
                        _chunks("n1"): counter((0, 60)),
                    }
                ),
            },
            at={"30m": (_saves("n1", "30%"),), "60m": (_saves("n1", "30%"),)},
        ),
        Case(
            name="one message that cannot be compressed, in the middle of others",
            series={
                _compression("n1", "zstd"): gauge((0.7, 10), (0.0, 0.5), (0.7, 30)),
                _chunks("n1"): counter((10, 40)),
            },
            at=silent(40),
        ),
    ),
)


def _present(node: str) -> str:
    return _messages(node)


def _absent(node: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"Nothing is heard of node {node} for 2 minutes: it stopped, or its telemetry"
        " does not arrive.",
    )


_ELSEWHERE: Final = replace(
    _absent("moved"), labels={"node_id": "moved", **dict.fromkeys(SCOPE, "other")}
)
_UNHEARD: Final = replace(_absent("n4"), labels={"node_id": "n4", "cluster": ""})


def _pod(name: str, first: int, samples: int, *, ends: bool) -> Series:
    """A process that pushes under a name of its own, from a sample on; its last one says why."""
    before = f"_x{first} " if first else ""
    of = f'job="qudag",instance="{name}-1"'
    return {
        _messages(name, more=f",{of}"): f"{before}0+100x{samples}",
        f'qudag_process_ended{{node_id="{name}",{of}}}': f"_x{first + samples} {int(ends)}",
    }


def _target(name: str, samples: int, after: str) -> Series:
    """A process that is scraped, and whether Prometheus reaches it."""
    of = f'job="x",instance="{name}:1"'
    return {
        _messages(name, more=f",{of}"): f"0+100x{samples} stale",
        f"up{{{of}}}": f"1x{samples} {after}",
    }


ABSENT: Final = Scenario(
    name="NodeAbsent",
    rules=_BOTH,
    severity="critical",
    concern="presence",
    cases=(
        Case(
            name="a scraped node stops: fires after 2 minutes, and for as long as it is away",
            series={
                _messages("n1"): "0+100x40 stale",
                _memory("n2", "used"): "1x40 stale",
                'qudag_operation_duration_seconds_count{node_id="n3",operation="o",outcome="ok"}': (
                    "0+1x40 stale"
                ),
                _messages("n4"): counter((100, 90)),
                **elsewhere({_messages("n1"): counter((100, 90))}),
            },
            at={
                "12m": (),
                "12m15s": (_absent("n1"), _absent("n2"), _absent("n3")),
                "90m": (_absent("n1"), _absent("n2"), _absent("n3")),
            },
        ),
        Case(
            name="a process that ends on purpose says so: pushed, under a new name each time",
            series={
                **_pod("pod-a", 0, 40, ends=True),
                **_pod("pod-b", 38, 60, ends=True),
                **_pod("pod-c", 96, 40, ends=False),
                # A namesake elsewhere, and one of another job, ended; these did not.
                **_pod("killed", 0, 40, ends=False),
                **_pod("crashed", 0, 40, ends=False),
                **elsewhere(_pod("killed", 0, 39, ends=True)),
            },
            at={
                **silent(16, start=1),
                "18m": (_absent("crashed"), _absent("killed")),
                "37m": (_absent("crashed"), _absent("killed")),
                "45m": (_absent("crashed"), _absent("killed"), _absent("pod-c")),
            },
        ),
        Case(
            name="a target that is taken away is no outage, one that does not answer is",
            series={
                **_target("moved", 40, "stale"),
                **_target("down", 40, "0x240"),
                # Away for a while, then taken away.
                **_target("given-up", 40, "0x120 stale"),
                **elsewhere({_messages("moved", more=',job="y",instance="b"'): "0+9x40 stale"}),
            },
            at={
                "12m": (),
                "13m": (_absent("down"), _absent("given-up"), _ELSEWHERE),
                "39m": (_absent("down"), _absent("given-up"), _ELSEWHERE),
                "43m": (_absent("down"), _ELSEWHERE),
                "60m": (_absent("down"), _ELSEWHERE),
            },
        ),
        Case(
            name="an operator's lists: who must be there, and who need not come back",
            series={
                _messages("n1"): "0+100x40 stale",
                _messages("n2"): "0+100x40 stale",
                _messages("n3"): counter((100, 60)),
                'node:qudag_node:missing{cluster="",node_id="n4"}': "_x20 1x300",
                'node:qudag_node:missing{cluster="",node_id="n1"}': "_x40 1x300",
                'node:qudag_node:retired{node_id="n2"}': "1x240",
            },
            at={
                "13m": (_absent("n1"), _UNHEARD),
                "30m": (_absent("n1"), _UNHEARD),
            },
        ),
        Case(
            name="a node that pushed stops: its last sample counts for another 5 minutes",
            series={_messages("n1"): "0+100x40", _messages("n2"): counter((100, 90))},
            at={"16m45s": (), "17m": (_absent("n1"),)},
        ),
        Case(
            name="a restart within two minutes, as another process",
            series={
                _messages("n1", more=',instance="a"'): "0+100x40 stale",
                _messages("n1", more=',instance="b"'): "_x46 0+100x100",
            },
            at=silent(30),
        ),
        Case(
            name="a node that reports its memory only, another that is idle",
            series={_memory("n1", "used"): gauge((5, 60)), _messages("n2"): counter((0, 60))},
            at=silent(60),
        ),
    ),
)


def _health(node: str, component: str) -> str:
    return f'qudag_component_up{{node_id="{node}",component="{component}"}}'


def _fails_check(component: str) -> Fires:
    return Fires(
        labels={"node_id": "n1", "component": component},
        description=f"The health check of component {component} on node n1 fails for 2 minutes.",
    )


COMPONENT: Final = Scenario(
    name="ComponentUnhealthy",
    rules=_BOTH,
    severity="warning",
    concern="health",
    cases=(
        Case(
            name="a health check fails in one of two processes: fires after 2 minutes",
            series={
                'qudag_component_up{node_id="n1",component="pool",instance="a"}': gauge(
                    (1, 10), (0, 10)
                ),
                'qudag_component_up{node_id="n1",component="pool",instance="b"}': gauge((1, 20)),
                'qudag_component_up{node_id="n1",component="cache"}': gauge((1, 20)),
                'qudag_component_up{node_id="n2",component="pool"}': gauge((1, 20)),
            },
            at={
                "11m45s": (),
                "12m": (
                    Fires(
                        labels={"node_id": "n1", "component": "pool"},
                        description="The health check of component pool on node n1 fails for"
                        " 2 minutes.",
                    ),
                ),
            },
        ),
        Case(
            name="it fails three times of four, or every second time; once in ten is no failure",
            series={
                _health("n1", "pool"): "0x2 1x0 " * 60,
                _health("n1", "flaps"): "0 1 " * 120,
                _health("n1", "cache"): ("0 1x8 ") * 24,
                _health("n1", "gaps"): dipping(0, "NaN", 60),
                _health("n2", "cache"): gauge((1, 60)),
            },
            at={
                "12m": (_fails_check("flaps"), _fails_check("gaps"), _fails_check("pool")),
                "60m": (_fails_check("flaps"), _fails_check("gaps"), _fails_check("pool")),
            },
        ),
        Case(
            name="it fails for a minute, during a restart",
            series={
                'qudag_component_up{node_id="n1",component="pool"}': gauge((1, 10), (0, 1), (1, 10))
            },
            at=silent(20),
        ),
    ),
)

SCENARIOS: Final = (
    STALLED,
    LOW,
    ERRORS,
    MEMORY,
    ELEVATED_MEMORY,
    CPU,
    CRITICAL_CPU,
    CHUNKING,
    COMPRESSION,
    ABSENT,
    COMPONENT,
)
