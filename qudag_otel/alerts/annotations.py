"""The texts of an alert, and its links to the runbook and to the dashboard panel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qudag_otel._query import units
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue.uids import location

if TYPE_CHECKING:
    from qudag_otel.alerts._model import AlertRule

DEFAULT_RUNBOOKS: Final = "https://github.com/qudag/qudag-otel/blob/main/docs/runbooks.md"
DEFAULT_GRAFANA: Final = "http://localhost:3001"

_PLACEHOLDER: Final = re.compile(r"<(\w+)>")
_IDENTITY: Final = (a.NODE_ID.key, a.SWARM_ID.key)
_OPTIONS: Final = {a.NODE_ID.key: "--node", a.SWARM_ID.key: "--swarm"}

_VALUES: Final = {
    "1": "{{ $value | humanizePercentage }}",
    "%": '{{ $value | printf "%.0f" }}%',
    "s": "{{ $value | humanizeDuration }}",
    "By": "{{ $value | humanize1024 }}B",
    "{Collector}": "{{ $value }} of its Collectors",
}
"""A value in human units, by its UCUM unit; Prometheus fills it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where the links in annotations lead.

    Args:
        runbooks: URL of the runbooks; an alert's section is its name in lower case.
        grafana: Root URL of Grafana.
        explaining: Further options of `qudag-otel explain`, where names or histograms differ.
    """

    runbooks: str = DEFAULT_RUNBOOKS
    grafana: str = DEFAULT_GRAFANA
    explaining: str = ""


def texts(rule: AlertRule, links: Links) -> dict[str, str]:
    """What an alert says: summary, description, where to look, and the command that explains it.

    Args:
        rule: The rule.
        links: Where the links lead.
    """
    words = {
        "value": value_template(rule.alert.unit),
        "limit": units.quantity(rule.alert.threshold, rule.alert.unit),
        "duration": units.duration(rule.duration),
    }
    described = _PLACEHOLDER.sub(
        lambda found: words.get(found[1], f"{{{{ $labels.{found[1]} }}}}"), rule.description
    )
    named = [key for key in _IDENTITY if f"<{key}>" in rule.description]
    chosen = "".join(
        f"&var-{key}={{{{ $labels.{key} | urlquery }}}}"
        for key in ((*a.SCOPE, *named) if named else ())
    )
    whom = "".join(f" {_OPTIONS[key]} '{{{{ $labels.{key} }}}}'" for key in named)
    return {
        "dashboard_url": f"{links.grafana.rstrip('/')}{location(rule.alert).path}{chosen}",
        "description": described,
        "explain": f"qudag-otel explain {rule.alert.name}{whom}{links.explaining}",
        "runbook_url": f"{links.runbooks}#{rule.alert.name.lower()}",
        "summary": rule.alert.summary,
    }


def value_template(unit: str) -> str:
    """The Go template that shows `$value` in human units."""
    return _VALUES.get(unit) or '{{ $value | printf "%.4g" }}' + units.word(unit)
