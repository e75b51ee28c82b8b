"""The tutorials and deployments, done as they say: files written, commands run, output compared.

A block with a title is that file, a block `bash` is typed into a shell, and the block `text` below
it is what the shell shows. What a page starts in the background is ended with the page.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from tests.beside.environment import environment
from tests.docs.blocks import DOCUMENTS, blocks_of, place, says
from tests.packaging.conftest import distributions, wheel
from tests.sdk.deployments import free_port

__all__ = ["distributions", "wheel"]  # fixtures

PAGES: Final = [
    page for page in DOCUMENTS if any(one.language == "bash" for one in blocks_of(page))
]
FRAMEWORKS: Final = re.compile(r"^(?:from|import) (?:fastapi|flask|django)\b", re.MULTILINE)
PORTS: Final = ("8000", "9464")
# A program that was started a moment ago does not listen yet, and then has not worked yet.
CURL: Final = """
curl() {
  local port=$(grep -oE '127.0.0.1:[0-9]+' <<< "$*" | cut -d: -f2) early=
  until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do early=1; sleep 0.1; done
  [ -z "$early" ] || sleep 0.5
  command curl --silent --noproxy '*' "$@"
}
# What gives a reader's program the time to start is waited for above.
sleep() { [ "$1" = 3 ] || command sleep "$@"; }
"""
END: Final = "--- end of block ---"


@pytest.fixture(scope="module")
def beside(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs are of an environment with the wheel and the frameworks of others."""
    return environment(wheel, tmp_path_factory.mktemp("beside")).python.parent


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", PAGES, ids=place)
def test_page_shows_what_it_says(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A reader who does the page's steps, in order, sees what stands below each."""
    steps = [block for block in blocks_of(page) if block.file or block.language == "bash"]
    programs = Path(sys.executable).parent
    if any(FRAMEWORKS.search(block.code) for block in steps):
        programs = request.getfixturevalue("beside")
    ports = {port: str(free_port()) for port in PORTS}
    for block in steps:
        if block.file:
            (tmp_path / block.file).write_text(_moved(block.code, ports))
    commands = [block for block in steps if block.language == "bash" and not block.file]
    printed = _typed([_moved(block.code, ports) for block in commands], tmp_path, programs, ports)
    for block, shown in zip(commands, printed, strict=True):
        if block.output:
            assert says(shown, _moved(block.output, ports)), f"{block.code}\nshows\n{shown}"


def _moved(text: str, ports: dict[str, str]) -> str:
    return re.sub(r"\b(8000|9464)\b", lambda found: ports[found[0]], text)


def _typed(commands: list[str], folder: Path, programs: Path, ports: dict[str, str]) -> list[str]:
    script = "".join(f"{command}\necho '{END}'\n" for command in commands)
    written = folder / "shown.txt"
    with written.open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-c", f"set -e\n{CURL}{script}"],
            cwd=folder,
            env={
                "PATH": f"{programs}:/usr/bin:/bin",
                "HOME": str(folder),
                "PYTHONDONTWRITEBYTECODE": "1",
                "OTEL_EXPORTER_PROMETHEUS_PORT": ports["9464"],
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        ended = shell.wait(150)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
            shell.wait(10)
            os.killpg(shell.pid, signal.SIGKILL)
    shown = written.read_text()
    assert ended == 0, shown
    return shown.split(f"{END}\n")[: len(commands)]
