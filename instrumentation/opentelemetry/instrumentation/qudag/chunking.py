"""Chunk processing: how many chunks, how much compression really saved, and how long it took."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast

from opentelemetry.instrumentation.qudag._owner import Node, byte_count

from qudag_otel._calls.wrapped import Watch, failure, pass_through, site_of
from qudag_otel._series.table import Table
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import spans as s
from qudag_otel.catalogue.attributes import MESSAGE_SIZE_BUCKET, MESSAGE_SIZE_LIMITS

if TYPE_CHECKING:
    from qudag_otel._calls.site import Call

__all__ = ["ChunkProcessor", "MonitoredChunkProcessor", "size_bucket"]

ChunksT_co = TypeVar("ChunksT_co", covariant=True)

_chunks: Final = Table(m.CHUNKS_PROCESSED, "add", "message_type")
_durations: Final = Table(m.CHUNKING_DURATION, "record", "message_size_bucket")
_ratios: Final = Table(m.COMPRESSION_RATIO, "set", "compression_type")
_OVERSIZE: Final = MESSAGE_SIZE_BUCKET.values[-1]


class ChunkProcessor(Protocol[ChunksT_co]):
    """Splits and compresses messages; `process` may be a coroutine function.

    `process` returns a collection (such as a list) of the compressed chunks.
    """

    def process(self, message: Any, message_type: str, /, *args: Any, **kwargs: Any) -> ChunksT_co:
        """Split and compress one message."""
        ...


def size_bucket(size: int) -> str:
    """The value of the label `message_size_bucket` for a message.

    Args:
        size: The size of the whole message, in bytes.
    """
    return next((name for name, limit in MESSAGE_SIZE_LIMITS if size <= limit), _OVERSIZE)


def _bytes_of(chunk: object) -> int:
    size = byte_count(chunk)
    if size is None:
        raise TypeError(f"a chunk is a {type(chunk).__name__} and not bytes; give chunk_bytes=")
    return size


class MonitoredChunkProcessor(Generic[ChunksT_co]):
    """Measures a chunk processor: chunks, compression and duration, from the bytes it handled.

    The compression is the share of bytes saved on the latest message, 1 - bytes out / bytes in; a
    message that grew saved 0. An empty message counts its chunks (usually none) and its duration,
    and leaves the compression as it was. A call that raised counts as an error only. Every call
    is a span "chunk message".

    Args:
        processor: The processor to watch.
        compression_type: The algorithm that it compresses with, such as "zstd".
        node_id: The node it belongs to; by default the process's.
        component: The `component` label of its errors.
        message_types: Types known in advance; their counters start at 0 instead of being absent.
        chunk_bytes: Gives the bytes of one chunk as sent; needed where chunks are not bytes-like.
    """

    def __init__(
        self,
        processor: ChunkProcessor[ChunksT_co],
        *,
        compression_type: str,
        node_id: str | None = None,
        component: str = "chunking",
        message_types: Iterable[str] = (),
        chunk_bytes: Callable[[Any], int] = _bytes_of,
    ) -> None:
        self.wrapped = processor
        self.compression_type = compression_type
        self._node = Node(component, node_id)
        self._chunk_bytes = chunk_bytes
        site = site_of(
            s.CHUNK_MESSAGE,
            {s.COMPRESSION.key: compression_type},
            identity={s.NODE.key: node_id},
            varying=(s.MESSAGE_TYPE.key, s.MESSAGE_BYTES.key),
        )
        self._process = Watch(site)
        pass_through(self, processor, "process")
        for message_type in message_types:
            _chunks[message_type, node_id](0)

    def process(self, message: Any, message_type: str, /, *args: Any, **kwargs: Any) -> ChunksT_co:
        """Split and compress one message, and measure it.

        Args:
            message: The whole message, bytes-like.
            message_type: What its chunks are counted as.
            args: Passed on.
            kwargs: Passed on.

        Returns:
            What the processor's `process` returns.
        """
        values = (message_type, byte_count(message))
        chunks: ChunksT_co = self._process(
            self.wrapped.process, self._processed, values, (message, message_type, *args), kwargs
        )
        return chunks

    def _processed(
        self,
        call: Call,
        values: tuple[str, int | None],
        result: object,
        error: BaseException | None,
    ) -> None:
        message_type, size = values
        if error is not None:
            failed = failure(error)
            if failed is not None:
                self._node.count_error(failed)
            return
        node = self._node.given
        if size is None:
            warn_once(
                "chunks:message",
                "process() got a message that is not bytes-like: its duration and compression"
                " cannot be told by size",
            )
        else:
            _durations[size_bucket(size), node](call.seconds)
        if not isinstance(result, Collection):
            # Counting an iterator would use it up before the application sees it.
            warn_once(
                f"chunks:{type(result).__name__}",
                "process() returned a %s; chunks are only counted in a collection such as a list",
                type(result).__name__,
            )
            return
        chunks = cast("Collection[object]", result)
        sent = sum(map(self._chunk_bytes, chunks))
        _chunks[message_type, node](len(chunks))
        call.span.set_attribute(s.CHUNK_COUNT.key, len(chunks))
        call.span.set_attribute(s.CHUNK_BYTES.key, sent)
        if size:
            _ratios[self.compression_type, node](max(0.0, 1 - sent / size))
