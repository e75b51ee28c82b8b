"""The command, without a server: its usage, its errors, its output."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import synthetic
from qudag_otel.baseline import (
    BaselineError,
    Prometheus,
    PrometheusError,
    _plot,
    _report,
    compare,
    save,
)
from qudag_otel.baseline._collect import query
from qudag_otel.baseline.measures import BY_NAME, TOLD
from qudag_otel.cli import main
from qudag_otel.cli._times import moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qudag_otel.baseline import Finding, Recording

CALM = synthetic.Noise(variation=0.05, memory=1)


def node(load: float = 1.0, slowness: float = 1.0, seed: int = 1) -> Recording:
    return synthetic.node(np.random.default_rng(seed), CALM, load=load, slowness=slowness)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A baseline of a whole node."""
    path = tmp_path / "baseline.json"
    save(node(), path)
    return path


@pytest.fixture
def findings() -> list[Finding]:
    """A comparison with a bit of everything."""
    return compare(node(), node(load=0.7, slowness=1.5, seed=2))


class _Answer(http.server.BaseHTTPRequestHandler):
    """A server that is no Prometheus: it answers every path with what the port was given."""

    def do_POST(self) -> None:
        status, body = ANSWERS[self.connection.getsockname()[1]]
        self.send_response(status)
        self.end_headers()
        SEEN.append(self.headers.get("Authorization", ""))
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


ANSWERS: dict[int, tuple[int, bytes]] = {}
SEEN: list[str] = []


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[str]:
    """A service on a port of the system's choice that gives the parametrised answer."""
    SEEN.clear()
    with http.server.HTTPServer(("127.0.0.1", 0), _Answer) as server:
        ANSWERS[server.server_port] = request.param
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def ask(prometheus: Prometheus) -> object:
    return prometheus.range("up", 1_700_000_000, 1_700_000_600, 60)


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ((200, b"<html>"), "not as Prometheus does"),
        ((200, b"[]"), "not as Prometheus does"),
        (
            (200, b'{"data": {"result": [{"metric": {}, "values": [["x", "1"]]}]}}'),
            "not as Prometheus does",
        ),
        ((404, b"no such page"), "answers 404: no such page"),
        ((400, b'{"status": "error", "error": "parse error"}'), "answers 400: parse error"),
        ((401, b""), "set QUDAG_PROMETHEUS_TOKEN"),
        ((503, b""), "answers 503: Service Unavailable"),
    ],
    indirect=["service"],
)
def test_prometheus_wrong_answer_is_a_clear_error(service: str, message: str) -> None:
    """Whatever listens there instead of Prometheus, the message says what to do."""
    with pytest.raises(PrometheusError, match=message):
        ask(Prometheus(f"http://{service}"))


@pytest.mark.parametrize("service", [(200, b'{"data": {"result": []}}')], indirect=True)
def test_prometheus_credentials_are_sent_and_not_shown(service: str) -> None:
    """User and password of the URL, or a token, go into the request and nowhere else."""
    basic = Prometheus(f"http://reader:se%40cret@{service}/")
    assert ask(basic) == []
    assert basic.url == f"http://{service}"
    assert ask(Prometheus(f"http://{service}", token="abc")) == []
    assert SEEN == ["Basic cmVhZGVyOnNlQGNyZXQ=", "Bearer abc"]


@pytest.mark.parametrize("url", ["localhost:9091", "ftp://h", "http://", "http://h:port", ""])
def test_prometheus_no_url_is_a_clear_error(url: str) -> None:
    """Something that is no URL is refused before anything is asked."""
    with pytest.raises(PrometheusError, match="is no URL"):
        Prometheus(url)


def test_query_values_with_special_characters_are_quoted() -> None:
    """A label value cannot break out of its matcher, nor act as a regular expression."""
    measure = BY_NAME["messages"]
    text = query(measure, measure.columns[0], 60, {"node_id": ('a.b"} or up{x="', "c\\d")})
    assert 'node_id=~"a\\\\.b\\"\\\\} or up\\\\{x=\\"|c\\\\\\\\d"' in text


