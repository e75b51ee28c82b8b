"""Rules as YAML: rule files of Prometheus, or a PrometheusRule of Kubernetes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from qudag_otel._query.promql import duration, scaled
from qudag_otel.alerts._model import Recorded
from qudag_otel.alerts.annotations import Links, texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel._query.native import Turn
    from qudag_otel.alerts._model import AlertRule, RuleFile, RuleGroup

HEADER: Final = (
    "# Generated from qudag_otel/catalogue by `python -m qudag_otel.alerts`; do not edit.\n"
)
_QUERY_OFFSET: Final = 60.0
"""Seconds, as in collector-config/backends/prometheus.yaml: pushed samples are that late."""
_UNFOLDED: Final = 10_000
_BREAK: Final = re.compile(r" (?=(?:and|or|unless)\b)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How rules are written.

    Args:
        links: Where the links in annotations lead.
        scale: What every duration is divided by, so that a test need not wait for days.
        namespace: Of Kubernetes, where the PrometheusRule is to be.
        release: The label by which a Prometheus of Kubernetes selects its rules.
        turn: What becomes of each expression, for example its form for native histograms.
    """

    links: Links = field(default_factory=Links)
    scale: float = 1.0
    namespace: str = ""
    release: str = ""
    turn: Turn = str


def rules_yaml(files: Iterable[RuleFile], style: Style | None = None) -> dict[str, str]:
    """Prometheus' rule files: text by file name.

    Args:
        files: The rules.
        style: How they are written.
    """
    style = style or Style()
    return {
        f"{file.name}.yaml": HEADER
        + _dump({"groups": [_group(group, style) for group in file.groups]})
        for file in files
    }


def prometheus_rule_yaml(files: Iterable[RuleFile], style: Style | None = None) -> dict[str, str]:
    """The same as one PrometheusRule, which the Prometheus Operator reads: text by file name.

    Args:
        files: The rules.
        style: How they are written.
    """
    style = style or Style()
    name = "qudag-otel"
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": name,
            **({"namespace": style.namespace} if style.namespace else {}),
            "labels": {
                "app.kubernetes.io/name": name,
                **({"release": style.release} if style.release else {}),
            },
        },
        # The Operator's Prometheus has no `rule_query_offset` of ours: see _QUERY_OFFSET.
        "spec": {
            "groups": [
                {**_group(group, style), "query_offset": duration(_QUERY_OFFSET / style.scale)}
                for file in files
                for group in file.groups
            ]
        },
    }
    return {f"{name}.yaml": HEADER + _dump(resource)}


def _group(group: RuleGroup, style: Style) -> dict[str, Any]:
    interval = {"interval": duration(group.interval / style.scale)} if group.interval else {}
    return {
        "name": group.name,
        **interval,
        "rules": [
            _recorded(rule, style) if isinstance(rule, Recorded) else _alert(rule, style)
            for rule in group.rules
        ],
    }


def _recorded(rule: Recorded, style: Style) -> dict[str, Any]:
    labels = {"labels": dict(rule.labels)} if rule.labels else {}
    return {"record": rule.name, "expr": _expression(rule, style), **labels}


def _alert(rule: AlertRule, style: Style) -> dict[str, Any]:
    wait = {"for": duration(rule.duration / style.scale)} if rule.duration else {}
    if rule.keep_firing:
        wait["keep_firing_for"] = duration(rule.keep_firing / style.scale)
    return {
        "alert": rule.alert.name,
        "expr": _expression(rule, style),
        **wait,
        "labels": {
            "concern": rule.concern,
            "severity": rule.severity.value,
            **dict(rule.labels),
        },
        "annotations": texts(rule, style.links),
    }


class _Block(str):
    """Text that is written as a block, line by line."""

    __slots__ = ()


def _expression(rule: Recorded | AlertRule, style: Style) -> str:
    """A rule's expression, with a line for each operand that is not inside parentheses."""
    lines, depth = [""], 0
    for part in _BREAK.split(style.turn(scaled(rule.expression, style.scale))):
        lines[-1:] = [f"{lines[-1]} {part}".lstrip()] if depth else [lines[-1], part]
        depth += part.count("(") - part.count(")")
    return _Block("\n".join(line for line in lines if line))


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, and writes expressions as blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the base class's signature
        super().increase_indent(flow, indentless=False)


def _block(_: yaml.SafeDumper, text: _Block) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return yaml.ScalarNode("tag:yaml.org,2002:str", str(text), style=style)


_Dumper.add_representer(_Block, _block)


def _dump(data: Any) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=_UNFOLDED, allow_unicode=True)
