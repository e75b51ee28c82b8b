"""The wheel beside everything that is named in requirements/contrib.in, and programs run there.

What others wrote is installed once for a lock file, outside of the clone; the wheel goes into an
environment of the session that sees that one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.packaging.conftest import ROOT, uv

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

APPS = Path(__file__).with_name("apps")
LOCK = ROOT / "requirements" / "contrib.txt"
DEADLINE_SECONDS = 30
# Who runs the tests may ignore Ctrl-C, as a shell does for what it starts in the background, and a
# program that was started so never hears it.
HEARING = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
COMMANDS = ("opentelemetry-instrument", "celery", "django-admin", "gunicorn", "uvicorn")


@dataclass(frozen=True)
class Program:
    """A program that runs, and where what it says goes."""

    process: subprocess.Popen[bytes]
    written: Path

    def stop(self, *, interrupt: bool = False) -> None:
        """End it in good order, with all that it started.

        Args:
            interrupt: As a terminal does at Ctrl-C, instead of SIGTERM to the first process.
        """
        if self.process.poll() is None:
            if interrupt:
                os.killpg(self.process.pid, signal.SIGINT)
            else:
                self.process.terminate()
            try:
                self.process.wait(DEADLINE_SECONDS)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def said(self) -> str:
        """Everything it wrote, to either stream."""
        return self.written.read_text(errors="replace")


@dataclass(frozen=True)
class Environment:
    """A Python with the wheel and the packages of others.

    Args:
        python: The interpreter.
    """

    python: Path

    def run(self, *arguments: str) -> str:
        """What a program prints, which must end well."""
        ended = subprocess.run(
            [self.python, *arguments], capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    @contextmanager
    def running(self, arguments: Sequence[str], folder: Path, **environ: str) -> Iterator[Program]:
        """A program started by `opentelemetry-instrument`, until the block ends."""
        written = folder / f"{arguments[0]}-{len(arguments)}.txt"
        with written.open("wb") as output:
            process = subprocess.Popen(
                [
                    self.python,
                    "-Ic",
                    HEARING,
                    self.python.with_name("opentelemetry-instrument"),
                    *arguments,
                ],
                cwd=APPS,
                env={
                    "PATH": f"{self.python.parent}:/usr/bin:/bin",
                    "HOME": str(folder),
                    "PYTHONDONTWRITEBYTECODE": "1",  # of the programs themselves, in the clone
                    "OTEL_PYTHON_DISTRO": "qudag",
                    "OTEL_SERVICE_NAME": "shop",
                    "OTEL_BSP_SCHEDULE_DELAY": "100",
                    "OTEL_BLRP_SCHEDULE_DELAY": "100",
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                    **environ,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        program = Program(process, written)
        try:
            yield program
        finally:
            program.stop()


def environment(wheel: Path, folder: Path) -> Environment:
    """An environment with the wheel, beside what the lock file names.

    Args:
        wheel: The distribution under test.
        folder: Where it is made.
    """
    beside = _others()
    python = folder / "venv" / "bin" / "python"
    uv("venv", "--quiet", "--python", sys.executable, folder / "venv")
    uv("pip", "install", "--quiet", "--compile-bytecode", "--no-deps", "--python", python, wheel)
    (ours,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (theirs,) = (beside / "lib").glob("python*/site-packages")
    (ours / "beside.pth").write_text(f"{theirs}\n")
    for name in COMMANDS:
        script = python.with_name(name)
        _, _, text = (beside / "bin" / name).read_text().partition("\n")
        script.write_text(f"#!{python}\n{text}")
        script.chmod(0o755)
    return Environment(python)


def _others() -> Path:
    """The environment of the lock file, made when it is first asked for."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qudag-otel"
    cache.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    made = cache / f"beside-{key}"
    with (cache / "beside.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers, or two clones
        if not made.exists():
            for old in cache.glob("beside-*"):
                shutil.rmtree(old)
            new = cache / f"beside-{key}.new"
            uv("venv", "--quiet", "--python", sys.executable, new)
            python = new / "bin" / "python"
            uv(
                "pip",
                "sync",
                "--quiet",
                "--compile-bytecode",
                "--require-hashes",
                "--python",
                python,
                LOCK,
            )
            new.rename(made)
    return made
