"""All call sites of the process: how many there may be, how they are bound, drained and reset."""

from __future__ import annotations

import contextlib
import copyreg
import dataclasses
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.metrics import Observation

from qudag_otel._calls import garbage, plain
from qudag_otel._calls.site import Options, Site, Value
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import OTHER
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import observe_raw, on_reset

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_SITES_LIMIT: Final = 10_000
_OTHERS_LIMIT: Final = 100
_NAMES_LIMIT: Final = 100

SPANLESS: Final[set[Site]] = set()
"""Sites whose calls no context knows."""
_sites: dict[Options, Site] = {}
# Reentrant, for a signal handler or a destructor that opens its first block meanwhile.
_lock = threading.RLock()
_binders: list[Callable[[Site], None]] = [plain.bind]
_observed = False


def site_for(options: Options) -> Site:
    """The site of these options, made and bound on first use."""
    found = _sites.get(options)
    if found is not None:
        return found
    if len(_sites) >= _SITES_LIMIT:
        warn_once(
            "sites",
            "more than %d different operations are instrumented; %r and those that follow "
            "are reported as %r. Name operations after code, not after data.",
            _SITES_LIMIT,
            options.operation,
            OTHER,
        )
        options = _other(options)
    made = Site(options)
    if not options.spans:
        SPANLESS.add(made)
    with _lock:
        found = _sites.setdefault(options, made)
        if found is made:
            _binders[-1](made)
    _observe()
    return found


_names: dict[Site, dict[str, Site]] = {}


def _options(site: Site) -> tuple[Any, ...]:
    return site_for, (site.options,)


copyreg.pickle(Site, _options)  # a site is found again by its options, in any process


def renamed(site: Site, name: str) -> Site:
    """The site of calls that began at a site, and are of another operation.

    Args:
        site: The site.
        name: The operation; after 100 of one site, its calls keep their own.
    """
    options = site.options
    names = _names.get(site)
    if names is None:
        names = _names[site] = {options.operation: site}
    found = names.get(name)
    if found is None and len(names) > _NAMES_LIMIT:
        warn_once(
            f"names:{id(names)}",
            "calls of one operation were renamed to more than %d names; %r and those that "
            "follow stay %r. Name operations after code, not after data.",
            _NAMES_LIMIT,
            name,
            options.operation,
        )
        return site
    if found is None:
        found = names[name] = site_for(dataclasses.replace(options, operation=name))
        found.tally = site.tally
        _names[found] = names
    return found


def _other(options: Options) -> Options:
    """What stands for all that are too many: as few as tell outcomes and spans right."""
    crowded = len(_sites) >= _SITES_LIMIT + _OTHERS_LIMIT
    return Options(
        operation=OTHER,
        component=OTHER,
        expected=() if crowded else options.expected,
        ends=options.ends,
        metrics=options.metrics,
        spans=options.spans,
    )


def _observe() -> None:
    global _observed  # noqa: PLW0603 - a process has one observation of all its sites
    if not _observed:
        _observed = True
        observe_raw(m.OPERATION_ACTIVE, _active)


def disabled() -> bool:
    """Whether OTEL_SDK_DISABLED is true; any other text means false, as the specification says."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def bind_with(binder: Callable[[Site], None]) -> None:
    """Bind all sites, present and future, with another kind of call.

    Args:
        binder: Sets a site's `begin` and `start`.
    """
    with _lock:
        _binders[:] = [binder]
        for site in _sites.values():
            binder(site)


@contextlib.contextmanager
def bound_with(binder: Callable[[Site], None]) -> Generator[None]:
    """Bind all sites with another kind of call until the block ends."""
    before = _binders[-1]
    bind_with(binder)
    try:
        yield
    finally:
        bind_with(before)


def all_sites() -> list[Site]:
    """Every site so far."""
    with _lock:
        return list(_sites.values())


def _active() -> list[Observation]:
    """Calls in flight by label set: sites that differ in their spans only are one series."""
    totals: dict[tuple[tuple[str, Value], ...], int] = {}
    for site in all_sites():
        if site.options.metrics:
            in_flight = site.in_flight()
            if in_flight is not None:
                key = tuple(site.labels().items())
                totals[key] = totals.get(key, 0) + in_flight
    return [Observation(total, dict(key)) for key, total in totals.items()]


def _forget() -> None:
    for site in all_sites():
        site.forget()


on_reset(_forget)
garbage.watch()


def _after_fork() -> None:
    """Start from zero in a child: locks, calls in flight and records are the parent's."""
    global _lock  # noqa: PLW0603 - a lock of another process cannot be released
    _lock = threading.RLock()
    for site in _sites.values():
        site.renew()
        _binders[-1](site)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
