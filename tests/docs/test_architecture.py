"""The modules that docs/architecture.md says run on a call, a scrape and `configure()` do."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Final

import pytest

from tests.servers.build import REPOSITORY

TEXT: Final = (REPOSITORY / "docs" / "architecture.md").read_text()
# A document that is right about a few more or less is right.
TOLERANCE: Final = 8
PROGRAM: Final = """
import os, sys, threading, urllib.request
from qudag_otel import configure, instrumented

found, watching = set(), False

def look(frame, event, argument):
    if watching and event == "call":
        _, ours, name = frame.f_code.co_filename.rpartition("/qudag_otel/")
        if ours:
            found.add(name)

def watch(action):
    global watching
    watching = True
    sys.setprofile(look)
    action()
    sys.setprofile(None)
    watching = False

def set_up():
    global telemetry
    telemetry = configure(metrics_exporter="prometheus", prometheus_port=0)

def scrape():
    sys.setprofile(None)  # only what answers
    urllib.request.urlopen(telemetry.metrics_url).read()

@instrumented
def order():
    pass

threading.setprofile(look)
what = sys.argv[1]
if what == "configure()":
    watch(set_up)
else:
    set_up()
    order()
    scrape()
    order()
    watch(order if what == "A call" else scrape)
print(*sorted(found), sep="\\n")
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.parametrize("what", ["A call", "A scrape", "configure()"])
def test_modules_on_the_way_are_those_that_the_document_names(what: str) -> None:
    """Each that it names runs, and their number is right."""
    section = TEXT.partition(f"\n## {what}\n")[2].partition("\n## ")[0]
    rows = "".join(line for line in section.splitlines(keepends=True) if line.startswith("| `"))
    named = set(re.findall(r"`([\w/]+\.py)`", rows))
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, what],
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    found = set(ended.stdout.split())
    assert named - found == set()
    counts = re.findall(r"^About (\d+) modules run", section, re.MULTILINE)
    if counts:
        assert abs(len(found) - int(counts[0])) <= TOLERANCE, sorted(found)
    else:
        assert found == named
