"""`python -m benchmarks` measures everything in one run and writes docs/performance.*.

--check compares the ratios with the goals instead; --short measures roughly and writes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.peers import PEERS

ROOT: Final = Path(__file__).parent.parent
LOCK: Final = ROOT / "requirements" / "bench.txt"
IMPORTS: Final = {
    "import qudag_otel": "import qudag_otel; qudag_otel.instrumented",
    "import of the SDK with OTLP and Prometheus": (
        "import opentelemetry.sdk.trace, opentelemetry.sdk.metrics,"
        "opentelemetry.exporter.prometheus,"
        "opentelemetry.exporter.otlp.proto.http.trace_exporter,"
        "opentelemetry.exporter.otlp.proto.http.metric_exporter"
    ),
}


DISABLED: Final = "ours disabled is the same object"


class Goal(NamedTuple):
    """A ratio that has to be met: (over - less) / (under - base)."""

    name: str
    over: str
    under: str
    most: float
    less: str = ""
    base: str = ""

    def ratio(self, found: dict[str, float]) -> float:
        """The measured ratio."""
        over = found[self.over] - (found[self.less] if self.less else 0)
        return over / (found[self.under] - (found[self.base] if self.base else 0))


_SYNC: Final = ("ours RED + span, sampled", "bare function")
GOALS: Final = (
    Goal("P1", "ours RED + span, 3 attributes",
         "OpenTelemetry histogram.record, 3 attributes", 0.2),
    Goal("P2 metrics", "ours RED alone", "prometheus_client Histogram.time()", 0.3),
    Goal("P2 with span", "ours RED + span, sampled", "prometheus_client Histogram.time()", 1.0),
    Goal("P3", "ours RED + span, unsampled", "OpenTelemetry span, unsampled", 0.25),
    Goal("P5", "CPU per exported span, ours", "CPU per exported span, SDK", 0.1),
    Goal("P6", "scrape of 10,000 series, ours", "scrape of 10,000 series, prometheus_client", 0.5),
    Goal("P7", "import qudag_otel", "import of the SDK with OTLP and Prometheus", 0.35),
    Goal("P8 coroutine", "ours RED + span, coroutine function", _SYNC[0], 1.5,
         "bare coroutine function", _SYNC[1]),
    Goal("P8 block", "ours RED + span, block", _SYNC[0], 1.5, "bare function", _SYNC[1]),
    Goal("P8 nested", "ours RED + span, nested", _SYNC[0], 1.5, "bare function", _SYNC[1]),
    Goal("P8 generator step", "ours RED + span, generator step", _SYNC[0], 0.5,
         "bare generator step", _SYNC[1]),
    Goal("P9 call site", "bytes per idle call site, ours", "bytes per idle call site, SDK", 1.0),
    Goal("P9 queued span", "bytes per queued span, ours", "bytes per queued span, SDK", 1.0),
)  # fmt: skip


def main() -> int:
    """Run the command; 1 if a goal is missed under --check."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the goals")
    parser.add_argument("--short", action="store_true", help="a rough run, without peers")
    arguments = parser.parse_args()
    repeats = "5" if arguments.short else "150"
    found = measure(repeats, peers=not arguments.short)
    text = markdown(found)
    print(text)
    if not arguments.short and not arguments.check:
        (ROOT / "docs" / "performance.md").write_text(text)
        plot(found)
    missed = [
        f"{goal.name} is missed: {goal.ratio(found):.2f} instead of {goal.most}"
        for goal in GOALS
        if goal.ratio(found) > goal.most
    ]
    if not found[DISABLED]:
        missed.append("P4 is missed: disabled, a decorated function is another object")
    print(*missed, sep="\n")
    return 1 if arguments.check and missed else 0


def measure(repeats: str, *, peers: bool) -> dict[str, float]:
    """Everything, each group in a process of its own, one after the other on one core."""
    found: dict[str, float] = {}
    for group in ("reference", "opentelemetry", "ours", "scrape"):
        found |= _python(sys.executable, repeats, "benchmarks.calls", group)
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as sink:
        try:
            assert sink.stdout is not None
            url = f"http://127.0.0.1:{sink.stdout.readline().strip()}"
            for which in ("ours", "SDK"):
                found |= _python(sys.executable, repeats, "benchmarks.calls", "export", which, url)
        finally:
            sink.kill()
    for title, code in IMPORTS.items():
        found[title] = min(_import_time(code) for _ in range(3 if repeats == "5" else 10))
    found |= _python(sys.executable, repeats, "benchmarks.memory")
    if peers:
        python = _environment()
        for peer in PEERS:
            found |= _python(str(python), repeats, "benchmarks.peers", peer)
    return found


