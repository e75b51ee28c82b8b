"""The changes of a check as a picture: one line a number, with its interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.baseline._compare import CONFIDENCE, Finding, Verdict
from qudag_otel.baseline._errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LINES: Final = 40
"""So many findings at most, the worst first: more cannot be read."""

_COLORS: Final = {
    Verdict.REGRESSION: "#c4162a",
    Verdict.UNSURE: "#e0a800",
    Verdict.CHANGED: "#1f78c1",
    Verdict.IMPROVED: "#37872d",
    Verdict.SAME: "#808080",
}
_REACH: Final = 2.0  # intervals are cut at -200% and +200%


def plot(findings: Sequence[Finding], path: Path) -> None:
    """Draw the findings that have a change.

    Args:
        findings: The findings, the worst first.
        path: The picture; its suffix chooses the format, such as `.png` or `.svg`.

    Raises:
        BaselineError: nothing to draw, or the file cannot be written.
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    shown = [one for one in findings if one.verdict in _COLORS and not math.isnan(one.change)][
        :LINES
    ]
    if not shown:
        raise BaselineError("nothing to plot: no number has data in both windows")
    # Any, because matplotlib leaves its keyword arguments untyped.
    figure: Any = Figure(figsize=(11, 1.5 + 0.3 * len(shown)), layout="constrained")
    axes: Any = figure.add_subplot()
    for height, finding in enumerate(reversed(shown)):
        low, middle, high = (
            100 * min(max(one, -_REACH), _REACH)
            for one in (finding.interval[0], finding.change, finding.interval[1])
        )
        color = _COLORS[finding.verdict]
        axes.plot([low, high], [height, height], color=color, linewidth=3, solid_capstyle="butt")
        axes.plot([middle], [height], color=color, marker="o")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(shown)), [_name(one) for one in reversed(shown)], fontsize=8)
    axes.set_xlabel(f"change with its {CONFIDENCE:.0%} interval, % (shares: percentage points)")
    for verdict in dict.fromkeys(one.verdict for one in shown):
        axes.plot([], [], color=_COLORS[verdict], linewidth=3, label=verdict.value)
    axes.legend(loc="upper right", fontsize=8)
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise BaselineError(f"cannot write the plot {path}: {error}") from error


def _name(finding: Finding) -> str:
    return f"{finding.title}, {' '.join(text for _, text in finding.labels)}"
