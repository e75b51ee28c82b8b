"""The dashboards: which panels, in which order, under which ids."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qudag_otel.catalogue import Panel, uids
from qudag_otel.dashboards._view import Board, Placed, Section, View
from qudag_otel.dashboards.views import (
    alerts,
    baselines,
    cache,
    further,
    host,
    logs,
    machines,
    messages,
    nodes,
    objectives,
    operations,
    pool,
    status,
    swarm,
    telemetry,
    traces,
)

_HEADLINES: Final = {
    Panel.MESSAGE_THROUGHPUT: messages.THROUGHPUT,
    Panel.CHUNK_PROCESSING: messages.CHUNKING_P95,
    Panel.CONNECTION_POOL: pool.HIT_RATE,
    Panel.VALIDATION_CACHE: cache.HIT_RATE,
    Panel.SWARM_COORDINATION: swarm.TASK_P95,
    Panel.SYSTEM_HEALTH: operations.HEALTH,
    Panel.RESOURCE_USAGE: host.USAGE,
    Panel.PERFORMANCE_BASELINES: baselines.COMPARED,
}
"""What stands for each area at first sight."""

_ROWS: Final[dict[Panel, tuple[View, ...]]] = {
    Panel.MESSAGE_THROUGHPUT: (messages.BY_DIRECTION, messages.BY_TYPE, messages.OUTBOUND),
    Panel.CHUNK_PROCESSING: (messages.CHUNKS, messages.COMPRESSION, messages.CHUNKING_HEATMAP),
    Panel.CONNECTION_POOL: (pool.CONNECTIONS, pool.REQUESTS, pool.WAIT_HEATMAP),
    Panel.VALIDATION_CACHE: (cache.LOOKUPS, cache.MEMORY, cache.EVICTIONS),
    Panel.SWARM_COORDINATION: (
        swarm.CREATED_AND_ENDED,
        swarm.QUEUE,
        swarm.UTILIZATION,
        swarm.LATENCY_HEATMAP,
    ),
    Panel.SYSTEM_HEALTH: (
        operations.ERRORS_BY_TYPE,
        operations.COMPONENTS,
        operations.P95_OF_ALL,
        operations.ACTIVE_OF_ALL,
    ),
    Panel.RESOURCE_USAGE: (host.CPU, host.MEMORY, host.RESOURCES),
    Panel.PERFORMANCE_BASELINES: (
        baselines.MESSAGES_BAND,
        baselines.TASKS_BAND,
        baselines.CHUNKING_BAND,
        baselines.CACHE_BAND,
        baselines.TASKS_COMPARED,
        baselines.ROBUST_BAND,
    ),
}
"""What one looks at next in each area, without leaving the overview."""

_ROW_WIDTHS: Final = {3: 8, 4: 6, 6: 8}
"""The width of each panel of a row, by how many there are: full lines of 24 columns."""


def _row(number: int, panel: Panel) -> Section:
    views = _ROWS[panel]
    width = _ROW_WIDTHS[len(views)]
    return Section(
        panel.value,
        tuple(Placed(10 * number + n, view, width) for n, view in enumerate(views, start=1)),
        panel_id=10 * number,
        folded=True,
    )


OVERVIEW: Final = Board(
    uid=uids.OVERVIEW,
    title="QuDAG Overview",
    description=(
        "Is it healthy, and if not, where? Read from the upper left: how many alerts, in which "
        "area, which ones; then the eight areas, and below them each area's own row."
    ),
    sections=(
        Section(
            "",
            (
                Placed(91, status.FIRING, 6, 4),
                Placed(94, status.AREAS, 9, 8),
                Placed(93, status.ALERT_STATES, 9, 8),
                Placed(92, status.NODES, 6, 4),
                *(
                    Placed(uids.PANELS[panel].panel_id, view, 6, 8)
                    for panel, view in _HEADLINES.items()
                ),
            ),
        ),
        *(_row(number, panel) for number, panel in enumerate(Panel, start=1)),
    ),
)

MESSAGES: Final = Board(
    uid=uids.MESSAGES,
    title="QuDAG Messages and Chunks",
    description="How many messages pass, how many fail, how long does chunking take?",
    sections=(
        Section(
            "Messages",
            (
                Placed(11, messages.THROUGHPUT_ALONE),
                Placed(12, messages.INBOUND),
                Placed(13, messages.OUTBOUND),
                Placed(14, messages.BY_TYPE),
                Placed(15, messages.BY_DIRECTION),
                Placed(16, operations.ERRORS),
            ),
            panel_id=10,
        ),
        Section(
            "Chunks",
            (
                Placed(21, messages.CHUNKS),
                Placed(22, messages.CHUNKING_BY_SIZE),
                Placed(24, messages.COMPRESSION),
                Placed(23, messages.CHUNKING_HEATMAP, 12),
                Placed(25, baselines.CHUNKING_BAND, 12),
            ),
            panel_id=20,
        ),
    ),
)

POOL_CACHE: Final = Board(
    uid=uids.POOL_CACHE,
    title="QuDAG Pool and Cache",
    description="Are connection pools and caches used well, full, or missing?",
    sections=(
        Section(
            "Connection pool",
            (
                Placed(11, pool.IN_USE),
                Placed(12, pool.CONNECTIONS),
                Placed(13, pool.WAIT),
                Placed(14, pool.HIT_RATE_ALONE),
                Placed(15, pool.REQUESTS),
                Placed(16, pool.WAIT_HEATMAP),
            ),
            panel_id=10,
        ),
        Section(
            "Validation cache",
            (
                Placed(21, cache.HIT_RATE_BY_TYPE),
                Placed(22, cache.LOOKUPS),
                Placed(23, baselines.CACHE_BAND),
                Placed(24, cache.MEMORY, 12),
                Placed(25, cache.EVICTIONS, 12),
            ),
            panel_id=20,
        ),
    ),
)

SWARM: Final = Board(
    uid=uids.SWARM,
    title="QuDAG Swarm and Agents",
    description="Do tasks get done in time, do they wait, and what are the agents doing?",
    sections=(
        Section(
            "Tasks",
            (
                Placed(11, swarm.CREATED_AND_ENDED),
                Placed(12, swarm.BY_STATUS),
                Placed(13, swarm.SUCCESS),
                Placed(14, swarm.TASK_P95_ALONE),
                Placed(15, swarm.LATENCY_HEATMAP),
                Placed(16, baselines.TASKS_BAND),
            ),
            panel_id=10,
        ),
        Section(
            "Queue",
            (
                Placed(21, swarm.QUEUE),
                Placed(22, swarm.QUEUE_BY_PRIORITY),
                Placed(23, swarm.CREATED_BY_PRIORITY),
            ),
            panel_id=20,
        ),
        Section(
            "Agents",
            (Placed(31, swarm.UTILIZATION, 12), Placed(32, swarm.AGENTS, 12)),
            panel_id=30,
        ),
    ),
)

OPERATIONS: Final = Board(
    uid=uids.OPERATIONS,
    title="QuDAG Operations",
    description="Which instrumented operation is called how often, fails, or is slow?",
    sections=(
        Section(
            "Operations",
            (
                Placed(11, operations.RATE),
                Placed(12, operations.ERROR_SHARE),
                Placed(13, operations.P95),
                Placed(14, operations.SLOWEST, 12),
                Placed(15, operations.HEATMAP, 12),
            ),
            panel_id=10,
        ),
        Section(
            "Calls",
            (Placed(21, operations.OUTCOMES, 12), Placed(22, operations.ACTIVE, 12)),
            panel_id=20,
        ),
        Section(
            "Errors and health",
            (
                Placed(31, operations.ERRORS),
                Placed(32, operations.ERRORS_BY_TYPE),
                Placed(33, operations.COMPONENTS),
            ),
            panel_id=30,
        ),
    ),
    variables=("datasource", "node_id", "swarm_id", "component", "operation", "interval"),
)

HOST: Final = Board(
    uid=uids.HOST,
    title="QuDAG Host",
    description="Does a node's host have CPU, memory, disk and network left?",
    sections=(
        Section(
            "",
            (
                Placed(11, host.CPU, 12),
                Placed(12, host.MEMORY, 12),
                Placed(13, host.CORES),
                Placed(14, host.MEMORY_BYTES),
                Placed(15, host.RESOURCES),
            ),
        ),
        Section(
            "Machines, as their agents measure them",
            (
                Placed(21, machines.FILESYSTEMS),
                Placed(22, machines.BUSY),
                Placed(23, machines.DISKS),
                Placed(24, machines.NETWORK),
                Placed(25, machines.NETWORK_FAULTS),
                Placed(26, machines.LOAD),
                Placed(27, machines.MEMORY),
            ),
            panel_id=20,
        ),
    ),
)

TRACES: Final = Board(
    uid=uids.TRACES,
    title="QuDAG Traces",
    description="Who calls whom, which spans are slow or fail, and what happened in one request?",
    sections=(
        Section(
            "",
            (
                Placed(11, traces.GRAPH, 12, 10),
                Placed(12, traces.EDGES, 12, 10),
                Placed(13, traces.CALLS),
                Placed(14, traces.FAILURES),
                Placed(15, traces.DURATION),
                Placed(16, traces.SPANS, 24),
            ),
        ),
        Section(
            "Single traces",
            (Placed(21, traces.LATEST), Placed(22, traces.ERRORS), Placed(23, traces.SLOW)),
            panel_id=20,
        ),
    ),
    variables=("datasource", "jaeger", "node_id", "swarm_id", "service", "slow", "interval"),
)

LOGS: Final = Board(
    uid=uids.LOGS,
    title="QuDAG Logs",
    description="What did the components write, and in which trace?",
    sections=(
        Section(
            "",
            (
                Placed(11, logs.VOLUME, 12),
                Placed(12, logs.BY_COMPONENT, 12),
                Placed(13, logs.PROBLEMS, 12, 12),
                Placed(14, logs.SPECIAL, 12, 12),
                Placed(15, logs.ALL, 24, 14),
            ),
        ),
    ),
    variables=(
        "datasource",
        "victorialogs",
        "node_id",
        "swarm_id",
        "log_service",
        "search",
        "interval",
    ),
)

TELEMETRY: Final = Board(
    uid=uids.TELEMETRY,
    title="QuDAG Telemetry Health",
    description="Does all telemetry arrive, and is it fresh? If not, no other dashboard is right.",
    sections=(
        Section(
            "",
            (
                Placed(11, telemetry.LOSS),
                Placed(12, telemetry.QUEUES),
                Placed(13, telemetry.FRESHNESS),
                Placed(14, telemetry.TARGETS, 16),
                Placed(15, telemetry.SILENT),
                Placed(16, telemetry.APPLICATION_LOSS),
                Placed(17, telemetry.COST),
            ),
        ),
        Section(
            "Collectors",
            (
                Placed(21, telemetry.COLLECTORS),
                Placed(22, telemetry.RECEIVED),
                Placed(23, telemetry.SENT),
                Placed(24, telemetry.SAMPLING),
                Placed(25, telemetry.COLLECTOR_MEMORY),
                Placed(26, telemetry.COLLECTOR_CPU),
            ),
            panel_id=20,
        ),
    ),
)

OBJECTIVES: Final = Board(
    uid=uids.OBJECTIVES,
    title="QuDAG Objectives",
    description="Do operations keep their promises, and how long does the error budget last?",
    sections=(
        Section(
            "",
            (
                Placed(11, objectives.BUDGET, 12),
                Placed(12, objectives.BURN, 12),
                Placed(13, objectives.WINDOWED, 24),
                Placed(14, objectives.BAD, 12),
                Placed(15, objectives.ALLOWANCE, 12),
            ),
        ),
    ),
    variables=("datasource", "node_id", "swarm_id", "component", "operation", "interval"),
    hours=6,
)

NODES: Final = Board(
    uid=uids.NODES,
    title="QuDAG Nodes",
    description="Do the nodes answer, have they peers, do they get on? Read from their RPC.",
    sections=(
        Section(
            "",
            (
                Placed(11, nodes.UP, 12),
                Placed(12, nodes.STATES, 6),
                Placed(13, nodes.RESTARTS, 6),
                Placed(14, nodes.PEERS),
                Placed(15, nodes.VERTICES),
                Placed(16, nodes.UPTIME),
            ),
        ),
        Section(
            "RPC",
            (
                Placed(21, nodes.RPC_P95),
                Placed(22, nodes.RPC_HEATMAP),
                Placed(23, nodes.RPC_FAILED),
            ),
            panel_id=20,
        ),
        Section(
            "What only some releases measure",
            (
                Placed(31, nodes.MESSAGES, 12),
                Placed(32, nodes.IO, 12),
                Placed(33, nodes.TIPS),
                Placed(34, nodes.PENDING),
                Placed(35, nodes.MEMORY),
            ),
            panel_id=30,
        ),
    ),
)

ALERTS: Final = Board(
    uid=uids.ALERTS,
    title="QuDAG Alerts",
    description="What does an alert compare, with what? Each draws its rule's own expression.",
    sections=(
        Section("", (Placed(901, status.FIRING, 6), Placed(902, status.ALERT_STATES, 18))),
        *alerts.sections(),
    ),
)

PERFORMANCE: Final = Board(
    uid=uids.PERFORMANCE,
    title="QuDAG Performance",
    description="The eight areas alone, under the uid that the original's one dashboard had.",
    sections=(
        Section(
            "",
            tuple(
                Placed(uids.PANELS[panel].panel_id, view, 12, 8)
                for panel, view in _HEADLINES.items()
            ),
        ),
    ),
)

_DRAWN: Final = (
    OVERVIEW,
    MESSAGES,
    POOL_CACHE,
    SWARM,
    OPERATIONS,
    HOST,
    TRACES,
    LOGS,
    TELEMETRY,
    OBJECTIVES,
    NODES,
    ALERTS,
    PERFORMANCE,
)

BOARDS: Final = tuple(
    replace(board, sections=(*board.sections, *further.sections(_DRAWN)))
    if board is OPERATIONS
    else board
    for board in _DRAWN
)
"""Every dashboard, the overview first; what none of them draws is a row of the operations'."""
