"""Where one row is measured: a folder, a receiver, and programs with either set-up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.sdk.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS: Final = "qudag_otel"
PLAIN: Final = "plain_sdk"
_HERE: Final = Path(__file__).parent
SECONDS: Final = 240


class Failed(Exception):
    """A program did not do what every program does, so that there is no figure."""


@dataclass(frozen=True)
class Bench:
    """One measurement's place.

    Args:
        setup: The module that sets telemetry up: `OURS` or `PLAIN`.
        long: Whether this is the long form.
        folder: An empty folder.
        receiver: Takes everything unless it is told otherwise.
    """

    setup: str
    long: bool
    folder: Path
    receiver: Receiver

    def either(self, long: int, short: int) -> int:
        """How many of something, by the form."""
        return long if self.long else short

    def start(self, code: str, **variables: str) -> subprocess.Popen[str]:
        """Start a program that imports `configure` and `instrumented` from qudag_otel.

        Args:
            code: The program.
            variables: OTEL_* variables beside those that name the receiver.
        """
        program = self.folder / "app.py"
        text = textwrap.dedent(code).replace("from qudag_otel import", f"from {self.setup} import")
        program.write_text(text, encoding="utf-8")
        return subprocess.Popen(
            [sys.executable, str(program)], cwd=self.folder, env=self.environment(**variables),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def run(self, code: str, **variables: str) -> tuple[str, str]:
        """Run a program to its end, and return what it wrote."""
        return finish(self.start(code, **variables))

    def environment(self, **variables: str) -> dict[str, str]:
        """The variables of a program that sends traces and metrics to the receiver."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
        found = {
            **kept, "PYTHONPATH": os.pathsep.join([str(_HERE), str(_HERE.parents[1])]),
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_LOGS_EXPORTER": "none",
            "OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "none",
            "OTEL_SERVICE_NAME": "shop", **variables,
        }  # fmt: skip
        over_grpc = found["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc"
        endpoint = self.receiver.grpc_endpoint if over_grpc else self.receiver.http_endpoint
        found.setdefault("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        return found


def finish(process: subprocess.Popen[str], seconds: float = SECONDS) -> tuple[str, str]:
    """Wait for a program's end, and return what it wrote.

    Raises:
        Failed: It does not end, and was killed.
    """
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end within {seconds} s") from None
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[str]) -> None:
    """Kill a program and what it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@contextmanager
def bench(setup: str, *, long: bool, most_bytes: int = 4 << 20) -> Iterator[Bench]:
    """A place for one measurement, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, Receiver(most_bytes=most_bytes) as receiver:
        yield Bench(setup, long, Path(folder), receiver)
