"""Every small change of the rules that no case notices and `unnoticed.txt` does not explain.

`make mutants-alerts` runs it, for about a quarter of an hour; ARGS="Node Swarm" tries only rules
whose names begin so.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.alerts import mutation

if TYPE_CHECKING:
    from collections.abc import Iterable

LIST: Final = Path(__file__).with_suffix(".txt")
"""The changes that change nothing, one a line, or a kind of them as a regular expression behind
"~ ", each below the reason why."""
_KIND: Final = "~ "


def reasons() -> dict[str, str]:
    """The lines of the list, and why each is there."""
    reason, found = "", {}
    for line in filter(None, LIST.read_text().splitlines()):
        if line.startswith("# "):
            reason = line.removeprefix("# ")
        else:
            found[line] = reason
    return found


def unexplained(left: Iterable[mutation.Mutant]) -> set[str]:
    """The names of the mutants that are not listed."""
    return {mutant.name for mutant in left if not any(_tells(each, mutant) for each in reasons())}


def _tells(line: str, mutant: mutation.Mutant) -> bool:
    if line.startswith(_KIND):
        return bool(re.search(line.removeprefix(_KIND), mutant.name))
    return line == mutant.name


def main(*names: str) -> int:
    """Print what is unexplained, and the lines of the list that no mutant needs.

    Args:
        names: What the names of the rules to change begin with; without any, all rules.
    """
    files = mutation.load()
    candidates = [
        each for each in mutation.mutants(files) if not names or each.name.startswith(names)
    ]
    with tempfile.TemporaryDirectory() as folder:
        left = mutation.survivors(candidates, files, Path(folder))
    unknown = sorted(unexplained(left))
    needless = [
        line for line in reasons() if not names and not any(_tells(line, each) for each in left)
    ]
    sys.stdout.write(f"{len(candidates)} changes, {len(left)} unnoticed\n")
    for title, lines in (("unexplained", unknown), ("listed, but noticed", needless)):
        sys.stdout.writelines(f"{title}: {line}\n" for line in lines)
    return bool(unknown or needless)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
