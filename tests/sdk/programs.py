"""Small programs that tests run in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

from tests.sdk.receiver import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def start(
    folder: Path,
    code: str,
    variables: Mapping[str, str],
    *,
    command: Sequence[str] = (sys.executable, "-W", "error"),
) -> subprocess.Popen[str]:
    """Start a program in a folder, with these OTEL_* variables and no others."""
    program = folder / "app.py"
    program.write_text(textwrap.dedent(code), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key[:5] != "OTEL_"}
    return subprocess.Popen(
        [*command, str(program)],
        cwd=folder,
        env={**environment, "PYTHONFAULTHANDLER": "1", **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], *, seconds: float = DEADLINE_SECONDS) -> tuple[str, str]:
    """Wait for a program's end and return what it wrote; kill it if it does not end."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # faulthandler then writes where it hangs
        out, err = process.communicate()
        message = f"the program did not end within {seconds} s; it wrote\n{out}\n{err}"
        raise AssertionError(message) from None


def run(
    folder: Path,
    code: str,
    variables: Mapping[str, str],
    *,
    command: Sequence[str] = (sys.executable, "-W", "error"),
) -> tuple[str, str]:
    """Run a program that must succeed and return what it wrote."""
    process = start(folder, code, variables, command=command)
    out, err = finish(process)
    assert process.returncode == 0, f"{process.returncode}\n{out}\n{err}"
    return out, err
