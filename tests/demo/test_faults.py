"""Every fault does what it says, as /metrics shows it, and is mended at its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psutil
import pytest

from qudag_otel.catalogue import metrics as m
from qudag_otel.cli import _readings as r
from qudag_otel.cli._history import History
from qudag_otel.cli._scrape import scrape
from qudag_otel.demo.cluster import Cluster, node_names
from qudag_otel.demo.faults import FAULTS, Fault, FaultError, inject, parse
from qudag_otel.demo.load import Load
from tests.demo.programs import eventually, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.demo.network import Node


def _shows(fault: str, effect: Callable[[History], object], *words: str) -> None:
    """Run the demo with a fault until its metrics show the effect."""
    with running("demo", "--headless", "--rate", "60", "--fault", fault, *words) as demo:
        (url,) = demo.metrics_urls()
        demo.wait_for("begins")
        history = History(3.0)

        def seen() -> object:
            history.add([scrape(url)])
            return effect(history)

        eventually(seen, f"the effect of {fault}")


def test_cold_cache_lowers_the_hit_rate() -> None:
    """Emptied caches answer few lookups, and say that their entries were removed."""

    def effect(history: History) -> bool:
        removed = history.values(m.CACHE_EVICTIONS, ("node_id",), reason="explicit")
        rates = r.cache_hit_rate(history)
        return len(rates) == 3 and max(rates.values()) < 0.5 and min(removed.values()) > 10

    _shows("cold-cache=0.02", effect)


def test_pool_exhausted_leaves_no_idle_connection_and_refuses() -> None:
    """Held connections are active, none is idle, and whoever waits for one gets an error."""

    def effect(history: History) -> bool:
        idle = history.values(m.ACTIVE_CONNECTIONS, ("node_id",), state="idle")
        active = history.values(m.ACTIVE_CONNECTIONS, ("node_id",), state="active")
        refused = history.values(
            m.ERRORS, (), component="pool", error_type="qudag_otel.demo.pool.PoolExhaustedError"
        )
        return max(idle.values(), default=1) == 0 and min(active.values()) == 16 and bool(refused)

    _shows("pool-exhausted", effect)


def test_slow_task_makes_queues_grow_and_agents_busy() -> None:
    """Slow agents are busy all the time, tasks wait for them, and the latency shows it."""

    def effect(history: History) -> bool:
        latency = history.quantile(m.TASK_LATENCY, 0.95, ("swarm_id",))
        return (
            min(history.values(m.QUEUE_DEPTH, ("swarm_id",)).values(), default=0) > 20
            and min(r.utilization(history).values()) > 0.9
            and max(latency.values(), default=0) > 0.5
        )

    _shows("slow-task=1", effect)


def test_error_burst_has_signatures_refused() -> None:
    """Forged signatures are errors of their class at the receiver, and no file passes."""

    def effect(history: History) -> bool:
        refused = history.values(
            m.ERRORS,
            ("node_id",),
            component="messages",
            error_type="qudag_otel.demo.signing.InvalidSignatureError",
        )
        return len(refused) == 3

    _shows("error-burst=1", effect)


def test_stall_stops_the_messages() -> None:
    """No message passes any node while the network stalls."""
    _shows("stall@1", lambda h: max(r.throughput(h).values(), default=1) == 0)


@pytest.mark.parametrize(
    ("fault", "measure", "least"),
    [
        ("cpu=2", lambda process: sum(process.cpu_times()[:2]), 5),
        ("memory=150", lambda process: process.memory_info().rss, 150 << 20),
    ],
    ids=["cpu", "memory"],
)
def test_fault_of_the_host_uses_it_up(
    fault: str, measure: Callable[[psutil.Process], float], least: float
) -> None:
    """The process takes what the fault says, on top of what the network takes."""
    with running("demo", "--headless", "--rate", "1", "--fault", fault) as demo:
        process = psutil.Process(demo.process.pid)
        demo.wait_for("begins")
        before = measure(process)
        eventually(lambda: measure(process) - before > least * 0.9, fault)


def test_cpu_and_memory_are_given_back() -> None:
    """When the faults of the host end, nothing of them is left in the process."""
    process = psutil.Process()
    before = process.memory_info().rss
    threads = process.num_threads()
    _injected([Fault("memory", 200, 0, 0.5), Fault("cpu", 2, 0, 0.1)])
    assert process.memory_info().rss - before < 100 << 20
    assert process.num_threads() <= threads + 5  # the loop's own pool may stay


def _state(node: Node, load: Load) -> tuple[object, ...]:
    return node.task_delay_seconds, load.forged_share, load.flowing.is_set(), node.pool.active


def _injected(ordered: list[Fault]) -> tuple[list[str], list[tuple[object, ...]]]:
    """Inject faults into an idle network; what was told, and the state before and after."""
    told: list[str] = []
    states: list[tuple[object, ...]] = []

    async def run() -> None:
        names = node_names(2)
        cluster = Cluster(names, names, 0)
        load = Load([], 1.0, 0)
        await cluster.start()
        try:
            states.append(_state(cluster.nodes[0], load))
            async with asyncio.timeout(60):
                await asyncio.gather(
                    *(inject(fault, cluster, load, told.append) for fault in ordered)
                )
            states.append(_state(cluster.nodes[0], load))
        finally:
            await cluster.quiesce()
            await cluster.stop()

    asyncio.run(run())
    return told, states


@pytest.mark.parametrize("name", [name for name, kind in FAULTS.items() if not kind.of_host])
def test_fault_over_leaves_the_network_as_it_was(name: str) -> None:
    """When its time is over, a fault says so, and nothing of it is left."""
    told, (before, after) = _injected([Fault(name, FAULTS[name].amount, 0.0, 0.01)])
    assert told == [f"fault {name} begins", f"fault {name} ends"]
    assert before == after


def test_parse_whole_spelling() -> None:
    """Name, amount, start and length are read; what is left out has its default."""
    assert parse("slow-task=2.5@10+30") == Fault("slow-task", 2.5, 10.0, 30.0)
    assert parse("stall@1") == Fault("stall", 1.0, 1.0, None)
    assert parse("memory") == Fault("memory", 512.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("slow", "there is no fault 'slow'; choose cold-cache"),
        ("slow-task=", "is not NAME"),
        ("slow-task+3", "is not NAME"),
        ("slow-task=1.2.3", "not a number"),
        ("slow-task=0", "above 0"),
        ("error-burst=1.5", "up to 1"),
        ("", "is not NAME"),
    ],
)
def test_parse_what_cannot_be_ordered_says_why(text: str, problem: str) -> None:
    """A fault that is misspelled, unknown or out of range is refused with a sentence."""
    with pytest.raises(FaultError, match=problem):
        parse(text)
