"""From the values of labels to the bound method of their series, in one look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qudag_otel._series.registry import on_rebind, series

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.catalogue import Metric

_LIMIT: Final = 1000  # of values given, which may be many more than are reported


class Table:
    """The series of one metric by what a recorder is given.

    Args:
        metric: The metric.
        use: "add", "record" or "set".
        labels: The labels that the values stand for, in order; a last one is the owner, or None.
        owner: The label of the owner, which is this process's by default.
        names: Names a class that is given as a value.
        beside: A metric of the same labels that exists from then on, too: the other side of a
            ratio.
    """

    def __init__(
        self,
        metric: Metric,
        use: str,
        *labels: str,
        owner: str = "node_id",
        beside: Metric | None = None,
        names: Callable[[Any], str] | None = None,
    ) -> None:
        self._metric = metric
        self._use = use
        self._labels = labels
        self._owner = owner
        self._beside = beside
        self._names = names
        self._found: dict[tuple[object, ...], Callable[..., None]] = {}
        on_rebind(self._found.clear)

    def __getitem__(self, values: tuple[Any, ...]) -> Callable[..., None]:
        try:
            return self._found[values]
        except (KeyError, TypeError):  # new, or not hashable
            return self._bind(values)

    def _bind(self, values: tuple[Any, ...]) -> Callable[..., None]:
        *named, owner = values
        if self._names is not None:
            named = [self._names(one) if isinstance(one, type) else one for one in named]
        labels = dict(zip(self._labels, named, strict=True))
        if owner is not None:
            labels[self._owner] = owner
        found: Callable[..., None] = getattr(series(self._metric, **labels), self._use)
        if self._beside is not None:
            series(self._beside, **labels).add(0)
        # 1 and True are the same key, and not the same label.
        if all(type(value) is str for value in labels.values()) and len(self._found) < _LIMIT:
            self._found[values] = found
        return found
