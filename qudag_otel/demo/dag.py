"""A directed acyclic graph of hash-linked vertices, and its tips."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping


class UnknownParentError(Exception):
    """A vertex refers to a parent that the graph does not hold.

    Args:
        parent: The parent's hash.
    """

    def __init__(self, parent: str) -> None:
        super().__init__(parent)
        self.parent = parent


class VertexHashError(Exception):
    """A vertex's hash is not the hash of its content and parents."""


@dataclass(frozen=True, slots=True)
class Vertex:
    """One accepted message.

    Args:
        digest: The hash of the message's content, in hexadecimal.
        parents: The hashes of the vertices that it confirms, sorted.
        author: The node that appended it.
        sequence: The author's running number, which keeps equal content apart.
    """

    digest: str
    parents: tuple[str, ...]
    author: str
    sequence: int

    @property
    def hash(self) -> str:
        """Its identity: the hash of everything it says, in hexadecimal."""
        said = "\n".join((self.digest, self.author, str(self.sequence), *self.parents))
        return hashlib.sha256(said.encode()).hexdigest()

    def as_dict(self) -> dict[str, object]:
        """The vertex as JSON-ready data, its hash included."""
        return {
            "hash": self.hash,
            "digest": self.digest,
            "parents": list(self.parents),
            "author": self.author,
            "sequence": self.sequence,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Vertex:
        """The vertex from `as_dict`'s data.

        Raises:
            VertexHashError: If the hash in the data is not that of the rest.
        """
        parents = data["parents"]
        if not isinstance(parents, list):
            raise VertexHashError("parents are not a list")
        vertex = cls(
            str(data["digest"]),
            tuple(str(parent) for parent in cast("list[object]", parents)),
            str(data["author"]),
            int(str(data["sequence"])),
        )
        if vertex.hash != data["hash"]:
            raise VertexHashError(f"{data['hash']} is not the hash of what the vertex says")
        return vertex


GENESIS = Vertex(digest=hashlib.sha256(b"").hexdigest(), parents=(), author="genesis", sequence=0)
"""The vertex that every graph starts with."""

MAX_PARENTS = 4
"""How many tips a new vertex confirms at most, which keeps vertices small."""


class Dag:
    """The graph as one node knows it.

    Args:
        limit: How many vertices are kept; older ones are pruned once they are no longer tips.
    """

    def __init__(self, limit: int = 20_000) -> None:
        self.limit = limit
        self._vertices: dict[str, Vertex] = {GENESIS.hash: GENESIS}
        self._tips: dict[str, None] = {GENESIS.hash: None}
        self.appended = 0

    def __len__(self) -> int:
        return len(self._vertices)

    def __contains__(self, vertex_hash: object) -> bool:
        return vertex_hash in self._vertices

    @property
    def tips(self) -> tuple[str, ...]:
        """The hashes of the vertices that no other confirms yet, oldest first."""
        return tuple(self._tips)

    def get(self, vertex_hash: str) -> Vertex | None:
        """The vertex with this hash, or None."""
        return self._vertices.get(vertex_hash)

    def extend(self, digest: str, author: str, sequence: int) -> Vertex:
        """Append a new vertex on the oldest tips, and return it."""
        parents = tuple(sorted(self.tips[:MAX_PARENTS]))
        vertex = Vertex(digest, parents, author, sequence)
        self.append(vertex)
        return vertex

    def append(self, vertex: Vertex) -> bool:
        """Append another node's vertex; whether it was new.

        Raises:
            UnknownParentError: If a parent is not known (yet).
        """
        identity = vertex.hash
        if identity in self._vertices:
            return False
        for parent in vertex.parents:
            if parent not in self._vertices:
                raise UnknownParentError(parent)
        self._vertices[identity] = vertex
        self._tips[identity] = None
        for parent in vertex.parents:
            self._tips.pop(parent, None)
        self.appended += 1
        self._prune()
        return True

    def _prune(self) -> None:
        # Insertion order is topological order, so the oldest go first.
        while len(self._vertices) > self.limit:
            oldest = next(iter(self._vertices))
            if oldest in self._tips:
                return
            del self._vertices[oldest]
