"""Recorded series whose truth is known, beside those that the alerts' scenarios show."""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue import metrics as m
from tests.alerts.scenario import Case, Scenario, Series, counter, elsewhere, histogram, joined

_AT: Final = "20m"


def _is(name: str, labels: str, value: float) -> dict[tuple[str, str], dict[str, float]]:
    """One series of a name, and no other."""
    return {(name, _AT): {f"{name}{{{labels}}}": value}}


def _total(metric: str, labels: str, rate: float) -> Series:
    return {f"{metric}_total{{{labels}}}": counter((rate, 20))}


_POOL: Final = 'node_id="n1",pool_type="peer"'
_OPERATION: Final = 'node_id="n1",operation="store.put",component="store"'
_CALLS: Final = m.OPERATION_DURATION.prometheus_name

_ROADS: Final = {
    f'{metric}{{{key}="{who}"{more}': values
    for who in ("both", "scraped")
    for metric, key, more, values in (
        ("qudag_message_throughput_total", "node_id", ',message_type="a"', counter((3, 20))),
        ("qudag_swarm_tasks_completed_total", "swarm_id", ',status="success"', counter((2, 20))),
        ("qudag_active_connections", "node_id", ',pool_type="p",state="idle"', "7x80"),
        ("qudag_chunking_duration_seconds_bucket", "node_id", ',le="0.01"', counter((0, 20))),
        ("qudag_chunking_duration_seconds_bucket", "node_id", ',le="0.025"', counter((3, 20))),
        ("qudag_chunking_duration_seconds_bucket", "node_id", ',le="+Inf"', counter((3, 20))),
    )
}
"""Selectors without their end."""

_SIZE: Final = 'message_size_bucket="large"'
_METHOD: Final = 'method="get_status"'
_PEER: Final = 'pool_type="peer"'
_PUT: Final = 'operation="put",component="store"'
_EACH: Final = (
    (m.CHUNKING_DURATION.prometheus_name, _SIZE),
    (m.NODE_RPC_DURATION.prometheus_name, _METHOD),
    (m.CONNECTION_WAIT_TIME.prometheus_name, _PEER),
    (_CALLS, _PUT),
)
_TWO: Final = ('other="a"', 'other="b"')
"""What no panel tells apart."""
_BY_ROADS: Final = (("both", ("3b5a", "4c6b", "host:9464")), ("scraped", ("host:9464",)))

