"""`python -m tests.servers`: build and find the servers, run the stack."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from tests.servers import stack
from tests.servers.build import RECIPES, BuildError, binary, build, build_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    builds = commands.add_parser(
        "build", help="build servers into the cache (default: what make test needs)"
    )
    builds.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECIPES))
    path = commands.add_parser("path", help="print the path of a binary, built if need be")
    path.add_argument("name", metavar="NAME")
    stacks = commands.add_parser("stack", help="run the stack; `make stack` and its sisters")
    stacks.add_argument("action", choices=stack.COMMANDS)
    arguments = parser.parse_args()
    try:
        if arguments.command == "stack":
            return stack.run(arguments.action)
        if arguments.command == "path":
            sys.stdout.write(f"{binary(arguments.name)}\n")
            return 0
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return _build(arguments.names or [name for name, one in RECIPES.items() if not one.asked])


def _build(names: Iterable[str]) -> int:
    """Build all that can be built; a line each says how long it took, or why it is missing."""
    missing = []
    for name in names:
        try:
            folder = build(name)
        except BuildError as error:
            missing.append(name)
            sys.stderr.write(f"{error}\n")
            continue
        seconds = build_seconds(name)
        took = "unknown" if seconds is None else f"{seconds:.0f} s"
        sys.stdout.write(f"{name:<13} build time {took:>8}  {folder}\n")
    if missing:
        sys.stderr.write(f"servers: missing: {', '.join(missing)}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
