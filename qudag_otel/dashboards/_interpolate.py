"""What Grafana puts in place of variables before it asks Prometheus, VictoriaLogs or Jaeger.

Source: Grafana's documentation of global variables and of `$__rate_interval`; the rules for
several values are those of its Prometheus data source, and in LogsQL those of VictoriaLogs' plugin.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qudag_otel._query.promql import seconds
from qudag_otel.dashboards._view import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ALL: Final = "$__all"
_VARIABLE: Final = re.compile(r"\$([A-Za-z_]\w*)|\$\{(\w+)(?::\w+)?\}")
_SPECIAL: Final = re.compile(r"[$^*{}\[\]'+?.()|]")
_POINTS: Final = 1000


class VariableError(LookupError):
    """A query names a variable that its dashboard does not have."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A dashboard as somebody looks at it.

    Args:
        dashboard: The dashboard's JSON.
        seconds: The time shown, in seconds.
        chosen: Values picked in its variables; the others stay as they are at first.
        scrape_seconds: The data source's `timeInterval`.
    """

    dashboard: Mapping[str, Any]
    seconds: float = 3600.0
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict[str, "Sequence[str]"])
    scrape_seconds: float = 15.0

    def step(self, target: Mapping[str, Any]) -> float:
        """Seconds between two points of a query: enough for the screen, at least its minimum."""
        return max(self.seconds / _POINTS, self._scrape(target))

    def query(self, target: Mapping[str, Any]) -> str:
        """The expression of a query with every variable in place.

        Raises:
            VariableError: It names a variable that the dashboard does not have.
        """
        if target["datasource"]["type"] == Source.VICTORIALOGS.plugin:
            filled = self._filled(target["expr"], self._variables(_listed))
            return filled.replace("in(.*)", "in(*)")  # as the plugin does
        scrape = self._scrape(target)
        step = self.step(target)
        return self.fill(
            target["expr"],
            {
                "__interval": f"{step:.0f}s",
                "__rate_interval": f"{max(step + scrape, 4 * scrape):.0f}s",
                "__range": f"{self.seconds:.0f}s",
            },
        )

    def _scrape(self, target: Mapping[str, Any]) -> float:
        minimum = target.get("interval")
        return seconds(self.fill(minimum)) if minimum else self.scrape_seconds

    def fill(self, text: str, known: Mapping[str, str] | None = None) -> str:
        """A text with every variable in place; `known` come first.

        Raises:
            VariableError: It names a variable that is neither known nor the dashboard's.
        """
        return self._filled(text, {**self._variables(_matched), **(known or {})})

    def _filled(self, text: str, values: Mapping[str, str]) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name not in values:
                raise VariableError(f"${name} is no variable of {self.dashboard['uid']}")
            return values[name]

        return _VARIABLE.sub(value, text)

    def _variables(self, several: Callable[[Sequence[str]], str]) -> dict[str, str]:
        """Each variable's value as it stands in a query; `several` writes a choice of many."""
        found: dict[str, str] = {}
        for variable in self.dashboard["templating"]["list"]:
            selected = self.chosen.get(variable["name"], _selected(variable))
            if list(selected) == [_ALL]:
                value = str(variable["allValue"])
            else:
                value = several(selected) if variable.get("multi") else "".join(selected)
            found[variable["name"]] = value
        return found


def _matched(selected: Sequence[str]) -> str:
    """A regular expression, in PromQL."""
    escaped = [_escaped(one) for one in selected]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _listed(selected: Sequence[str]) -> str:
    """What stands in the brackets of `in`, in LogsQL."""
    return ",".join(map(json.dumps, selected))


def _selected(variable: Mapping[str, Any]) -> list[str]:
    """What is selected before anybody chose anything."""
    current: Any = variable.get("current", {"value": ""})
    value: str | list[str] = current.get("value", "")
    return [value] if isinstance(value, str) else value


def _escaped(value: str) -> str:
    """A value inside a regular expression inside a quoted string: every backslash twice."""
    return _SPECIAL.sub(r"\\\\\g<0>", value.replace("\\", "\\\\\\\\"))
