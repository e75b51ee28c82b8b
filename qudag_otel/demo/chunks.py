"""Messages split at 64 KiB, each chunk compressed with zstd where that makes it smaller."""

from __future__ import annotations

import bisect
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

import zstandard

CHUNK_BYTES: Final = 64 * 1024
"""The size at which messages are split, in bytes. Source: QuDAG's chunk size."""

COMPRESSION: Final = "zstd"
"""The compression algorithm."""

# Upper ends, inclusive, of the sizes by which durations are kept apart.
_BUCKET_BYTES: Final = (1 << 10, 10 << 10, 100 << 10)
_BUCKETS: Final = ("small", "medium", "large", "xlarge")


class CorruptChunkError(Exception):
    """A chunk does not decompress to what its header promises."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a message on its way.

    Args:
        size: Its size before compression, in bytes.
        data: What is sent: compressed if that made it smaller, else the piece itself.
    """

    size: int
    data: bytes

    @property
    def compressed(self) -> bool:
        """Whether `data` is compressed; a piece is never sent in more bytes than it has."""
        return len(self.data) < self.size


class ChunkProcessor:
    """Splits and compresses messages, and puts them together again.

    Args:
        chunk_bytes: The size at which messages are split, in bytes.
        level: The zstd compression level.
    """

    def __init__(self, chunk_bytes: int = CHUNK_BYTES, level: int = 3) -> None:
        self._chunk_bytes = chunk_bytes
        self._compressor = zstandard.ZstdCompressor(level=level)
        self._decompressor = zstandard.ZstdDecompressor()
        self.chunks: Counter[str] = Counter()
        self.durations: dict[str, tuple[int, float]] = {}
        self.latest_saved = 0.0

    def process(self, message: bytes, message_type: str) -> list[Chunk]:
        """Split and compress a message; an empty one has no chunks.

        Args:
            message: The whole message.
            message_type: What it is counted as in `chunks`.
        """
        started = time.perf_counter()
        chunks: list[Chunk] = []
        for start in range(0, len(message), self._chunk_bytes):
            piece = message[start : start + self._chunk_bytes]
            packed = self._compressor.compress(piece)
            chunks.append(Chunk(len(piece), packed if len(packed) < len(piece) else piece))
        self.chunks[message_type] += len(chunks)
        if message:
            self.latest_saved = 1 - sum(len(chunk.data) for chunk in chunks) / len(message)
        bucket = _BUCKETS[bisect.bisect_left(_BUCKET_BYTES, len(message))]
        count, seconds = self.durations.get(bucket, (0, 0.0))
        self.durations[bucket] = (count + 1, seconds + time.perf_counter() - started)
        return chunks

    def restore(self, chunks: list[Chunk]) -> bytes:
        """Put a message together again.

        Raises:
            CorruptChunkError: If a chunk does not have the content that it promises.
        """
        return b"".join(self._unpack(chunk) for chunk in chunks)

    def _unpack(self, chunk: Chunk) -> bytes:
        if not chunk.compressed:
            return chunk.data
        if chunk.size > self._chunk_bytes:
            # Refused before it is unpacked: a few bytes can promise gigabytes.
            raise CorruptChunkError(f"{chunk.size} bytes promised, {self._chunk_bytes} allowed")
        try:
            data = self._decompressor.decompress(chunk.data, max_output_size=chunk.size)
        except zstandard.ZstdError as error:
            raise CorruptChunkError(str(error)) from error
        if len(data) != chunk.size:
            raise CorruptChunkError(f"{chunk.size} bytes promised, {len(data)} found")
        return data
