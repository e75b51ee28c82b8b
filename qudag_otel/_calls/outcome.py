"""How a call ended, and whether that is an error."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final, TypeGuard
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Types = tuple[type[BaseException], ...]


class Outcome(enum.Enum):
    """The values of the label `outcome`."""

    OK = "ok"
    ERROR = "error"
    EXPECTED = "expected"
    CANCELLED = "cancelled"
    CLOSED = "closed"


def outcome_of(error: BaseException | None, expected: Types = (), ends: Types = ()) -> Outcome:
    """Classify the end of a call.

    A group of exceptions is an error if one of those it holds is.

    Args:
        error: What it raised, or None.
        expected: The exception types that its author declared as an outcome.
        ends: The exception types that are how such a call ends well, as in `__next__`.
    """
    if error is None:
        return Outcome.OK
    if expected and isinstance(error, expected):
        return Outcome.EXPECTED
    if ends and isinstance(error, ends):
        return Outcome.OK
    if not _is_group(error):
        return _of_one(error)
    found = Outcome.CLOSED
    for leaf in _leaves(error):
        outcome = Outcome.EXPECTED if expected and isinstance(leaf, expected) else _of_one(leaf)
        if outcome is Outcome.ERROR:
            return outcome
        if found is not Outcome.EXPECTED:
            found = outcome
    return found


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)


def _leaves(group: BaseException) -> Iterator[BaseException]:
    """What a group holds, however deep; without recursion, which could go too deep."""
    waiting: list[BaseException] = [group]
    while waiting:
        one = waiting.pop()
        if _is_group(one):
            waiting.extend(one.exceptions)
        else:
            yield one


def _of_one(error: BaseException) -> Outcome:
    kind = type(error)
    found = _known.get(kind)
    if found is None:
        found = _known[kind] = _look_up(kind)
    return found(error)


def _look_up(kind: type[BaseException]) -> Callable[[Any], Outcome]:
    for base in kind.__mro__:
        found = _BY_NAME.get((str(base.__module__).partition(".")[0], base.__name__))
        if found is not None:
            return found
    return _error


def _error(_: BaseException) -> Outcome:
    return Outcome.ERROR


def _cancelled(_: BaseException) -> Outcome:
    return Outcome.CANCELLED


def _closed(_: BaseException) -> Outcome:
    return Outcome.CLOSED


def _expected(_: BaseException) -> Outcome:
    return Outcome.EXPECTED


def _exit(error: SystemExit) -> Outcome:
    return Outcome.ERROR if error.code else Outcome.CANCELLED


def _click_exit(error: Any) -> Outcome:
    return Outcome.ERROR if getattr(error, "exit_code", 0) else Outcome.EXPECTED


# By the top package and name of a class, so that nobody is made to import these libraries: who
# asks a program or task to stop, and what steers a task queue or a command, is no failure.
_BY_NAME: Final[dict[tuple[str, str], Callable[[Any], Outcome]]] = {
    ("builtins", "GeneratorExit"): _closed,
    ("builtins", "KeyboardInterrupt"): _cancelled,
    ("builtins", "SystemExit"): _exit,
    ("asyncio", "CancelledError"): _cancelled,
    ("concurrent", "CancelledError"): _cancelled,
    ("trio", "Cancelled"): _cancelled,
    ("curio", "CancelledError"): _cancelled,
    ("greenlet", "GreenletExit"): _cancelled,
    ("twisted", "CancelledError"): _cancelled,
    ("celery", "TaskPredicate"): _expected,
    ("celery", "Retry"): _expected,
    ("celery", "Ignore"): _expected,
    ("celery", "Reject"): _expected,
    ("click", "Exit"): _click_exit,
    ("click", "Abort"): _cancelled,
    ("typer", "Exit"): _click_exit,
    ("typer", "Abort"): _cancelled,
}
_known: WeakKeyDictionary[type[BaseException], Callable[[Any], Outcome]] = WeakKeyDictionary()