def test_query_filter_of_another_owner_is_left_out() -> None:
    """A node filter does not empty the swarm's metrics."""
    measure = BY_NAME["queue"]
    assert "node_id" not in query(measure, measure.columns[0], 60, {"node_id": ("a",)})


def test_record_no_server_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a Prometheus there is no baseline, no file and a remedy."""
    path = tmp_path / "b.json"
    url = "http://127.0.0.1:1"
    assert main(["baseline", "record", "--prometheus", url, "-o", str(path)]) == 2
    assert "cannot reach http://127.0.0.1:1: Connection refused" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--window", "3m", "--step", "1m"], "3 steps of 60 s, 6 are needed"),
        (["--window", "30d", "--step", "1m"], "make --step longer"),
        (["--window", "soon"], "'soon' is no duration"),
        (["--window", "0s"], "longer than 0 s"),
        (["--end", "yesterday"], "'yesterday' is no time"),
        (["--match", "job"], "'job' is no LABEL=VALUE"),
        (["--measure", "speed"], "invalid choice: 'speed'"),
        (["--prometheus", "here"], "'here' is no URL"),
    ],
)
def test_record_bad_usage_exits_2(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad usage never looks like a regression, and is explained."""
    arguments = ["baseline", "record", "-o", str(tmp_path / "b.json"), *options]
    try:
        code = main(arguments)
    except SystemExit as end:
        code = int(str(end.code))
    assert code == 2
    assert message in capsys.readouterr().err


END = 1_700_000_000


def answer(steps: int) -> tuple[int, bytes]:
    """Messages of one node in the first steps of the twelve minutes before END."""
    values = [[END - 660 + 60 * step, str(100 + step % 2)] for step in range(steps)]
    return 200, json.dumps(
        {"data": {"result": [{"metric": {"node_id": "n1"}, "values": values}]}}
    ).encode()


WINDOW = ("--end", str(END), "--window", "12m", "--step", "1m", "--measure", "messages")


