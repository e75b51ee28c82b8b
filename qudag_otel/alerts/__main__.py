"""`python -m qudag_otel.alerts` writes alerts/rules, docs/alerts.md and docs/runbooks.md."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from qudag_otel import _generated
from qudag_otel.alerts import groups, reference, rendering, runbooks

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 if `--check` found a difference."""
    rules = _generated.ROOT / "alerts" / "rules"
    rule_files = groups.rule_files()
    texts = {rules / name: text for name, text in rendering.rules_yaml(rule_files).items()}
    texts[_generated.ROOT / "docs" / "alerts.md"] = reference.markdown(rule_files)
    texts[_generated.ROOT / "docs" / "runbooks.md"] = runbooks.markdown()
    orphaned = _generated.orphans(rules, "*.yaml", texts)
    return _generated.command("python -m qudag_otel.alerts", __doc__, texts, argv, orphaned)


if __name__ == "__main__":
    sys.exit(main())
