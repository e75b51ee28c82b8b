"""No query names a metric or a label that nothing reports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
import yaml

from qudag_otel.alerts import hosts, objectives, pipeline, stack
from qudag_otel.alerts._model import Level
from qudag_otel.catalogue import Instrument, uids
from qudag_otel.catalogue.attributes import SCOPE
from qudag_otel.catalogue.metrics import METRICS
from qudag_otel.catalogue.sdk import SDK_METRICS
from qudag_otel.dashboards._external import EXTERNAL
from qudag_otel.objectives import Objective
from tests.dashboards.files import DASHBOARDS, LABEL, asked
from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIXES: Final = {Instrument.HISTOGRAM: ("_bucket", "_count", "_sum")}
STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
WINDOW: Final = re.compile(r"\[[^\]]*\]")
GROUPING: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right) *\(([^()]*)\)")
SELECTOR: Final = re.compile(r"([A-Za-z_:][\w:]*)\{([^{}]*)\}")
MATCHER: Final = re.compile(r"(\w+) *(?:=~|!~|!=|=)")
STACK: Final = re.compile(r"\b(?:prometheus|alertmanager|vl|otelcol|system)_\w+(?!\w*:)")
CREATED: Final = re.compile(r'label_(?:replace|join)\(.*?, "(\w+)", ')
SOURCES: Final = re.compile(r'label_replace\(.*, "([^"]*)", "[^"]*"\)|" to "((?:, "\w+")+)\)')
WORD: Final = re.compile(r"(?<![\w:.'$])[A-Za-z_:][\w:]*(?![\w:])(?! *\()")
"""A name that no parenthesis follows, as it does functions."""
KEYWORDS: Final = {"or", "and", "unless", "bool"}
AGGREGATIONS: Final = {"sum", "avg", "min", "max", "count", "group"}
"""Written before a grouping clause, so that no parenthesis follows them."""


def _known() -> dict[str, set[str]]:
    """Every name in Prometheus, with its labels."""
    known: dict[str, set[str]] = {}
    for metric in (*METRICS, *SDK_METRICS):
        labels = {attribute.label for attribute in metric.attributes}
        if metric in SDK_METRICS:
            labels |= {"job", "instance"}
        for suffix in SUFFIXES.get(metric.instrument, ("",)):
            bucket = {"le"} if suffix == "_bucket" else set[str]()
            known[metric.prometheus_name + suffix] = labels | bucket
    levels = {level.prefix: set(level.labels) for level in Level}
    for path in (REPOSITORY / "alerts" / "rules").glob("*.yaml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if name := rule.get("record"):
                    added = set(rule.get("labels", ()))
                    known.setdefault(name, set()).update(levels[name.split(":")[0]] | added)
    # These are recorded once somebody declares an objective.
    promise = Objective(success=0.99, latency=1.0)
    for series in objectives.recorded({("operation", "component"): promise}):
        known[series.name] = {*series.level.labels, *dict(series.labels)}
    known.update({external.name: set(external.labels) for external in EXTERNAL})
    # What only the rules about the pipeline and the stack read; their cases have real series.
    of_hosts = {"instance", "device", "mountpoint", "direction", "state", "mode"}
    for rule in (*pipeline.PIPELINE_RULES, *stack.STACK_RULES, *hosts.HOST_RULES):
        for name in STACK.findall(rule.expression):
            known.setdefault(name, {"job", "instance", "handler", "code"} | of_hosts)
    return known


KNOWN: Final = _known()


class Names(NamedTuple):
    """What an expression names."""

    matched: dict[str, set[str]]
    """Metrics, with the labels of their matchers."""
    grouped: set[str]
    """Labels of grouping clauses, and those that new labels are made of."""
    created: set[str]
    """Labels that the expression makes itself."""


def names(expression: str) -> Names:
    """Every metric and every label in a PromQL expression."""
    created = set(CREATED.findall(expression))
    made_of = {
        label
        for single, several in SOURCES.findall(expression)
        for label in [single, *STRING.findall(several)]
        if label
    }
    plain = WINDOW.sub("", STRING.sub("''", expression))
    grouped = {
        label.strip() for clause in GROUPING.findall(plain) for label in clause.split(",")
    } - {""}
    plain = GROUPING.sub(" ", plain)
    matched: dict[str, set[str]] = {}
    for metric, matchers in SELECTOR.findall(plain):
        matched.setdefault(metric, set()).update(MATCHER.findall(matchers))
    for word in WORD.findall(SELECTOR.sub(" ", plain)):
        if word not in KEYWORDS | AGGREGATIONS:
            matched.setdefault(word, set())
    return Names(matched, grouped | made_of, created)


def _complaints(expression: str) -> list[str]:
    found = names(expression)
    if not found.matched:
        return ["it names no metric"]
    unknown = [f"no metric {metric}" for metric in found.matched if metric not in KNOWN]
    strange = [
        f"{metric} has no label {label}"
        for metric, labels in found.matched.items()
        for label in labels - KNOWN.get(metric, labels) - set(SCOPE)
    ]
    there = found.created.union(SCOPE, *(KNOWN.get(metric, set()) for metric in found.matched))
    grouped = [f"no label {label} to group by" for label in found.grouped - there]
    return unknown + strange + grouped


def _expressions() -> Iterator[tuple[str, str]]:
    """Every PromQL expression by where it is: panels, annotations, data sources' links."""
    for one in asked("prometheus"):
        yield one.name, one.target["expr"]
    for uid, dashboard in DASHBOARDS.items():
        for annotation in dashboard["annotations"]["list"]:
            yield f"{uid} {annotation['name']}", annotation["expr"]
    for path in (REPOSITORY / "grafana" / "provisioning" / "datasources").glob("*.yaml"):
        for source in yaml.safe_load(path.read_text())["datasources"]:
            for query in source.get("jsonData", {}).get("tracesToMetrics", {}).get("queries", ()):
                yield f"{source['name']}: {query['name']}", query["query"]
            for correlation in source.get("correlations", ()):
                yield correlation["label"], correlation["config"]["target"]["expr"]


