"""Help, wrong words, and output that nobody takes: what every command answers alike."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qudag_otel import __version__
from qudag_otel.cli import COMMANDS
from qudag_otel.cli._extras import EXTRAS, remedy
from tests.demo.programs import command, environment, run
from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Every command with what its help has to name.
NAMED: Mapping[str, Sequence[str]] = {
    "": tuple(COMMANDS),
    "demo": ("--nodes", "--rate", "--duration", "--source", "--seed", "--fault", "--headless",
             "--processes", "--log", "--record", "cold-cache", "pool-exhausted", "slow-task",
             "error-burst", "stall", "cpu", "memory", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    "top": ("URL", "--interval", "--rounds", "--view"),
    "node": ("ADDRESS", "--interval", "--timeout", "--token-file", "--explain", "RPC_AUTH_TOKEN"),
    "doctor": ("--all", "--timeout", "--json"),
    "metrics": ("NAME", "--json", "--contract"),
    "dashboards": ("export", "picture"),
    "dashboards export": ("--dir", "--url", "--format", "--folder", "--module", "--histograms",
                          "--prefix"),
    "dashboards picture": ("--output", "--prometheus", "--minutes"),
    "alerts": ("export",),
    "alerts export": ("--dir", "--format", "--module", "--node", "--histograms", "--prefix"),
    "explain": ("ALERT", "--node", "--swarm", "--match", "--at", "--json", "--prometheus",
                "--jaeger", "--logs", "--histograms", "--prefix"),
    "stack": ("export", "check"),
    "stack export": ("--dir", "--format", "--force", "--fast", "--prefix"),
    "stack check": ("--dir",),
    "size": ("--nodes", "--spans", "--series", "--interval", "--logs", "--trace", "--kept",
             "--wait", "--outage", "--traces-days", "--metrics-days", "--logs-days",
             "--cores", "--memory", "--load", "--json"),
    "baseline": ("record", "check", "show"),
    "baseline record": ("--output", "--prometheus", "--end", "--node", "--swarm", "--match",
                        "--measure", "--window", "--step"),
    "baseline check": ("file", "--tolerance", "--alpha", "--strict", "--json", "--plot"),
    "baseline show": ("file",),
}  # fmt: skip
# What they ask for before they look at anything else; what asks for a further word has nothing.
REQUIRED: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("dashboards", "alerts", "stack", "baseline"), ()),
    "explain": ("NodeAbsent",),
    "dashboards export": ("--dir", "folder"),
    "dashboards picture": ("-o", "picture.png"),
    "alerts export": ("--dir", "folder"),
    "stack export": ("--dir", "folder"),
    "baseline record": ("-o", "file"),
    "baseline check": ("file",),
    "baseline show": ("file",),
}
WIDE = {"COLUMNS": "200"}
# The one mark of a Python error that nobody answered; warnings that Python ignores count, too.
UNANSWERED = ("Traceback", "Exception ignored")


@functools.cache
def _help(words: str) -> subprocess.CompletedProcess[str]:
    return run(*words.split(), "--help", **WIDE)


@pytest.mark.parametrize("words", NAMED)
def test_help_names_and_explains_every_option(words: str) -> None:
    """Help succeeds, names what there is, and leaves no option without a word on it."""
    ended = _help(words)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [name for name in NAMED[words] if name not in ended.stdout] == []
    usage, _, rest = ended.stdout.partition("\n\n")
    explained = re.findall(r"^  (?:-\w.*, )?(--[\w-]+)[^\n]*?(?:  +|\n {6,})\S", rest, re.MULTILINE)
    assert set(re.findall(r"--[\w-]+", usage)) <= set(explained), ended.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_a_case_here(name: str) -> None:
    """A new command, or action of one, joins the table above."""
    assert name in NAMED
    found = re.findall(r"^    (\w+) {2,}", _help(name).stdout, re.MULTILINE)
    assert {f"{name} {action}" for action in found} == {
        words for words in NAMED if words.startswith(f"{name} ")
    }


@pytest.mark.parametrize("words", NAMED)
def test_unknown_option_is_bad_usage(words: str) -> None:
    """A word that no command knows is refused with a sentence, and nothing is run."""
    given = [*words.split(), *REQUIRED.get(words, ()), "--no-such-option"]
    ended = run(*given)
    assert (ended.returncode, ended.stdout) == (2, "")
    command = f"qudag-otel {words.partition(' ')[0]}".rstrip()
    assert ended.stderr.startswith(f"usage: {command}")
    told = "unrecognized arguments: --no-such-option"
    if not REQUIRED.get(words, "none"):
        told = "the following arguments are required: "
    assert ended.stderr.splitlines()[-1].startswith(f"{command}: error: {told}")


def test_no_word_at_all_shows_what_there_is() -> None:
    """Whoever tries the bare name gets the help, and no error."""
    ended = run(**WIDE)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, _help("").stdout, "")


def test_version_is_told() -> None:
    """By the option that every program has."""
    ended = run("--version")
    assert (ended.returncode, ended.stdout) == (0, f"qudag-otel {__version__}\n")


def test_extras_are_those_of_the_project() -> None:
    """Each extra's distributions stand in pyproject.toml, and none is forgotten."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    declared = {
        extra: {re.split(r"[<>=~!]", one)[0] for one in wanted}
        for extra, wanted in project["optional-dependencies"].items()
    }
    assert {extra: set(modules) for extra, modules in EXTRAS.items()} == declared


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("rich.console", "pip install 'qudag-otel[demo]'"),
        ("grafana_foundation_sdk", "pip install 'qudag-otel[generate]'"),
        ("matplotlib.figure", "pip install 'qudag-otel[baseline]'"),
        ("opentelemetry.configuration", "pip install 'qudag-otel[file-configuration]'"),
        ("grpc", "pip install --force-reinstall qudag-otel"),
    ],
)
def test_missing_module_names_its_extra(module: str, told: str) -> None:
    """Not all extras, but the one that has it."""
    assert remedy(ModuleNotFoundError(name=module)).endswith(told)


