"""A section's query about one subject: its placeholders are filled in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import among, equal
from qudag_otel.alerts._model import Level

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_LEVELS: Final = {level.prefix: level for level in Level}
_PLACEHOLDER: Final = re.compile(rf"<({'|'.join(_LEVELS)})>,?|<(before)>")
_EMPTY: Final = re.compile(r",?\{\}|,(?=\})")


def bound(query: str, labels: Mapping[str, Collection[str]], before: float) -> str:
    """A query about one subject, as Prometheus takes it.

    Args:
        query: It, with placeholders.
        labels: What is known of the subject: each label's values, one or several.
        before: Unix seconds shortly before the alert began.
    """

    def filled(found: re.Match[str]) -> str:
        if found[2]:
            return f"{before:.3f}"
        matchers = [
            equal(label, *values) if len(values) == 1 else among(label, sorted(values))
            for label in _LEVELS[found[1]].labels
            if (values := labels.get(label, ()))
        ]
        return ",".join(matchers) + ("," if matchers and found[0].endswith(",") else "")

    return _EMPTY.sub("", _PLACEHOLDER.sub(filled, query))
