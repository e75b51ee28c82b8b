"""One /metrics for all workers of a service, on the one port that they were all given.

Whoever comes first owns the port and listens on a local socket; the others connect to it there.
On a scrape the owner asks each of them for its page and adds them up with its own. A worker that
ends sends its page a last time, and what it had counted stays counted. With each scrape the owner
also gives the others what it would take with it: when it ends, one of them owns the port and goes
on counting where it stopped.

No call is measured differently for it, and no file is left behind: on Linux the socket is one of
the abstract names, which vanish with their process. Only processes of the same user are heard.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import selectors
import socket
import struct
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.sdk.prometheus import pages
from qudag_otel.sdk.prometheus.loop import Connection, Loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.sdk.prometheus.pages import Family, Modes
    from qudag_otel.sdk.prometheus.reader import PrometheusReader

_ANSWER_SECONDS: Final = 1.0  # how long a scrape waits for a worker; then its last page counts
_BYE_SECONDS: Final = 1.0
_BACKLOG: Final = 128
_FAREWELLS: Final = 5  # to owners that end at the same time, one after another
_CREDENTIALS: Final = struct.Struct("3i")  # pid, user, group
_RETRY_SECONDS: Final = (0.02, 5.0)  # to own the port when its owner is gone: first, at most


class _Worker:
    """What the owner knows of another worker."""

    def __init__(self, connection: Connection | None = None) -> None:
        self.connection = connection
        self.pid = 0
        self.page = b""
        self.modes: Modes = {}
        self.asked = 0
        self.answered = 0
        self._read: tuple[bytes, dict[str, Family]] = (b"", {})

    def families(self) -> dict[str, Family]:
        """The last page, read; once as long as it stays the same."""
        if self._read[0] != self.page:
            self._read = self.page, pages.read(self.page)
        return self._read[1]


class Workers:
    """The workers of a service, seen from one of them.

    Args:
        reader: What this process shows.
        loop: What waits for its sockets.
        listen: Opens the door to scrapers in this process; raises OSError if it cannot.
        close: Closes that door.
        name: What all workers share and no other service: see `shared_name`.
    """

    def __init__(
        self,
        reader: PrometheusReader,
        loop: Loop,
        listen: Callable[[], object],
        close: Callable[[], object],
        name: str,
    ) -> None:
        self._reader = reader
        self._loop = loop
        self._listen = listen
        self._close = close
        self._name = name
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._born = uuid.uuid4().hex
        self._lineages = {self._born}
        self._answers = threading.Condition()
        self._collecting = threading.Lock()
        self._began = self._asked = 0
        self._latest: dict[bool, tuple[int, bytes]] = {}
        self._hub: socket.socket | None = None
        self._members: dict[Connection, _Worker] = {}
        self._owner: Connection | None = None
        self._ended: dict[str, Family] = {}
        self._heritage: tuple[list[str], list[bytes]] | None = None
        self._ending = self._thanked = False
        self._delay = _RETRY_SECONDS[0]

    # -- one or the other

    def join(self) -> None:
        """Connect to the owner of the port, or become it.

        Raises:
            OSError: Somebody else holds the port.
        """
        if not self._connect():
            self._own()

    def _connect(self) -> bool:
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.settimeout(0)
        try:
            stream.connect(_address(self._name))
        except OSError:
            stream.close()
            return False
        if not _same_user(stream):
            stream.close()
            return False
        self._owner = Connection(self._loop, stream, self._from_owner, self._owner_lost)
        head: dict[str, Any] = {"kind": "hello", "pid": self._pid}
        bodies: list[bytes] = []
        if self._heritage is not None:
            head["lineages"], bodies = self._heritage[0], self._heritage[1]
        self._owner.send(head, bodies)
        return True

    def _own(self) -> None:
        hub = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _bind(hub, self._name)
        except OSError:  # somebody was quicker, and will be there in a moment
            hub.close()
            self._loop.call(self.join_later)
            return
        try:
            hub.listen(_BACKLOG)
            self._listen()
        except OSError:
            hub.close()
            raise
        hub.settimeout(0)
        self._hub = hub
        if self._heritage is not None:
            self._adopt(*self._heritage)
            self._heritage = None
        self._loop.watch(hub, self._accept, selectors.EVENT_READ)

    def _adopt(self, lineages: list[str], bodies: list[bytes]) -> None:
        """Go on counting where another owner stopped, unless that was heard of before."""
        if self._lineages.isdisjoint(lineages):
            for page in bodies:
                pages.retire(self._ended, pages.read(page))
        self._lineages.update(lineages)

    @property
    def connected(self) -> bool:
        """Whether another worker shows what this one measures, or will in a moment."""
        return self._owner is not None

    # -- as the owner

    def _accept(self, _: int) -> None:
        assert self._hub is not None  # noqa: S101 - it is what was watched
        stream, _address_of_it = self._hub.accept()
        if not _same_user(stream):
            stream.close()
            return
        worker = _Worker()
        worker.connection = Connection(
            self._loop,
            stream,
            lambda head, bodies: self._from_worker(worker, head, bodies),
            lambda: self._worker_lost(worker),
        )
        self._members[worker.connection] = worker

    def _from_worker(self, worker: _Worker, head: dict[str, Any], bodies: list[bytes]) -> None:
        if head["kind"] == "hello":
            worker.pid = int(head["pid"])
            if "lineages" in head:
                self._adopt(head["lineages"], bodies)
            return
        with self._answers:
            if bodies:
                worker.page, worker.modes = bodies[0], head["modes"]
            worker.answered = int(head["asked"])
            self._answers.notify_all()
        if head["asked"] == 0 and worker.connection is not None:  # its last page
            worker.connection.send({"kind": "thanks"})

    def _worker_lost(self, worker: _Worker) -> None:
        with self._answers:
            if worker.connection is not None:
                self._members.pop(worker.connection, None)
            if worker.page:
                pages.retire(self._ended, worker.families())
            self._answers.notify_all()

    def _ask(self, number: int) -> None:
        for worker in list(self._members.values()):
            # One that did not answer yet is not asked again: its messages would pile up.
            if worker.connection is not None and worker.asked == worker.answered:
                worker.asked = number
                worker.connection.send({"kind": "asked", "asked": number})
        with self._answers:
            self._asked = number
            self._answers.notify_all()

    def scrape(self, *, openmetrics: bool) -> bytes:
        """The page of all workers.

        Scrapes that come while one is collecting share the next collection.

        Args:
            openmetrics: OpenMetrics 1.0 instead of the classic text format 0.0.4.
        """
        came = self._began
        with self._collecting:
            began, page = self._latest.get(openmetrics, (-1, b""))
            if began > came:
                return page
            self._began += 1
            page = self._collect(openmetrics=openmetrics)
            self._latest[openmetrics] = self._began, page
            return page

    def _collect(self, *, openmetrics: bool) -> bytes:
        if not self._members and not self._ended:
            return self._reader.scrape(openmetrics=openmetrics)
        number = self._began
        self._loop.call(lambda: self._ask(number))
        own, modes = self._reader.page()
        with self._answers:
            self._answers.wait_for(lambda: self._all_answered(number), _ANSWER_SECONDS)
            shown = [(self._pid, pages.read(own), modes)]
            shown += [
                (one.pid, one.families(), one.modes) for one in self._members.values() if one.page
            ]
            made = pages.render(pages.total(shown, self._ended), openmetrics=openmetrics)
        self._loop.call(lambda: self._bequeath(own))
        return made

    def _all_answered(self, number: int) -> bool:
        return self._asked >= number and all(
            one.answered == number for one in self._members.values() if one.asked == number
        )

    def _bequeath(self, own: bytes) -> None:
        """Tell the others what would go with this process."""
        ended = pages.render(self._ended, openmetrics=True)
        head = {"kind": "heritage", "lineages": sorted(self._lineages)}
        for connection in list(self._members):
            if connection.idle or self._ending:
                connection.send(head, [ended, own])

    # -- as another one

    def _from_owner(self, head: dict[str, Any], bodies: list[bytes]) -> None:
        self._delay = _RETRY_SECONDS[0]
        if head["kind"] == "heritage":
            self._heritage = head["lineages"], bodies
        elif head["kind"] == "thanks":
            self._thanked = True
        elif self._owner is not None:
            self._show(head["asked"])

    def _show(self, asked: int) -> None:
        if self._owner is None:
            return
        found: list[bytes] = []
        modes: Modes = {}
        try:
            page, modes = self._reader.page()
            found.append(page)
        finally:  # also without a page: one that does not answer is not asked again
            self._owner.send({"kind": "page", "asked": asked, "modes": modes}, found)

    def _owner_lost(self) -> None:
        self._owner = None
        if not self._ending:
            self.join_later()

    def join_later(self) -> None:
        """Try to connect or to own the port until it works; in the loop's thread."""
        try:
            self.join()
        except OSError:
            self._loop.later(self._delay, self.join_later)
            self._delay = min(2 * self._delay, _RETRY_SECONDS[1])

    # -- the end

    def leave(self) -> None:
        """Give what was counted to those who stay; in the loop's thread."""
        self._ending = True
        for _ in range(_FAREWELLS):
            if self._owner is None and self._hub is None:
                with contextlib.suppress(OSError):
                    self.join()
            if self._owner is None or self._bid_farewell(self._owner):
                break
        if self._hub is not None:
            self._hand_over(self._hub)

    def _bid_farewell(self, owner: Connection) -> bool:
        """Send the last page; False if the owner ended before it said that it had it."""
        self._thanked = False
        self._show(0)
        deadline = time.monotonic() + _BYE_SECONDS
        while owner.open and not self._thanked and time.monotonic() < deadline:
            owner.step(_BYE_SECONDS)
        gone = not owner.open and not self._thanked
        owner.close()
        self._owner = None
        return not gone

    def _hand_over(self, hub: socket.socket) -> None:
        self._loop.watch(hub, self._accept, 0)
        self._bequeath(self._reader.page()[0])
        self._close()
        hub.close()
        if not _is_abstract():
            Path(_address(self._name)).unlink(missing_ok=True)
        deadline = time.monotonic() + _BYE_SECONDS
        for connection in list(self._members):
            while not connection.idle and time.monotonic() < deadline:
                connection.step(deadline - time.monotonic(), selectors.EVENT_WRITE)
            connection.close()
        self._hub = None

    def after_fork(self, name: str) -> None:
        """Be another worker of the same service in a child process.

        Args:
            name: As `name` before; the parent may have learned its port since.
        """
        self._name = name
        self.abandon()
        self._start()

    def abandon(self) -> None:
        """Close what is open, without a word to the other side."""
        if self._hub is not None:
            self._hub.close()
        for connection in (*self._members, self._owner):
            if connection is not None:
                connection.stream.close()


def shared_name(service: str, host: str, port: int) -> str:
    """What the workers of one service on one port share.

    Args:
        service: The service; where nobody named it, add what else the processes share.
        host: The address of /metrics.
        port: Its port.
    """
    told = "\n".join((str(_user()), service, host, str(port)))
    return f"qudag-otel-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _is_abstract() -> bool:
    return sys.platform == "linux"


def _address(name: str) -> str:
    if _is_abstract():
        return f"\0{name}"
    folder = Path(tempfile.gettempdir()) / f"qudag-otel-{_user()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != _user():
        raise PermissionError(f"{folder} is not this user's")
    return str(folder / name)


def _bind(hub: socket.socket, name: str) -> None:
    address = _address(name)
    if not _is_abstract():
        with contextlib.suppress(OSError):
            Path(address).unlink()  # of one that died: nobody answered there
    hub.bind(address)


def _same_user(stream: socket.socket) -> bool:
    """Whether the process on the other side is of this process's user."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True  # the folder of the socket is this user's alone
    held = stream.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(held)[1]) == _user()
