"""The optional extras: what each brings, and which one a missing module belongs to."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

EXTRAS: Final = {
    "demo": {"cryptography": "cryptography", "rich": "rich", "zstandard": "zstandard"},
    "file-configuration": {"opentelemetry-configuration": "opentelemetry.configuration"},
    "generate": {"grafana-foundation-sdk": "grafana_foundation_sdk", "pyyaml": "yaml"},
    "web-config": {"bcrypt": "bcrypt", "pyyaml": "yaml"},
    "baseline": {"matplotlib": "matplotlib"},
}
"""By extra: its distributions, and the module that each is imported as."""


def installed(distribution: str) -> str:
    """The version of a distribution; empty if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def install(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install 'qudag-otel[{extra}]'"


def remedy(missing: ModuleNotFoundError) -> str:
    """What to install when a module is missing."""
    name = missing.name or ""
    for extra, modules in EXTRAS.items():
        if any(f"{name}.".startswith(f"{module}.") for module in modules.values()):
            return f"this needs the extra {extra}, which is not installed: {install(extra)}"
    return f"the module {name!r} is not installed: pip install --force-reinstall qudag-otel"
