"""Installed beside the instrumentation of others: one trace, every log record once, no noise."""

from __future__ import annotations

import socket
import urllib.request
from typing import TYPE_CHECKING, NamedTuple

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.beside.environment import Environment, environment
from tests.packaging.conftest import distributions, wheel
from tests.sdk.receiver import Receiver, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.beside.environment import Program

__all__ = ["distributions", "wheel"]  # fixtures

SERVER, CLIENT = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT
PRODUCER, CONSUMER = Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER

# Any of these in what a program says is a line that its owner did not ask for.
NOISE = (
    "onfigurator", "Traceback", "Overriding", "already", "eprecat", "telemetry is off",
    "not loaded", "ERROR", "nothing can be instrumented", "this release",
)  # fmt: skip


@pytest.fixture(scope="module")
def beside(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel beside all that requirements/contrib.in names."""
    return environment(wheel, tmp_path_factory.mktemp("beside"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Takes what the programs send."""
    with Receiver() as receiver:
        yield receiver


def free_port() -> int:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
        return port


def get(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as one:
        text: str = one.read().decode()
        return text


def listens(port: int, program: Program) -> bool:
    assert program.process.poll() is None, program.said()
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def assert_one_trace(receiver: Receiver, above: int, below: int, far: int) -> None:
    """The call stands between what called it and what it called, and logged one record.

    Args:
        receiver: What arrived.
        above: The kind of the span that called; 0 if there is none.
        below: The kind of the span that the call made.
        far: The kind of the span that was called; 0 if that is another program.
    """
    receiver.wait_for(
        lambda: "place" in receiver.span_names() and "order placed" in receiver.log_bodies(),
        "the call and its record",
    )
    (place,) = (span for span in receiver.spans() if span.name == "place")

    def children(kind: int, parent: bytes) -> list[Span]:
        return [s for s in receiver.spans() if s.kind == kind and s.parent_span_id == parent]

    def complete() -> bool:
        near = children(below, place.span_id)
        parents = [one.kind for one in receiver.spans() if one.span_id == place.parent_span_id]
        answers = [one for span in near for one in children(far, span.span_id)]
        return bool(near) and parents == [above] * bool(above) and len(answers) == bool(far)

    receiver.wait_for(complete, f"the spans around the call; {_told(receiver)}")
    assert {span.trace_id for span in receiver.spans()} == {place.trace_id}
    (record,) = (one for one in receiver.logs() if one.body.string_value == "order placed")
    assert (record.trace_id, record.span_id) == (place.trace_id, place.span_id)
    bodies = [body for body in receiver.log_bodies() if body.startswith("order")]
    assert sorted(bodies) == sorted(set(bodies))


def _told(receiver: Receiver) -> list[tuple[str, int, str, str]]:
    return [
        (one.name, one.kind, one.span_id.hex(), one.parent_span_id.hex())
        for one in receiver.spans()
    ]


def assert_quiet(program: Program) -> None:
    said = program.said()
    assert [mark for mark in NOISE if mark in said] == [], said


class Web(NamedTuple):
    """A web server: what starts it, what it reads from the environment, how it is ended."""

    arguments: tuple[str, ...]
    environ: Mapping[str, str] = {}
    interrupt: bool = False


GUNICORN = ("gunicorn", "--workers", "2", "--log-level", "warning", "--bind")
SERVERS = {
    "fastapi": Web(
        ("uvicorn", "fastapi_app:app", "--log-level", "warning", "--port", "{port}")
    ),
    "flask": Web((*GUNICORN, "127.0.0.1:{port}", "flask_app:app")),
    "django gunicorn": Web(
        (*GUNICORN, "127.0.0.1:{port}", "django_app:application"),
        {"DJANGO_SETTINGS_MODULE": "django_settings"},
    ),
    "django runserver": Web(
        ("django-admin", "runserver", "{port}"),
        {"DJANGO_SETTINGS_MODULE": "django_settings"},
        interrupt=True,
    ),
    "aiohttp": Web(("python", "aiohttp_app.py", "{port}")),
}  # fmt: skip


def test_packages_agree_with_each_other(beside: Environment) -> None:
    """Pip finds nothing that is missing or of a version that another one excludes."""
    assert beside.run("-m", "pip", "check") == "No broken requirements found.\n"


@pytest.mark.parametrize("name", SERVERS)
def test_web_server_request_is_one_trace(
    beside: Environment, receiver: Receiver, tmp_path: Path, name: str
) -> None:
    """From the server's span to the decorated function to the client's span and back again."""
    port, web = free_port(), SERVERS[name]
    arguments = [word.format(port=port) for word in web.arguments]
    environ = {**web.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint}
    with beside.running(arguments, tmp_path, **environ) as program:
        eventually(lambda: listens(port, program), f"{name} listens")
        assert get(f"http://127.0.0.1:{port}/") in {"done", '"\\"done\\""'}
        assert_one_trace(receiver, SERVER, CLIENT, SERVER)
        program.stop(interrupt=web.interrupt)
        receiver.wait_for(
            lambda: "qudag.operation.duration" in receiver.metric_names(), "the metrics"
        )
        if name == "fastapi":
            assert "select" in receiver.span_names()
        assert_quiet(program)


def test_celery_task_is_one_trace_over_its_processes(
    beside: Environment, receiver: Receiver, tmp_path: Path
) -> None:
    """From the sender through a worker's child to the task that it sends."""
    for folder in ("queue", "control"):
        (tmp_path / folder).mkdir()
    environ = {
        "BROKER_FOLDER": str(tmp_path),
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint,
    }
    worker = ("celery", "-A", "celery_app", "worker", "--concurrency", "2", "--loglevel",
              "WARNING", "--without-gossip", "--without-mingle")  # fmt: skip
    sender = ("python", "-c", "import celery_app; celery_app.order.delay(7)")
    with beside.running(worker, tmp_path, **environ) as program:
        with beside.running(sender, tmp_path, **environ) as sending:
            assert sending.process.wait(30) == 0, sending.said()
        assert_one_trace(receiver, CONSUMER, PRODUCER, CONSUMER)
        program.stop()
        assert_quiet(program)


def test_typer_command_is_one_trace(
    beside: Environment, receiver: Receiver, tmp_path: Path
) -> None:
    """From the command to the request that it makes; what is recorded last arrives."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint}
    arguments = ("python", "typer_app.py", f"{receiver.http_endpoint}/page")
    with beside.running(arguments, tmp_path, **environ) as program:
        assert program.process.wait(30) == 0, program.said()
    assert_one_trace(receiver, 0, CLIENT, 0)
    assert_quiet(program)
