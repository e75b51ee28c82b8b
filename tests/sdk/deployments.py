"""Every way in which a kept server or pool runs and ends workers, as data, and how one is tried.

Nothing is exported before the end, so that everything depends on it: requests are answered,
/metrics is read, the master is told to end, and what has arrived is counted.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.sdk.receiver import attributes, eventually
from tests.sdk.test_otlp import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.sdk.receiver import Receiver

REQUESTS = 30
_PAGES = 5  # any of the workers may answer
_BIN = Path(sys.executable).parent
APPLICATION = """
    import os
    from qudag_otel import configure, instrumented

    if os.environ.get("CONFIGURE"):
        configure()

    @instrumented(name="serve")
    def serve():
        return b"served"

    def wsgi(environ, start_response):
        start_response("200 OK", [("Content-Length", "6")])
        return [serve()]

    async def asgi(scope, receive, send):
        if scope["type"] == "http":
            body = serve()
            await send({"type": "http.response.start", "status": 200,
                        "headers": [(b"content-length", b"6")]})
            await send({"type": "http.response.body", "body": body})
"""
TASKS = """
    import os
    from celery import Celery
    from qudag_otel import configure, instrumented

    if os.environ.get("CONFIGURE"):
        configure()
    folder = os.environ["FOLDER"]
    app = Celery("tasks", broker="filesystem://")
    app.conf.broker_transport_options = {
        "data_folder_in": folder, "data_folder_out": folder, "control_folder": folder + "/control",
    }

    @instrumented(name="serve")
    def serve():
        with open(os.path.join(folder, "done"), "a") as done:
            done.write(".")

    @app.task
    def work():
        serve()
