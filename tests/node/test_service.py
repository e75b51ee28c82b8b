"""The bridge as a service: the unit of docs/nodes.md, and the service `node` of compose.yaml."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.demo.programs import run
from tests.docs.blocks import blocks_of
from tests.servers.build import REPOSITORY, binary

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.nodes import QudagNode

    Start = Callable[..., QudagNode]

INSTALLED = "/opt/qudag-otel/bin/qudag-otel"


def the_unit() -> str:
    """The unit that the page shows."""
    [unit] = [one for one in blocks_of(REPOSITORY / "docs" / "nodes.md") if one.language == "ini"]
    return unit.code


def verified(folder: Path, unit: str) -> subprocess.CompletedProcess[str]:
    """What systemd itself says of a unit whose program is installed where this Python is."""
    path = folder / "qudag-node.service"
    program = Path(sys.executable).with_name("qudag-otel")
    path.write_text(unit.replace(INSTALLED, str(program)))
    return subprocess.run(
        [binary("systemd-analyze"), "verify", "--man=no", path],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.servers("systemd")
def test_systemd_takes_the_unit_of_the_page(tmp_path: Path) -> None:
    """Without an error and without a complaint."""
    done = verified(tmp_path, the_unit())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.servers("systemd")
@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("NoNewPrivileges", "NoNewPriviledges", "Unknown key"),
        ("DynamicUser=yes", "DynamicUser=perhaps", "boolean"),
        (INSTALLED, "/opt/nowhere", "not executable"),
    ],
)
def test_systemd_complains_of_a_unit_that_is_wrong(
    tmp_path: Path, right: str, wrong: str, complaint: str
) -> None:
    """A misspelt directive, a value of another kind, a program that is not there."""
    assert right in the_unit()
    done = verified(tmp_path, the_unit().replace(right, wrong))
    assert complaint in done.stderr


@pytest.mark.servers("node")
def test_what_the_unit_starts_watches_a_node_through_its_socket(
    tmp_path: Path, qudag_node: Start
) -> None:
    """Its command line, with systemd's specifiers filled in, gets the node's answers."""
    node = qudag_node(unix=True, token="sesame")
    (tmp_path / "token").write_text("sesame\n")
    [line] = [one for one in the_unit().splitlines() if one.startswith("ExecStart=")]
    filled = line.removeprefix("ExecStart=").replace("%H", socket.gethostname())
    program, *words = shlex.split(filled.replace("%d", str(tmp_path)))
    assert program == INSTALLED
    here = [word.replace("unix:/run/qudag/rpc.sock", str(node.address)) for word in words]
    assert here != words
    ended = run(*here, "--explain")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{socket.gethostname()} ({node.address})\n  running" in ended.stdout


@pytest.mark.servers("compose", "node")
def test_service_of_compose_watches_a_node_in_the_folder_that_it_mounts(
    tmp_path: Path, qudag_node: Start
) -> None:
    """Its command finds the socket where the mount puts it, and uses the token that it hands on."""
    node = qudag_node(unix=True, token="sesame")
    folder = Path(str(node.address).removeprefix("unix:")).parent
    done = subprocess.run(
        [binary("compose"), REPOSITORY / "compose.yaml"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "QUDAG_NODE_FOLDER": str(folder),
            "QUDAG_NODE_GROUP": "990",
            "QUDAG_NODE_NAME": "first",
            "RPC_AUTH_TOKEN": "sesame",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    service: dict[str, Any] = json.loads(done.stdout)["services"]["node"]
    [mount] = service["volumes"]
    assert (mount["source"], mount["read_only"]) == (str(folder), True)
    assert service["group_add"] == ["990"]
    words = [word.replace(mount["target"], mount["source"]) for word in service["command"]]
    token = service["environment"]["RPC_AUTH_TOKEN"]
    ended = run(*words, "--explain", RPC_AUTH_TOKEN=token)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"first ({node.address})\n  running" in ended.stdout
