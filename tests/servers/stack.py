"""`python -m tests.servers stack ...`, behind `make stack`: compose with an engine, else native."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from qudag_otel.stack import _files
from tests.servers.build import REPOSITORY
from tests.servers.native import NativeStack, StackError, is_free, ports_of, taken

COMMANDS: Final = ("up", "status", "where", "logs", "down", "clean")
_PUBLISHED: Final = (
    "prometheus",
    "alertmanager",
    "jaeger",
    "victorialogs",
    "otlp_grpc",
    "otlp_http",
)
_LOG_LINES: Final = 40
_ENGINE_SECONDS: Final = 20
_NATIVE: Final = (
    "No container engine: running the same servers natively, and a page with the dashboards "
    "without Grafana. For Grafana, with logs and traces beside them, install Docker with compose "
    "2.24 or newer and start the engine; then `make stack-down stack`."
)


def run(command: str) -> int:
    """Run one of `COMMANDS`; print what it did, or a sentence on standard error and return 1."""
    state = Path(os.environ.get("QUDAG_STATE") or REPOSITORY / ".stack").resolve()
    native = NativeStack(state)
    try:
        if command == "where":
            sys.stdout.write("\n".join([*_reachable(native), ""]))
            return 0
        # What was started natively is also stopped natively, engine or not.
        if has_engine() and not native.running():
            return _compose(command, state)
        lines = _native(command, native, state)
    except StackError as error:
        sys.stderr.write(f"stack: {error}\n")
        return 1
    sys.stdout.write("\n".join([*lines, ""]))
    return 0


def _reachable(native: NativeStack) -> list[str]:
    """Where to look at what is sent into the stack."""
    if native.running():
        return [_dashboards(), *_where()]
    if has_engine() and _engine("ps", "--quiet").strip():
        return [_dashboards("Grafana"), *_where()]
    return ["The stack does not run. Start it: make stack"]


def _native(command: str, native: NativeStack, state: Path) -> list[str]:
    if command == "status":
        return native.status()
    if command == "logs":
        return native.logs(_LOG_LINES)
    if command == "down":
        return native.down()
    if command == "clean":
        said = native.clean()
        shutil.rmtree(state, ignore_errors=True)
        return said
    _say(_NATIVE)
    return [*native.up(), "", _dashboards(), *_where()]


def _compose(command: str, state: Path) -> int:
    arguments = {
        "up": ["up", "--detach", "--wait"],
        "status": ["ps", "--all"],
        "logs": ["logs", f"--tail={_LOG_LINES}"],
        "down": ["--profile=*", "down"],
        "clean": ["--profile=*", "down", "--volumes"],
    }[command]
    if command == "up":
        prepare(state)
        if not _engine("ps", "--quiet").strip():
            numbers = {name: ports_of(os.environ)[name] for name in _PUBLISHED}
            if not all(map(is_free, numbers.values())):
                raise StackError(taken(numbers))
    environment = {**os.environ, "QUDAG_STATE": str(state)}
    done = subprocess.run(
        ["docker", "compose", *arguments], cwd=REPOSITORY, env=environment, check=False
    )
    if done.returncode:
        raise StackError(
            f"docker compose ended with {done.returncode}; what it printed says why, "
            "`make stack-logs` what the servers say"
        )
    if command == "up":
        sys.stdout.write("\n".join([_dashboards("Grafana"), *_where(), ""]))
    if command == "clean":
        shutil.rmtree(state, ignore_errors=True)
    return 0


def has_engine() -> bool:
    """Whether `docker compose` is there and its engine answers."""
    if shutil.which("docker") is None:
        return False
    try:
        _engine("version")
        subprocess.run(["docker", "info"], check=True, capture_output=True, timeout=_ENGINE_SECONDS)
    except (subprocess.SubprocessError, OSError):
        return False
    return True


def _engine(*arguments: str) -> str:
    return subprocess.run(
        ["docker", "compose", *arguments],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
        timeout=_ENGINE_SECONDS,
    ).stdout


def prepare(state: Path) -> None:
    """Make what compose mounts, and tell the password of Grafana when it is new."""
    if _files.prepare(state):
        password = state / "grafana_admin_password"
        _say(f"Grafana: user admin, password {password.read_text()} (kept in {password})")


def _dashboards(title: str = "Dashboards") -> str:
    return f"{title:<13} http://127.0.0.1:{ports_of(os.environ)['dashboards']}"


def _where() -> list[str]:
    ports = ports_of(os.environ)
    return [
        f"Prometheus    http://127.0.0.1:{ports['prometheus']}",
        f"Jaeger        http://127.0.0.1:{ports['jaeger']}",
        f"VictoriaLogs  http://127.0.0.1:{ports['victorialogs']}/select/vmui",
        f"Alertmanager  http://127.0.0.1:{ports['alertmanager']}",
        f"OTLP/HTTP     http://127.0.0.1:{ports['otlp_http']}",
        f"OTLP/gRPC     http://127.0.0.1:{ports['otlp_grpc']}",
    ]


def _say(message: str) -> None:
    sys.stderr.write(f"stack: {message}\n")
    sys.stderr.flush()
