"""Build the servers from pinned Go modules, once, into a cache that outlives the clone.

One folder under `go/` per server holds its go.mod and go.sum, because their forks of shared
dependencies exclude each other. go.sum pins the hash of every source file. A server under `cargo/`
is built from published crates, and its Cargo.lock pins their hashes. One under `apt/` is unpacked
from Debian's packages, whose signatures apt checks. What is under `npm/` is built from the packages
that its package-lock.json pins, by the Node.js of this environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.servers import javascript
from tests.servers.debian import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent
REPOSITORY = _HERE.parent.parent
_MANIFEST = REPOSITORY / "collector-config" / "builder.yaml"
_SCALE_MANIFEST = REPOSITORY / "collector-config" / "builder-scale.yaml"
_FREE_BYTES = 4 << 30  # a cold build of one server fills about 3 GiB of Go caches
_PROGRESS_SECONDS = 30.0
_LDFLAGS = "-s -w"
_SECONDS = "seconds"  # the file that tells how long a build took
_PROMETHEUS_VERSION = "github.com/prometheus/common/version.Version"
_VICTORIA_VERSION = "github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version"


class BuildError(RuntimeError):
    """A server cannot be built here; the message says why and what to do."""


@dataclass(frozen=True)
class Recipe:
    """How one Go module becomes binaries.

    Attributes:
        packages: binary name to the main package that it is built from.
        minutes: CPU minutes of a cold build, as measured, for the progress line.
        tags: Go build tags.
        version: `variable=value` for projects that set at link time what the binary says of itself.
        manifest: the Collector's builder manifest, from which its main package is generated.
        asked: whether it is built only when it is named: a long form alone needs it.
        tool: what builds it, which is also the folder that its sources are in; for "apt" the
            packages are Debian's.
    """

    packages: dict[str, str]
    minutes: int
    tags: str = ""
    version: str = ""
    manifest: Path | None = None
    tool: str = "go"
    asked: bool = False

    @property
    def flags(self) -> list[str]:
        ldflags = f"{_LDFLAGS} -X {self.version}" if self.version else _LDFLAGS
        tags = [f"-tags={self.tags}"] if self.tags else []
        return ["-mod=readonly", "-trimpath", f"-ldflags={ldflags}", *tags]


# In this order: what most tests need comes first.
RECIPES: dict[str, Recipe] = {
    "prometheus": Recipe(
        {
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        },
        minutes=7,
        tags="remove_all_sd",  # service discovery would bring every cloud's SDK
        version=f"{_PROMETHEUS_VERSION}=3.16.0",
    ),
    "alertmanager": Recipe(
        {
            "alertmanager": "github.com/prometheus/alertmanager/cmd/alertmanager",
            "amtool": "github.com/prometheus/alertmanager/cmd/amtool",
        },
        minutes=2,
        version=f"{_PROMETHEUS_VERSION}=0.31.1",
    ),
    "collector": Recipe({"otelcol": "."}, minutes=6, manifest=_MANIFEST),
    "jaeger": Recipe({"jaeger": "github.com/jaegertracing/jaeger/cmd/jaeger"}, minutes=9),
    "victorialogs": Recipe(
        {"victoria-logs": "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs"},
        minutes=1,
        version=f"{_VICTORIA_VERSION}=victoria-logs-v1.52.1",
    ),
    "victoriametrics": Recipe(
        {"victoria-metrics": "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics"},
        minutes=1,
        version=f"{_VICTORIA_VERSION}=victoria-metrics-v1.151.0",
    ),
    "telemetrygen": Recipe(
        {
            "telemetrygen": (
                "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen"
            )
        },
        minutes=2,
    ),
    "compose": Recipe({"compose": "."}, minutes=1),
    "licences": Recipe({"licences": "."}, minutes=1),
    "collector-scale": Recipe({"otelcol-scale": "."}, minutes=5, manifest=_SCALE_MANIFEST),
    "kafka": Recipe({"kafka": "."}, minutes=1),
    "helm": Recipe({"helm": "helm.sh/helm/v3/cmd/helm"}, minutes=2),
    "kinds": Recipe({"kinds": "."}, minutes=1),
    "kubernetes": Recipe(
        {
            "etcd": "go.etcd.io/etcd/server/v3",
            "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        },
        minutes=8,
        version="k8s.io/component-base/version.gitVersion=v1.37.2",
        asked=True,
    ),
    "node": Recipe({"qudag-node": "."}, minutes=13, tool="cargo"),
    "page": Recipe({"index.html": "."}, minutes=1, tool="npm"),
    "chromium": Recipe({"chromium": "chromium-headless-shell"}, minutes=0, tool="apt"),
    "redis": Recipe({"redis-server": "redis-server"}, minutes=0, tool="apt"),
    "postgresql": Recipe({"postgres": "postgresql"}, minutes=0, tool="apt"),
    "systemd": Recipe({"systemd-analyze": "systemd"}, minutes=0, tool="apt"),
}

_REMEDIES = {
    "go": (
        "install Go 1.26 or newer (https://go.dev/dl), or use a container engine for `make stack`"
    ),
    "apt-get": "it comes with Debian and Ubuntu, whose packages are unpacked",
    "cargo": "install Rust 1.85 or newer with its cargo (https://rustup.rs)",
    javascript.NODE: "it comes with the environment: `make venv`",
}

_FAILED: dict[str, BuildError] = {}  # what failed once in this process is not tried again


def binary(name: str) -> Path:
    """The path of a server's binary, built now if the cache does not have it.

    Args:
        name: "prometheus", "promtool", "alertmanager", "amtool", "otelcol", "jaeger",
            "victoria-logs", "victoria-metrics", "telemetrygen", "compose", "otelcol-scale",
            "redis-server", "postgres", "systemd-analyze", "kafka", "helm", "etcd",
            "kube-apiserver", "kinds", "chromium" or "qudag-node".

    Raises:
        BuildError: the name is unknown, Go is missing, the disk is full or the build fails.
    """
    for server, recipe in RECIPES.items():
        if name in recipe.packages:
            return build(server) / name
    known = ", ".join(sorted(name for recipe in RECIPES.values() for name in recipe.packages))
    raise BuildError(f"no server called {name!r}; known are: {known}")


def build(server: str) -> Path:
    """Build one server's binaries unless the cache has them; return their folder.

    Safe in parallel: an exclusive lock per server makes the others wait, and a finished folder
    appears by one rename.

    Raises:
        BuildError: as `binary`.
    """
    if error := _FAILED.get(server):
        raise error
    recipe = RECIPES.get(server)
    if recipe is None:
        raise BuildError(f"no server called {server!r}; known are: {', '.join(RECIPES)}")
    done = _cache() / f"{server}-{_key(server, recipe)}"
    if _is_complete(done, recipe):
        return done / "bin"
    done.parent.mkdir(parents=True, exist_ok=True)
    with _exclusive(done.parent / f"{done.name}.lock"):
        if not _is_complete(done, recipe):  # another process may have built it while we waited
            try:
                _build_into(done, server, recipe)
            except BuildError as error:
                _FAILED[server] = error
                raise
    return done / "bin"


def failures() -> list[BuildError]:
    """What could not be built in this process."""
    return list(_FAILED.values())


def build_seconds(server: str) -> float | None:
    """How long the build of what the cache has took, where it is known."""
    path = _cache() / f"{server}-{_key(server, RECIPES[server])}" / _SECONDS
    return float(path.read_text()) if path.is_file() else None


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "qudag-otel" / "servers"


def _key(server: str, recipe: Recipe) -> str:
    digest = hashlib.sha256()
    files = sorted(one for one in (_HERE / recipe.tool / server).rglob("*") if one.is_file())
    if recipe.manifest:
        files.append(recipe.manifest)
    for path in files:
        digest.update(path.read_bytes())
    digest.update(repr((sorted(recipe.packages.items()), recipe.flags)).encode())
    return digest.hexdigest()[:12]


def _is_complete(done: Path, recipe: Recipe) -> bool:
    return all((done / "bin" / name).is_file() for name in recipe.packages)


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"another process builds {path.stem}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build_into(done: Path, server: str, recipe: Recipe) -> None:
    tool = _PROGRAMS.get(recipe.tool, recipe.tool)
    if shutil.which(tool) is None:
        raise BuildError(f"{server} is made with `{tool}`, which is not here: {_REMEDIES[tool]}")
    free = shutil.disk_usage(done.parent).free
    if free < _FREE_BYTES:
        raise BuildError(
            f"{free >> 20} MiB are free under {done.parent}, building {server} takes "
            f"{_FREE_BYTES >> 20}: make room (`go clean -cache`), or set XDG_CACHE_HOME and "
            "GOCACHE to a larger disk"
        )
    started = time.monotonic()
    _say(f"building {server}: about {recipe.minutes} CPU minutes the first time, then cached")
    work = Path(tempfile.mkdtemp(prefix=f".{server}-", dir=done.parent))
    try:
        source = work / "source"
        shutil.copytree(_HERE / recipe.tool / server, source)
        (work / "bin").mkdir()
        _TOOLS[recipe.tool](server, recipe, source, work / "bin")
        shutil.rmtree(source)
        shutil.rmtree(done, ignore_errors=True)  # an incomplete one, from an interrupted deletion
        seconds = time.monotonic() - started
        (work / _SECONDS).write_text(f"{seconds:.0f}")
        work.rename(done)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _say(f"built {server} in {seconds:.0f} s")


def _with_go(server: str, recipe: Recipe, source: Path, binaries: Path) -> None:
    if recipe.manifest:
        _generate_collector(server, source, recipe.manifest)
    for name, package in recipe.packages.items():
        out = str(binaries / name)
        _go(server, source, "build", *recipe.flags, "-o", out, package)


def _with_cargo(server: str, recipe: Recipe, source: Path, binaries: Path) -> None:
    restore_sources(server, source)
    _tool(server, source, "cargo", "build", "--release", "--locked", "--target-dir", "target")
    for name in recipe.packages:
        shutil.copy2(source / "target" / "release" / name, binaries / name)


def _with_apt(server: str, recipe: Recipe, source: Path, binaries: Path) -> None:
    unpack(recipe.packages.values(), source, binaries, lambda *given: _tool(server, *given))


def _with_npm(server: str, _: Recipe, source: Path, binaries: Path) -> None:
    for command in (javascript.install(), javascript.bundle(binaries)):
        _tool(server, source, *command)


_TOOLS = {"go": _with_go, "cargo": _with_cargo, "apt": _with_apt, "npm": _with_npm}
_PROGRAMS = {"apt": "apt-get", "npm": javascript.NODE}


def restore_sources(server: str, source: Path) -> None:
    """Complete a copied Cargo.lock: where crates come from is this machine's business."""
    lock = source / "Cargo.lock"
    pinned = lock.read_text()
    lock.unlink()
    _tool(server, source, "cargo", "generate-lockfile")  # names this machine's registry
    registry = next(line for line in lock.read_text().splitlines() if line.startswith("source = "))
    lock.write_text(pinned.replace("\nchecksum = ", f"\n{registry}\nchecksum = "))


