"""The server of the dashboards' page: files, and what Prometheus says, from one origin."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.error
import urllib.request
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

import pytest

from tests.licences.locks import NPM
from tests.servers.build import REPOSITORY
from tests.servers.process import Port
from tests.servers.web import Handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG: Final = b"x" * 100_000


class Upstream(BaseHTTPRequestHandler):
    """Answers as Prometheus does: what is long without its length, what is wrong with 400."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Say what was asked, in pieces."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        said = json.dumps(self.path).encode()
        for piece in (said, LONG, b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def do_POST(self) -> None:
        """Refuse."""
        said = self.rfile.read(int(self.headers["Content-Length"]))
        said += self.headers["Content-Type"].encode()
        self.send_response(400)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


@contextlib.contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server of a handler; its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[str]:
    """The page's server in front of `Upstream`."""
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("the page")
    (tmp_path / "page" / "some.js").write_text("a program")
    (tmp_path / "boards.json").write_text("[]")
    folder, boards = str(tmp_path / "page"), str(tmp_path / "boards.json")
    with (
        serving(Upstream) as prometheus,
        serving(partial(Handler, prometheus, boards, directory=folder)) as url,
    ):
        yield url


def _get(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, body, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", b"the page"),
        ("/projects/qudag/dashboards/qudag-overview?start=1h", b"the page"),
        ("/d/qudag-overview?viewPanel=1.5", b"the page"),
        ("/some.js", b"a program"),
        ("/dashboards.json", b"[]"),
    ],
)
def test_files_of_the_page_and_a_page_for_every_path_of_its_own(
    page: str, path: str, said: bytes
) -> None:
    """A dashboard's address can be opened and reloaded."""
    assert _get(page + path) == (200, said)


def test_what_is_not_there_is_not_the_page(page: str) -> None:
    """A missing file is missing, and files outside of the page's folder are."""
    for path in ("/other.js", "/../boards.json", "/%2e%2e/boards.json"):
        assert _get(page + path)[0] == 404, path


def test_what_prometheus_answers_is_passed_on(page: str) -> None:
    """Whole, whatever the length; a refusal with its words; with the path as it was asked."""
    assert _get(f"{page}/api/v1/query?query=up%2B1") == (
        200, b'"/api/v1/query?query=up%2B1"' + LONG
    )  # fmt: skip
    form = b"application/x-www-form-urlencoded"
    assert _get(f"{page}/api/v1/query", b"query=1") == (400, b"query=1" + form)
    assert _get(f"{page}/elsewhere", b"query=1")[0] == 405


def test_prometheus_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """The page can say it, instead of nothing."""
    with contextlib.closing(Port()) as nobody:
        handler = partial(Handler, f"http://{nobody}", "", directory=str(tmp_path))
        with serving(handler) as url:
            code, said = _get(f"{url}/api/v1/query?query=up")
    assert code == 502
    assert b"Prometheus does not answer" in said


@pytest.mark.parametrize("lock", NPM)
def test_locks_of_npm_pin_hashes_and_no_places(lock: str) -> None:
    """Every package has its hash, and comes from wherever this machine's npm takes packages."""
    text = (REPOSITORY / lock).read_text()
    packages = {name: one for name, one in json.loads(text)["packages"].items() if name}
    assert all(one["integrity"] for one in packages.values())
    assert not any("resolved" in one for one in packages.values())
    manifest = json.loads((REPOSITORY / lock).with_name("package.json").read_text())
    wanted = {**manifest.get("dependencies", {}), **manifest["devDependencies"]}
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
