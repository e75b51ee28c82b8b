"""Grafana's schema types and the TypeScript compiler, installed once into a cache."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.servers import javascript

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE: Final = Path(__file__).parent
_FILES: Final = ("package.json", "package-lock.json")
_SECONDS: Final = 300
_RAW: Final = "@grafana/schema/dist/esm/raw/composable"
_KINDS: Final = {
    "bargauge": "BarGaugePanelCfg",
    "heatmap": "HeatmapPanelCfg",
    "logs": "LogsPanelCfg",
    "nodeGraph": "NodeGraphPanelCfg",
    "stat": "StatPanelCfg",
    "state-timeline": "StateTimelinePanelCfg",
    "table": "TablePanelCfg",
    "timeseries": "TimeSeriesPanelCfg",
}
"""The panel types in use, and the names of Grafana's types for them."""

# JSON holds the values of TypeScript's enums, not their members. And the schema's annotations
# are those of any data source: what Prometheus' plugin adds to them is written down here.
_PREAMBLE: Final = """\
import type { AnnotationQuery, Dashboard } from '@grafana/schema';
type Plain<T> =
  T extends string ? `${T}` :
  T extends number ? T | (`${T}` extends `${infer N extends number}` ? N : never) :
  T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
interface OfPrometheus {
  expr: string; step: string; titleFormat: string; textFormat: string; tagKeys: string;
}
type Provisioned = Omit<Dashboard, 'annotations'> & {
  annotations: { list: (AnnotationQuery & OfPrometheus)[] };
};
"""
_OPTIONS: Final = {
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "target": "es2022",
        "module": "esnext",
        "moduleResolution": "bundler",
        "types": [],
    },
    "files": ["dashboards.ts"],
}


def modules() -> Path:
    """The installed node_modules."""
    digest = hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()[:12]
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    done = Path(base) / "qudag-otel" / "node" / digest
    done.parent.mkdir(parents=True, exist_ok=True)
    with (done.parent / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            _install(done)
    return done / "node_modules"


def _install(done: Path) -> None:
    """Install what the lock names, and nothing else; appear by one rename."""
    work = Path(tempfile.mkdtemp(prefix=".node-", dir=done.parent))
    try:
        for name in _FILES:
            shutil.copy(_HERE / name, work)
        _run(*javascript.install(), folder=work)
        work.rename(done)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run(*command: str, folder: Path) -> None:
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    if ended.returncode:
        pytest.fail(f"{' '.join(command)} failed:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")


def check(dashboards: Mapping[str, dict[str, Any]], folder: Path) -> str:
    """What `tsc --strict` says against the dashboards: nothing, or its complaints."""
    (folder / "node_modules").symlink_to(modules())
    (folder / "tsconfig.json").write_text(json.dumps(_OPTIONS))
    (folder / "dashboards.ts").write_text(_typescript(dashboards))
    ended = subprocess.run(
        [javascript.NODE, folder / "node_modules" / "typescript" / "bin" / "tsc", "-p", folder],
        capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    return ended.stdout + ended.stderr


def _typescript(dashboards: Mapping[str, dict[str, Any]]) -> str:
    """Every dashboard, and every panel's options and field settings, as typed literals."""
    lines = [_PREAMBLE]
    lines += [
        f"import type * as {_identifier(kind)} from '{_RAW}/{_identifier(kind).lower()}"
        f"/panelcfg/x/{name}_types.gen';"
        for kind, name in _KINDS.items()
    ]
    for number, dashboard in enumerate(dashboards.values()):
        lines.append(f"export const d{number}: Plain<Provisioned> = {json.dumps(dashboard)};")
        for top in dashboard["panels"]:
            for panel in top["panels"] if top["type"] == "row" else [top]:
                kind, name = _identifier(panel["type"]), f"d{number}p{panel['id']}"
                options = json.dumps(panel["options"])
                lines.append(f"export const {name}: Plain<{kind}.Options> = {options};")
                custom = panel["fieldConfig"]["defaults"].get("custom")
                if custom is not None:
                    settings = json.dumps(custom)
                    lines.append(f"export const {name}c: Plain<{kind}.FieldConfig> = {settings};")
    return "\n".join(lines)


def _identifier(kind: str) -> str:
    return kind.replace("-", "")