@pytest.mark.parametrize("service", [answer(1)], indirect=True)
def test_record_window_with_hardly_any_data_is_refused(
    service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A twelfth of a window says nothing about the rest; no file is left."""
    path = tmp_path / "b.json"
    options = ["--prometheus", f"http://{service}", "-o", str(path), *WINDOW]
    assert main(["baseline", "record", *options]) == 2
    assert "has data for only 8% of the time" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize("service", [answer(12)], indirect=True)
def test_check_of_a_measure_that_cannot_be_told_is_no_success(
    service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same numbers are a success, numbers in which nothing can be seen are not."""
    path = tmp_path / "b.json"
    source = ["--prometheus", f"http://{service}"]
    assert main(["baseline", "record", *source, "-o", str(path), *WINDOW]) == 0
    assert main(["baseline", "check", str(path), *source, *WINDOW]) == 0
    noisy = answer(12)[1].replace(b'"101"', b'"10"').replace(b'"100"', b'"190"')
    ANSWERS[int(service.rpartition(":")[2])] = 200, noisy
    capsys.readouterr()
    assert main(["baseline", "check", str(path), *source, *WINDOW]) == 2
    ended = capsys.readouterr()
    assert "1 unsure" in ended.out
    assert "nothing can be told of Messages (n1)" in ended.err


@pytest.mark.parametrize(
    ("text", "seconds"), [("0h", 0), ("1d", 86_400), ("90", 90), ("1h30m", 5400)]
)
def test_end_of_a_window_is_an_age(text: str, seconds: int) -> None:
    """Zero is now, as the guide has it."""
    assert abs(moment(text) - (time.time() - seconds)) < 5


@pytest.mark.parametrize("share", ["-0.1", "1", "much", "nan"])
def test_check_bad_share_exits_2(share: str, file: Path) -> None:
    """A tolerance is a share from 0 to below 1."""
    with pytest.raises(SystemExit, match="2"):
        main(["baseline", "check", str(file), "--tolerance", share])


def test_check_wrong_version_exits_2(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of another version is no reason to fail a build as if something were slow."""
    file.write_text(file.read_text().replace('"version": 1', '"version": 9'))
    assert main(["baseline", "check", str(file)]) == 2
    assert "record the baseline again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--match", "job=a"], "was not recorded with --match job=a"),
        (["--node", "nobody", "--swarm", "nobody"], "nothing in the baseline matches"),
    ],
)
def test_check_filter_that_the_file_cannot_follow_exits_2(
    options: list[str], message: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A baseline of everything is not compared with a window of one part of it."""
    assert main(["baseline", "check", str(file), *options]) == 2
    assert message in capsys.readouterr().err


def test_show_file_prints_every_number(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a file holds can be read without a server."""
    assert main(["baseline", "show", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1970-01-01 00:00:00 to 1970-01-01 01:00:00 UTC, 12 steps of 300")
    messages = next(line for line in lines if line.startswith("Messages"))
    assert messages.split() == ["Messages", "node_id=node_id-1", "49.5/s", "49.2/s", "to", "49.9/s",
                                "100%"]  # fmt: skip
    titles = {measure.title for measure in TOLD}
    assert {title for title in titles if any(line.startswith(title) for line in lines)} == titles


def test_report_table_shows_effect_interval_and_verdict(findings: list[Finding]) -> None:
    """A row says what, of whom, from what to what, by how much and how sure."""
    rows = _report.check_rows(findings)
    messages = next(row for row in rows if row[1] == "Messages")
    assert messages[0] == "regression"
    assert messages[2] == "node_id=node_id-1"
    assert messages[3].endswith("/s")
    assert messages[5] == "-29% (-30% to -29%)"


def test_report_json_is_json(findings: list[Finding]) -> None:
    """Other programs get the same findings, with null where there is no number."""
    parsed = json.loads(_report.as_json(findings), parse_constant=pytest.fail)
    assert len(parsed) == len(findings)
    assert parsed[0]["verdict"] == "regression"


@pytest.mark.parametrize(
    ("number", "unit", "expected"),
    [
        (0.0123, "s", "12.3 ms"), (45.0, "s", "45 s"), (0.0, "s", "0 s"),
        (0.853, "1", "85.3%"), (45.25, "%", "45.2%"), (1 << 30, "By", "1 GiB"),
        (12345.6, "/s", "12,346/s"), (3.14159, "", "3.14"), (float("inf"), "s", "beyond"),
    ],
)  # fmt: skip
def test_report_value_is_written_as_people_do(number: float, unit: str, expected: str) -> None:
    """Units are scaled, shares are percentages."""
    assert _report.value(number, unit) == expected


def test_report_on_a_terminal_uses_rich(
    findings: list[Finding], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal the table is drawn by rich; elsewhere it is plain text."""
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    _report.show_check(findings, node(), node())
    drawn = capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    _report.show_check(findings, node(), node())
    plain = capsys.readouterr().out
    assert "━" in drawn
    assert "━" not in plain
    assert "regression" in drawn
    assert "regression" in plain


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_plot_findings_are_drawn(findings: list[Finding], tmp_path: Path, suffix: str) -> None:
    """The picture is written in the format that its name asks for."""
    pytest.importorskip("matplotlib")
    path = tmp_path / f"changes.{suffix}"
    _plot.plot(findings, path)
    start = path.read_bytes()[:100]
    assert start.startswith(b"\x89PNG") or b"<?xml" in start


def test_plot_unknown_format_is_a_clear_error(findings: list[Finding], tmp_path: Path) -> None:
    """A suffix that nobody can draw is named."""
    pytest.importorskip("matplotlib")
    with pytest.raises(BaselineError, match=r"cannot write the plot .*\.docx"):
        _plot.plot(findings, tmp_path / "changes.docx")


def test_plot_nothing_comparable_is_a_clear_error(tmp_path: Path) -> None:
    """No picture is made of nothing."""
    pytest.importorskip("matplotlib")
    with pytest.raises(BaselineError, match="nothing to plot"):
        _plot.plot([], tmp_path / "changes.png")
