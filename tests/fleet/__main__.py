"""`python -m tests.fleet`: 200 simulated nodes, the real Prometheus, the rules and Alertmanager.

A healthy hour, a gateway that dies, a rollout of all nodes and a swarm that stands still, in quick
motion; the table goes into docs/operating.md. With other options than the defaults it is printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.fleet import world
from tests.fleet.stage import EXPORT, Figures, Pace, Stage
from tests.servers.build import REPOSITORY

DOCUMENT: Final = REPOSITORY / "docs" / "operating.md"
BEGIN: Final = "<!-- Written by `make fleet`; do not edit. -->"
END: Final = "<!-- End of what `make fleet` wrote. -->"
NODES: Final = 200
SCALE: Final = Pace().scale
BEHIND: Final = 20
"""Nodes behind one gateway, and in one swarm."""
_AT_ONCE: Final = 20
"""Parts in which a rollout goes through the fleet, a minute each."""


Exports = Callable[[int], "Sequence[world.Process]"]
"""From the minute to the processes that export then."""


class Fleet:
    """Nodes, each behind a gateway, and their swarms.

    Attributes:
        nodes: the nodes' processes by name.
        swarms: the coordinators' by name.
        gateways: the Collectors'.
    """

    def __init__(self, count: int, began: float) -> None:
        """All that run from a moment on.

        Args:
            count: nodes.
            began: Unix seconds.
        """
        groups = range(max(1, count // BEHIND))
        self.nodes = {
            name: world.node(name, began) for name in (f"node-{n:03}" for n in range(count))
        }
        self.swarms = {name: world.swarm(name, began) for name in (f"swarm-{n}" for n in groups)}
        self.gateways = [world.gateway(number, began) for number in groups]

    def processes(self) -> list[world.Process]:
        """All that export."""
        return [*self.nodes.values(), *self.swarms.values(), *self.gateways]


def healthy(fleet: Fleet) -> Exports:
    """Nothing happens."""
    return lambda _: fleet.processes()


def dead_gateway(fleet: Fleet, minutes: int = 12) -> Exports:
    """A gateway is gone for some minutes, and with it all that is heard of the nodes behind it."""
    silent = [*list(fleet.nodes.values())[:BEHIND], fleet.gateways[0]]

    def exports(minute: int) -> Sequence[world.Process]:
        away = silent if minute < minutes else []
        return [each for each in fleet.processes() if each not in away]

    return exports


def rollout(fleet: Fleet) -> Exports:
    """Every node ends on purpose and comes back; half of them under another name, as pods do."""
    names = list(fleet.nodes)
    each = -(-len(names) // _AT_ONCE)

    def exports(minute: int) -> Sequence[world.Process]:
        going = names[minute * each : (minute + 1) * each]
        for name in going:
            world.end(fleet.nodes[name], name)
        last = fleet.processes()
        for place, name in enumerate(going):
            del fleet.nodes[name]
            new = name if place % 2 else f"{name}-pod"
            fleet.nodes[new] = world.node(new, time.time(), generation=1)
        return last

    return exports


def stuck(fleet: Fleet) -> Exports:
    """A swarm is given tasks and ends none."""
    world.stick(next(reversed(fleet.swarms.values())), time.time())
    return healthy(fleet)


class Scene(NamedTuple):
    """What happens, in words and in deeds, and for how many minutes of the fleet."""

    title: str
    happens: Callable[[Fleet], Exports]
    minutes: int


SCENES: Final[Mapping[str, Scene]] = {
    "healthy": Scene("a healthy hour", healthy, 60),
    "gateway": Scene(f"a gateway dead under {BEHIND} nodes, then back", dead_gateway, 18),
    "rollout": Scene("a rollout of all nodes, half under new names", rollout, 30),
    "swarm": Scene("a swarm stuck", stuck, 80),
}
WARM_UP: Final = 12


def measure(
    nodes: int, pace: Pace, scenes: Mapping[str, int]
) -> tuple[dict[str, Figures], dict[str, tuple[int, int]]]:
    """Have scenes happen one after the other; their figures, and samples a refresh by dashboard."""
    found: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder), pace) as stage:
        fleet = Fleet(nodes, time.time())
        stage.remember(list(fleet.nodes), list(fleet.swarms))
        stage.watch()
        stage.play(WARM_UP, healthy(fleet))
        samples: dict[str, tuple[int, int]] = {}
        for name, minutes in scenes.items():
            sys.stderr.write(f"fleet: {name}\n")
            found[SCENES[name].title] = stage.play(minutes, SCENES[name].happens(fleet))
            samples = samples or stage.samples()
    return found, samples


def markdown(
    nodes: int, pace: Pace, found: Mapping[str, Figures], samples: Mapping[str, tuple[int, int]]
) -> str:
    """The part of the page."""
    first = next(iter(found.values()))
    lines = [
        BEGIN,
        (
            f"{nodes} nodes behind {max(1, nodes // BEHIND)} gateways, with as many swarms;"
            f" {first.series:,} series; a minute of the fleet lasted {EXPORT / pace.scale:g} s."
        ),
        "",
        (
            "| what happens | minutes | all rules once, median and most | baselines once, most"
            " | CPU seconds a minute | pages | tickets | notes |"
        ),
        "|---|---:|---:|---:|---:|---|---|---|",
        *(
            f"| {name} | {one.minutes} | {one.evaluation[0]:.2f} s, {one.evaluation[1]:.2f} s"
            f" | {one.baselines[1]:.2f} s | {one.cpu:.2f}"
            f" | {_listed(one.pages)} | {_listed(one.tickets)} | {_listed(one.notes)} |"
            for name, one in found.items()
        ),
        "",
        "| dashboard, all nodes, one hour | samples a refresh | with all rows unfolded |",
        "|---|---:|---:|",
        *(
            f"| {uid} | {opened:,} | {every:,} |"
            for uid, (opened, every) in sorted(samples.items())
            if every
        ),
        END,
    ]
    return "\n".join(lines)


def _listed(told: Sequence[str]) -> str:
    """How many there were, and which."""
    return f"{len(told)}: {', '.join(told)}" if told else "0"


def replaced(document: str, text: str) -> str:
    """The document with `text` where the earlier measurement stood."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + text + after


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("--nodes", type=int, default=NODES, help="how many")
    parser.add_argument("--scale", type=float, default=SCALE, help="how quick; 1 is real time")
    parser.add_argument("--minutes", type=int, help="how long each scene lasts, if not as written")
    parser.add_argument("--every", type=float, default=Pace().every, help="seconds of evaluation")
    parser.add_argument("--export", type=float, default=EXPORT, help="seconds between two exports")
    parser.add_argument("--scenes", default=",".join(SCENES), help="which, separated by commas")
    arguments = parser.parse_args()
    scenes = {
        name: arguments.minutes or SCENES[name].minutes for name in arguments.scenes.split(",")
    }
    pace = Pace(arguments.scale, every=arguments.every, export=arguments.export)
    found, samples = measure(arguments.nodes, pace, scenes)
    text = markdown(arguments.nodes, pace, found, samples)
    print(text)  # noqa: T201 - what the command is for
    as_written = arguments.minutes is None and pace == Pace(arguments.scale)
    if as_written and (arguments.nodes, len(scenes)) == (NODES, len(SCENES)):
        DOCUMENT.write_text(replaced(DOCUMENT.read_text(), text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
