"""The nodes of one process, each with its own swarm, and their way from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from qudag_otel.demo.network import Node
from qudag_otel.demo.signing import KeyRing
from qudag_otel.demo.swarm import Swarm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qudag_otel.demo.pool import Address

_ARRIVAL_SECONDS = 0.02  # what was written to a socket of this host has been read by then
_ANSWERS_SECONDS = 5.0


def node_names(count: int) -> list[str]:
    """The names of a network's nodes."""
    return [f"node-{number}" for number in range(1, count + 1)]


class Cluster:
    """Some nodes of a network, all in this process.

    Args:
        local: The names of the nodes that run here.
        everyone: The names of all nodes of the network.
        seed: What the nodes' keys follow from.
    """

    def __init__(self, local: Sequence[str], everyone: Sequence[str], seed: int) -> None:
        self._addresses: dict[str, Address] = {}
        self.nodes = tuple(
            Node(
                name,
                KeyRing(name, list(everyone), seed),
                self._addresses,
                Swarm(name.replace("node", "swarm")),
            )
            for name in local
        )

    async def start(self) -> Mapping[str, Address]:
        """Start the nodes here, and return where they listen."""
        for node in self.nodes:
            self._addresses[node.node_id] = await node.start()
            node.swarm.start()
        return self._addresses

    def meet(self, addresses: Mapping[str, Address]) -> None:
        """Tell the nodes where all nodes of the network listen."""
        self._addresses.update({name: (host, port) for name, (host, port) in addresses.items()})

    async def drain(self, seconds: float) -> bool:
        """Wait until no task is left, at most so long; whether none is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                # Tasks of one node beget tasks of others: there is no single event to wait for.
                while any(node.swarm.outstanding for node in self.nodes):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        return not any(node.swarm.outstanding for node in self.nodes)

    async def quiesce(self) -> None:
        """End the agents, and let nodes answer what these had asked; connections stay open."""
        await asyncio.gather(*(node.swarm.stop() for node in self.nodes))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWERS_SECONDS):
                await asyncio.sleep(_ARRIVAL_SECONDS)
                while any(node.answering for node in self.nodes):  # noqa: ASYNC110
                    await asyncio.sleep(_ARRIVAL_SECONDS)

    async def stop(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(node.stop() for node in self.nodes))
