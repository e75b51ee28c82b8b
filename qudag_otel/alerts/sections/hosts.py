"""Runbooks of the host's CPU and memory."""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts import recording as r
from qudag_otel.alerts._model import Level
from qudag_otel.alerts.sections import _terms as t
from qudag_otel.alerts.sections._model import Check, Section, cause
from qudag_otel.catalogue import metrics as m

_OWN_CPU: Final = f"max({t.raw(Level.NODE, m.PROCESS_CPU)})"
_OTHER_CPU: Final = f"max({t.of(r.CPU_PERCENT)}) - {_OWN_CPU}"
_OWN_WORK: Final = Check("CPU that the node's own process takes", _OWN_CPU, ">", 10.0, "%")
_MOST_WORK: Final = Check("CPU that the node's own process takes", _OWN_CPU, ">", 40.0, "%")
_MORE_WORK: Final = Check(
    "CPU that the node's own process takes, of that before", t.changed(_OWN_CPU), ">=", 1.5, "1"
)
_OTHER_WORK: Final = Check("CPU that other processes take", _OTHER_CPU, ">", 50.0, "%")
_USED: Final = t.raw(Level.NODE, m.SYSTEM_MEMORY, 'memory_type="used"')
_CACHES: Final = Check(
    "share of the memory in use that caches hold",
    f"sum({t.raw(Level.NODE, m.CACHE_MEMORY)}) / max({_USED})",
    ">",
    0.2,
    "1",
)
_OWN_MEMORY: Final = f"max({t.raw(Level.NODE, m.PROCESS_MEMORY)})"
_INSTALLED: Final = t.raw(Level.NODE, m.SYSTEM_MEMORY, 'memory_type="total"')
_TOTAL: Final = f"max({_INSTALLED})"
# A leak takes hours; what is compared is the least of them.
_LEAST: Final = f"min(min_over_time({t.raw(Level.NODE, m.PROCESS_MEMORY)}[6h]))"
_GREW: Final = Check(
    "growth of the node's own process in six hours, of the host's memory",
    f"({_OWN_MEMORY} - {_LEAST}) / {_TOTAL}",
    ">",
    0.02,
    "1",
)
_LARGE: Final = Check(
    "memory of the node's own process, of the host's", f"{_OWN_MEMORY} / {_TOTAL}", ">", 0.4, "1"
)
_OTHER_MEMORY: Final = f"max({_USED}) - {_OWN_MEMORY}"
_OTHERS_LARGE: Final = Check(
    "memory of all other processes, of the host's", f"({_OTHER_MEMORY}) / {_TOTAL}", ">", 0.5, "1"
)

_BUSY: Final = (
    cause("more load", _OWN_WORK, t.MORE_MESSAGES),
    cause("a loop in a new release", _OWN_WORK, t.RELEASED),
    cause("the node's own process works more than its messages ask for", _OWN_WORK, _MORE_WORK),
    cause("the node's own process takes as much at all times", _MOST_WORK),
    cause("another process of the host", _OTHER_WORK),
)

SECTIONS: Final[dict[str, Section]] = {
    "HighMemoryUsage": Section(
        value=t.of(r.MEMORY_RATIO),
        impact="The system may end the node, or another process of the host, at any moment.",
        causes=(
            cause("a cache without a limit", _CACHES),
            cause("the node's own process grows: a leak, or more work", _GREW),
            cause("the node's own process is too large for the host", _LARGE),
            cause("another process", _OTHERS_LARGE),
        ),
        actions=(
            "Compare with the bytes that caches hold.",
            ("If the node itself grows, lower the cache limits or restart it at a quiet time."),
            "Move other processes away, or give the host more memory.",
        ),
    ),
    "ElevatedMemoryUsage": Section(
        value=t.of(r.MEMORY_RATIO),
        impact="None yet; at 90% a page follows.",
        causes=(
            cause("caches that fill", _CACHES),
            cause("the node's own process grows: a slow leak", _GREW),
            cause("another process", _OTHERS_LARGE),
        ),
        actions=("Look at the trend of the last day; act before it reaches 90%.",),
    ),
    "HighCPUUsage": Section(
        value=t.of(r.CPU_PERCENT),
        impact="Everything on the host becomes slower; timeouts follow.",
        causes=_BUSY,
        actions=(
            ("Compare with message throughput: same load and more CPU means a change of code."),
            "Profile the process (`py-spy top`).",
        ),
    ),
    "CriticalCPUUsage": Section(
        value=t.of(r.CPU_PERCENT),
        impact="Timeouts and missed deadlines on everything that the host does.",
        causes=_BUSY,
        actions=(
            ("Take load away from the host first, then look for the cause as in HighCPUUsage."),
        ),
    ),
}
"""The sections, by the alert's name."""
