"""The rows: a fault, what is promised of it, and the function that measures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.faults import limits, processes, receivers
from tests.redact.corpus import PLANTED
from tests.sdk.deployments import DEPLOYMENTS, REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.bench import Bench


@dataclass(frozen=True)
class Fault:
    """A row.

    Args:
        name: What goes wrong.
        promise: What is promised then, `{most}` being the bound.
        measure: Returns one number.
        most: The largest that keeps the promise.
        shown: How the number is written.
        short: Whether it is measured in each run of the tests, too.
        most_bytes: The largest request that the receiver takes.
    """

    name: str
    promise: str
    measure: Callable[[Bench], float]
    most: float = 0.0
    shown: str = "{:.0f}"
    short: bool = False
    most_bytes: int = 4 << 20


_SECONDS: Final = "{:.2f} s"
_MICROSECONDS: Final = "{:,.0f} us"
_MEGABYTES: Final = "{:,.1f} MB"


def _deployed() -> tuple[Fault, ...]:
    return tuple(
        Fault(
            f"{one.name}{', opentelemetry-instrument' if one.instrumented else ''}: the master"
            f" gets SIGTERM after {REQUESTS} calls",
            "none of their spans and sums is lost",
            partial(processes.lost_of_workers, deployment=one),
            shown=f"{{:.0f}} of {2 * REQUESTS} lost",
        )
        for one in DEPLOYMENTS
    )


def _latencies() -> tuple[Fault, ...]:
    return tuple(
        fault
        for name in receivers.RECEIVERS
        for fault in (
            Fault(
                f"a receiver that {name}: calls",
                "99 of 100 take less than {most:,.0f} us",
                partial(receivers.slowest_call, name=name),
                most=500,
                shown=_MICROSECONDS,
            ),
            Fault(
                f"a receiver that {name}: the end",
                "the process ends within {most:.0f} s",
                partial(receivers.seconds_to_exit, name=name),
                most=6.0,
                shown=_SECONDS,
                short=name in {"hangs", "is not there"},
            ),
        )
    )


FAULTS: Final = (
    Fault("a child of multiprocessing is told to end within 10 ms of its start",
          "every one ends", processes.deaf_children, shown="{:.0f} never ended", short=True),
    Fault("a `with Pool()` block ends", "within {most:.0f} s",
          processes.seconds_to_leave_a_pool, most=1.0, shown=_SECONDS, short=True),
    *(
        Fault(f"a child by {method} sets telemetry up, records {processes.CALLS} calls and ends",
              "none is lost", partial(processes.lost_of_a_child, method=method),
              shown="{:.0f} lost", short=method == "fork")
        for method in ("fork", "forkserver", "spawn")
    ),
    *(
        Fault(f"a fork during the first export, {protocol}", "every child ends",
              partial(processes.hung_in_the_first_export, protocol=protocol),
              shown="{:.0f} hung", short=protocol != "grpc")
        for protocol in ("http/protobuf", "grpc")
    ),
    *_deployed(),
    Fault("two workers of gunicorn and one port for /metrics", "every page shows all calls",
          processes.missing_on_the_page, shown=f"{{:.0f}} of {REQUESTS} missing"),
    Fault("two workers of gunicorn and one port for /metrics: the service", "both workers start",
          processes.workers_that_cannot_start, shown="{:.0f} of 2 could not start"),
    Fault("the port of /metrics is taken", "spans arrive all the same",
          processes.lost_for_a_taken_port, shown=f"{{:.0f}} of {processes.CALLS} lost", short=True),
    *(
        Fault(f"a receiver answers {name}", "a flush says False",
              partial(receivers.false_acknowledgements, answer=answer),
              shown="{:.0f} false yes", short=name.startswith("a web"))
        for name, answer in receivers.ANSWERS.items()
    ),
    *(
        Fault(f"the receiver is away for 75 s at 200 calls/s, {protocol}",
              "as many lost as told", partial(receivers.untold, protocol=protocol),
              shown="{:,.0f} untold", short=protocol != "grpc")
        for protocol in ("http/protobuf", "grpc")
    ),
    Fault("the receiver is away for 75 s at 200 calls/s: spans", "a queue of 2,048 is kept",
          receivers.lost_in_an_outage, most=200 * 75 - 2048, shown="{:,.0f} of 15,800 lost"),
    Fault("the gateway is away for 75 s, and the agent on the host is killed meanwhile: spans",
          "none is lost", receivers.lost_behind_an_agent, shown="{:,.0f} of 15,800 lost"),
    *_latencies(),
    Fault("a request of 6 MB to a receiver that takes 1 MB, grpc", "it is split, none is lost",
          receivers.lost_of_a_large_batch, shown="{:.0f} of 60 lost", short=True,
          most_bytes=1 << 20),
    Fault("200,000 names of operations: memory", "grows by less than {most:.0f} MB",
          limits.megabytes_for_names, most=64, shown=_MEGABYTES, short=True),
    Fault("200,000 names of operations: a scrape", "takes less than {most:.0f} s",
          limits.seconds_to_scrape_names, most=1, shown=_SECONDS),
    Fault("the clock is put an hour ahead during a call",
          "the span is off by less than {most:.0f} s",
          limits.seconds_off, most=1, shown=_SECONDS, short=True),
    Fault("a RecursionError through decorated frames: CPU, with its export",
          "less than {most:.0f} s", limits.seconds_for_a_recursion, most=1, shown=_SECONDS,
          short=True),
    Fault("calls within `suppress_instrumentation()`", "no span",
          limits.spans_although_suppressed, shown="{:.0f} of 10", short=True),
    Fault("no descriptor is left while scrapers knock", "less than {most:.0%} of a core",
          limits.share_of_a_core_without_descriptors, most=0.1, shown="{:.0%}", short=True),
    Fault("secrets in attributes and exceptions", "none arrives", limits.secrets_that_left,
          shown=f"{{:.0f}} of {len(PLANTED)}", short=True),
)  # fmt: skip
