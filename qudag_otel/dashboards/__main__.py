"""`python -m qudag_otel.dashboards` writes grafana/dashboards; `--check` compares them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from qudag_otel import _generated
from qudag_otel.dashboards._build import rendered
from qudag_otel.dashboards.boards import BOARDS

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 if `--check` found a difference."""
    folder = _generated.ROOT / "grafana" / "dashboards"
    texts = {folder / name: text for name, text in rendered(BOARDS).items()}
    orphaned = _generated.orphans(folder, "qudag-*.json", texts)
    return _generated.command("python -m qudag_otel.dashboards", __doc__, texts, argv, orphaned)


if __name__ == "__main__":
    sys.exit(main())
