"""`python -m qudag_otel.sdk` writes docs/configuration.md; `--check` compares it."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Final

from qudag_otel import _generated
from qudag_otel.sdk.settings.variables import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COMMAND: Final = "python -m qudag_otel.sdk"
_HEAD: Final = f"""\
<!-- Generated from qudag_otel/sdk/settings/variables.py by `{_COMMAND}`; do not edit. -->
# Configuration

`qudag_otel.configure()` and `opentelemetry-instrument` read the variables below, with the meaning
that the OpenTelemetry specification gives them. An argument of `configure()` is a default: a
variable of the environment wins over it, and what stands here in the column "default" holds where
neither is given. `qudag-otel doctor` prints the effective value and origin of each.

A value that cannot be used is an error of `configure()` that names the variable, the value and the
remedy; under `opentelemetry-instrument` it is one logged error, and the program runs without
telemetry. A variable that is set to nothing counts as not set.

What the specification leaves open:

- The labels `node_id` and `swarm_id` come from the resource attributes `qudag.node.id` and
  `qudag.swarm.id`; without them, from the host's name and "default". They stand on every data
  point, so that a scrape and an OTLP export give the same series.
- `/metrics` binds to 127.0.0.1. It serves OpenMetrics with exemplars to who asks for it, and the
  classic text format to everybody else; exemplars need OpenMetrics.
- At the end of the program, and on SIGTERM, what is recorded is sent within five seconds; what is
  not sent by then is lost. After a fork the child counts from zero under a service instance of
  its own.
- While a receiver is down, exporters retry as the specification says, the queues stay bounded,
  and a line is logged when it starts and when it ends.
"""


def render() -> str:
    """The document."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for section, variables in groupby(TABLE.values(), key=lambda variable: variable.section):
        yield from (f"## {section}", "", "| variable | default | effect |", "|---|---|---|")
        for variable in variables:
            default = f"`{variable.shown}`" if variable.shown else ""
            masked = " Masked wherever settings are shown." if variable.secret else ""
            yield f"| `{variable.name}` | {default} | {variable.effect}{masked} |"
        yield ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 if `--check` found a difference."""
    texts = {_generated.ROOT / "docs" / "configuration.md": render()}
    return _generated.command(_COMMAND, __doc__, texts, argv)


if __name__ == "__main__":
    sys.exit(main())
