"""Wrong uses of `@instrumented`: both checkers must reject each line marked, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qudag_otel import Objective, instrumented

if TYPE_CHECKING:
    from collections.abc import Iterator


@instrumented
def function(number: int, *, text: str = "") -> str:
    return text * number


@instrumented(component="typing")
async def coroutine(number: int) -> str:
    return str(number)


@instrumented
def generator(number: int) -> Iterator[int]:
    yield number


class Service:
    @instrumented
    def method(self, number: int) -> str:
        return str(number)

    @instrumented
    @staticmethod
    def static(number: int) -> str:
        return str(number)

    @instrumented
    @classmethod
    def make(cls, number: int) -> list[Service]:
        return [cls()] * number


@instrumented
class Whole:
    def __init__(self, number: int) -> None:
        self.number = number


function("1")  # error
function(1, "a")  # error
function(1, other=2)  # error
number: int = function(1)  # error
text: str = coroutine(1)  # error
strings: Iterator[str] = generator(1)  # error
Service().method("1")  # error
Service.static("1")  # error
Service.make("1")  # error
Whole("1")  # error
instrumented(5)  # error
instrumented(nme="typo")  # error
instrumented(capture="number", expected=ValueError("an instance"))  # error
instrumented(kind="client")  # error
instrumented(objective=0.99)  # error
instrumented(objective=Objective(success="high"))  # error
instrumented.block()  # error
instrumented.block("name", capture=["argument"])  # error
function(1, text="a")
instrumented(expected=(KeyError, ValueError))
