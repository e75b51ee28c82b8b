"""The end of the program: flushed, in bounded time, with few words."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import urllib.request
from typing import TYPE_CHECKING

import pytest
from opentelemetry import metrics

from qudag_otel.sdk import _providers, configure
from tests.sdk import programs
from tests.sdk.test_otlp import PROTOCOLS, environment

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.sdk.receiver import Receiver

NOTHING = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
RECORDING = """
    import logging, signal, sys, threading, time
    from opentelemetry import metrics, trace
    from qudag_otel.sdk import configure

    telemetry = configure()
    with trace.get_tracer("t").start_as_current_span("work"):
        metrics.get_meter("t").create_counter("done").add(1)
        logging.getLogger("app").warning("said")
"""
WAITING = """
    print("ready", flush=True)
    while True:
        time.sleep(60)
"""


def everything_arrived(receiver: Receiver) -> None:
    """Check that one span, the metric and one record arrived."""
    assert receiver.span_names() == ["work"]
    assert "done" in receiver.metric_names()
    assert receiver.log_bodies() == ["said"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_exit_normal_sends_everything(tmp_path: Path, receiver: Receiver, protocol: str) -> None:
    """A program that just ends has sent all it recorded, and written nothing of ours."""
    out, err = programs.run(tmp_path, RECORDING, environment(receiver, protocol))
    assert (out, err.strip()) == ("", "said")
    everything_arrived(receiver)
    assert "qudag.process.ended" in receiver.metric_names()


def test_exit_by_exception_sends_everything(tmp_path: Path, receiver: Receiver) -> None:
    """A program that dies of an exception has sent all it recorded."""
    process = programs.start(
        tmp_path, RECORDING + "\n    raise ValueError('on purpose')", environment(receiver, "grpc")
    )
    _, err = programs.finish(process)
    assert "on purpose" in err
    everything_arrived(receiver)
    # It did not end on purpose: the node counts as absent.
    assert "qudag.process.ended" not in receiver.metric_names()


def await_ready(process: subprocess.Popen[str]) -> None:
    """Wait until the program says so."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sigterm_default_sends_everything_and_dies_of_the_signal(
    tmp_path: Path, receiver: Receiver, protocol: str
) -> None:
    """SIGTERM flushes and then kills as if nobody had handled it."""
    process = programs.start(tmp_path, RECORDING + WAITING, environment(receiver, protocol))
    await_ready(process)
    process.send_signal(signal.SIGTERM)
    programs.finish(process)
    assert process.returncode == -signal.SIGTERM
    everything_arrived(receiver)


def test_sigterm_application_handler_is_called_and_everything_sent(
    tmp_path: Path, receiver: Receiver
) -> None:
    """A handler set before configure() still decides how the program ends."""
    handler = """
    import signal, sys
    def handler(number, frame):
        print("handled", flush=True)
        sys.exit(3)
    signal.signal(signal.SIGTERM, handler)
    """
    process = programs.start(tmp_path, handler + RECORDING + WAITING, environment(receiver, "grpc"))
    await_ready(process)
    process.send_signal(signal.SIGTERM)
    out, _ = programs.finish(process)
    assert (process.returncode, out) == (3, "handled\n")
    everything_arrived(receiver)


def test_sigterm_while_a_lock_of_telemetry_is_held_still_ends(
    tmp_path: Path, receiver: Receiver
) -> None:
    """The signal may come while the main thread records; nothing waits for what it holds."""
    busy = """
    counter = metrics.get_meter("t").create_counter("busy")
    print("ready", flush=True)
    while True:
        counter.add(1)
    """
    process = programs.start(tmp_path, RECORDING + busy, environment(receiver, "grpc"))
    await_ready(process)
    process.send_signal(signal.SIGTERM)
    programs.finish(process)
    assert process.returncode == -signal.SIGTERM
    everything_arrived(receiver)


@pytest.mark.parametrize(
    ("former", "returncode", "written"),
    [
        ("signal.SIG_DFL", -signal.SIGTERM, ""),
        ("signal.SIG_IGN", 0, "on\n"),
        ("lambda *_: (print('former', flush=True), sys.exit(7))", 7, "former\n"),
    ],
)
@pytest.mark.parametrize("thread", [True, False])
def test_sigterm_after_shutdown_does_what_it_did_before_configure(
    tmp_path: Path, former: str, returncode: int, written: str, thread: bool
) -> None:
    """Whichever thread shut down, and also after another set-up in between."""
    process = programs.start(
        tmp_path,
        f"""
    import os, signal, sys, threading, time
    from qudag_otel.sdk import configure

    signal.signal(signal.SIGTERM, {former})
    for _ in range(2):
        telemetry = configure()
        if {thread}:
            ending = threading.Thread(target=telemetry.shutdown)
            ending.start()
            ending.join()
        else:
            telemetry.shutdown()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.01)
    print("on")
    """,
        NOTHING,
    )
    out, _ = programs.finish(process)
    assert (process.returncode, out) == (returncode, written)


def test_sigterm_while_telemetry_hangs_ends_in_bounded_time(tmp_path: Path) -> None:
    """Not even a processor of the application that never returns keeps the process alive."""
    process = programs.start(
        tmp_path,
        """
    import threading, time
    from qudag_otel.sdk import _lifecycle, configure
    from opentelemetry.sdk.trace import SpanProcessor

    class Hanging(SpanProcessor):
        def shutdown(self):
            threading.Event().wait()

    _lifecycle.CLOSE_SECONDS = _lifecycle._SLACK_SECONDS = 0.1  # instead of five and one
    configure(span_processors=[Hanging()])
    print("ready", flush=True)
    while True:
        time.sleep(60)
    """,
        NOTHING,
    )
    await_ready(process)
    process.send_signal(signal.SIGTERM)
    programs.finish(process)
    assert process.returncode == -signal.SIGTERM


