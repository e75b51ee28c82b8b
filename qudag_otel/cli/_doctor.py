"""The doctor's examination: versions, misspellings, ports, receivers, a test of each signal."""

from __future__ import annotations

import enum
import logging
import platform
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qudag_otel import instrumented
from qudag_otel._query.http import why
from qudag_otel.catalogue import prefix
from qudag_otel.catalogue.metrics import OPERATION_DURATION, TELEMETRY_SHARE
from qudag_otel.cli import _probe as probe
from qudag_otel.cli._extras import EXTRAS, install, installed
from qudag_otel.cli._scrape import scrape
from qudag_otel.instruments import Names
from qudag_otel.sdk import ConfigurationError, configure
from qudag_otel.sdk.export.otlp import receiver
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from qudag_otel.sdk import Telemetry
    from qudag_otel.sdk.export.otlp import Receiver

_PACKAGES: Final = (
    "qudag-otel",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp",
    "opentelemetry-instrumentation",
    "prometheus-client",
    "protobuf",
    "grpcio",
    "psutil",
)


class Level(enum.IntEnum):
    """How a check ended."""

    OK = 0
    NOTE = 1
    FAIL = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination.

    Args:
        level: How the check ended.
        text: What was found, and what to do about it.
    """

    level: Level
    text: str


def versions() -> Iterator[tuple[str, str]]:
    """What is installed: Python, the packages that matter, and which extras are complete."""
    yield "python", platform.python_version()
    for name in _PACKAGES:
        yield name, installed(name) or "not installed"
    for extra, packages in EXTRAS.items():
        missing = [name for name in packages if not installed(name)]
        yield (
            f"extra {extra}",
            f"without {', '.join(missing)}: {install(extra)}" if missing else "installed",
        )


def settings_of(environ: Mapping[str, str]) -> Settings:
    """The effective configuration of an environment.

    Raises:
        ConfigurationError: If a variable cannot be used.
    """
    return Settings(environ)


def examine(
    settings: Settings, environ: Mapping[str, str], timeout_seconds: float
) -> Iterator[Finding]:
    """Check everything that can go wrong between here and the receivers.

    Args:
        settings: The effective configuration.
        environ: The environment that it is of.
        timeout_seconds: How long a receiver may take to acknowledge, in seconds.
    """
    for problem in settings.ignored.values():
        yield Finding(Level.NOTE, f"{problem} It counts as false.")
    for name, meant in settings.suspects.items():
        yield Finding(Level.NOTE, f"{name} is read nowhere; did you mean {meant}?")
    if settings[v.SDK_DISABLED]:
        yield Finding(Level.NOTE, f"{v.SDK_DISABLED.name}=true: nothing is recorded or sent")
        return
    if settings[v.CONFIG_FILE]:
        yield Finding(Level.NOTE, f"{settings[v.CONFIG_FILE]} decides what is exported, and where")
        yield from _tested("everything that the file names", environ, timeout_seconds)
        return
    refused = list(_accepted(environ))
    yield from refused
    if any(one.level is Level.FAIL for one in refused):
        return
    for signal in v.SIGNALS:
        yield from _signal(settings, signal, environ, timeout_seconds)


def _signal(
    settings: Settings, signal: str, environ: Mapping[str, str], timeout_seconds: float
) -> Iterator[Finding]:
    names = [name for name in settings[v.EXPORTER[signal]] if name != "none"]
    if not names:
        yield Finding(Level.NOTE, f"{signal}: exported nowhere")
    if "prometheus" in names:
        yield _port(settings[v.PROMETHEUS_HOST], settings[v.PROMETHEUS_PORT])
    if "otlp" in names:
        try:
            found = list(_reachable(receiver(settings, signal)))
        except ConfigurationError as error:
            found = [Finding(Level.FAIL, f"{signal}: {error}")]
        yield from found
        if any(one.level is Level.FAIL for one in found):
            return
    # The console would only be written to; what was never named would be sent by default.
    tested = [name for name in names if name != "console"]
    if "console" in names:
        yield Finding(Level.NOTE, f"{signal}: written to standard output")
    if tested:
        # The port of /metrics may well be taken, by the very application that is examined.
        alone = {v.EXPORTER[other].name: "none" for other in v.SIGNALS}
        alone |= {v.EXPORTER[signal].name: ",".join(tested), v.PROMETHEUS_PORT.name: "0"}
        alone[v.TRACES_SAMPLER.name] = "always_on"  # or the test might not be among what is kept
        what = f"{signal}: test data through {', '.join(tested)}"
        yield from _tested(what, {**environ, **alone}, timeout_seconds)


def _port(host: str, port: int) -> Finding:
    family, name = (socket.AF_INET6, f"[{host}]") if ":" in host else (socket.AF_INET, host)
    where = f"/metrics on {name}:{port}"
    try:
        with socket.create_server((host, port), family=family):
            return Finding(Level.OK, f"{where}: the port is free")
    except OSError as error:
        found = scrape(f"http://{name}:{port}/metrics")
        if not found.problem:
            shares = found.samples.get(TELEMETRY_SHARE.prometheus_name, {}).values()
            price = f"; telemetry takes {max(shares):.1%} of that process" if shares else ""
            return Finding(Level.OK, f"{where}: served, with {len(found.samples)} metrics{price}")
        return Finding(
            Level.FAIL,
            f"{where}: {error.strerror or error}, and what is there {found.problem}; "
            f"set {v.PROMETHEUS_PORT.name} to another port",
        )


def _reachable(to: Receiver) -> Iterator[Finding]:
    """Whether a receiver is there and speaks what is set; the test goes on if nothing fails."""
    at = probe.address(to.endpoint)
    if at is None:
        words = f"{to.signal}: {to.endpoint} is gRPC's own to find; the test below tells"
        yield Finding(Level.OK, words)
        return
    proxy = probe.proxy(to, at)
    if proxy:
        words = f"{to.signal}: {at.shown} is asked through a proxy, {proxy}; NO_PROXY excepts hosts"
        yield Finding(Level.NOTE, words)
        return
    try:
        mistake = probe.mistake(to, at)
    except OSError as error:
        yield Finding(
            Level.FAIL,
            f"{to.signal}: {at.shown} is unreachable ({why(error)}); start a receiver there, "
            f"or set {v.OTLP_ENDPOINT[to.signal].name} or {v.EXPORTER[to.signal].name}",
        )
        return
    if mistake:
        yield Finding(Level.FAIL, f"{to.signal}: {at.shown} accepts connections, but {mistake}")
    else:
        yield Finding(Level.OK, f"{to.signal}: {at.shown} accepts connections")


def _accepted(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether `configure()` takes it all, as it is, with nothing exported."""
    silent = {v.EXPORTER[signal].name: "none" for signal in v.SIGNALS}
    complaints: list[str] = []
    try:
        with (
            _listening(complaints),
            configure(environ={**environ, **silent}, sigterm=False) as telemetry,
        ):
            yield from _detours(telemetry)
    except ConfigurationError as error:
        yield Finding(Level.FAIL, str(error))
    yield from (Finding(Level.NOTE, text) for text in dict.fromkeys(complaints))


