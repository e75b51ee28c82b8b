"""The table of docs/guarantees.md, from what was measured."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.faults.table import FAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.table import Fault

PAGE: Final = Path(__file__).parents[2] / "docs" / "guarantees.md"
BEGIN: Final = "<!-- written by make faults -->\n"
END: Final = "<!-- end of what make faults writes -->\n"
_HEADER: Final = ("| fault | promise | qudag-otel | OpenTelemetry's SDK |", "|---|---|---|---|")
_NONE: Final = "came to no end"


@dataclass(frozen=True)
class Row:
    """A fault with what was measured.

    Args:
        fault: The row of the table.
        ours: Our figure.
        plain: That of OpenTelemetry's SDK; None if its program came to no figure.
    """

    fault: Fault
    ours: float | None
    plain: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return self.ours is not None and self.ours <= self.fault.most

    @property
    def line(self) -> str:
        """The row in Markdown."""
        fault = self.fault
        shown = [
            _NONE if one is None else fault.shown.format(one) for one in (self.ours, self.plain)
        ]
        if not self.kept:
            shown[0] += " (**broken**)"
        return f"| {fault.name} | {fault.promise.format(most=fault.most)} | {' | '.join(shown)} |"


def write(rows: Sequence[Row]) -> None:
    """Put rows into the page; what was not measured now stays as it was."""
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    before, tail = rest.split(END)
    lines = {line.split(" | ")[0]: line for line in before.splitlines() if line.startswith("| ")}
    lines |= {row.line.split(" | ")[0]: row.line for row in rows}
    where = (
        f"Python {platform.python_version()}, OpenTelemetry's SDK {version('opentelemetry-sdk')}, "
        f"{os.cpu_count()} cores shared with other work. Times vary from run to run."
    )
    known = [lines[f"| {fault.name}"] for fault in FAULTS if f"| {fault.name}" in lines]
    table = "\n".join([*_HEADER, *known])
    PAGE.write_text(f"{head}{BEGIN}\n{where}\n\n{table}\n\n{END}{tail}", encoding="utf-8")
