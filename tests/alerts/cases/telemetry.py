"""The telemetry itself: Collectors, scrape targets, and the alert that always fires."""

from __future__ import annotations

from typing import Final

from tests.alerts.scenario import (
    RESTART,
    Case,
    Fires,
    Scenario,
    Series,
    counter,
    dipping,
    elsewhere,
    gauge,
    silent,
)

_RULES: Final = ("pipeline",)
_GATEWAY: Final = 'job="qudag-gateway",instance="gateway-0"'
_AGENT: Final = 'job="qudag-agent",instance="agent-0"'

_LABELS: Final = {"job": "qudag-gateway", "instance": "gateway-0"}


def _lost(metric: str, part: str, each: str, *phases: tuple[float | None, float] | str) -> Series:
    """What a Collector's counter of one signal shows; the agent is healthy."""
    return {
        f'{metric}_{each}_total{{{_GATEWAY},{part},transport="http"}}': counter(*phases),
        f"{metric}_{each}_total{{{_AGENT},{part}}}": counter((0, 40)),
    }


def _losing(name: str, severity: str, metric: str, part: tuple[str, str], words: str) -> Scenario:
    """A scenario of one of the three ways to lose telemetry."""
    key, value = part
    selector = f'{key}="{value}"'
    fires = {
        signal: Fires(
            labels={**_LABELS, key: value, "signal": signal},
            description=f"Collector gateway-0 (qudag-gateway) {words.format(signal=signal)}",
        )
        for signal in ("logs", "metrics", "traces")
    }
    return Scenario(
        name=name,
        rules=_RULES,
        severity=severity,
        concern="telemetry",
        cases=(
            Case(
                name="a signal is lost: fires after 5 minutes, for this signal",
                series={
                    **_lost(metric, selector, "spans", (0, 10), (2, 20)),
                    **_lost(metric, selector, "log_records", (0, 30)),
                },
                # The first loss is seen at 10m15s.
                at={"15m": (), "15m15s": (fires["traces"],), "30m": (fires["traces"],)},
            ),
            Case(
                name="the other two signals",
                series={
                    **_lost(metric, selector, "metric_points", (2, 20)),
                    **_lost(metric, selector, "log_records", (2, 20)),
                },
                at={"20m": (fires["logs"], fires["metrics"])},
            ),
            Case(
                name="nothing is lost any more: the alert ends",
                series=_lost(metric, selector, "spans", (2, 10), (0, 10)),
                at={"10m": (fires["traces"],), "16m": ()},
            ),
            Case(
                name="a restart of the Collector",
                series=_lost(metric, selector, "spans", (0, 5), RESTART, (0, 20)),
                at=silent(25),
            ),
        ),
    )


REFUSES: Final = _losing(
    "CollectorRefusesTelemetry",
    "warning",
    "otelcol_receiver_refused",
    ("receiver", "otlp"),
    "refuses 2 items/s of {signal} at its receiver otlp for 5 minutes; senders keep them for a"
    " while, then lose them.",
)
RECEIVER_FAILS: Final = _losing(
    "CollectorReceiverFails",
    "warning",
    "otelcol_receiver_failed",
    ("receiver", "otlp"),
    "cannot take 2 items/s of {signal} at its receiver otlp for 5 minutes: an error of its own,"
    " not of the sender.",
)
SEND_FAILS: Final = _losing(
    "CollectorFailsToSend",
    "warning",
    "otelcol_exporter_send_failed",
    ("exporter", "otlp_http/x"),
    "loses 2 items/s of {signal} at its exporter otlp_http/x for 5 minutes: the backend refuses"
    " them.",
)
DROPS: Final = _losing(
    "CollectorDropsTelemetry",
    "critical",
    "otelcol_exporter_enqueue_failed",
    ("exporter", "otlp_http/x"),
    "has no room for 2 items/s of {signal} in the queue of its exporter otlp_http/x for 5 minutes.",
)


_UNDECIDED: Final = (
    f"otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total{{{_GATEWAY}"
)


def _undecided(value: str) -> Fires:
    return Fires(
        labels=_LABELS,
        description=f"Collector gateway-0 (qudag-gateway) drops {value} traces/s before it can"
        " decide on them for 5 minutes; errors and slow traces are among them.",
    )