def _detours(telemetry: Telemetry) -> Iterator[Finding]:
    for reason in telemetry.detours:
        yield Finding(Level.NOTE, f"calls go round the fast path: {reason}")


def _tested(what: str, environ: Mapping[str, str], timeout_seconds: float) -> Iterator[Finding]:
    complaints: list[str] = []
    try:
        with _listening(complaints), configure(environ=environ, sigterm=False) as telemetry:
            with instrumented.block("doctor", component="doctor"):
                logging.getLogger("qudag.doctor").warning("a test of qudag-otel doctor")
            if telemetry.settings[v.CONFIG_FILE]:
                yield from _detours(telemetry)
            acknowledged = telemetry.force_flush(timeout_seconds) and _served(telemetry)
    except ConfigurationError as error:
        yield Finding(Level.FAIL, f"{what}: {error}")
        return
    if acknowledged:
        yield Finding(Level.OK, f"{what}: acknowledged")
    else:
        reason = complaints[-1] if complaints else f"no answer within {timeout_seconds:g} s"
        yield Finding(Level.FAIL, f"{what}: not acknowledged: {reason}")


def _served(telemetry: Telemetry) -> bool:
    """Whether /metrics, if there is one, has the test metric."""
    if telemetry.metrics_url is None:
        return True
    name = prefix.turned(f"{OPERATION_DURATION.prometheus_name}_count", Names.prefix)
    return name in scrape(telemetry.metrics_url).samples


@contextmanager
def _listening(complaints: list[str]) -> Generator[None]:
    """Note what set-up and exporters complain about, and keep it off the screen."""
    handler = _Complaints(complaints)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


class _Complaints(logging.Handler):
    def __init__(self, complaints: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._complaints = complaints

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in {"qudag_otel", "opentelemetry"}:
            self._complaints.append(record.getMessage())