def test_expressions_name_only_what_is_reported() -> None:
    """Every metric and label is the catalogue's, a recording rule's, or a listed foreign one."""
    every = list(_expressions())
    assert len(every) >= 200
    wrong = {where: said for where, expr in every if (said := _complaints(expr))}
    assert wrong == {}


def test_legends_and_columns_name_labels_that_the_query_keeps() -> None:
    """A label in a legend that the aggregation dropped would be an empty word on the screen."""
    for one in asked("prometheus"):
        if one.dashboard["uid"] == uids.ALERTS:  # its labels are the alert's, which has cases
            continue
        found = names(one.target["expr"])
        kept = found.grouped | found.created
        if not kept:
            kept = set[str]().union(*(KNOWN[metric] for metric in found.matched))
        legend = set(LABEL.findall(one.target["legendFormat"]))
        assert legend <= kept, one.name
    for one in asked("prometheus"):
        if one.panel["type"] != "table":
            continue
        [organize] = [t for t in one.panel["transformations"] if t["id"] == "organize"]
        shown = set(organize["options"]["renameByName"])
        found = names(one.target["expr"])
        kept = found.grouped or set[str]().union(*(KNOWN[metric] for metric in found.matched))
        values = {name for name in shown if name.startswith(("Value", "Time"))}
        assert shown - values <= kept | found.created, one.name


def test_variables_list_values_of_labels_that_exist() -> None:
    """The choices at the top of a dashboard are read from labels that are reported."""
    read = set()
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"]:
            query = variable.get("query")
            if variable["type"] != "query" or variable["datasource"]["type"] != "prometheus":
                continue
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", query["query"])
            assert found, query
            selector, label = found.groups()
            either = re.match(r'\{__name__=~"([^"]*)",', selector)
            metrics = (
                {name: set[str]() for name in KNOWN if re.fullmatch(either[1], name)}
                if either
                else names(selector).matched
            )
            assert metrics, query
            assert any(label in KNOWN[metric] for metric in metrics), query
            assert all(labels <= KNOWN[metric] for metric, labels in metrics.items()), query
            # One series a subject, not the hundreds that each of them has.
            assert label == "service_name" or all(":" in metric for metric in metrics), query
            read.add(label)
    assert read == {"node_id", "swarm_id", "component", "operation", "service_name", *SCOPE}


def test_every_metric_of_the_catalogue_is_on_a_dashboard() -> None:
    """Whatever is measured can be seen."""
    shown = {metric for _, expression in _expressions() for metric in names(expression).matched}
    missing = [
        metric.name
        for metric in METRICS
        if not any(
            metric.prometheus_name + suffix in shown
            for suffix in SUFFIXES.get(metric.instrument, ("",))
        )
    ]
    assert missing == []


def test_foreign_metrics_listed_are_asked_for() -> None:
    """The list of foreign metrics holds nothing that no dashboard uses."""
    shown = {metric for _, expression in _expressions() for metric in names(expression).matched}
    assert {external.name for external in EXTERNAL} - shown == set()


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("sum by (node_id) (rate(qudag_error_total[5m]))", "no metric qudag_error_total"),
        (
            'qudag_errors_total{node="x"}',
            "qudag_errors_total has no label node",
        ),
        ("sum by (operation) (rate(qudag_errors_total[5m]))", "no label operation to group by"),
        ("0 * sum (qudag_errors_total) or upp", "no metric upp"),
        ("max without (nodeid) (up)", "no label nodeid to group by"),
        ("1 - 2", "it names no metric"),
        (
            'sum by (id) (label_replace(up, "id", "$1", "server", "(.+)"))',
            "no label server to group by",
        ),
    ],
)
def test_misspelt_names_are_found(expression: str, complaint: str) -> None:
    """The search for names finds them wherever PromQL allows them."""
    assert complaint in _complaints(expression)
