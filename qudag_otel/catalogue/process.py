"""Metrics of a process and its Python, as OpenTelemetry names them where it does.

Source: OpenTelemetry semantic conventions, "Process metrics" and "CPython runtime metrics".
"""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue._model import Attribute, Group, Instrument, Metric

CPU_MODE: Final = Attribute(
    key="cpu.mode", description="Where it was spent.", values=("user", "system")
)
SWITCH_TYPE: Final = Attribute(
    key="process.context_switch.type",
    description="Whether the process waited for something, or was made to wait.",
    values=("voluntary", "involuntary"),
)
GENERATION: Final = Attribute(
    key="cpython.gc.generation", description="The generation, 0 being the youngest.", example="0"
)


def _metric(
    name: str,
    instrument: Instrument,
    unit: str,
    description: str,
    attributes: tuple[Attribute, ...] = (),
) -> Metric:
    return Metric(
        name=name, instrument=instrument, unit=unit, description=description,
        group=Group.PROCESS, attributes=attributes, asynchronous=True, workers="sum",
    )  # fmt: skip


CPU_TIME: Final = _metric(
    "process.cpu.time", Instrument.COUNTER, "s", "CPU time of the process.", (CPU_MODE,)
)
MEMORY: Final = _metric(
    "process.memory.usage", Instrument.UP_DOWN_COUNTER, "By", "Resident memory of the process."
)
VIRTUAL: Final = _metric(
    "process.memory.virtual", Instrument.UP_DOWN_COUNTER, "By", "Virtual memory of the process."
)
THREADS: Final = _metric(
    "process.thread.count", Instrument.UP_DOWN_COUNTER, "{thread}", "Threads of the process."
)
DESCRIPTORS: Final = _metric(
    "process.unix.file_descriptor.count", Instrument.UP_DOWN_COUNTER, "{file_descriptor}",
    "Open file descriptors of the process; not on Windows.",
)  # fmt: skip
SWITCHES: Final = _metric(
    "process.context_switches", Instrument.COUNTER, "{context_switch}",
    "How often another process was given the CPU.", (SWITCH_TYPE,),
)  # fmt: skip
COLLECTIONS: Final = _metric(
    "cpython.gc.collections", Instrument.COUNTER, "{collection}",
    "How often the garbage collector ran.", (GENERATION,),
)  # fmt: skip
COLLECTED: Final = _metric(
    "cpython.gc.collected_objects", Instrument.COUNTER, "{object}",
    "Objects that the garbage collector freed.", (GENERATION,),
)  # fmt: skip
UNCOLLECTABLE: Final = _metric(
    "cpython.gc.uncollectable_objects", Instrument.COUNTER, "{object}",
    "Objects that the garbage collector could not free.", (GENERATION,),
)  # fmt: skip
LOOP_LAG: Final = Metric(
    name="qudag.eventloop.lag",
    instrument=Instrument.HISTOGRAM,
    unit="s",
    description="How much later than asked an event loop woke a timer: what held it up.",
    group=Group.PROCESS,
    attributes=(),
    bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)

PROCESS_METRICS: Final = (
    CPU_TIME, MEMORY, VIRTUAL, THREADS, DESCRIPTORS, SWITCHES, COLLECTIONS, COLLECTED,
    UNCOLLECTABLE, LOOP_LAG,
)  # fmt: skip
