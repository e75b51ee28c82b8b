"""Labels of catalogue metrics: checked, bounded in number, completed by the process's identity."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from qudag_otel import identity
from qudag_otel._series.values import text
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import OTHER

if TYPE_CHECKING:
    from qudag_otel.catalogue import Attribute, Metric

Labels: TypeAlias = Mapping[str, str]

_IDENTITY: Final[dict[str, Callable[[], str]]] = {
    "node_id": identity.node_id,
    "swarm_id": identity.swarm_id,
}
_values: dict[tuple[str, str], set[str]] = {}
_lock = threading.RLock()


def check(metric: Metric, labels: Labels) -> dict[str, str]:
    """The labels with every value allowed, identity left out where the caller did not give it.

    Raises:
        TypeError: A label is missing, or the metric does not have it.
    """
    known = metric.attribute_keys
    unknown = sorted(set(labels) - set(known))
    missing = [key for key in known if key not in labels and key not in _IDENTITY]
    if unknown or missing:
        problem = f"has no label {unknown[0]!r}" if unknown else f"needs the label {missing[0]!r}"
        has = f"its labels are {', '.join(known)}" if known else "it has none"
        raise TypeError(f"{metric.name} {problem}; {has}")
    return {
        attribute.key: _allowed(metric, attribute, labels[attribute.key])
        for attribute in metric.attributes
        if attribute.key in labels
    }


def complete(metric: Metric, labels: Labels) -> dict[str, str]:
    """The labels in the catalogue's order, with the process's identity where none was given."""
    if len(labels) == len(metric.attributes) and isinstance(labels, dict):
        return labels  # as `check` made them
    return {
        key: labels[key] if key in labels else _IDENTITY[key]() for key in metric.attribute_keys
    }


def _allowed(metric: Metric, attribute: Attribute, value: object) -> str:
    found = text(value)
    if attribute.values:
        if found in attribute.values:
            return found
        reason = f"is none of {', '.join(attribute.values)}"
    else:
        with _lock:
            seen = _values.setdefault((metric.name, attribute.key), set())
            if found in seen or found == OTHER:
                return found
            if len(seen) < attribute.limit:
                seen.add(found)
                return found
        reason = f"is one more than the {attribute.limit} values that a process may report"
    warn_once(
        f"label:{metric.name}:{attribute.key}",
        "%s: the value %.100r of the label %s %s; it is reported as %r",
        metric.name,
        found,
        attribute.key,
        reason,
        OTHER,
    )
    return OTHER


def reset() -> None:
    """Forget which values were reported; for tests."""
    with _lock:
        _values.clear()


def after_fork() -> None:
    """Renew a lock that a thread of the parent may have held."""
    global _lock  # noqa: PLW0603 - a lock of another process cannot be released
    _lock = threading.RLock()