def test_unknown_command_is_bad_usage() -> None:
    """A command that does not exist is answered with those that do."""
    ended = run("dem")
    assert ended.returncode == 2
    assert all(name in ended.stderr.splitlines()[-1] for name in ("dem", *COMMANDS))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("demo --nodes 0", "argument --nodes: '0' is not a whole number from 2 to 50"),
        ("demo --nodes 51", "argument --nodes: '51' is not"),
        ("demo --nodes 2.5", "argument --nodes: '2.5' is not"),
        ("demo --rate -1", "argument --rate: '-1' is not a number above 0"),
        ("demo --rate 0", "argument --rate: '0' is not a number above 0"),
        ("demo --rate inf", "argument --rate: 'inf' is not a number above 0"),
        ("demo --duration nan", "argument --duration: 'nan' is not a number above 0"),
        ("demo --duration 5s", "argument --duration: '5s' is not a number above 0"),
        ("demo --fault slow", "argument --fault: there is no fault 'slow'; choose cold-cache"),
        ("demo --fault slow-task=x", "argument --fault: 'slow-task=x' is not NAME"),
        ("demo --source /no/such/folder", "there is no folder /no/such/folder"),
        ("top ftp://host", "argument URL: 'ftp://host' is no URL"),
        ("top 127.0.0.1:99999", "argument URL: 'http://127.0.0.1:99999' is no URL"),
        ("top --interval 0", "argument --interval: '0' is not a number of seconds"),
        ("top --interval soon", "argument --interval: 'soon' is not a number of seconds"),
        ("top --rounds 0", "argument --rounds: '0' is not a whole number, 1 or more"),
        ("top --rounds -1", "argument --rounds: '-1' is not a whole number, 1 or more"),
        ("doctor --timeout -1", "argument --timeout: '-1' is not a number of seconds above 0"),
        ("doctor --timeout nan", "argument --timeout: 'nan' is not a number of seconds above 0"),
        ("doctor --timeout soon", "argument --timeout: 'soon' is not a number of seconds above 0"),
        ("metrics qudag_no_such", "there is no metric 'qudag_no_such'"),
    ],
)
def test_bad_value_is_a_clear_sentence(words: str, problem: str) -> None:
    """A value that cannot be used is named with what it should be; the code says bad usage."""
    ended = run(*words.split())
    assert (ended.returncode, ended.stdout) == (2, "")
    assert problem in ended.stderr.splitlines()[-1]
    assert not [mark for mark in UNANSWERED if mark in ended.stderr]


# Short and long output; a help text; output in pieces; the summary of a run.
WRITERS = (
    "--help",
    "demo --help",
    "metrics",
    "metrics --json",
    "doctor",
    "demo --headless --duration 0.2",
)


def _writing_to(descriptor: int | None, words: str) -> subprocess.CompletedProcess[str]:
    # A user's Python buffers: what is left in the buffer at the end must be taken care of.
    return subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command(*words.split())]
        if descriptor is None
        else command(*words.split()),
        stdout=descriptor,
        stderr=subprocess.PIPE,
        env=environment(PYTHONUNBUFFERED="", OTEL_TRACES_EXPORTER="none"),
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", WRITERS)
def test_reader_that_went_away_ends_the_command_quietly(words: str) -> None:
    """As under `| head`: the code of a broken pipe, and no word about it."""
    read, write = os.pipe()
    os.close(read)
    try:
        ended = _writing_to(write, words)
    finally:
        os.close(write)
    assert ended.returncode == 141
    assert [line for line in ended.stderr.splitlines() if "metrics on" not in line] == []


@pytest.mark.parametrize("words", WRITERS)
def test_closed_output_does_not_matter(words: str) -> None:
    """Without any standard output the command does what it does elsewhere."""
    ended = _writing_to(None, words)
    assert ended.returncode == (1 if words == "doctor" else 0)
    assert [line for line in ended.stderr.splitlines() if "metrics on" not in line] == []


@pytest.mark.parametrize("words", ["metrics", "metrics --json"])
def test_full_disk_is_a_clear_sentence(words: str) -> None:
    """Output that cannot be written is a failure that says why."""
    with Path("/dev/full").open("w") as full:
        ended = _writing_to(full.fileno(), words)
    assert ended.returncode == 2
    assert ended.stderr == "qudag-otel metrics: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    "words",
    [
        "demo --headless --duration 0.2 --record {}/no/such/folder/picture.svg",
        "demo --headless --duration 0.2 --record {}",
    ],
)
def test_picture_that_cannot_be_saved_is_told_at_once(words: str, tmp_path: Path) -> None:
    """A run is not begun if its picture would be lost at the end."""
    ended = run(*words.format(tmp_path).split())
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()[-1:]
    assert "argument --record" in line
    assert str(tmp_path) in line
