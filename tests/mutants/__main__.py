"""Change one place of the code at a time and see whether the tests of its room notice.

`make mutants` takes a seeded sample and prints every change that no test noticed; what is listed in
`equivalent.txt`, each with the reason why it changes nothing, does not count. It ends with 1 if
more than one change in twenty went unnoticed.

The tree is copied first, and the tests run in the copy: nothing is ever changed here.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cosmic_ray.ast import get_ast_from_path
from cosmic_ray.mutating import apply_mutation
from cosmic_ray.plugins import get_operator, operator_names

from tests.mutants.rooms import ROOMS

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY: Final = Path(__file__).parent.parent.parent
EQUIVALENT: Final = Path(__file__).with_name("equivalent.txt")
MOST_UNNOTICED: Final = 0.05
_TEST_SECONDS: Final = 900
# One operator for each thing that people get wrong; the rest of the library's are variations.
_OPERATORS: Final = re.compile(
    r"core/(AddNot|Replace(True|False|And|Or|Break|Continue)With\w+|ExceptionReplacer|NumberReplacer"
    r"|RemoveDecorator|ZeroIterationForLoop|ReplaceUnaryOperator_(USub_UAdd|Delete_Not)"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul)"
    r"|ReplaceComparisonOperator_(Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is))"
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the operator's `occurrence`-th place in a file of a room."""

    room: str
    path: str
    operator: str
    occurrence: int


def places(room: str) -> Iterator[Mutant]:
    """Every change of a room that there could be."""
    operators = [name for name in operator_names() if _OPERATORS.fullmatch(name)]
    for pattern in ROOMS[room].sources:
        for file in sorted(REPOSITORY.glob(pattern)):
            tree = get_ast_from_path(file)
            nodes = _nodes(tree)
            for name in operators:
                operator = get_operator(name)()
                found = sum(1 for node in nodes for _ in operator.mutation_positions(node))
                for occurrence in range(found):
                    yield Mutant(room, str(file.relative_to(REPOSITORY)), name, occurrence)


def _nodes(node: object) -> list[object]:
    found = [node]
    for child in getattr(node, "children", ()):
        found += _nodes(child)
    return found


class Copy:
    """A copy of the tree whose tests run against it, wherever the package is installed from."""

    def __init__(self, folder: Path) -> None:
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, check=True).stdout
        for name in names.decode().split("\0"):
            if name and (REPOSITORY / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, folder / name)
        self.folder = folder
        self.told = folder / "told.txt"
        """What the latest run of tests wrote."""

    def noticed(self, mutant: Mutant) -> tuple[bool | None, str]:
        """Whether a test fails with the change, and the change; None if it changes nothing."""
        file = self.folder / mutant.path
        original = file.read_text(encoding="utf-8")
        try:
            before, after = apply_mutation(file, get_operator(mutant.operator)(), mutant.occurrence)
            change = _change(before, after or before)
            if after is None or _meaningless(change):
                return None, change
            return not self.passes(mutant.room), change
        finally:
            file.write_text(original, encoding="utf-8")

    def passes(self, room: str) -> bool:
        """Whether the tests of a room pass, in a bounded time, without leaving a process."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += ["--timeout", "60", "-m", "not servers", *ROOMS[room].tests]
        paths = f"{self.folder}{os.pathsep}{self.folder / 'instrumentation'}"
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        with self.told.open("w") as told:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=told, stderr=told,
                start_new_session=True,
            )  # fmt: skip
        try:
            return process.wait(_TEST_SECONDS) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _change(before: str, after: str) -> str:
    for number, (old, new) in enumerate(
        zip(before.splitlines(), after.splitlines(), strict=False), start=1
    ):
        if old != new:
            return f"{number}: {old.strip()} -> {new.strip()}"
    return "a line less"


def _meaningless(change: str) -> bool:
    """Whether only an annotation, an overload or an import for type checkers is changed."""
    old = change.partition(": ")[2]
    return bool(re.match(r"@overload|if TYPE_CHECKING|(from|import) |if not TYPE_CHECKING", old))


def _explained() -> dict[str, str]:
    """The changes that are known to change nothing, without their line numbers."""
    found: dict[str, str] = {}
    reason = ""
    for line in EQUIVALENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            reason = line.removeprefix("#").strip()
        elif line:
            found[line] = reason
    return found


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run a sample and say what went unnoticed."""
    parser = argparse.ArgumentParser(prog="make mutants ARGS=...", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which sample (1)")
    parser.add_argument("--count", type=int, default=300, help="how many changes (300)")
    parser.add_argument("--room", action="append", choices=ROOMS, help="only these rooms")
    arguments = parser.parse_args()
    rooms: list[str] = arguments.room or list(ROOMS)
    everything = [mutant for room in rooms for mutant in places(room)]
    chance = random.Random(arguments.seed)
    sample = chance.sample(everything, len(everything))
    explained = _explained()
    tried = unnoticed = known = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Copy(Path(folder))
        for room in rooms:
            if not copy.passes(room):
                _say("\n".join(copy.told.read_text().splitlines()[-40:]))
                _say(f"the tests of {room} fail without any change; nothing can be said")
                return 2
        started = time.monotonic()
        for mutant in sample:
            if tried == arguments.count:
                break
            noticed, change = copy.noticed(mutant)
            if noticed is None:
                continue
            tried += 1
            label = f"{mutant.path} {change.partition(': ')[2]}"
            if noticed:
                continue
            if label in explained:
                known += 1
                continue
            unnoticed += 1
            _say(f"unnoticed: {mutant.path}:{change}  [{mutant.operator}]")
    minutes = (time.monotonic() - started) / 60
    _say(
        f"seed {arguments.seed}: {tried} of {len(everything)} changes tried in {minutes:.0f} min,"
        f" {unnoticed} unnoticed, {known} that are known to change nothing"
    )
    return int(unnoticed > MOST_UNNOTICED * max(1, tried))


if __name__ == "__main__":
    sys.exit(main())
