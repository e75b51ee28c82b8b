"""Break each rule in every small way, and see whether the alerts' unit tests notice."""

from __future__ import annotations

import copy
import functools
import json
import re
import subprocess
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from qudag_otel._query.promql import seconds
from tests.alerts.cases import EXAMPLE, FOLDER, SCENARIOS
from tests.alerts.scenario import SCOPE
from tests.servers.build import REPOSITORY, binary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.alerts.scenario import Scenario

Rule = dict[str, Any]

_WHOLE: Final = re.compile(
    r"(?:Most(?:Tasks|Work)\w+|SwarmStalled|(?:fleet|collectors|\w+_target):.*"
    r"|(?:node|swarm):qudag_(?:(?:watched_)?node|swarm):.*|node:qudag_messages:(?:usual|changes6h|unbroken))$"
)
"""Rules whose cases take hours of samples: broken as a whole, not in every small way."""

_LONG: Final = {"Calendar", "History", "Outages"}
"""Days of samples: shown to no mutant."""

_BATCH: Final = 24
_CONTEXT: Final = 70
"""How much of an expression is shown on either side of a change."""
_PROCESSES: Final = 2
_RULES: Final = REPOSITORY / "alerts" / "rules"

_COMPARISONS: Final = {
    ">": ("<", ">="),
    "<": (">", "<="),
    "==": ("!=",),
    ">=": ("<", ">"),
}
_SET_OPERATORS: Final = {"and": "or", "or": "and", "unless": "and"}
_MATCHERS: Final = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}

_COMPARISON: Final = re.compile(r"(?<= )(?:>=|==|>|<)(?= )")
_NUMBER: Final = re.compile(r"(?<![\w.:\[\"])\d+(?:\.\d+)?(?![\w.:\]\"])")
_GROUPING: Final = re.compile(r"\b(?:by|on) \(([^)]+)\)")
_MATCHER: Final = re.compile(r"(?<=[{,])\w+(=~|!~|!=|=)\"")
_SET_OPERATOR: Final = re.compile(r"(?<=\s)(?:and|or|unless)(?=\s)")


@dataclass(frozen=True, eq=False)
class Mutant:
    """A rule with one thing changed.

    Attributes:
        file: the rule file's name, as scenarios spell it.
        group: the group's position in the file.
        position: the rule's position in the group.
        rule: the changed rule.
        change: what was changed, for people.
    """

    file: str
    group: int
    position: int
    rule: Rule
    change: str

    @property
    def name(self) -> str:
        """What people see when it survives; no two mutants have the same."""
        labels = self.rule.get("labels", {})
        which = ",".join(
            labels[key] for key in ("severity", "sli", "signal", "window", "seen") if key in labels
        )
        return " ".join(f"{_name(self.rule)}({which}): {self.change}".split())


def load() -> dict[str, Any]:
    """The rule files by the names that scenarios use."""
    files = {path.stem: path for path in sorted(_RULES.glob("*.yaml"))}
    files["example/objectives"] = REPOSITORY / EXAMPLE / "objectives.yaml"
    return {name: yaml.safe_load(path.read_text()) for name, path in files.items()}


def mutants(files: dict[str, Any]) -> Iterator[Mutant]:
    """Every mutant of every rule, once; the example's alerts are those of the real file.

    Recorded series of one shape come from one function: the first is broken in every way, and
    each of them once as a whole, to see that it is looked at.
    """
    shapes: set[str] = set()
    for file, content in files.items():
        for group, each in enumerate(content["groups"]):
            for position, rule in enumerate(each["rules"]):
                if "/" in file and "alert" in rule:
                    continue
                if (shape := _shape(rule)) in shapes or _WHOLE.match(_name(rule)):
                    changes: Iterable[tuple[Rule, str]] = [({**rule, "expr": "vector(-1)"}, "none")]
                else:
                    changes = _changes(rule)
                shapes.add(shape)
                for changed, change in changes:
                    yield Mutant(file, group, position, changed, change)


def _shape(rule: Rule) -> str:
    """A recorded series' expression without the names that make it one of several."""
    if "alert" in rule:
        return f"{rule['alert']} {rule['expr']} {rule['labels']}"
    labels = re.sub(r"[\w:]+=", "=", str(rule.get("labels", "")))
    text = re.sub(r"\b(?:by|on) \([^)]*\)", "by ()", rule["expr"])
    text = re.sub(r"\[\w+\]", "[range]", text)
    text = re.sub(r'\w+(=~|!=|!~|=)"[^"]*"', r"\1", text)
    return re.sub(r"\b(?:\w+:\w+:\w+|(?:qudag|otelcol)_\w+)", "name", text) + labels


