"""W15, the service: FastAPI with contrib's instrumentation; `load` asks it. Prints its port.

`python -m benchmarks.service KIND`, in an environment of requirements/contrib.txt:

- `bare`: without telemetry
- `contrib`: contrib's instrumentation over the SDK, which exports over OTLP
- `ours`: the same over configure(), and ten decorated functions a request
- `spans`: the same over the SDK, and ten spans with a histogram a request
"""

from __future__ import annotations

import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks.measure import pin

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 10


def step(number: int) -> int:
    """One of the functions that make up the answer."""
    return number * 31 % 1009


def bare() -> tuple[list[Callable[[int], int]], Callable[[], Any]]:
    """No telemetry."""
    return [step] * STEPS, lambda: None


def contrib() -> tuple[list[Callable[[int], int]], Callable[[], Any]]:
    """The SDK set up from the environment, by itself."""
    from opentelemetry import metrics, trace
    from opentelemetry.sdk._configuration import _OTelSDKConfigurator

    _OTelSDKConfigurator().configure()  # type: ignore[no-untyped-call]
    providers: list[Any] = [trace.get_tracer_provider(), metrics.get_meter_provider()]
    return [step] * STEPS, lambda: [provider.force_flush() for provider in providers]


def ours() -> tuple[list[Callable[[int], int]], Callable[[], Any]]:
    """Ours."""
    from qudag_otel import configure, instrumented

    telemetry = configure()
    return [instrumented(name=f"step {n}")(step) for n in range(STEPS)], telemetry.force_flush


def spans() -> tuple[list[Callable[[int], int]], Callable[[], Any]]:
    """What ours records, by hand with the SDK."""
    _, flush = contrib()
    from opentelemetry import metrics, trace

    tracer = trace.get_tracer("bench")
    duration = metrics.get_meter("bench").create_histogram("duration", "s")

    def observed(number: int) -> Callable[[int], int]:
        name = f"step {number}"
        labels = {"operation": name}

        def call(value: int) -> int:
            began = time.perf_counter()
            with tracer.start_as_current_span(name):
                result = step(value)
            duration.record(time.perf_counter() - began, labels)
            return result

        return call

    return [observed(number) for number in range(STEPS)], flush


KINDS = {kind.__name__: kind for kind in (bare, contrib, ours, spans)}


def application(kind: str) -> Any:
    """The service."""
    import importlib

    fastapi = importlib.import_module("fastapi")
    steps, flush = KINDS[kind]()
    app = fastapi.FastAPI()

    async def answer(number: int) -> dict[str, int]:
        for each in steps:
            number = each(number)
        return {"number": number}

    def flushed() -> dict[str, bool]:
        flush()
        return {"flushed": True}

    app.get("/numbers/{number}")(answer)
    app.get("/flush")(flushed)
    if kind != "bare":
        module = importlib.import_module("opentelemetry.instrumentation.fastapi")
        module.FastAPIInstrumentor.instrument_app(app, excluded_urls="flush")
    return app


if __name__ == "__main__":
    pin()
    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application(sys.argv[1]), log_level="warning", access_log=False)
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(config).run([listening])
