"""Which node and swarm this process is: the default of the labels `node_id` and `swarm_id`.

The labels stand on every data point, not only on the resource, so that a scrape of /metrics and a
push over OTLP give the same series.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

NODE_ATTRIBUTE: Final = "qudag.node.id"
SWARM_ATTRIBUTE: Final = "qudag.swarm.id"


class _Identity:
    """The process's identity and how often it changed, so that bound labels know they are stale."""

    __slots__ = ("epoch", "node_id", "swarm_id")

    def __init__(self) -> None:
        self.epoch = 0
        self.node_id: str | None = None
        self.swarm_id: str | None = None


STATE: Final = _Identity()
_followers: list[Callable[[], None]] = []


def on_change(follow: Callable[[], None]) -> None:
    """Have a function called each time the identity changes."""
    _followers.append(follow)


def _changed() -> None:
    STATE.epoch += 1
    for follow in _followers:
        follow()


def node_id() -> str:
    """The node's id: as configured, else from OTEL_RESOURCE_ATTRIBUTES, else the host's name."""
    if STATE.node_id is None:
        import socket  # loaded on use: it takes longer than the rest of this package

        STATE.node_id = _resource_attribute(NODE_ATTRIBUTE) or socket.gethostname() or "unknown"
    return STATE.node_id


def swarm_id() -> str:
    """The swarm's id: as configured, else from OTEL_RESOURCE_ATTRIBUTES, else "default"."""
    if STATE.swarm_id is None:
        STATE.swarm_id = _resource_attribute(SWARM_ATTRIBUTE) or "default"
    return STATE.swarm_id


def set_identity(*, node_id: str | None = None, swarm_id: str | None = None) -> None:
    """Set the process's identity; labels that were bound to the former one follow.

    Args:
        node_id: The node, or None to leave it.
        swarm_id: The swarm, or None to leave it.
    """
    STATE.node_id = node_id or STATE.node_id
    STATE.swarm_id = swarm_id or STATE.swarm_id
    _changed()


def reset() -> None:
    """Forget what was set; the next use reads the environment again."""
    STATE.node_id = STATE.swarm_id = None
    _changed()


def _resource_attribute(key: str) -> str | None:
    """Read one attribute as the specification writes them: `key=value,...`, percent-encoded."""
    from urllib.parse import unquote

    for item in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        name, _, value = item.partition("=")
        if name.strip() == key:
            return unquote(value.strip()) or None
    return None