def _changes(rule: Rule) -> Iterator[tuple[Rule, str]]:
    expression = rule["expr"]
    for start, end, new in _edits(expression):
        before, old, after = expression[:start], expression[start:end], expression[end:]
        changed = {**rule, "expr": f"{before}{new}{after}"}
        yield changed, f"{before[-_CONTEXT:]}[{old} -> {new}]{after[:_CONTEXT]}"
    for key, value in rule.get("labels", {}).items():
        yield {**rule, "labels": {**rule["labels"], key: "other"}}, f"label {key}={value}"
    if "for" in rule:
        yield {key: value for key, value in rule.items() if key != "for"}, "no duration"
        yield {**rule, "for": f"{rule['for']}1m"}, "a minute more"
    elif "alert" in rule:
        yield {**rule, "for": "1m"}, "a duration"


def _edits(expression: str) -> Iterator[tuple[int, int, str]]:
    """Places in an expression, and what to put there."""
    for found in _COMPARISON.finditer(expression):
        for new in _COMPARISONS[found[0]]:
            yield *found.span(), new
    for found in _NUMBER.finditer(expression):
        value = float(found[0])
        for changed in (value * 1.1, value * 0.9) if value else (0.5,):
            yield *found.span(), f"{changed:.12g}"
    for found in _GROUPING.finditer(expression):
        labels = found[1].split(", ")
        # The fleet's labels are written in one place: they are all there, or none.
        fleet = [label for label in labels if label in SCOPE]
        for removed in ([label] for label in labels if label not in SCOPE):
            yield *found.span(1), ", ".join(each for each in labels if each not in removed)
        if fleet and len(fleet) < len(labels):
            yield *found.span(1), ", ".join(each for each in labels if each not in fleet)
    for found in _MATCHER.finditer(expression):
        yield *found.span(1), _MATCHERS[found[1]]
    for found in _SET_OPERATOR.finditer(expression):
        yield *found.span(), _SET_OPERATORS[found[0]]


def survivors(candidates: Sequence[Mutant], files: dict[str, Any], folder: Path) -> list[Mutant]:
    """The mutants that no scenario notices.

    Each is shown to one scenario after the other, those with the fewest rules first, many in one
    run of promtool. A scenario gets only the rules that it needs.
    """
    left = list(candidates)
    needs = {scenario.name: _needed(scenario, files) for scenario in SCENARIOS}
    turns = {each: _watching(each, needs) for each in left}
    for turn in range(max(map(len, turns.values()))):
        shown = [(each, turns[each][turn]) for each in left if turn < len(turns[each])]
        batches = [shown[start : start + _BATCH] for start in range(0, len(shown), _BATCH)]
        with ThreadPoolExecutor(_PROCESSES) as pool:
            runs = pool.map(
                lambda batch, number, turn=turn: _noticed(
                    batch, files, needs, folder / f"{turn}-{number}"
                ),
                batches,
                range(len(batches)),
            )
            noticed = {each for run in runs for each in run}
        left = [each for each in left if each not in noticed]
    return left


Position = tuple[str, int, int]


def _position(mutant: Mutant) -> Position:
    return mutant.file, mutant.group, mutant.position


def _name(rule: Rule) -> str:
    return str(rule.get("alert") or rule["record"])


@functools.cache
def _test(name: str) -> dict[str, Any]:
    """What promtool is given for a scenario."""
    text = (REPOSITORY / FOLDER / f"{name}.yaml").read_text()
    test: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)  # the fast one
    return test


def _rules(scenario: Scenario, files: dict[str, Any]) -> dict[Position, Rule]:
    return {
        (file, group, position): rule
        for file in scenario.rules
        for group, each in enumerate(files[file]["groups"])
        for position, rule in enumerate(each["rules"])
    }


def _named(text: str) -> set[str]:
    """The recorded series that an expression reads."""
    return set(re.findall(r"\w+:\w+:\w+", text))


def _needed(scenario: Scenario, files: dict[str, Any]) -> set[Position]:
    """Where the rules are that a scenario's expectations depend on."""
    rules = _rules(scenario, files)
    asked = {
        word
        for case in _test(scenario.name)["tests"]
        for each in case.get("promql_expr_test", ())
        for word in re.findall(r"[\w:]+", each["expr"])
    }
    names = {scenario.name} | asked
    named = {where for where, rule in rules.items() if _name(rule) in names}
    return _with_inputs(named, rules) if named else set(rules)  # or any alert


def _with_inputs(needed: set[Position], rules: dict[Position, Rule]) -> set[Position]:
    """Rules, and all that they read."""
    needed, found = set(needed), set(needed)
    while found:
        named = _named(" ".join(rules[where]["expr"] for where in found))
        found = {where for where, rule in rules.items() if rule.get("record") in named} - needed
        needed |= found
    return needed


def _with_readers(name: str, rules: dict[Position, Rule]) -> set[str]:
    """The name of a recorded series, and of all that are reckoned from it."""
    names: set[str] = set()
    found = {name}
    while found:
        names |= found
        readers = (rule for rule in rules.values() if found & _named(rule["expr"]))
        found = {rule["record"] for rule in readers if "record" in rule} - names
    return names


