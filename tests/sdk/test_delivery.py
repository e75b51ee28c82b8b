"""A healthy receiver gets every span, wherever and however calls come; what is lost is counted."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import SimpleFixedSizeExemplarReservoir
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.trace import ReadableSpan

from qudag_otel import instrumented
from qudag_otel._series.sums import Tally
from qudag_otel.sdk import configure, reset
from qudag_otel.sdk.export.batch import HEAVY_BYTES, BatchSpans
from qudag_otel.sdk.export.exporting import Exporting
from qudag_otel.sdk.export.failures import Failure, NotDelivered
from qudag_otel.sdk.export.worker import Due, Worker
from qudag_otel.sdk.fast.engine import Engine
from tests.sdk import programs
from tests.sdk.receiver import Receiver, eventually
from tests.sdk.test_otlp import environment
from tests.sdk.test_receivers import TRACES_ONLY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def operations(number: int) -> list[Callable[[], None]]:
    """Make decorated functions, each an operation of its own."""

    def nothing() -> None:
        pass

    return [instrumented(name=f"op{index}")(nothing) for index in range(number)]


@pytest.mark.parametrize(
    ("many", "rounds", "pause", "variables"),
    [
        (1, 10_000, 0.0, {}),
        (10, 1_000, 0.0, {"OTEL_BSP_SCHEDULE_DELAY": "60000"}),
        (20, 200, 0.001, {}),
        (1_000, 5, 0.0, {"OTEL_BSP_SCHEDULE_DELAY": "0"}),
        (1_000, 5, 0.05, {"OTEL_BSP_MAX_QUEUE_SIZE": "64", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "64"}),
        (5_000, 1, 0.0, {"OTEL_BSP_SCHEDULE_DELAY": "60000"}),
    ],
)
def test_healthy_receiver_gets_every_span(
    receiver: Receiver, many: int, rounds: int, pause: float, variables: dict[str, str]
) -> None:
    """Few operations and many, bursts and steady loads, small queues, delays long and none."""
    functions = operations(many)
    telemetry = configure(
        environ=environment(receiver, "http/protobuf", **TRACES_ONLY, **variables)
    )
    for _ in range(rounds):
        for function in functions:
            function()
        if pause:
            time.sleep(pause)
    assert telemetry.force_flush(30)
    assert len(receiver.spans()) == many * rounds
    largest = int(variables.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512"))
    sizes = [
        sum(len(scope.spans) for resource in request.message.resource_spans
            for scope in resource.scope_spans)
        for request in receiver.of("traces")
    ]  # fmt: skip
    assert max(sizes) <= largest


def test_calls_of_many_threads_and_an_exit_lose_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """What threads finish up to the end arrives, and the end says so."""
    out, err = programs.run(
        tmp_path,
        """
        import threading
        from qudag_otel import configure, instrumented

        telemetry = configure()
        functions = [instrumented(name=f"op{n}")(lambda: None) for n in range(50)]

        def work():
            for _ in range(40):
                for function in functions:
                    function()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(telemetry.shutdown())
        """,
        environment(receiver, "http/protobuf", **TRACES_ONLY),
    )
    assert (out, err) == ("True\n", "")
    assert len(receiver.spans()) == 8_000


def test_calls_after_a_rest_leave_without_a_flush(receiver: Receiver) -> None:
    """The thread sleeps while nothing is called; the next call wakes it."""
    configure(
        environ=environment(receiver, "http/protobuf", **TRACES_ONLY, OTEL_BSP_SCHEDULE_DELAY="50")
    )
    (function,) = operations(1)
    for number in range(1, 4):
        function()
        receiver.wait_for(lambda: len(receiver.spans()) == number, "the call")  # noqa: B023 - waited for at once
        time.sleep(0.3)  # longer than it takes to come to rest


@pytest.mark.parametrize("delay", ["0", "5000"])
def test_idle_process_with_traces_neither_spins_nor_wakes(
    tmp_path: Path, receiver: Receiver, delay: str
) -> None:
    """Once everything is sent no thread of ours runs, also where spans shall leave at once."""
    out, _ = programs.run(
        tmp_path,
        """
        import os, threading, time
        from pathlib import Path
        from qudag_otel import configure, instrumented

        def switches():
            found = {}
            for thread in threading.enumerate():
                words = Path(f"/proc/self/task/{thread.native_id}/status").read_text().split()
                found[thread.name] = int(words[words.index("voluntary_ctxt_switches:") + 1])
            return found

        telemetry = configure()
        instrumented(name="op")(lambda: None)()
        telemetry.force_flush()
        telemetry.force_flush()
        time.sleep(1)
        before, used = switches(), time.process_time()
        time.sleep(1)
        after = switches()
        print(sorted(name for name in after if after[name] != before[name]))
        print(time.process_time() - used < 0.1)
        os._exit(0)
        """,
        environment(receiver, "http/protobuf", **TRACES_ONLY, OTEL_BSP_SCHEDULE_DELAY=delay),
    )
    assert out.splitlines() == ["['MainThread']", "True"]


class Broken:
    """An exporter that raises what it is given, or takes batches."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.got: list[Any] = []

    def export(self, batch: Sequence[Any]) -> Any:
        """Raise or keep."""
        if self.error is not None:
            raise self.error
        self.got += batch

        class Result:
            name = "SUCCESS"

        return Result

    def shutdown(self) -> None:
        """Raise at the end, too."""
        if self.error is not None:
            raise self.error