RECORDED: Final = Scenario(
    name="Recorded",
    rules=("recording",),
    # Looked at once.
    interval=300,
    cases=(
        Case(
            name="messages and chunks of all types",
            series=joined(
                _total("qudag_message_throughput", 'node_id="n1",message_type="a",job="x"', 3),
                _total("qudag_message_throughput", 'node_id="n1",message_type="b",job="y"', 4),
                _total("qudag_chunks_processed", 'node_id="n1",message_type="a"', 5),
                _total("qudag_chunks_processed", 'node_id="n1",message_type="b"', 6),
            ),
            interval=15,
            values={
                **_is("node:qudag_messages:rate5m", 'node_id="n1"', 7),
                **_is("node:qudag_chunks:rate5m", 'node_id="n1"', 11),
                **_is("node:qudag_node:present", 'node_id="n1"', 1),
            },
        ),
        Case(
            name="pushed and scraped: each is counted once; scraped only: it is counted",
            series=joined(
                *(
                    {
                        f'{selector},instance="{instance}"}}': values
                        for selector, values in _ROADS.items()
                        for instance in instances
                        if only in selector
                    }
                    for only, instances in (
                        ("both", ("3b5a", "4c6b", "host:9464")),
                        ("scraped", ("host:9464",)),
                    )
                )
            ),
            interval=15,
            values={
                ("node:qudag_messages:rate5m", _AT): {
                    'node:qudag_messages:rate5m{node_id="both"}': 6,
                    'node:qudag_messages:rate5m{node_id="scraped"}': 3,
                },
                ("swarm:qudag_tasks_succeeded:rate5m", _AT): {
                    'swarm:qudag_tasks_succeeded:rate5m{swarm_id="both"}': 4,
                    'swarm:qudag_tasks_succeeded:rate5m{swarm_id="scraped"}': 2,
                },
                ("node_pool_state:qudag_pool_connections:sum", _AT): {
                    f'node_pool_state:qudag_pool_connections:sum{{node_id="{node}",'
                    'pool_type="p",state="idle"}': value
                    for node, value in (("both", 14), ("scraped", 7))
                },
                ("node:qudag_chunking_seconds:p95_5m", _AT): {
                    f'node:qudag_chunking_seconds:p95_5m{{node_id="{node}"}}': 0.02425
                    for node in ("both", "scraped")
                },
            },
        ),
        Case(
            name="distributions: each road is counted once, of all but what a panel tells apart",
            series=joined(
                *(
                    {
                        f'{metric}_bucket{{node_id="{node}",{labels},{more},le="{bound}"'
                        f',instance="{instance}"}}': counter((rate, 20))
                    }
                    for metric, labels in _EACH
                    for more in _TWO
                    for node, instances in _BY_ROADS
                    for instance in instances
                    for bound, rate in (("0.01", 0), ("0.025", 3), ("+Inf", 3))
                ),
                # A node of the same name in another fleet, which is scraped.
                elsewhere(
                    {
                        f'{metric}_bucket{{node_id="both",{labels},le="+Inf"'
                        ',instance="host:9464"}': counter((5, 20))
                        for metric, labels in _EACH
                    }
                ),
            ),
            interval=15,
            values={
                **{
                    (name, _AT): {
                        **{
                            f'{name}{{node_id="{node}"{labels},le="{bound}"}}': rate * pushed
                            for node, pushed in (("both", 4), ("scraped", 2))
                            for bound, rate in (("0.01", 0), ("0.025", 3), ("+Inf", 3))
                        },
                        **dict.fromkeys(
                            elsewhere({f'{name}{{node_id="both"{labels},le="+Inf"}}': ""}), 5
                        ),
                    }
                    for name, labels in (
                        ("node_le:qudag_chunking_seconds_bucket:rate5m", ""),
                        ("node_le:qudag_node_rpc_seconds_bucket:rate5m", ""),
                        ("node_pool_le:qudag_pool_wait_seconds_bucket:rate5m", f",{_PEER}"),
                        ("node_operation_le:qudag_operation_seconds_bucket:rate5m", f",{_PUT}"),
                    )
                },
                **{
                    (name, _AT): {
                        f'{name}{{node_id="{node}",{labels}}}': 0.02425
                        for node in ("both", "scraped")
                    }
                    for name, labels in (
                        ("node_size:qudag_chunking_seconds:p95_5m", _SIZE),
                        ("node_rpc:qudag_node_rpc_seconds:p95_5m", _METHOD),
                    )
                },
            },
        ),
        Case(
            name="distributions of an export every four minutes",
            series={
                f'{metric}_bucket{{node_id="n1",{labels},le="{bound}"}}': counter(
                    (rate, 28), step=240
                )
                for metric, labels in _EACH
                for bound, rate in (("0.01", 0), ("0.025", 3), ("+Inf", 3))
            },
            interval=240,
            values={
                **{
                    (name, "25m"): {
                        f'{name}{{node_id="n1"{labels},le="{bound}"}}': rate
                        for bound, rate in (("0.01", 0), ("0.025", 3), ("+Inf", 3))
                    }
                    for name, labels in (
                        ("node_le:qudag_chunking_seconds_bucket:rate5m", ""),
                        ("node_le:qudag_node_rpc_seconds_bucket:rate5m", ""),
                        ("node_pool_le:qudag_pool_wait_seconds_bucket:rate5m", f",{_PEER}"),
                        ("node_operation_le:qudag_operation_seconds_bucket:rate5m", f",{_PUT}"),
                    )
                },
                **{
                    (name, "25m"): {f'{name}{{node_id="n1",{labels}}}': 0.02425}
                    for name, labels in (
                        ("node_size:qudag_chunking_seconds:p95_5m", _SIZE),
                        ("node_rpc:qudag_node_rpc_seconds:p95_5m", _METHOD),
                    )
                },
            },
        ),
        Case(
            name="an export every four minutes: the rate is that of a longer range",
            series={
                'qudag_message_throughput_total{node_id="n1"}': counter((3, 28), step=240),
                'qudag_swarm_tasks_completed_total{swarm_id="s1",status="success"}': counter(
                    (3, 28), step=240
                ),
                'qudag_chunking_duration_seconds_bucket{node_id="n1",le="0.01"}': counter(
                    (0, 28), step=240
                ),
                'qudag_chunking_duration_seconds_bucket{node_id="n1",le="0.025"}': counter(
                    (3, 28), step=240
                ),
                'qudag_chunking_duration_seconds_bucket{node_id="n1",le="+Inf"}': counter(
                    (3, 28), step=240
                ),
            },
            interval=240,
            # At 25 minutes the last five hold one sample.
            values={
                (name, "25m"): {f"{name}{{{labels}}}": value}
                for name, labels, value in (
                    ("node:qudag_messages:rate5m", 'node_id="n1"', 3),
                    ("swarm:qudag_tasks_succeeded:rate5m", 'swarm_id="s1"', 3),
                    ("node:qudag_chunking_seconds:p95_5m", 'node_id="n1"', 0.02425),
                )
            },
        ),
        Case(
            name="a process that ended is not counted for longer than it is seen",
            series={
                'qudag_message_throughput_total{node_id="n1"}': counter((3, 14)),
                'qudag_swarm_tasks_completed_total{swarm_id="s1",status="success"}': counter(
                    (3, 14)
                ),
                'qudag_message_throughput_total{node_id="n2"}': "0+45x60 stale",
                'qudag_chunking_duration_seconds_bucket{node_id="n1",le="+Inf"}': counter((3, 14)),
            },
            interval=15,
            values={
                ("node_le:qudag_chunking_seconds_bucket:rate5m", _AT): {},
                ("node:qudag_messages:rate5m", _AT): {},
                ("swarm:qudag_tasks_succeeded:rate5m", _AT): {},
            },
        ),
        Case(
            name="what takes little time has a 95th percentile, what does not happen has none",
            series=joined(
                histogram(
                    m.CHUNKING_DURATION, 'node_id="n1",message_size_bucket="small"', (2, 0.02, 20)
                ),
                histogram(
                    m.CHUNKING_DURATION, 'node_id="idle",message_size_bucket="small"', (0, 0.02, 20)
                ),
                histogram(m.TASK_LATENCY, 'swarm_id="s1",task_type="a"', (2, 0.02, 20)),
                histogram(m.TASK_LATENCY, 'swarm_id="s1",task_type="idle"', (0, 0.02, 20)),
            ),
            interval=15,
            values={
                # All are in the bucket from 0.01 to 0.025 s.
                **_is("node:qudag_chunking_seconds:p95_5m", 'node_id="n1"', 0.02425),
                **_is(
                    "swarm_task:qudag_task_seconds:p95_5m", 'swarm_id="s1",task_type="a"', 0.02425
                ),
            },
        ),
        Case(
            name="the pool: hits without misses, misses without hits, neither, waits",
            series=joined(
                _total("qudag_connection_pool_hits", _POOL, 3),
                _total("qudag_connection_pool_misses", _POOL, 1),
                _total("qudag_connection_pool_hits", 'node_id="n1",pool_type="hits"', 2),
                _total("qudag_connection_pool_misses", 'node_id="n2",pool_type="misses"', 5),
                _total("qudag_connection_pool_hits", 'node_id="n1",pool_type="idle"', 0),
                histogram(m.CONNECTION_WAIT_TIME, _POOL, (9, 0.2, 20)),
                histogram(m.CONNECTION_WAIT_TIME, f'{_POOL},instance="b"', (1, 0.4, 20)),
                histogram(m.CONNECTION_WAIT_TIME, 'node_id="n1",pool_type="idle"', (0, 0.4, 20)),
            ),
            interval=15,
            values={
                ("node_pool:qudag_pool_requests:rate5m", _AT): {
                    f"node_pool:qudag_pool_requests:rate5m{{{labels}}}": value
                    for labels, value in (
                        (_POOL, 4),
                        ('node_id="n1",pool_type="hits"', 2),
                        ('node_id="n2",pool_type="misses"', 5),
                        ('node_id="n1",pool_type="idle"', 0),
                    )
                },
                ("node_pool:qudag_pool_hit:ratio_rate5m", _AT): {
                    f"node_pool:qudag_pool_hit:ratio_rate5m{{{labels}}}": value
                    for labels, value in (
                        (_POOL, 0.75),
                        ('node_id="n1",pool_type="hits"', 1),
                        ('node_id="n2",pool_type="misses"', 0),
                    )
                },
                # 5% of 10 are half of the slower tenth: the middle of 0.25 to 0.5 s.
                **_is("node_pool:qudag_pool_wait_seconds:p95_5m", _POOL, 0.375),
            },
        ),
        Case(
            name="the cache: hits without misses, misses without hits",
            series=joined(
                _total("qudag_validation_cache_hits", 'node_id="n1",validation_type="a"', 3),
                _total("qudag_validation_cache_misses", 'node_id="n1",validation_type="b"', 1),
                _total("qudag_validation_cache_hits", 'node_id="n2",validation_type="a"', 2),
                _total("qudag_validation_cache_misses", 'node_id="n3",validation_type="a"', 5),
                _total("qudag_validation_cache_hits", 'node_id="idle",validation_type="a"', 0),
            ),
            interval=15,
            values={
                ("node:qudag_cache_lookups:rate5m", _AT): {
                    f'node:qudag_cache_lookups:rate5m{{node_id="{node}"}}': value
                    for node, value in (("n1", 4), ("n2", 2), ("n3", 5), ("idle", 0))
                },
                ("node:qudag_cache_hit:ratio_rate5m", _AT): {
                    f'node:qudag_cache_hit:ratio_rate5m{{node_id="{node}"}}': value
                    for node, value in (("n1", 0.75), ("n2", 1), ("n3", 0))
                },
            },
        ),
        Case(
            name="tasks: nine of ten succeed, in another swarm none",
            series=joined(
                _total(
                    "qudag_swarm_tasks_created", 'swarm_id="s1",task_type="a",priority="low"', 6
                ),
                _total(
                    "qudag_swarm_tasks_created", 'swarm_id="s1",task_type="b",priority="low"', 5
                ),
                _total(
                    "qudag_swarm_tasks_completed", 'swarm_id="s1",task_type="a",status="success"', 4
                ),
                _total(
                    "qudag_swarm_tasks_completed", 'swarm_id="s1",task_type="b",status="success"', 5
                ),
                _total(
                    "qudag_swarm_tasks_completed", 'swarm_id="s1",task_type="b",status="timeout"', 1
                ),
                _total(
                    "qudag_swarm_tasks_completed", 'swarm_id="s2",task_type="b",status="failure"', 1
                ),
                _total(
                    "qudag_swarm_tasks_completed",
                    'swarm_id="slow",task_type="b",status="success"',
                    0.2,
                ),
                _total(
                    "qudag_swarm_tasks_completed",
                    'swarm_id="idle",task_type="b",status="failure"',
                    0,
                ),
            ),
            interval=15,
            values={
                **_is("swarm:qudag_tasks_created:rate5m", 'swarm_id="s1"', 11),
                ("swarm:qudag_tasks_completed:rate5m", _AT): {
                    'swarm:qudag_tasks_completed:rate5m{swarm_id="s1"}': 10,
                    'swarm:qudag_tasks_completed:rate5m{swarm_id="s2"}': 1,
                    'swarm:qudag_tasks_completed:rate5m{swarm_id="slow"}': 0.2,
                    'swarm:qudag_tasks_completed:rate5m{swarm_id="idle"}': 0,
                },
                ("swarm:qudag_tasks_success:ratio_rate5m", _AT): {
                    'swarm:qudag_tasks_success:ratio_rate5m{swarm_id="s1"}': 0.9,
                    'swarm:qudag_tasks_success:ratio_rate5m{swarm_id="s2"}': 0,
                    'swarm:qudag_tasks_success:ratio_rate5m{swarm_id="slow"}': 1,
                },
            },
        ),
        Case(
            name="an operation: a tenth of the calls fails; another never did; a third is idle",
            series=joined(
                *(
                    {f'{_CALLS}_count{{{labels},outcome="{outcome}"}}': counter((rate, 20))}
                    for labels, outcome, rate in (
                        (_OPERATION, "ok", 8),
                        (_OPERATION, "expected", 1),
                        (_OPERATION, "error", 1),
                        ('node_id="n1",operation="store.put",component="other"', "ok", 2),
                        ('node_id="n1",operation="store.get",component="store"', "ok", 0),
                        ('node_id="n2",operation="store.put",component="store"', "ok", 3),
                        ('node_id="n3",operation="store.put",component="store"', "error", 0.2),
                    )
                ),
                histogram(m.OPERATION_DURATION, f'{_OPERATION},outcome="ok"', (9, 0.2, 20)),
                histogram(m.OPERATION_DURATION, f'{_OPERATION},outcome="error"', (1, 0.4, 20)),
                histogram(
                    m.OPERATION_DURATION,
                    'node_id="n1",operation="store.get",component="store",outcome="ok"',
                    (0, 0.4, 20),
                ),
            ),
            interval=15,
            values={
                ("node_operation:qudag_operation_calls:rate5m", _AT): {
                    f"node_operation:qudag_operation_calls:rate5m{{{labels}}}": value
                    for labels, value in (
                        (_OPERATION, 10),
                        ('node_id="n1",operation="store.put",component="other"', 2),
                        ('node_id="n1",operation="store.get",component="store"', 0),
                        ('node_id="n2",operation="store.put",component="store"', 3),
                        ('node_id="n3",operation="store.put",component="store"', 0.2),
                    )
                },
                ("node_operation:qudag_operation_errors:ratio_rate5m", _AT): {
                    f"node_operation:qudag_operation_errors:ratio_rate5m{{{labels}}}": value
                    for labels, value in (
                        (_OPERATION, 0.1),
                        ('node_id="n1",operation="store.put",component="other"', 0),
                        ('node_id="n2",operation="store.put",component="store"', 0),
                        ('node_id="n3",operation="store.put",component="store"', 1),
                    )
                },
                **_is("node_operation:qudag_operation_seconds:p95_5m", _OPERATION, 0.375),
            },
        ),
    ),
)

SCENARIOS: Final = (RECORDED,)