def _watching(mutant: Mutant, needs: dict[str, set[Position]]) -> list[Scenario]:
    where = _position(mutant)
    watching = [each for each in SCENARIOS if where in needs[each.name] and each.name not in _LONG]
    return sorted(
        watching, key=lambda each: (_name(mutant.rule) != each.name, len(needs[each.name]))
    )


def _noticed(
    shown: Iterable[tuple[Mutant, Scenario]],
    files: dict[str, Any],
    needs: dict[str, set[Position]],
    folder: Path,
) -> set[Mutant]:
    """Which of some mutants make their scenario fail."""
    tests = {}
    for number, (mutant, scenario) in enumerate(shown):
        test = _test(scenario.name)
        needed = needs[scenario.name]
        if "record" in mutant.rule and not any("alert_rule_test" in case for case in test["tests"]):
            test = {**test}
            needed = _narrow(test, mutant, _rules(scenario, files))
        rules = _pruned(scenario, files, needed, mutant)
        tests[_written(test, rules, folder / str(number))] = mutant
    return {tests[path] for path in failures(list(tests), folder)}


def _written(test: dict[str, Any], rules: dict[str, Any], folder: Path) -> str:
    """The path of a test beside its rules."""
    folder.mkdir(parents=True)
    # JSON is YAML, and written much faster.
    (folder / "rules.yaml").write_text(json.dumps(rules))
    path = folder / "test.yaml"
    path.write_text(json.dumps({**test, "rule_files": ["rules.yaml"]}))
    return str(path)


def weight(scenario: Scenario, files: dict[str, Any]) -> float:
    """What a scenario costs promtool, roughly: evaluations of rules over series."""
    test = _test(scenario.name)
    every = float(test["evaluation_interval"].removesuffix("s"))
    lasts = sum(
        len(case["input_series"])
        * max(
            seconds(each["eval_time"])
            for kind in ("alert_rule_test", "promql_expr_test")
            for each in case.get(kind, ())
        )
        for case in test["tests"]
    )
    return lasts / every * len(_needed(scenario, files))


def dealt(scenarios: Sequence[Scenario], files: dict[str, Any]) -> list[list[Scenario]]:
    """Scenarios for each process, so that all end at about the same time: the longest first."""
    parts: list[list[Scenario]] = [[] for _ in range(_PROCESSES)]
    loads = [0.0] * _PROCESSES
    for cost, each in sorted(
        ((weight(each, files), each) for each in scenarios), key=lambda one: -one[0]
    ):
        least = loads.index(min(loads))
        parts[least].append(each)
        loads[least] += cost
    return parts


def failing(scenarios: Sequence[Scenario], folder: Path) -> set[str]:
    """The names of the scenarios that fail with the rules as they are, those that each needs."""
    files = load()
    parts = dealt(scenarios, files)

    def run(number: int) -> set[str]:
        tests = {
            _written(
                _test(each.name), _pruned(each, files, _needed(each, files)), folder / each.name
            ): each.name
            for each in parts[number]
        }
        report = folder / f"report-{number}"
        report.mkdir()
        return {tests[path] for path in failures(list(tests), report)} if tests else set()

    with ThreadPoolExecutor(_PROCESSES) as pool:
        return set().union(*pool.map(run, range(_PROCESSES)))


def _narrow(test: dict[str, Any], mutant: Mutant, rules: dict[Position, Rule]) -> set[Position]:
    """Keep the expectations that a recorded series can change; return the rules they need."""
    names = _with_readers(mutant.rule["record"], rules)
    narrowed = (
        {
            **case,
            "promql_expr_test": [
                each for each in case["promql_expr_test"] if names & _named(each["expr"])
            ],
        }
        for case in test["tests"]
    )
    test["tests"] = [case for case in narrowed if case["promql_expr_test"]]
    return _with_inputs(
        {where for where, rule in rules.items() if rule.get("record") in names}, rules
    )


def _pruned(
    scenario: Scenario,
    files: dict[str, Any],
    needed: set[Position],
    mutant: Mutant | None = None,
) -> dict[str, Any]:
    """The rules that a scenario needs, in order, with a mutant in its place."""
    groups = []
    for file in scenario.rules:
        for group, each in enumerate(files[file]["groups"]):
            rules = [
                mutant.rule if mutant and (file, group, position) == _position(mutant) else rule
                for position, rule in enumerate(each["rules"])
                if (file, group, position) in needed
            ]
            if rules:
                groups.append({**copy.copy(each), "rules": rules})
    return {"groups": groups}


def failures(tests: Sequence[str], folder: Path) -> set[str]:
    """The test files that fail, of those given to one run of promtool."""
    report = folder / "report.xml"
    subprocess.run(
        [binary("promtool"), "test", "rules", f"--junit={report}", *tests],
        check=False,
        capture_output=True,
    )
    suites = list(ET.parse(report).getroot())  # noqa: S314 - promtool wrote it
    assert len(suites) == len(tests)
    return {
        suite.attrib["name"]
        for suite in suites
        if int(suite.attrib["failures"]) or int(suite.attrib["errors"])
    }
