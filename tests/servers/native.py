"""The stack without a container engine: the same servers and files, as processes of this user.

They outlive the command that starts them; a file of the state folder remembers their ids.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import psutil

from tests.servers.build import BuildError, build
from tests.servers.collectors import Pipeline
from tests.servers.process import Port, ServerError, is_healthy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# Name -> port, and the variable that moves it; the first seven are compose.yaml's, too.
PORTS: Final[Mapping[str, tuple[int, str]]] = {
    "prometheus": (9091, "QUDAG_PROMETHEUS_PORT"),
    "alertmanager": (9093, "QUDAG_ALERTMANAGER_PORT"),
    "jaeger": (16686, "QUDAG_JAEGER_PORT"),
    "otlp_grpc": (4317, "QUDAG_OTLP_GRPC_PORT"),
    "otlp_http": (4318, "QUDAG_OTLP_HTTP_PORT"),
    "victorialogs": (9428, "QUDAG_VICTORIALOGS_PORT"),
    "dashboards": (3001, "QUDAG_GRAFANA_PORT"),
    "otlp_self": (4319, "QUDAG_OTLP_SELF_PORT"),
    "collector_health": (13133, "QUDAG_COLLECTOR_HEALTH_PORT"),
    "jaeger_otlp": (4418, "QUDAG_JAEGER_OTLP_PORT"),
    "jaeger_grpc": (16685, "QUDAG_JAEGER_GRPC_PORT"),
    "jaeger_health": (13134, "QUDAG_JAEGER_HEALTH_PORT"),
    "jaeger_metrics": (8888, "QUDAG_JAEGER_METRICS_PORT"),
}
SERVERS: Final = ("prometheus", "alertmanager", "collector", "jaeger", "victorialogs", "page")
_FREE_BYTES: Final = 1 << 30
_STOP_SECONDS: Final = 30.0


class StackError(RuntimeError):
    """The stack cannot do what was asked; the message says why and what to do."""


class NativeStack:
    """The servers that `up` started, found again by process id and start time."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "native"
        self._record = self._folder / "processes.json"

    def up(self) -> list[str]:
        """Start what does not run; return what to tell the user.

        Raises:
            StackError: a port is taken, the disk is full, there is no Go, or a server ended.
        """
        if self.running():
            return ["The stack runs already:", *self.status()]
        self._check_disk()
        pipeline = self._prepared()
        try:
            pipeline.start(outlive=True)
        except ServerError as error:
            pipeline.stop()
            raise StackError(f"{error}\nThe other servers were stopped again.") from error
        record = {
            server.name: {
                "pid": server.pid,
                "started": psutil.Process(server.pid).create_time(),
                "url": server.url,
                "health": server.health,
                "log": str(server.log),
            }
            for server in pipeline.servers
        }
        self._record.write_text(json.dumps(record, indent=2))
        return self.status()

    def _prepared(self) -> Pipeline:
        numbers = ports_of(os.environ)
        try:
            for server in SERVERS:
                build(server)
            # The Collector's own variables are read from the environment, as compose does.
            return Pipeline(self._folder, {}, ports=numbers, page=True)
        except BuildError as error:
            raise StackError(str(error)) from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise StackError(taken(numbers)) from error

    def _check_disk(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free
        if free < _FREE_BYTES:
            raise StackError(
                f"{free >> 20} MiB are free for {self._folder} and the stack needs "
                f"{_FREE_BYTES >> 20}: make room, or set QUDAG_STATE to a folder on a larger disk"
            )

    def running(self) -> dict[str, dict[str, Any]]:
        """What was started and still runs, by server."""
        if not self._record.exists():
            return {}
        record: dict[str, dict[str, Any]] = json.loads(self._record.read_text())
        return {name: one for name, one in record.items() if _process(one) is not None}

    def status(self) -> list[str]:
        """One line a server."""
        running = self.running()
        if not self._record.exists():
            return ["The stack does not run. Start it: make stack"]
        lines = []
        for name, one in json.loads(self._record.read_text()).items():
            state = "ended: `make stack-logs` says why, `make stack-down stack` starts all again"
            if name in running:
                state = "ready" if is_healthy(one["health"]) else "starting, or in trouble"
            lines.append(f"{name:<13} {one['url']:<24} {state}")
        return lines

    def logs(self, lines: int) -> list[str]:
        """The last lines of every server's log."""
        return list(self._logs(lines)) or ["There are no logs: the stack was not started here."]

    def _logs(self, lines: int) -> Iterator[str]:
        for path in sorted(self._folder.glob("*/*.log")):
            yield f"== {path}"
            yield from path.read_text(errors="replace").splitlines()[-lines:]

    def down(self) -> list[str]:
        """Stop all, the Collector first, so that it hands over what it holds. Data stays."""
        running = self.running()
        collector = [one for name, one in running.items() if name == "otelcol"]
        _end(collector)
        _end([one for one in running.values() if one not in collector])
        self._record.unlink(missing_ok=True)
        return [f"Stopped {', '.join(running)}."] if running else ["The stack does not run."]

    def clean(self) -> list[str]:
        """Stop all and delete what they stored."""
        said = self.down()
        shutil.rmtree(self._folder, ignore_errors=True)
        return [*said, f"Deleted {self._folder}."]


def ports_of(environment: Mapping[str, str]) -> dict[str, int]:
    """The stack's ports, by name.

    Raises:
        StackError: a variable is not a port number.
    """
    numbers = {}
    for name, (default, variable) in PORTS.items():
        text = environment.get(variable) or str(default)
        if not text.isdigit() or not 0 < int(text) < 1 << 16:
            raise StackError(f"{variable}={text} is not a port: set a number from 1 to 65535")
        numbers[name] = int(text)
    return numbers


def taken(numbers: Mapping[str, int]) -> str:
    """A sentence about the ports that somebody listens on."""
    used = [
        f"port {number} is in use ({name}; {PORTS[name][1]} moves it)"
        for name, number in numbers.items()
        if not is_free(number)
    ]
    ask = "lsof -iTCP -sTCP:LISTEN" if sys.platform == "darwin" else "ss -ltnp"
    return f"{'; '.join(used)}. `{ask}` shows by whom: stop that, or move the port"


def is_free(number: int) -> bool:
    """Whether a loopback port can be listened on."""
    try:
        Port(number).close()
    except OSError:
        return False
    return True


def _end(records: Sequence[Mapping[str, Any]]) -> None:
    """Ask processes to end; after half a minute, do not ask."""
    for ask in ("terminate", "kill"):
        left = [process for one in records if (process := _process(one))]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                getattr(process, ask)()
        deadline = time.monotonic() + _STOP_SECONDS
        # Not `psutil.wait_procs`: it would also wait until the system forgets the process.
        while any(map(_process, records)) and time.monotonic() < deadline:
            time.sleep(0.05)


def _process(one: Mapping[str, Any]) -> psutil.Process | None:
    """The process, unless it ended or its id belongs to another one by now."""
    try:
        process = psutil.Process(one["pid"])
        ours = abs(process.create_time() - one["started"]) < 1
        return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
