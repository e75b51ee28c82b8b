"""The framing of messages: a length, a JSON header, and a body of bytes."""

from __future__ import annotations

import contextlib
import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from qudag_otel.demo.chunks import Chunk

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

MAX_FRAME_BYTES: Final = 10 * 1024 * 1024
"""Larger frames are refused. Source: the limit of QuDAG's RPC server."""

_LENGTHS: Final = struct.Struct(">II")  # the frame after these eight bytes, and the header in it


class FrameError(Exception):
    """Bytes that are not a frame, or a frame that is too large."""


@dataclass(frozen=True, slots=True)
class Message:
    """What goes over a connection, in either direction.

    Args:
        type: What it is: file, vertex, fetch, or an answer.
        fields: Its content, JSON-ready.
        chunks: The chunks of the file that it carries.
        headers: What travels with it without being part of it, such as a trace context.
    """

    type: str
    fields: Mapping[str, object] = field(default_factory=dict[str, object])
    chunks: tuple[Chunk, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def pack(self) -> bytes:
        """The message as a frame.

        Raises:
            FrameError: If it is too large to be sent.
        """
        header = json.dumps(
            {
                "type": self.type,
                "fields": dict(self.fields),
                "headers": dict(self.headers),
                "chunks": [(chunk.size, len(chunk.data)) for chunk in self.chunks],
            }
        ).encode()
        size = len(header) + sum(len(chunk.data) for chunk in self.chunks)
        if size > MAX_FRAME_BYTES:
            raise FrameError(f"a frame of {size} bytes, {MAX_FRAME_BYTES} allowed")
        lengths = _LENGTHS.pack(size, len(header))
        return b"".join((lengths, header, *(chunk.data for chunk in self.chunks)))


async def read_message(reader: asyncio.StreamReader) -> Message:
    """The next message of a stream.

    Raises:
        FrameError: If the bytes are not a message.
        asyncio.IncompleteReadError: If the stream ends first.
    """
    size, header_size = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    if size > MAX_FRAME_BYTES or header_size > size:
        raise FrameError(f"a frame of {size} bytes with a header of {header_size}")
    frame = await reader.readexactly(size)
    try:
        return _parse(frame[:header_size], frame[header_size:])
    except (ValueError, KeyError, TypeError) as error:
        raise FrameError(f"not a message: {error!r}") from error


async def close(writer: asyncio.StreamWriter) -> None:
    """Close a stream and wait until the system has, however the other end left."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _parse(header: bytes, body: bytes) -> Message:
    said = cast("dict[str, object]", json.loads(header))
    chunks: list[Chunk] = []
    start = 0
    for size, length in cast("list[tuple[int, int]]", said["chunks"]):
        chunks.append(Chunk(size, body[start : start + length]))
        start += length
    if start != len(body):
        raise FrameError(f"{start} bytes promised, {len(body)} found")
    return Message(
        type=str(said["type"]),
        fields=cast("dict[str, object]", said["fields"]),
        chunks=tuple(chunks),
        headers=cast("dict[str, str]", said["headers"]),
    )
