"""The texts of an alert, and its links to the runbook and to the dashboard panel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue.uids import location

if TYPE_CHECKING:
    from qudag_otel.alerts._model import AlertRule

DEFAULT_RUNBOOKS: Final = "https://github.com/qudag/qudag-otel/blob/main/docs/runbooks.md"
DEFAULT_GRAFANA: Final = "http://localhost:3001"

_PLACEHOLDER: Final = re.compile(r"<(\w+)>")
_IDENTITY: Final = (a.NODE_ID.key, a.SWARM_ID.key)

_VALUES: Final = {
    "1": "{{ $value | humanizePercentage }}",
    "%": '{{ $value | printf "%.0f" }}%',
    "s": "{{ $value | humanizeDuration }}",
    "By": "{{ $value | humanize1024 }}B",
}
"""A value in human units, by its UCUM unit; Prometheus fills it in."""

_KIBI: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where the links in annotations lead.

    Args:
        runbooks: URL of the runbooks; an alert's section is its name in lower case.
        grafana: Root URL of Grafana.
    """

    runbooks: str = DEFAULT_RUNBOOKS
    grafana: str = DEFAULT_GRAFANA


def texts(rule: AlertRule, links: Links) -> dict[str, str]:
    """What an alert says: summary, description, runbook_url and dashboard_url.

    Args:
        rule: The rule.
        links: Where the links lead.
    """
    words = {
        "value": value_template(rule.alert.unit),
        "limit": quantity(rule.alert.threshold, rule.alert.unit),
        "duration": human_duration(rule.duration),
    }
    described = _PLACEHOLDER.sub(
        lambda found: words.get(found[1], f"{{{{ $labels.{found[1]} }}}}"), rule.description
    )
    chosen = "".join(
        f"&var-{key}={{{{ $labels.{key} | urlquery }}}}"
        for key in _IDENTITY
        if f"<{key}>" in rule.description
    )
    return {
        "dashboard_url": f"{links.grafana.rstrip('/')}{location(rule.alert).path}{chosen}",
        "description": described,
        "runbook_url": f"{links.runbooks}#{rule.alert.name.lower()}",
        "summary": rule.alert.summary,
    }


def value_template(unit: str) -> str:
    """The Go template that shows `$value` in human units."""
    return _VALUES.get(unit) or '{{ $value | printf "%.4g" }}' + _word(unit)


def quantity(value: float, unit: str) -> str:
    """A value of the catalogue in human units."""
    if unit == "1":
        return f"{value * 100:g}%"
    if unit == "By":
        for prefix in ("", "Ki", "Mi", "Gi", "Ti"):
            if value < _KIBI:
                return f"{value:g} {prefix}B"
            value /= _KIBI
    return f"{value:g}{_word(unit)}"


def human_duration(seconds: float) -> str:
    """A duration in words, for example "5 minutes"."""
    for word, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {word}{'s' if count > 1 else ''}"
    return f"{seconds:g} seconds"


def _word(unit: str) -> str:
    """A unit as it is written behind a number: `{message}/s` is " messages/s"."""
    noun, _, per = unit.partition("/")
    if noun.startswith("{"):
        noun = _plural(noun.strip("{}"))
    return ("" if noun == "%" else " ") + noun + (f"/{per}" if per else "")


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
