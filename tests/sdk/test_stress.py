"""Ends at random moments of start, fork, export and exit: every process ends, again and again.

A few rounds in each run of the tests; `make stress` makes it thousands. A failure names its seed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.sdk import programs
from tests.sdk.deployments import DEPLOYMENTS, interrupted
from tests.sdk.receiver import Receiver
from tests.sdk.test_deployments import label
from tests.sdk.test_otlp import environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

LONG = bool(os.environ.get("QUDAG_STRESS"))
SEED = int(os.environ.get("QUDAG_STRESS_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
COMMAND = (sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning")

FORKING = """
    import os, random, signal, sys, threading, time
    from opentelemetry import metrics, trace
    from qudag_otel import configure, instrumented

    configure(logs_exporter="none")
    dice = random.Random({seed})
    counter = metrics.get_meter("t").create_counter("done")

    @instrumented(name="work")
    def work(times):
        for _ in range(times):
            counter.add(1)

    stop = threading.Event()

    def load():
        while not stop.wait(0.001):
            work(3)

    def child(how, times):
        for _ in range(times):
            work(1)
        if how == "fork":
            grandchild = os.fork()
            work(1)
            if grandchild:
                ended(grandchild)
        elif how == "sleep":
            time.sleep(60)
        elif how == "exit":
            os._exit(0)
        elif how == "thread":
            threading.Thread(target=work, args=(1,)).start()

    def ended(pid, told=False):
        began = time.monotonic()
        again = told and began + 8
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            now = time.monotonic()
            if now > began + 20:
                os.kill(pid, signal.SIGABRT)
                sys.exit(f"{{pid}} did not end")
            if again and now > again:
                # Python itself acts on a signal that comes just before the main thread begins
                # to wait when that wait ends; nobody ends a sleep but another signal.
                os.kill(pid, signal.SIGTERM)
                again = 0
            time.sleep(0.002)

    def fork(how, delay, times):
        pid = os.fork()
        if pid == 0:
            child(how, times)
            return True
        time.sleep(delay)
        told = delay or how == "sleep"
        if told:
            os.kill(pid, signal.SIGTERM)
        ended(pid, told)
        return False

    threading.Thread(target=load, daemon=True).start()
    for _ in range({rounds}):
        how = dice.choice(["fork", "sleep", "exit", "thread", "return"])
        if fork(how, dice.choice([0, dice.random() / 50]), dice.randrange(5)):
            break  # the child, which ends as a program does
    else:
        stop.set()
        print("all ended")
"""


def test_children_end_whenever_they_are_told_to(tmp_path: Path, receiver: Receiver) -> None:
    """Forked under load, told to end within 20 ms or left alone, by each way of ending.

    Over HTTP: what gRPC's library makes of a fork is its own affair, see docs/workers.md.
    """
    rounds = 1000 if LONG else 12
    process = programs.start(
        tmp_path,
        FORKING.format(seed=SEED, rounds=rounds),
        environment(
            receiver, "http/protobuf", OTEL_BSP_SCHEDULE_DELAY="5", OTEL_METRIC_EXPORT_INTERVAL="5"
        ),
        command=COMMAND,
    )
    out, err = programs.finish(process, seconds=rounds * 5)
    assert out.endswith("all ended\n"), f"seed {SEED}: {process.returncode}\n{err}"


def test_programs_end_whenever_they_are_told_to(tmp_path: Path, receiver: Receiver) -> None:
    """During imports, set-up, work and the end of the interpreter."""
    dice = random.Random(SEED)
    code = """
    from qudag_otel import configure, instrumented

    telemetry = configure()

    @instrumented
    def work():
        pass

    for _ in range(100):
        work()
    """
    for _ in range(300 if LONG else 3):
        process = programs.start(tmp_path, code, environment(receiver, "http/protobuf"))
        time.sleep(dice.random() * 2)
        process.send_signal(signal.SIGTERM)
        programs.finish(process)
        assert process.returncode in {0, -signal.SIGTERM}, SEED


def test_services_end_whenever_they_are_told_to(tmp_path: Path) -> None:
    """While they boot, serve and restart workers; what they have answered has arrived then."""
    dice = random.Random(SEED)
    for number in range(120 if LONG else 1):
        deployment = dice.choice(DEPLOYMENTS)
        folder = tmp_path / str(number)
        folder.mkdir()
        with Receiver() as receiver:
            seconds = dice.random() * 5
            seen, arrived, err = interrupted(deployment, folder, receiver, seconds)
        assert arrived >= seen, f"{SEED}: {label(deployment)} after {seconds:.2f} s: {err}"