class Unspeakable(Exception):
    """An error whose text cannot be had."""

    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


def batches(exporter: Broken, **sizes: Any) -> BatchSpans:
    """A queue before an exporter."""
    kinds: dict[str, Any] = {"delay": 60.0, "size": 10, "limit": 100, "timeout": 30.0, **sizes}
    return BatchSpans(Exporting(lambda: exporter, "traces", "there", "broken"), **kinds)


@pytest.mark.parametrize(
    "error", [ValueError("x"), Unspeakable(), NotDelivered(3, Failure("k", "r")), RecursionError()]
)
def test_thread_survives_whatever_an_exporter_raises(error: Exception) -> None:
    """A failure is counted, and the next batch is exported."""
    exporter = Broken(error)
    queue = batches(exporter)
    calls: Any = [ReadableSpan("s") for _ in range(5)]
    queue.put_all(calls)
    assert not queue.flushed(5)
    exporter.error = None
    queue.put_all(calls)
    assert queue.flushed(5)
    assert len(exporter.got) == 5
    assert queue.export.ledger.lost in {3, 5}
    queue.end()


ODD: dict[str, Callable[[Any], object]] = {
    "time": lambda span: span.add_event("e", None, "now"),
    "link": lambda span: span.add_link("elsewhere"),
    "name": lambda span: span.update_name(5),
    "status": lambda span: span.set_status("error"),
    "end": lambda span: span.end("now"),
    "negative": lambda span: span.end(-1),
}


@pytest.mark.parametrize("of_sdk", [False, True], ids=["call", "sdk"])
@pytest.mark.parametrize("odd", ODD)
def test_span_that_was_told_nonsense_costs_no_other(
    receiver: Receiver, odd: str, of_sdk: bool
) -> None:
    """It is exported without that or left out and counted; calls and spans beside it arrive."""
    telemetry = configure(environ=environment(receiver, "http/protobuf", **TRACES_ONLY))
    tracer = trace.get_tracer("t")
    (good,) = operations(1)
    good()

    @instrumented(name="odd")
    def body() -> None:
        ODD[odd](trace.get_current_span())
        for number in range(300):
            trace.get_current_span().set_attribute("number", number)

    if of_sdk:
        span = tracer.start_span("odd")
        with contextlib.suppress(AttributeError):
            ODD[odd](span)
        span.end()
    else:
        with contextlib.suppress(AttributeError):  # the SDK's own, at once
            body()
    tracer.start_span("good").end()
    good()
    complete = telemetry.force_flush(10)
    spans = receiver.spans()
    assert len(spans) == 3 + complete


def test_thread_survives_an_error_of_its_own_work() -> None:
    """A worker goes on after whatever its work raises, and answers who waits for it."""
    calls: list[Due] = []

    def work(due: Due) -> None:
        calls.append(due)
        raise Unspeakable

    worker = Worker("worker", 60.0, work)
    assert worker.begin_flush().wait(5)
    assert worker.begin_flush().wait(5)
    worker.begin_close()
    assert worker.join(5)
    assert calls.count(Due.FLUSH) == 3