UNDECIDED: Final = Scenario(
    name="CollectorLosesTraces",
    rules=_RULES,
    severity="critical",
    concern="telemetry",
    cases=(
        Case(
            name="too many traces wait: fires after 5 minutes, once for the Collector",
            series={
                _UNDECIDED + ',service_name="x"}': counter((0, 10), (2, 20)),
                _UNDECIDED + ',service_name="y"}': counter((0, 10), (1, 20)),
            },
            # The first loss is seen at 10m15s.
            at={"15m": (), "15m15s": (_undecided("3"),), "30m": (_undecided("3"),)},
        ),
        Case(
            name="none is lost any more: the alert ends",
            series={_UNDECIDED + "}": counter((2, 10), (0, 10))},
            at={"10m": (_undecided("2"),), "16m": ()},
        ),
        Case(
            name="a restart of the Collector",
            series={_UNDECIDED + "}": counter((0, 5), RESTART, (0, 20))},
            at=silent(25),
        ),
    ),
)


def _queue(what: str, exporter: str, data_type: str, collector: str = _GATEWAY) -> str:
    return (
        f'otelcol_exporter_queue_{what}{{{collector},exporter="{exporter}",'
        f'data_type="{data_type}",service_name="x"}}'
    )


def _full(data_type: str, share: str) -> Fires:
    return Fires(
        labels={**_LABELS, "exporter": "a", "data_type": data_type},
        description=f"The queue of exporter a ({data_type}) in Collector gateway-0 (qudag-gateway)"
        f" is {share} full, more than 80% for 5 minutes.",
    )


QUEUE: Final = Scenario(
    name="CollectorQueueFillsUp",
    rules=_RULES,
    severity="warning",
    concern="telemetry",
    cases=(
        Case(
            name="one queue of several is over 80% full: fires after 5 minutes",
            series={
                _queue("size", "a", "traces"): gauge((10, 10), (84, 10)),
                _queue("capacity", "a", "traces"): gauge((100, 20)),
                _queue("size", "a", "logs"): gauge((76, 20)),
                _queue("capacity", "a", "logs"): gauge((100, 20)),
                _queue("size", "a", "metrics"): gauge((80, 20)),
                _queue("capacity", "a", "metrics"): gauge((100, 20)),
                _queue("size", "b", "traces"): gauge((0, 20)),
                _queue("capacity", "b", "traces"): gauge((100, 20)),
                _queue("size", "a", "traces", _AGENT): gauge((0, 20)),
                _queue("capacity", "a", "traces", _AGENT): gauge((100, 20)),
            },
            at={"14m45s": (), "15m": (_full("traces", "84%"),)},
        ),
        Case(
            name="in spite of dips and gaps; a queue without room has no share",
            series={
                _queue("size", "a", "traces"): dipping(90, 10, 60),
                _queue("capacity", "a", "traces"): gauge((100, 60)),
                _queue("size", "a", "logs"): "90x4 10x4 " * 24,
                _queue("capacity", "a", "logs"): gauge((100, 60)),
                _queue("size", "a", "metrics"): gauge((5, 60)),
                _queue("capacity", "a", "metrics"): gauge((0, 60)),
            },
            at={"30m": (_full("traces", "90%"),)},
        ),
        Case(
            name="full for four minutes only, while a backend restarts",
            series={
                _queue("size", "a", "traces"): gauge((1, 10), (99, 4), (1, 10)),
                _queue("capacity", "a", "traces"): gauge((100, 24)),
            },
            at=silent(24),
        ),
    ),
)

_UPTIME: Final = "otelcol_process_uptime_seconds_total"


def _missing(count: int, job: str = "qudag-gateway", **fleet: str) -> Fires:
    return Fires(
        labels={"job": job, **fleet},
        description=f"Job {job} misses {count} of its Collectors for 1 minute: they stopped, or"
        " their own metrics do not arrive.",
    )


def _up(job: str, instance: str, *phases: tuple[float | None, float] | str) -> Series:
    return {f'{_UPTIME}{{job="{job}",instance="{instance}"}}': counter(*phases)}


_GW: Final = "qudag-gateway"
_CRASHES: Final = (RESTART, (1, 2), RESTART, (1, 2), RESTART, (1, 2))


def _listed(count: int, job: str) -> Fires:
    """An operator's list names no fleet."""
    return _missing(count, job, cluster="")


