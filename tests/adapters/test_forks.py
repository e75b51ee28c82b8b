"""A forked child counts what it does itself, and holds none of its parent's connections."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import functools, os, queue, sys
import sqlalchemy
from opentelemetry.instrumentation.qudag.adapters.lru_cache import LruCacheInstrumentor
from opentelemetry.instrumentation.qudag.adapters.queues import QueueInstrumentor
from opentelemetry.instrumentation.qudag.adapters.sqlalchemy import SqlalchemyPoolInstrumentor
from qudag_otel.testing import capture

def connections():
    return [telemetry.value("qudag_active_connections", state=s) for s in ("active", "idle")]

def hits():
    name = "__main__.double"
    return telemetry.value("qudag_validation_cache_hits_total", validation_type=name)

with capture() as telemetry:
    for one in (LruCacheInstrumentor, QueueInstrumentor, SqlalchemyPoolInstrumentor):
        one().instrument()

    @functools.lru_cache
    def double(number):
        return 2 * number

    functools.lru_cache(functools.partial(int, base=2))("1")  # has no name

    orders = queue.Queue()
    QueueInstrumentor().watch(orders, "orders")
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.QueuePool)
    held = engine.connect()
    engine.connect().close()
    for _ in range(5):
        double(1)
    orders.mutex.acquire()  # as another thread may have at any moment
    child = os.fork()
    if child:
        orders.mutex.release()
        assert os.waitpid(child, 0)[1] == 0
        print("parent", hits(), connections())
        sys.exit()
    double(1)
    double(1)
    print("child", hits(), connections(), telemetry.value("qudag_swarm_queue_depth"))
    engine.dispose(close=False)
    mine = engine.connect()
    used = sum(one.value for one in telemetry.points("db.client.connection.use_time"))
    print("child", connections(), used, flush=True)
    os._exit(0)
"""


def test_forked_child_reports_what_is_its_own() -> None:
    """Counts begin at the fork; a pool is empty until the child uses it; no lock is waited for."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "child 2 [0, 0] 0",
        "child [1, 0] 0",
        "parent 4 [1, 1]",
    ], ended.stdout + ended.stderr