def test_queue_is_bounded_in_bytes(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """Few items of great weight do not fill the memory; what is dropped is counted."""
    down = [True]
    receiver.failing = lambda: down[0]
    receiver.most_bytes = 64 << 20
    telemetry = configure(
        environ=environment(
            receiver, "http/protobuf", **TRACES_ONLY, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="2048",
            OTEL_EXPORTER_OTLP_TIMEOUT="200",
        )
    )  # fmt: skip
    mib = "x" * (1 << 20)
    most = HEAVY_BYTES >> 20
    for _ in range(most + 10):
        trace.get_tracer("t").start_span("s", attributes={"a": mib}).end()
    down[0] = False
    assert not telemetry.force_flush(30)
    assert len(receiver.spans()) + 10 <= most + 10
    assert "10 lost" in caplog.text or "10 were lost" in caplog.text


def test_view_whose_reservoir_raises_costs_neither_span_nor_thread_nor_call(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody's reservoir fails: calls go on, spans arrive, one warning names it."""

    class Bad(SimpleFixedSizeExemplarReservoir):
        def offer(self, *_: object, **__: object) -> None:
            raise RuntimeError("reservoir")

    reader = InMemoryMetricReader()
    telemetry = configure(
        environ=environment(receiver, "http/protobuf", **TRACES_ONLY),
        metric_readers=[reader],
        views=[
            View(
                instrument_name="qudag.operation.duration",
                exemplar_reservoir_factory=lambda _: lambda **__: Bad(size=1),
            )
        ],
    )
    (function,) = operations(1)
    for _ in range(2_000):
        function()
    assert telemetry.force_flush()
    assert len(receiver.spans()) == 2_000
    assert caplog.text.count("RuntimeError: reservoir") == 1


def test_tally_adds_up_what_threads_add() -> None:
    """No addition is lost, and folding does not change the sum."""
    tally = Tally()

    def add() -> None:
        for _ in range(5_000):
            tally.add(3)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert int(tally) == 60_000
    tally.add(-60_000)
    assert int(tally) == 0


def test_full_queue_in_an_outage_keeps_to_its_limit(receiver: Receiver) -> None:
    """While the receiver is away no more calls wait than the limit says, and all are counted."""
    down = [True]
    receiver.failing = lambda: down[0]
    telemetry = configure(
        environ=environment(
            receiver, "http/protobuf", **TRACES_ONLY, OTEL_BSP_MAX_QUEUE_SIZE="100",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="50", OTEL_EXPORTER_OTLP_TIMEOUT="100",
            OTEL_BSP_SCHEDULE_DELAY="50",
        )
    )  # fmt: skip
    (function,) = operations(1)
    for _ in range(20):
        for _ in range(100):
            function()
        time.sleep(0.02)
    eventually(lambda: receiver.refused > 1, "an outage")
    down[0] = False
    function()
    telemetry.force_flush(10)
    assert 0 < len(receiver.spans()) < 1_000
    reset()


@pytest.mark.parametrize("taken", ["before the flush", "ahead of its count", "ahead of its fetch"])
def test_flush_waits_for_spans_that_a_collection_of_metrics_has_in_hand(
    taken: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """True means that they were sent, also when another thread drained their call site."""
    handing, go_on = threading.Event(), threading.Event()
    hand = BatchSpans.put_all

    def slowly(self: BatchSpans, items: Sequence[Any]) -> None:
        handing.set()
        assert go_on.wait(20)
        hand(self, items)

    monkeypatch.setattr(BatchSpans, "put_all", slowly)
    reader = InMemoryMetricReader()
    environ = environment(receiver, "grpc") | {"OTEL_METRICS_EXPORTER": "none"}
    telemetry = configure(environ=environ, metric_readers=[reader])

    @instrumented(name="work")
    def work() -> None:
        pass

    work()
    collecting = threading.Thread(target=reader.get_metrics_data)

    def collect() -> None:
        collecting.start()
        assert handing.wait(20)

    if taken == "before the flush":
        collect()
    else:
        step = "waiting" if taken == "ahead of its count" else "fetch"
        original = getattr(Engine, step)

        def late(self: Engine, *arguments: int) -> Any:
            if collecting.ident is None:
                collect()
            return original(self, *arguments)

        monkeypatch.setattr(Engine, step, late)
    flushed: list[bool] = []
    flushing = threading.Thread(target=lambda: flushed.append(telemetry.force_flush(20)))
    flushing.start()
    flushing.join(0.3)
    assert flushed == []
    go_on.set()
    flushing.join()
    collecting.join()
    assert flushed == [True]
    assert receiver.span_names() == ["work"]


def test_flush_after_calls_that_nobody_sampled_is_true(receiver: Receiver) -> None:
    """The receiver lacks none of them, at the first flush as at the next."""
    telemetry = configure(
        environ=environment(
            receiver, "http/protobuf", **TRACES_ONLY, OTEL_TRACES_SAMPLER="always_off"
        )
    )
    (call,) = operations(1)
    call()
    assert telemetry.force_flush()
    assert telemetry.force_flush()
