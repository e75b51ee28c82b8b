"""Runs a command in a pseudo-terminal, as a person sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.demo.programs import command, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = (60, 160)
"""Lines and columns."""

DEADLINE_SECONDS = 30.0
CTRL_C = b"\x03"
SHOWN, HIDDEN = "\x1b[?25h", "\x1b[?25l"  # the cursor
OTHER, FIRST = "\x1b[?1049h", "\x1b[?1049l"  # the screen
_TOP_LEFT = "\x1b[H"
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
# Makes standard input the controlling terminal, so that Ctrl-C is a signal, as in a shell.
# A test run in the background of a shell has that signal ignored, and children inherit this.
_LOGIN = (
    "import os, signal, sys; os.login_tty(0); signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A terminal, and all that was written to it so far."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.written = ""
        self._master = master
        self._bytes = b""

    @property
    def frame(self) -> str:
        """The last whole screen that was drawn, without colours."""
        frames = self.written.split(_TOP_LEFT)
        return plain(frames[-2] if len(frames) > 2 else frames[-1])

    def wait_for(self, shown: Callable[[str], object]) -> str:
        """The first screen for which this holds."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not shown(self.frame):
            assert time.monotonic() < deadline, self.frame
            assert self._read(deadline), self.written
        return self.frame

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self._master, key)

    def end(self) -> tuple[int, float]:
        """Press Ctrl-C; the exit code, and after how many seconds."""
        pressed = time.monotonic()
        self.press(CTRL_C)
        return self.wait(), time.monotonic() - pressed

    def wait(self) -> int:
        """Read on until the command has ended; its exit code."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self._read(deadline):
            pass
        return self.process.wait(DEADLINE_SECONDS)

    @property
    def left(self) -> str:
        """What stands in the terminal after the live view is gone."""
        return plain(self.written.rpartition(FIRST)[2])

    def _read(self, deadline: float) -> bool:
        """Read what was written; false at the end."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing written for {DEADLINE_SECONDS} s after {self.frame}"
        try:
            self._bytes += os.read(self._master, 65536)
        except OSError:  # how Linux tells that no process holds the terminal any more
            return False
        self.written = self._bytes.decode(errors="ignore")
        return True


def plain(text: str) -> str:
    """Text without escape sequences."""
    return _ESCAPE.sub("", text).replace("\r", "")


@contextmanager
def in_terminal(*words: str, size: tuple[int, int] = SIZE, **variables: str) -> Iterator[Terminal]:
    """A command in a terminal; it is ended with the block, at the latest."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    hidden = {"NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE", "CI"}
    known = {k: v for k, v in environment(**variables).items() if k not in hidden}
    with subprocess.Popen(
        [sys.executable, "-c", _LOGIN, *command(*words)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**known, "TERM": variables.get("TERM", "xterm-256color")},
    ) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            process.kill()
            os.close(master)
