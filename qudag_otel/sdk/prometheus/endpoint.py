"""/metrics of this process: a door of its own, or a part of the page that another worker serves."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

import psutil

from qudag_otel._warnings import warn_once
from qudag_otel.sdk.prometheus.loop import Loop
from qudag_otel.sdk.prometheus.server import PATH, Listener
from qudag_otel.sdk.prometheus.web import Door
from qudag_otel.sdk.prometheus.workers import Workers, shared_name
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.errors import ConfigurationError

if TYPE_CHECKING:
    from qudag_otel.sdk.prometheus.reader import PrometheusReader

_CLOSE_SECONDS: Final = 3.0


class Endpoint:
    """Has this process's metrics on /metrics until it is closed.

    Where another worker of the service has the port already, that one serves both. Where a
    stranger has it, that costs the endpoint and nothing else, until the port is free.

    Args:
        reader: What is asked on each scrape.
        host: The address to bind.
        port: The port to bind; 0 for one that the system picks.
        service: What the workers of one service have in common.
        web_config: Prometheus' web configuration file; empty for none.
        token_file: The file of a bearer token; empty for none.
        shared: Whether other workers than this process's children may have the port; if not, a
            port that is taken is an error.

    Raises:
        ConfigurationError: The address, the port or the file cannot be used.
    """

    def __init__(
        self,
        reader: PrometheusReader,
        host: str,
        port: int,
        service: str,
        web_config: str = "",
        token_file: str = "",
        *,
        shared: bool = True,
    ) -> None:
        self._host = host
        self._port = port
        self._service = service if shared else f"{service}\n{os.getpid()}"
        self._shared_port = shared
        self._reader = reader
        self._door = Door(host, web_config, token_file)
        self._listener: Listener | None = None
        self._loop = Loop("qudag-otel-prometheus")
        try:
            if port == 0:  # nobody can share a port that is not known yet
                self._listen()
            self._workers = self._shared()
            self._join()
        except OSError as error:
            self._loop.abandon()
            raise _explained(error, host, port) from error

    def start(self) -> None:
        """Begin to answer; the reader must belong to its provider by now."""
        self._loop.start()

    def _shared(self) -> Workers:
        name = shared_name(self._service, self._host, self._port)
        return Workers(self._reader, self._loop, self._listen, self._stop_listening, name)

    def _join(self) -> None:
        try:
            self._workers.join()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not self._shared_port:
                raise
            warn_once(
                "prometheus:port",
                "%s listens on %s:%d, so that /metrics is not served; traces and logs are not "
                "touched. Set %s to a free port, or end that process: the port is taken when it "
                "is free.",
                _holder(self._port),
                self._host,
                self._port,
                v.PROMETHEUS_PORT.name,
            )
            self._loop.call(self._workers.join_later)

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = Listener(self, self._loop, self._door, self._host, self._port)
            self._port = self._listener.port

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    @property
    def url(self) -> str | None:
        """Where what this process measures is shown; None while a stranger has the port."""
        if self._listener is None and not self._workers.connected:
            return None
        shown = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._door.scheme}://{shown}:{self._port}{PATH}"

    def scrape(self, *, openmetrics: bool) -> bytes:
        """The page of all workers."""
        return self._workers.scrape(openmetrics=openmetrics)

    def close(self) -> None:
        """Leave what was counted to the other workers, and give the port back."""
        if not self._loop.started:  # the set-up failed half-way
            self._workers.abandon()
            self._stop_listening()
            self._loop.abandon()
            return
        self._loop.call(self._workers.leave)
        self._loop.call(self._stop_listening)
        self._loop.close(_CLOSE_SECONDS)

    def after_fork(self) -> None:
        """Be another worker in a child process: the parent has the port."""
        self._loop.after_fork()
        if self._listener is not None:
            self._listener.after_fork()
            self._listener = None
        self._workers.after_fork(shared_name(self._service, self._host, self._port))
        self._workers.join_later()
        self._loop.start()


def service_name(name: str, namespace: str, node: str) -> str:
    """What the workers of a service have in common, and no two services on one host."""
    if name != v.SERVICE_NAME.shown:
        return f"{name}\n{namespace}\n{node}"
    # Nobody named it: what was started together belongs together.
    group = os.getpgrp() if hasattr(os, "getpgrp") else os.getppid()
    return f"{name}\n{group}"


def _holder(port: int) -> str:
    """Who listens on a port, as far as this user may know."""
    try:
        for one in psutil.net_connections("tcp"):
            if (
                one.status == psutil.CONN_LISTEN
                and one.laddr
                and one.laddr.port == port
                and one.pid
            ):
                return f"process {one.pid} ({psutil.Process(one.pid).name()})"
    except (psutil.Error, OSError):
        pass
    return "another process, which this user may not see,"


def _explained(error: OSError, host: str, port: int) -> ConfigurationError:
    problems = {
        errno.EADDRINUSE: f"{_holder(port)} listens on {host}:{port}",
        errno.EACCES: "this user may not listen there",
    }
    if error.errno in problems:
        return ConfigurationError(
            v.PROMETHEUS_PORT.name, port, problems[error.errno],
            "Set it to a free port, or to 0 for one that the system picks.",
        )  # fmt: skip
    return ConfigurationError(
        v.PROMETHEUS_HOST.name, host, f"not an address of this host ({error.strerror or error})",
        "Set it to 127.0.0.1, or to 0.0.0.0 for every IPv4 address.",
    )  # fmt: skip
