"""What is known of one node: its latest true numbers, its restarts, since when it is silent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from qudag_otel.node.facts import FACTS, Fact, Identity, identity, readings

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLOCKS_SECONDS: Final = 2.0  # uptime is in whole seconds, and two answers may overtake each other


@dataclass(slots=True)
class NodeMemory:
    """One node over time.

    Attributes:
        name: What its metrics call it.
        up: Whether it answered the last poll; None before the first.
        who: What it said it is.
        values: Its latest true numbers; empty while it is silent.
        left_out: Numbers that are not drawn, and why.
        restarts: How often its uptime began anew.
        problem: Why it did not answer; empty if it did.
    """

    name: str
    up: bool | None = None
    who: Identity | None = None
    values: dict[Fact, float] = field(default_factory=dict[Fact, float])
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    restarts: int = 0
    problem: str = ""
    _believed: set[Fact] = field(default_factory=set[Fact])
    _uptime: float = 0.0

    def answered(self, answers: Mapping[str, object]) -> bool:
        """Take what it answered; whether it was restarted since the last answer."""
        self.up, self.problem = True, ""
        self.who = identity(answers)
        unwired = self.who.state == "unwired"
        self.values, self.left_out = {}, {}
        for reading in readings(answers):
            fact, value = reading.fact, reading.value
            if value is None:
                self.left_out[fact.name] = "the answer is no number of 0 or more"
                continue
            if value and not (unwired and not fact.unwired):
                self._believed.add(fact)
            if fact.metric is not None and self._true(fact, unwired=unwired):
                self.values[fact] = value
            else:
                self.left_out[fact.name] = (
                    "an RPC server without a node makes it up"
                    if unwired and fact.measured
                    else fact.why
                )
        return self._restarted()

    def silent(self, problem: str) -> None:
        """Take that it did not answer; what it was is no longer known."""
        self.up, self.problem, self.values = False, problem, {}

    def _true(self, fact: Fact, *, unwired: bool) -> bool:
        if unwired and not fact.unwired:
            return False
        return fact.measured or fact in self._believed

    def _restarted(self) -> bool:
        uptime = next((v for fact, v in self.values.items() if fact is _UPTIME), None)
        if uptime is None:
            return False
        began_anew = uptime < self._uptime - _CLOCKS_SECONDS
        self._uptime = uptime
        self.restarts += began_anew
        return began_anew


_UPTIME: Final = FACTS[0]
