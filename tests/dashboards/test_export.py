"""`qudag-otel dashboards export`: into a folder, and into Grafana over its HTTP API."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest

from qudag_otel.catalogue import uids
from qudag_otel.dashboards._build import panels_of
from qudag_otel.dashboards._grafana import TOKEN
from tests.dashboards.files import FOLDER
from tests.demo.programs import command, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET: Final = "glsa_not-to-be-seen"
SHOP: Final = """
from qudag_otel import Objective, instrumented

@instrumented(component="shop", name="order.place",
              objective=Objective(success=0.999, latency=0.5, target=0.99))
def order(): ...

@instrumented(component="shop", name="order.find")
def find(): ...
"""


def _export(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, with no token but the one given."""
    known = {key: value for key, value in environment().items() if key != TOKEN}
    return subprocess.run(
        command("dashboards", "export", *words), env={**known, **variables}, cwd=folder,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Grafana:
    """Answers as Grafana's HTTP API does, and remembers what it was sent."""

    def __init__(self, status: int = 200, text: str = "", location: str = "") -> None:
        self.received: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.tokens: list[str] = []
        self._status, self._text, self._location = status, text, location
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[Grafana]:
        """Listen on a port from the system until the block ends."""
        grafana = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                status, answer = grafana.answer(
                    self.path,
                    self.headers.get("Authorization", ""),
                    json.loads(self.rfile.read(length)),
                )
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                if grafana._location:
                    self.send_header("Location", grafana._location)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            self.url = f"http://127.0.0.1:{server.server_port}"
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def answer(self, path: str, authorization: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """Take a dashboard if the token is right, and nothing else is ordered."""
        self.paths.append(path)
        self.tokens.append(authorization)
        if self._status != 200 or self._text:
            return self._status, self._text.encode()
        if authorization != f"Bearer {SECRET}":
            return 401, b'{"message": "Invalid API key"}'
        if path != "/api/dashboards/db":
            return 404, b'{"message": "Not found"}'
        self.received.append(body)
        uid = body["dashboard"]["uid"]
        done = {"status": "success", "uid": uid, "url": f"/d/{uid}/{uid}", "version": 1}
        return 200, json.dumps(done).encode()


def test_export_to_a_folder_writes_the_committed_files(tmp_path: Path) -> None:
    """What users get is what is under grafana/, byte for byte, in a folder that is made."""
    target = tmp_path / "new" / "folder"
    result = _export("--dir", str(target), folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert _files(target) == _files(FOLDER)
    assert sorted(result.stdout.split()) == sorted(str(target / name) for name in _files(FOLDER))


def test_export_of_a_users_module_adds_a_board_of_its_operations(tmp_path: Path) -> None:
    """The board asks for the module's operations by name, and shows what each promises."""
    (tmp_path / "shop.py").write_text(SHOP)
    target = tmp_path / "out"
    result = _export("--dir", str(target), "--module", "shop", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    files = _files(target)
    own = json.loads(files.pop("qudag-own-shop.json"))
    assert files == _files(FOLDER)
    assert own["uid"] == "qudag-own-shop"
    rows = [top["title"] for top in own["panels"] if top["type"] == "row"]
    assert rows == ["shop: order.find", "shop: order.place"]
    by_title = {panel["title"]: panel for panel in panels_of(own)}
    expressions = [target["expr"] for panel in panels_of(own) for target in panel["targets"]]
    for name in ("order.place", "order.find"):
        matchers = f'component="shop",operation="{name}"'
        assert len([one for one in expressions if matchers in one]) >= 4, name
    assert all("shop" in one for one in expressions)
    budget = by_title["Error budget of order.place"]["targets"][0]["expr"]
    assert "qudag_objective_bad" in budget
    assert 'operation="order.place"' in budget
    assert not any(title.endswith("order.find") for title in by_title)
    promised = [
        step["value"]
        for top in own["panels"]
        if top["title"] == "shop: order.place"
        for panel in top["panels"]
        if panel["type"] == "timeseries"
        for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    ]
    assert 0.5 in promised


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        ("nowhere", "cannot import nowhere: No module named 'nowhere'"),
        ("empty", "empty: nothing there is decorated with @instrumented"),
    ],
)
def test_export_of_a_module_without_operations_says_so(
    module: str, sentence: str, tmp_path: Path
) -> None:
    """A wrong name, or a module that instruments nothing, is bad usage; nothing is written."""
    (tmp_path / "empty.py").write_text("")
    target = tmp_path / "out"
    result = _export("--dir", str(target), "--module", module, folder=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith(f"qudag-otel dashboards: {sentence}")
    assert len(result.stderr.splitlines()) == 1
    assert not target.exists()


def test_export_into_a_file_instead_of_a_folder_says_so(tmp_path: Path) -> None:
    """A target that is a file is bad usage, told in one sentence."""
    (tmp_path / "file").write_text("mine")
    result = _export("--dir", str(tmp_path / "file"), folder=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith(f"qudag-otel dashboards: cannot write to {tmp_path / 'file'}: ")
    assert len(result.stderr.splitlines()) == 1
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("folder", ["", "nodes"])
def test_export_to_grafana_creates_or_replaces_every_dashboard(folder: str, tmp_path: Path) -> None:
    """Each dashboard arrives whole, without a number of another Grafana, in the folder named."""
    words = ("--folder", folder) if folder else ()
    with Grafana().serving() as grafana:
        result = _export("--url", f"{grafana.url}/", *words, folder=tmp_path, **{TOKEN: SECRET})
    assert (result.returncode, result.stderr) == (0, "")
    assert [body["dashboard"]["uid"] for body in grafana.received] == list(uids.DASHBOARDS)
    for body in grafana.received:
        dashboard = body.pop("dashboard")
        assert dashboard.pop("id") is None
        committed = json.loads((FOLDER / f"{dashboard['uid']}.json").read_text())
        committed.pop("id", None)
        assert dashboard == committed
        where = {"folderUid": folder} if folder else {}
        assert {"overwrite": True, "message": body["message"], **where} == body
    assert result.stdout.split() == [f"{grafana.url}/d/{uid}/{uid}" for uid in uids.DASHBOARDS]
    assert SECRET not in result.stdout


@pytest.mark.parametrize("token", ["", "glsa_wrong-one"])
def test_export_without_the_right_token_names_the_variable(token: str, tmp_path: Path) -> None:
    """A refused token is exit code 1 and a remedy; the token itself is not in it."""
    with Grafana().serving() as grafana:
        result = _export("--url", grafana.url, folder=tmp_path, **({TOKEN: token} if token else {}))
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        f"qudag-otel dashboards: {grafana.url} answers 401: set {TOKEN} to the token of a service "
        "account\n"
    )
    assert grafana.received == []
    assert grafana.tokens == [f"Bearer {token}" if token else ""]


def test_token_is_no_option(tmp_path: Path) -> None:
    """A token on a command line is in every list of processes, so there is no such option."""
    result = _export("--url", "http://127.0.0.1:1", "--token", SECRET, folder=tmp_path)
    assert result.returncode == 2
    assert "unrecognized arguments: --token" in result.stderr


@pytest.mark.parametrize(
    ("grafana", "sentence"),
    [
        (Grafana(403, "{}"), f"answers 403: the token in {TOKEN} may not write dashboards"),
        (Grafana(404, "{}"), "answers 404: is the folder's uid right"),
        (Grafana(412, "{}"), "answers 412: a provisioned dashboard has this uid"),
        (Grafana(500, "disk full"), "answers 500: disk full"),
        (Grafana(500), "answers 500: Internal Server Error"),
        (Grafana(302, "", "http://127.0.0.1:1/login"), "redirects to http://127.0.0.1:1/login"),
        (Grafana(200, "<html>"), "answers, but not as Grafana does"),
        (Grafana(200, "[]"), "answers, but not as Grafana does"),
    ],
    ids=["forbidden", "folder", "provisioned", "broken", "silent", "redirect", "html", "list"],
)
def test_what_grafana_refuses_is_told_in_a_sentence(
    grafana: Grafana, sentence: str, tmp_path: Path
) -> None:
    """Exit code 1, one line that says what to do, no token, and no further request."""
    with grafana.serving():
        result = _export("--url", grafana.url, folder=tmp_path, **{TOKEN: SECRET})
    assert result.returncode == 2
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert SECRET not in result.stderr + result.stdout
    assert grafana.paths == ["/api/dashboards/db"]


def test_no_grafana_at_the_url_is_told_in_a_sentence(tmp_path: Path) -> None:
    """A refused connection is exit code 1, and no traceback."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        result = _export("--url", url, folder=tmp_path, **{TOKEN: SECRET})
    assert result.returncode == 2
    assert result.stderr.startswith(f"qudag-otel dashboards: cannot reach {url}: ")
    assert "refused" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert SECRET not in result.stderr


@pytest.mark.parametrize(
    "url", ["grafana:3000", "localhost", "ftp://grafana", "http://", "http://[", "http://a:port"]
)
def test_url_that_is_none_is_told_in_a_sentence(url: str, tmp_path: Path) -> None:
    """What cannot be a URL is refused before anything is sent."""
    result = _export("--url", url, folder=tmp_path, **{TOKEN: SECRET})
    assert result.returncode == 2
    assert f"--url {url!r} is no URL: " in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_line_end_after_the_token_is_no_part_of_it(tmp_path: Path) -> None:
    """A token read from a file is accepted as it is."""
    with Grafana().serving() as grafana:
        result = _export("--url", grafana.url, folder=tmp_path, **{TOKEN: f"{SECRET}\n"})
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("token", [f"{SECRET}\nx", f"{SECRET}é"])
def test_token_that_no_header_can_hold_is_not_printed(token: str, tmp_path: Path) -> None:
    """What cannot be a token is refused with the variable's name, and neither sent nor shown."""
    with Grafana().serving() as grafana:
        result = _export("--url", grafana.url, folder=tmp_path, **{TOKEN: token})
    assert result.returncode == 2
    assert f"{TOKEN} holds something else than a token" in result.stderr
    assert SECRET not in result.stderr + result.stdout
    assert grafana.paths == []


def test_server_of_another_kind_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Whatever answers without HTTP, such as a port of another protocol, gives no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-nothing\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        result = _export("--url", url, folder=tmp_path, **{TOKEN: SECRET})
        thread.join()
    assert result.returncode == 2
    assert url in result.stderr
    assert len(result.stderr.splitlines()) == 1