def _generate_collector(server: str, source: Path, manifest: Path) -> None:
    """Write the Collector's main package beside the committed go.mod, with the builder it pins."""
    generated = source / "generated"
    config = source / "builder.yaml"
    config.write_text(
        manifest.read_text().replace("output_path: ./build", f"output_path: {generated}")
    )
    builder = "go.opentelemetry.io/collector/cmd/builder"
    only_sources = ["--skip-get-modules", "--skip-compilation"]
    _go(server, source, "run", "-mod=readonly", builder, "--config", str(config), *only_sources)
    for path in generated.glob("*.go"):
        path.rename(source / path.name)


def _go(server: str, folder: Path, *arguments: str) -> None:
    _tool(server, folder, "go", *arguments)


def _tool(server: str, folder: Path, *command: str) -> None:
    """Run a tool, with a line of progress now and then; a failure carries the end of its output."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    started = time.monotonic()
    with tempfile.TemporaryFile(mode="w+") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while True:
                try:
                    code = process.wait(_PROGRESS_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    _say(f"still building {server} ({time.monotonic() - started:.0f} s)")
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if code:
            raise BuildError(_explain(server, output))


def _explain(server: str, output: IO[str]) -> str:
    output.seek(0)
    tail = "\n".join(output.read().splitlines()[-15:])
    if "no space left on device" in tail:
        return f"building {server} filled the disk: make room (`go clean -cache`) and try again"
    return f"building {server} failed; the end of the output:\n{tail}"


def _say(message: str) -> None:
    sys.stderr.write(f"servers: {message}\n")
    sys.stderr.flush()