def test_raised_signal_with_its_default_action_restored_sends_everything(
    tmp_path: Path, receiver: Receiver
) -> None:
    """As uvicorn ends: a handler over ours, the default action restored, the signal once more."""
    process = programs.start(
        tmp_path,
        """
    import signal
    signal.signal(signal.SIGTERM, lambda *_: None)
    """
        + RECORDING
        + """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTERM)
    """,
        environment(receiver, "http/protobuf"),
    )
    programs.finish(process)
    assert process.returncode == -signal.SIGTERM
    everything_arrived(receiver)


def test_raise_signal_is_the_library_s_own_again_after_shutdown(tmp_path: Path) -> None:
    """What stands for it meanwhile is taken back."""
    out, _ = programs.run(
        tmp_path,
        """
    import signal
    from qudag_otel.sdk import configure
    own = signal.raise_signal
    telemetry = configure()
    assert signal.raise_signal != own
    telemetry.shutdown()
    print(signal.raise_signal is own)
    """,
        NOTHING,
    )
    assert out == "True\n"


@pytest.mark.parametrize("broken", ["add_exporters", "build_meter_provider", "fast_path"])
def test_set_up_that_fails_half_way_gives_everything_back(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """No port, thread or handler is left, and the next set-up works."""
    settings = {
        "OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_PROMETHEUS_PORT": str(free_port()),
    }  # fmt: skip
    before = signal.getsignal(signal.SIGTERM)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(_providers, broken, fail)
        with pytest.raises(KeyboardInterrupt):
            configure(environ=settings)
    assert not [t.name for t in threading.enumerate() if t.name.startswith("qudag-otel")]
    assert signal.getsignal(signal.SIGTERM) == before
    telemetry = configure(environ=settings)
    assert telemetry.metrics_url is not None
    metrics.get_meter("t").create_counter("c").add(1)
    with urllib.request.urlopen(telemetry.metrics_url) as page:
        assert b"c_total 1" in page.read()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_exit_collector_down_is_bounded_and_says_little(tmp_path: Path, protocol: str) -> None:
    """Without a collector the program ends long before the exporter's timeout, with few lines."""
    _, err = programs.run(
        tmp_path,
        RECORDING,
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "60000",
        },
    )
    lines = [line for line in err.splitlines() if line != "said"]
    assert len(lines) == 3, err  # one a signal
    assert all("cannot be exported to http://127.0.0.1:" in line for line in lines)
    # Having ended is the point: by itself the exporter would retry for its 60 s, and
    # `programs.run` gives up before that.


def test_exit_collector_hangs_is_bounded(tmp_path: Path) -> None:
    """A collector that accepts and never answers does not keep the program from ending."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        programs.run(
            tmp_path,
            RECORDING,
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "60000",
            },
        )


def test_outage_long_says_when_it_begins_and_ends(tmp_path: Path, receiver: Receiver) -> None:
    """An outage is one line when it begins and one when it is over; later data arrives."""
    down = [True]
    receiver.failing = lambda: down[0]
    code = """
    import sys
    from opentelemetry import trace
    from qudag_otel.sdk import configure

    telemetry = configure()
    for line in sys.stdin:
        trace.get_tracer("t").start_span(line.strip()).end()
        print(telemetry.force_flush(), flush=True)
    """
    process = programs.start(
        tmp_path,
        code,
        environment(
            receiver, "grpc", OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none",
            OTEL_EXPORTER_OTLP_TIMEOUT="300",
        ),
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for name, delivered in (("a", False), ("b", False), ("c", True), ("d", True)):
        down[0] = not delivered
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"{delivered}\n"
    _, err = programs.finish(process)
    first, last = err.splitlines()
    assert "traces cannot be exported to" in first
    assert "refused by the test" in first
    assert "are exported" in last
    assert "2 were lost" in last
    assert receiver.span_names() == ["c", "d"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_idle_process_is_not_woken(tmp_path: Path, receiver: Receiver) -> None:
    """With nothing to send and nobody scraping, no thread of ours runs; then a record goes out."""
    out, _ = programs.run(
        tmp_path,
        """
        import logging, os, threading, time
        from pathlib import Path
        from qudag_otel.sdk import configure

        def switches():
            found = {}
            for thread in threading.enumerate():
                status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
                words = status.split()
                found[thread.name] = int(words[words.index("voluntary_ctxt_switches:") + 1])
            return found

        telemetry = configure(metrics_exporter="prometheus", prometheus_port=0)
        logging.getLogger("t").warning("before")
        telemetry.force_flush()
        time.sleep(1.5)  # what was due before has passed
        before = switches()
        time.sleep(2)
        after = switches()
        print(sorted(name for name in after if after[name] != before[name]))
        logging.getLogger("t").warning("after")
        time.sleep(1.5)  # the delay of a record, not a flush, sends it
        os._exit(0)
        """,
        environment(receiver, "http/protobuf", OTEL_TRACES_EXPORTER="none"),
    )
    assert out.splitlines() == ["['MainThread']"]
    assert receiver.log_bodies() == ["before", "after"]