"""


@dataclass(frozen=True)
class Deployment:
    """One way to run workers.

    Args:
        name: As the documentation calls it.
        command: What starts it, `{port}` being the port of requests.
        instrumented: Set up by `opentelemetry-instrument`, not in the application.
        short: Tried in each run of the tests, not only in the long one.
        retires: All its workers may end at once by themselves, and what /metrics sums up with them.
        variables: Further environment variables.
    """

    name: str
    command: str
    instrumented: bool = False
    short: bool = False
    retires: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def serves(self) -> bool:
        """Whether it answers HTTP."""
        return not self.command.startswith("celery")


_GUNICORN = "gunicorn -b 127.0.0.1:{port} -w 2 --graceful-timeout 10 --log-level error"
_UVICORN_WORKER = f"{_GUNICORN} -k uvicorn_worker.UvicornWorker app:asgi"
_UVICORN = "uvicorn --port {port} --log-level error app:asgi"
_CELERY = "celery -A app worker -c 2 -l ERROR --without-gossip --without-mingle --without-heartbeat"
DEPLOYMENTS = (
    Deployment("gunicorn, sync", f"{_GUNICORN} app:wsgi", short=True),
    Deployment("gunicorn, sync, --preload", f"{_GUNICORN} --preload app:wsgi"),
    Deployment(
        "gunicorn, sync, --preload, --max-requests",
        f"{_GUNICORN} --preload --max-requests 7 app:wsgi",
    ),
    Deployment(
        "gunicorn, sync, --max-requests", f"{_GUNICORN} --max-requests 7 app:wsgi", retires=True
    ),
    Deployment("gunicorn, gthread", f"{_GUNICORN} -k gthread --threads 3 app:wsgi"),
    Deployment("gunicorn, gevent", f"{_GUNICORN} -k gevent app:wsgi", short=True),
    Deployment("gunicorn, gevent, --preload", f"{_GUNICORN} -k gevent --preload app:wsgi"),
    Deployment("gunicorn, UvicornWorker", _UVICORN_WORKER),
    Deployment("gunicorn, UvicornWorker, --preload", f"{_UVICORN_WORKER} --preload", short=True),
    Deployment(
        "gunicorn, UvicornWorker, --max-requests",
        f"{_UVICORN_WORKER} --max-requests 7",
        retires=True,
    ),
    Deployment(
        "gunicorn, UvicornWorker, --preload, --max-requests",
        f"{_UVICORN_WORKER} --preload --max-requests 7",
    ),
    Deployment("gunicorn, sync", f"{_GUNICORN} app:wsgi", instrumented=True),
    Deployment("gunicorn, UvicornWorker", _UVICORN_WORKER, instrumented=True),
    Deployment("uvicorn", _UVICORN),
    Deployment(
        "uvicorn, --limit-max-requests", f"{_UVICORN} --limit-max-requests {REQUESTS}", retires=True
    ),
    Deployment("uvicorn, --workers", f"{_UVICORN} --workers 2", short=True),
    Deployment(
        "uvicorn, --workers, --limit-max-requests",
        f"{_UVICORN} --workers 2 --limit-max-requests 7",
        retires=True,
    ),
    Deployment("uvicorn, --workers", f"{_UVICORN} --workers 2", instrumented=True),
    Deployment("celery, prefork", _CELERY, short=True),
    Deployment("celery, prefork, max-tasks-per-child", f"{_CELERY} --max-tasks-per-child 4"),
    Deployment("celery, prefork", _CELERY, instrumented=True),
)


@dataclass(frozen=True)
class Outcome:
    """What was seen of `REQUESTS` calls, and what was written to stderr."""

    scraped: int
    spans: int
    measured: int
    err: str


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


OURS = "qudag_otel"


def run(
    deployment: Deployment,
    folder: Path,
    receiver: Receiver,
    *,
    setup: str = OURS,
    metrics: str = "otlp,prometheus",
) -> Outcome:
    """Start it, have it work, read /metrics, end it, and count what arrived.

    Args:
        deployment: How it is run.
        folder: An empty folder.
        receiver: Where it sends to.
        setup: The module that sets telemetry up; of another than ours less may arrive.
        metrics: OTEL_METRICS_EXPORTER.
    """
    may_fail = contextlib.nullcontext() if setup == OURS else contextlib.suppress(AssertionError)
    with _started(deployment, folder, receiver, setup, metrics) as service:
        try:
            with may_fail:
                (_serve if deployment.serves else _work)(service, folder)
                if "prometheus" in metrics and not deployment.retires:
                    eventually(
                        lambda: _scraped(service.metrics_port) == REQUESTS, "all on one page"
                    )
            scraped = min(_scraped(service.metrics_port) for _ in range(_PAGES))
        finally:
            err = service.end()
    return Outcome(scraped, receiver.span_names().count("serve"), _measured(receiver), err)


def interrupted(
    deployment: Deployment, folder: Path, receiver: Receiver, seconds: float
) -> tuple[int, int, str]:
    """Start it under load, and end it so many seconds later, whatever it does then.

    Returns:
        The calls that were seen to end, their spans that arrived, and what it wrote to stderr.
    """
    with _started(deployment, folder, receiver, OURS, "otlp") as service:
        until = time.monotonic() + seconds
        if not deployment.serves:
            _ask_for_work(service, folder)
        seen = 0
        while time.monotonic() < until:
            if deployment.serves:
                seen += _answered(service.port)
            time.sleep(0.01)
        err = service.end()
    done = folder / "done"
    if not deployment.serves:
        seen = done.stat().st_size if done.exists() else 0
    return seen, receiver.span_names().count("serve"), err


@dataclass(frozen=True)
class _Service:
    master: subprocess.Popen[str]
    port: int
    metrics_port: int
    variables: Mapping[str, str]

    def end(self) -> str:
        """Tell the master to end, and wait until everything has; what was written to stderr."""
        self.master.send_signal(signal.SIGTERM)
        return self.master.communicate(timeout=30)[1]


@contextlib.contextmanager
def _started(
    deployment: Deployment, folder: Path, receiver: Receiver, setup: str, metrics: str
) -> Iterator[_Service]:
    port, metrics_port = free_port(), free_port()
    code = APPLICATION if deployment.serves else TASKS
    code = textwrap.dedent(code).replace(OURS, setup)
    (folder / "app.py").write_text(code, encoding="utf-8")
    (folder / "control").mkdir(exist_ok=True)
    command = deployment.command.format(port=port).split()
    command[0] = str(_BIN / command[0])
    if deployment.instrumented:
        command.insert(0, str(_BIN / "opentelemetry-instrument"))
    variables = {
        **{key: value for key, value in os.environ.items() if key[:5] != "OTEL_"},
        **environment(receiver, "http/protobuf"),
        "OTEL_SERVICE_NAME": "shop", **_INSTRUMENTED[setup == OURS],
        "OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": metrics,
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(metrics_port),
        "OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_METRIC_EXPORT_INTERVAL": "600000",
        "CONFIGURE": "" if deployment.instrumented else "1", "FOLDER": str(folder),
        **deployment.variables,
    }  # fmt: skip
    with subprocess.Popen(
        command, cwd=folder, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    ) as master:  # fmt: skip
        try:
            yield _Service(master, port, metrics_port, variables)
        finally:
            _kill_group(master.pid)


_INSTRUMENTED = (
    {"OTEL_PYTHON_DISTRO": "distro", "OTEL_PYTHON_CONFIGURATOR": "configurator",
     "PYTHONPATH": str(Path(__file__).parents[1] / "faults")},
    {"OTEL_PYTHON_DISTRO": "qudag"},
)  # fmt: skip
"""What `opentelemetry-instrument` is told of another set-up, and of ours."""


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _answered(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
            return bool(response.read() == b"served")
    except OSError:
        return False


def _serve(service: _Service, _: Path) -> None:
    eventually(lambda: _answered(service.port), "the server answers")
    for _number in range(REQUESTS - 1):
        eventually(lambda: _answered(service.port), "an answer")


def _ask_for_work(service: _Service, folder: Path) -> None:
    code = f"import app\nfor _ in range({REQUESTS}): app.work.delay()"
    quiet = {**service.variables, "CONFIGURE": ""}
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=quiet, check=True)


def _work(service: _Service, folder: Path) -> None:
    _ask_for_work(service, folder)
    done = folder / "done"
    eventually(lambda: done.exists() and done.stat().st_size == REQUESTS, "all tasks are done")


def _scraped(port: int) -> int:
    """The calls on the page of all workers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
            page = response.read().decode()
    except OSError:
        return 0
    found = re.findall(
        r"^qudag_operation_duration_seconds_count{.* (\d+)(?:\.0)?$", page, re.MULTILINE
    )
    return sum(map(int, found))


def _measured(receiver: Receiver) -> int:
    """The calls that all processes have reported together."""
    last: dict[str, int] = {}
    for resource, metric in receiver.metrics():
        if metric.name == "qudag.operation.duration":
            instance = str(attributes(resource.attributes)["service.instance.id"])
            last[instance] = sum(point.count for point in metric.histogram.data_points)
    return sum(last.values())