ABSENT: Final = Scenario(
    name="CollectorAbsent",
    rules=_RULES,
    severity="critical",
    concern="collectors",
    cases=(
        Case(
            name="one of four stops: its last sample counts 5 minutes, then the alert waits 1",
            series={
                **_up(_GW, "gateway-0", (1, 10)),
                **_up(_GW, "gateway-1", (1, 90)),
                # Its namesakes of another job and in another fleet are others.
                **_up("qudag-agent", "gateway-0", (1, 90)),
                **elsewhere(_up(_GW, "gateway-0", (1, 90))),
            },
            at={"15m45s": (), "16m": (_missing(1),), "90m": (_missing(1),)},
        ),
        Case(
            name="a rollout: new names, and for some minutes the old and the new",
            series={
                **_up(_GW, "gw-abc", (1, 30)),
                **_up(_GW, "gw-xyz", (None, 27.5), (1, 75)),
                **_up(_GW, "gw-uvw", (None, 100), (1, 75)),
            },
            at=silent(170, every=2),
        ),
        Case(
            name="a second one that stays is expected to stay",
            series={
                **_up(_GW, "gw-abc", (1, 150)),
                **_up(_GW, "gw-xyz", (None, 20), (1, 60)),
            },
            at={"85m": (), "87m": (_missing(1),), "150m": (_missing(1),)},
        ),
        Case(
            name="as many as an operator lists, and no memory of more",
            series={
                'collectors:otelcol:listed{cluster="",job="qudag-gateway"}': "2x400",
                'collectors:otelcol:listed{cluster="",job="none"}': "1x400",
                'collectors:otelcol:listed{cluster="",job="enough"}': "1x400",
                **_up(_GW, "gateway-0", (1, 90)),
                **_up("enough", "a", (1, 90)),
                **_up("enough", "b", (1, 40)),
            },
            at={
                "1m": (_listed(1, _GW), _listed(1, "none")),
                "80m": (_listed(1, _GW), _listed(1, "none")),
            },
        ),
        Case(
            name="a restart within the five minutes",
            series={f"{_UPTIME}{{{_GATEWAY}}}": counter((1, 10), (None, 4), RESTART, (1, 20))},
            at=silent(34),
        ),
        Case(name="there never was a Collector", series={"x": "0x200"}, at=silent(30)),
    ),
)

_CRASHING: Final = Fires(
    labels=_LABELS,
    description="Collector gateway-0 (qudag-gateway) restarts again and again: 3 restarts within"
    " half an hour.",
)


def _ending(job: str, count: int) -> Fires:
    return Fires(
        labels={"job": job, "seen": "names"},
        description=f"Collectors of job {job} end again and again: {count} restarts within half an"
        " hour.",
    )


RESTARTS: Final = Scenario(
    name="CollectorRestarts",
    rules=_RULES,
    severity="warning",
    concern="telemetry",
    cases=(
        Case(
            name="three restarts in half an hour: fires at once; two do not",
            series={
                **_up(_GW, "gateway-0", (1, 10), *_CRASHES, (1, 60)),
                **_up(_GW, "gateway-1", (1, 10), *_CRASHES[2:], (1, 60)),
                **elsewhere(_up(_GW, "gateway-0", (1, 90))),
            },
            at={
                "14m30s": (),
                "14m45s": (_CRASHING,),
                "20m": (_CRASHING,),
                "60m": (),
            },
        ),
        Case(
            name="a new name at each start: fires for the job; a rollout of three does not",
            series={
                **{
                    each: values
                    for number in range(8)
                    for each, values in _up(
                        "crashing", f"a{number}", (None, 30 + 2 * number), (1, 2)
                    ).items()
                },
                **_up("crashing", "b", (1, 120)),
                # And one of which nothing is left.
                **_up("dark", "b", (1, 60)),
                **{
                    each: values
                    for number in range(3)
                    for each, values in _up(
                        "dark", f"a{number}", (None, 54 + 2 * number), (1, 2)
                    ).items()
                },
                **{
                    each: values
                    for name in "abc"
                    for each, values in (
                        _up("calm", f"old-{name}", (1, 40))
                        | _up("calm", f"new-{name}", (None, 41), (1, 60))
                    ).items()
                },
            },
            at={
                **silent(40, every=2),
                "41m15s": (_ending("crashing", 3),),
                "50m": (_ending("crashing", 7),),
                "72m": (_ending("dark", 4),),
                "90m": (),
            },
        ),
    ),
)


def _down(instance: str) -> Fires:
    return Fires(
        labels={"job": "qudag", "instance": instance},
        description=f"Prometheus cannot scrape {instance} of job qudag for 2 minutes.",
    )


