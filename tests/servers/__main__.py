"""`python -m tests.servers`: build and find the servers, run the stack."""

from __future__ import annotations

import argparse
import sys

from tests.servers import stack
from tests.servers.build import RECIPES, BuildError, binary, build


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    builds = commands.add_parser("build", help="build servers into the cache (default: all)")
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
        for name in [] if arguments.command == "path" else arguments.names or RECIPES:
            sys.stdout.write(f"{build(name)}\n")
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