def _python(python: str, repeats: str, module: str, *words: str) -> dict[str, float]:
    sys.stderr.write(f"benchmarks: {' '.join((module, *words))}\n")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    ended = subprocess.run(
        [python, "-m", module, *words], cwd=ROOT, check=False, capture_output=True, text=True,
        env={**kept, "QUDAG_BENCH_REPEATS": repeats, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if ended.returncode:
        raise SystemExit(f"{module} {' '.join(words)} failed:\n{ended.stderr[-2000:]}")
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def _import_time(code: str) -> float:
    """Nanoseconds that imports take, without the start of the interpreter."""
    timed = (
        "import time; began = time.perf_counter_ns()\n"
        f"{code}\nprint(time.perf_counter_ns() - began)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", timed], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return float(ended.stdout)


def _environment() -> Path:
    """The peers' environment, made once outside of the clone."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qudag-otel"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = base / f"bench-{digest}"
    if not (folder / ".ready").exists():
        uv = shutil.which("uv") or str(base / "uv" / "bin" / "uv")
        python = str(folder / "bin" / "python")
        subprocess.run(
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True
        )
        subprocess.run(
            [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, LOCK], check=True
        )
        (folder / ".ready").touch()
    return folder / "bin" / "python"


def markdown(found: dict[str, float]) -> str:
    """The document."""
    calls = {name: value for name, value in found.items() if _is_call(name)}
    lines = [
        "<!-- Written by `make bench`; do not edit. -->",
        "# What a call costs",
        "",
        "Nanoseconds of one call of an empty function, the least of 150 repeats of 1,000 calls, in "
        "one run on one core. Only ratios mean something on another machine. `make bench` measures "
        "and writes this page, `make bench-check` compares with the goals.",
        "",
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}; opentelemetry-sdk {version('opentelemetry-sdk')}, prometheus-client "
        f"{version('prometheus-client')}, {_peer_versions()}.",
        "",
        "| per call | ns |",
        "|---|---:|",
        *(
            f"| {name} | {value:,.0f} |"
            for name, value in sorted(calls.items(), key=lambda it: it[1])
        ),
        "",
        "| else | |",
        "|---|---:|",
        *(f"| {name} | {_shown(name, found[name])} |" for name in found if name not in calls),
        "",
        "## Goals",
        "",
        "| goal | ratio | at most | |",
        "|---|---:|---:|---|",
    ]
    for goal in GOALS:
        ratio = goal.ratio(found)
        met = "met" if ratio <= goal.most else "missed"
        added = " (added cost)" if goal.base else ""
        lines.append(
            f"| {goal.name}: {goal.over} / {goal.under}{added} | {ratio:.2f} | {goal.most} | {met} |"
        )
    same = "met" if found[DISABLED] else "missed"
    lines.append(f"| P4: {DISABLED[5:]} | | | {same} |")
    return "\n".join([*lines, "", "![The cost of a call, ours and peers](performance.svg)", ""])


def _is_call(name: str) -> bool:
    return not name.startswith(("scrape", "import", "bytes", "CPU", "ours disabled"))


def _shown(name: str, value: float) -> str:
    if name.startswith("bytes"):
        return f"{value:,.0f} bytes"
    if name.startswith("CPU"):
        return f"{value / 1000:.1f} us"
    if name.startswith("ours disabled"):
        return "yes" if value else "no"
    return f"{value / 1e6:.1f} ms"


def _peer_versions() -> str:
    pins = dict(
        line.split(" ")[0].split("==") for line in LOCK.read_text().splitlines() if "==" in line
    )
    return ", ".join(f"{peer} {pins[peer]}" for peer in PEERS)


def plot(found: dict[str, float]) -> None:
    """docs/performance.svg: bars on a logarithmic axis."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "qudag-otel"
    from matplotlib import pyplot

    left_out = ("8 threads", "bare", "attributes", "generator", "coroutine", "nested", "block")
    names = [
        name for name in found if _is_call(name) and not any(part in name for part in left_out)
    ]
    names.sort(key=lambda name: -found[name])
    figure, axes = pyplot.subplots(figsize=(9, 0.32 * len(names) + 1))
    colors = ["tab:green" if name.startswith("ours") else "tab:gray" for name in names]
    axes.barh(names, [found[name] for name in names], color=colors)
    axes.set_xscale("log")
    axes.set_xlabel("ns per call of an empty function (less is better)")
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "performance.svg", metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