TARGET: Final = Scenario(
    name="TargetDown",
    rules=_RULES,
    severity="warning",
    concern="telemetry",
    cases=(
        Case(
            name="one of three targets does not answer: fires after 2 minutes",
            series={
                'up{job="qudag",instance="a",service_name="x"}': gauge((1, 10), (0, 10)),
                'up{job="qudag",instance="b"}': gauge((1, 20)),
                'up{job="stack",instance="a"}': gauge((1, 20)),
            },
            at={"11m45s": (), "12m": (_down("a"),)},
        ),
        Case(
            name="every second scrape fails; one in five does not matter",
            series={
                'up{job="qudag",instance="a"}': "0 1 " * 120,
                'up{job="qudag",instance="b"}': "0 1x3 " * 48,
                **elsewhere({'up{job="qudag",instance="a"}': gauge((1, 60))}),
            },
            at={"12m": (_down("a"),), "59m": (_down("a"),)},
        ),
        Case(
            name="a restart of a minute",
            series={'up{job="qudag",instance="a"}': gauge((1, 10), (0, 1), (1, 10))},
            at=silent(21),
        ),
    ),
)

_APPLICATION: Final = 'job="shop",instance="shop-1"'


def _part(metric: str, kind: str, error: str) -> str:
    return f'otel_sdk_{metric}_total{{{_APPLICATION},otel_component_type="{kind}"{error}}}'


def _loses(value: str, signal: str) -> Fires:
    return Fires(
        labels={"job": "shop", "instance": "shop-1", "signal": signal},
        description=f"shop (shop-1) loses {value} items/s of {signal} for 5 minutes.",
    )


_DROPPED: Final = _part(
    "processor_span_processed", "batching_span_processor", ',error_type="queue_full"'
)
_FAILED: Final = _part("exporter_span_exported", "otlp_grpc_span_exporter", ',error_type="timeout"')
_SENT: Final = _part("exporter_span_exported", "otlp_grpc_span_exporter", "")
_LINES: Final = _part("exporter_log_exported", "otlp_grpc_log_exporter", ',error_type="503"')
APPLICATION: Final = Scenario(
    name="ApplicationLosesTelemetry",
    rules=_RULES,
    severity="warning",
    concern="telemetry",
    cases=(
        Case(
            name="spans are dropped and others are not delivered: both add up",
            series={
                _DROPPED: counter((0, 10), (2, 20)),
                _FAILED: counter((0, 10), (1, 20)),
                _SENT: counter((5, 30)),
            },
            at={"15m": (), "15m15s": (_loses("3", "traces"),), "30m": (_loses("3", "traces"),)},
        ),
        Case(
            name="log lines alone",
            series={_LINES: counter((2, 20)), _SENT: counter((5, 20))},
            at={"20m": (_loses("2", "logs"),)},
        ),
        Case(
            name="everything is delivered",
            series={_SENT: counter((5, 20)), _DROPPED: counter((0, 20))},
            at=silent(20),
        ),
    ),
)


def _costs(share: str) -> Fires:
    return Fires(
        labels={"node_id": "n1"},
        description=f"Telemetry takes {share} of the CPU time of a process of node n1, more than"
        " 25% for 15 minutes.",
    )


COST: Final = Scenario(
    name="TelemetryCostsMuch",
    rules=_RULES,
    severity="warning",
    concern="telemetry",
    cases=(
        Case(
            name="one of two processes of a node: fires after 15 minutes",
            series={
                'qudag_telemetry_cpu_share_ratio{node_id="n1",instance="a"}': gauge(
                    (0.1, 10), (0.4, 20)
                ),
                'qudag_telemetry_cpu_share_ratio{node_id="n1",instance="b"}': gauge((0.02, 30)),
                'qudag_telemetry_cpu_share_ratio{node_id="n2"}': gauge((0.25, 30)),
            },
            at={"24m45s": (), "25m": (_costs("40%"),)},
        ),
        Case(
            name="a burst of ten minutes",
            series={
                'qudag_telemetry_cpu_share_ratio{node_id="n1"}': gauge(
                    (0.1, 5), (0.9, 10), (0.1, 10)
                )
            },
            at=silent(25),
        ),
    ),
)

WATCHDOG: Final = Scenario(
    name="Watchdog",
    rules=_RULES,
    severity="info",
    concern="watchdog",
    cases=(
        Case(
            name="fires from the first evaluation on, without any data",
            series={},
            at={
                time: (
                    Fires(
                        labels={},
                        description="This alert always fires. When it stops arriving, alerts do"
                        " not arrive.",
                    ),
                )
                for time in ("0m", "1m", "60m")
            },
        ),
    ),
)

SCENARIOS: Final = (
    REFUSES,
    RECEIVER_FAILS,
    SEND_FAILS,
    DROPS,
    UNDECIDED,
    QUEUE,
    ABSENT,
    APPLICATION,
    COST,
    RESTARTS,
    TARGET,
    WATCHDOG,
)
