"""`qudag-otel demo` as it is run: summary, progress lines, live view, and every way to end it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from qudag_otel.catalogue.metrics import CONTRACT, QUEUE_DEPTH
from qudag_otel.cli._scrape import scrape
from tests.cli.terminal import FIRST, OTHER, SHOWN, in_terminal
from tests.demo.programs import Running, command, environment, eventually, run, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 6.0  # a progress line comes after five
TOLD = re.compile(r"^\d\d:\d\d:\d\d 3 nodes; metrics on (http://127\.0\.0\.1:\d+/metrics)$")
PROGRESS = re.compile(r"^\d\d:\d\d:\d\d [\d.,]+ messages/s, [\d.,]+ errors/s, queue [\d.,]+, .+$")
CLOSING = re.compile(
    r"\d+ s, (?P<delivered>\d+) files delivered, 0 failed, (?P<messages>\d+) messages, "
    r"(?P<rate>[\d.]+) messages/s\n"
)


class Ended(NamedTuple):
    """A run that has ended."""

    code: int
    out: str
    lines: list[str]


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one of two runs saves its last view."""
    return tmp_path_factory.mktemp("picture") / "view.svg"


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, picture: Path) -> tuple[Ended, Ended]:
    """Two runs at once, in a folder that nobody may write to: one headless, one not."""
    folder = tmp_path_factory.mktemp("nowhere")
    folder.chmod(0o555)
    words = ("demo", "--duration", f"{SECONDS:g}", "--rate", "20")
    with ExitStack() as stack:
        begun = [
            stack.enter_context(
                subprocess.Popen(
                    command(*words, *more),
                    env=environment(),
                    cwd=folder,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for more in (("--headless", "--record", str(picture)), ())
        ]
        written = [one.communicate(timeout=60) for one in begun]
    assert list(folder.iterdir()) == []
    headless, plain = (
        Ended(one.returncode, out, err.splitlines())
        for one, (out, err) in zip(begun, written, strict=True)
    )
    return headless, plain


def test_demo_headless_ends_with_one_json_summary(together: tuple[Ended, Ended]) -> None:
    """Standard output is one object: how long, how much, and every metric of the contract."""
    headless, _ = together
    assert headless.code == 0
    assert headless.out.count("\n") == 1
    summary: dict[str, Any] = json.loads(headless.out)
    assert SECONDS - 0.5 < summary["seconds"] < SECONDS + 1
    assert summary["files"]["delivered"] > 10
    assert summary["drained"] is True
    assert summary["messages_per_second"] == pytest.approx(summary["messages"] / summary["seconds"])
    names = {metric.prometheus_name for metric in CONTRACT}
    assert set(summary["counted"]) == names
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in summary["reported"]} > names - {
        name for name in names if name.endswith("_count")
    }


def test_demo_without_a_terminal_writes_progress(together: tuple[Ended, Ended]) -> None:
    """Standard error tells where metrics are, then how it goes; output ends with the sum."""
    headless, plain = together
    for ended in together:
        assert TOLD.match(ended.lines[0]), ended.lines
        assert PROGRESS.match(ended.lines[1]), ended.lines
        assert len(ended.lines) == 2
    closing = CLOSING.fullmatch(plain.out)
    assert closing, plain.out
    assert int(closing["messages"]) > int(closing["delivered"]) > 10
    assert "\x1b" not in plain.out + headless.out + "".join(plain.lines + headless.lines)


def test_two_demos_at_once_serve_on_ports_of_their_own(together: tuple[Ended, Ended]) -> None:
    """Each run has its own /metrics when the system chooses the ports, and neither fails."""
    told = [TOLD.match(ended.lines[0]) for ended in together]
    assert [ended.code for ended in together] == [0, 0]
    assert len({one[1] for one in told if one}) == 2


def test_demo_second_on_the_same_port_names_it_and_leaves_the_first() -> None:
    """The one that came later says which port is taken and how to choose; the first runs on."""
    with running("demo", "--headless", "--rate", "10") as first:
        (url,) = first.metrics_urls()
        port = url.split(":")[2].partition("/")[0]
        second = run("demo", "--headless", OTEL_EXPORTER_PROMETHEUS_PORT=port)
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr.startswith("qudag-otel demo: ")
        assert f"OTEL_EXPORTER_PROMETHEUS_PORT={port}: process " in second.stderr
        assert len(second.stderr.splitlines()) == 1
        told = time.monotonic()
        assert first.end(signal.SIGINT)["drained"]
        assert time.monotonic() - told < 20
        assert first.process.returncode == 0


@contextmanager
def _stuck() -> Iterator[Running]:
    """A run with tasks under way that will not end by themselves."""
    with running("demo", "--headless", "--rate", "40", "--fault", "slow-task=600@0") as demo:
        (url,) = demo.metrics_urls()
        # Every agent has one when tasks begin to wait.
        eventually(
            lambda: any(scrape(url).samples.get(QUEUE_DEPTH.prometheus_name, {}).values()),
            "tasks wait",
        )
        yield demo


def test_demo_ended_while_work_is_stuck_still_tells_the_summary() -> None:
    """A signal is answered in bounded time even if tasks take for ever, and that is told."""
    with _stuck() as demo:
        told = time.monotonic()
        summary = demo.end(signal.SIGTERM)
        assert time.monotonic() - told < 20
        assert (demo.process.returncode, summary["drained"]) == (0, False)
        assert not [line for line in demo.lines if "Traceback" in line]


def test_demo_told_twice_to_end_does_so_without_the_summary() -> None:
    """A second signal waits for no work."""
    with _stuck() as demo:
        assert demo.process.stdout is not None
        told = time.monotonic()
        demo.process.send_signal(signal.SIGTERM)
        demo.process.send_signal(signal.SIGINT)  # another one: of the same two, one may be lost
        assert demo.process.stdout.read() == ""
        assert demo.process.wait(20) == 130
        assert time.monotonic() - told < 5  # less than the work is waited for
        assert not [line for line in demo.lines if "Traceback" in line]


def test_demo_in_a_terminal_draws_the_live_view_until_ctrl_c() -> None:
    """Rates, latencies, shares, queues, thresholds, a trace as a waterfall and the log."""
    rates = r"│ node-1 +[\d.,]+ +[\d.,]+ [\s\S]*│ node-2 +[\d.,]+ +[\d.,]+ "
    with in_terminal("demo", "--nodes", "2", "--rate", "20") as terminal:
        frame = terminal.wait_for(
            lambda frame: re.search(rates, frame) and "Slowest recent trace " in frame
        )
        assert "QuDAG demo: 2 nodes" in frame
        for title in ("Messages and connections", "Latency", "Ratios and resources", "Swarms",
                      "Alert thresholds", "Log"):  # fmt: skip
            assert title in frame
        assert re.search(r"✓ http://127\.0\.0\.1:\d+/metrics", frame)
        assert re.search(r"chunk a message +[\d.]+ (µs|ms|s)", frame)
        assert re.search(r"━ +[\d.]+ (µs|ms|s)", frame)
        assert OTHER in terminal.written
        code, seconds = terminal.end()
        assert (code, seconds < 15) == (0, True)
        assert SHOWN in terminal.written[terminal.written.rindex(FIRST) - 20 :]
        assert CLOSING.fullmatch(terminal.left.lstrip()), terminal.left
        assert "Traceback" not in terminal.written


@pytest.mark.parametrize(
    ("name", "problem", "more"),
    [
        ("nothing", "there is no folder {}", ()),
        ("nothing", "there is no folder {}", ("--processes",)),
        ("empty", "the folder {} has no readable file", ()),
        ("file", "there is no folder {}", ()),
        ("large", "the folder {} has no readable file up to 4 MiB", ()),
    ],
)
def test_demo_source_of_no_use_is_a_clear_sentence(
    tmp_path: Path, name: str, problem: str, more: tuple[str, ...]
) -> None:
    """A folder that is missing, no folder, empty, or has only files that are too large."""
    source = tmp_path / name
    if name == "file":
        source.write_text("content")
    elif name != "nothing":
        source.mkdir()
    if name == "large":
        with (source / "file").open("wb") as file:
            file.truncate((4 << 20) + 1)
    ended = run("demo", "--headless", "--source", str(source), *more)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("qudag-otel demo: ")
    assert problem.format(source) in line


def test_demo_picture_is_drawn_without_a_terminal(
    together: tuple[Ended, Ended], picture: Path
) -> None:
    """`--record` saves the last view even where none is shown."""
    drawn = picture.read_text()
    assert drawn.startswith("<svg ")
    assert "node-1" in drawn
    assert "@font-face" not in drawn  # nothing to fetch for who looks at it
