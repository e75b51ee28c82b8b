"""Chunk processing: how many chunks, how much compression really saved, and how long it took."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast

from opentelemetry.instrumentation.qudag._owner import Node, byte_count

from qudag_otel._calls.awaiting import plain
from qudag_otel._calls.wrapped import (
    Ends,
    awaited,
    by_type,
    failure,
    is_coroutine,
    pass_through,
    site_of,
    tell,
)
from qudag_otel._foreign import interrupts
from qudag_otel._series.gauges import show
from qudag_otel._series.table import Table
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import spans as s
from qudag_otel.catalogue.attributes import MESSAGE_SIZE_BUCKET, MESSAGE_SIZE_LIMITS
from qudag_otel.instruments import series

if TYPE_CHECKING:
    from qudag_otel._calls.site import Call, Ended, Tally
    from qudag_otel.instruments import Series

__all__ = ["ChunkProcessor", "MonitoredChunkProcessor", "size_bucket"]

ChunksT_co = TypeVar("ChunksT_co", covariant=True)

_chunks: Final = Table(m.CHUNKS_PROCESSED, "add", "message_type")
_cut: Final = Table(m.CHUNKS_PROCESSED, "take", "message_type")
_durations: Final = Table(m.CHUNKING_DURATION, "take", "message_size_bucket")
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
        ratio = series(m.COMPRESSION_RATIO, compression_type=compression_type, **self._node.labels)
        show(ratio)  # now: a gauge that a collection makes is read by the next one
        self._site = site_of(
            s.CHUNK_MESSAGE,
            {s.COMPRESSION.key: compression_type},
            identity={s.NODE.key: node_id},
            varying=(s.MESSAGE_TYPE.key, s.MESSAGE_BYTES.key),
            late=(s.CHUNK_COUNT.key, s.CHUNK_BYTES.key),
            tally=_counting(ratio, node_id),
            weight=4,
        )
        self._later = is_coroutine(processor.process)
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
        size = len(message) if type(message) is bytes else byte_count(message)
        values = (message_type, size)
        process = self.wrapped.process
        if self._later:
            given: tuple[Any, ...] = (message, message_type, *args)
            later: Any = awaited(
                self._site, values, process, given, kwargs, self._failed, self._processed
            )
            return later  # type: ignore[no-any-return]  # as `process` gives
        start = self._site.start
        call = start(values)
        try:
            if args or kwargs:
                chunks = process(message, message_type, *args, **kwargs)
            else:  # passing on nothing costs as much as counting
                chunks = process(message, message_type)
        except BaseException as error:
            self._ends().failed(call, error)
            raise
        try:
            known = type(chunks) in plain
            common = size is not None and self._is_list_of_bytes(chunks)
        except BaseException as odd:  # a class whose own class is odd
            if interrupts(odd):
                raise
            known = common = False
        if common:
            parts: Any = chunks
            call.given = (*values, len(parts), sum(map(len, parts)))
            call.leave()
            return chunks
        if known:
            tell(self._processed, call, chunks)
            call.leave()
            return chunks
        returned: ChunksT_co = self._ends().returned(call, chunks)
        return returned

    def _is_list_of_bytes(self, chunks: Any) -> bool:
        """Whether chunks are what is common, and counted as such."""
        usual = chunks.__class__ is list and self._chunk_bytes is _bytes_of
        return usual and _BYTES.issuperset(map(type, chunks))

    def _ends(self) -> Ends:
        return Ends(self._failed, self._processed)

    def _failed(self, _call: Call, error: BaseException) -> None:
        failed = failure(error)
        if failed is not None:
            self._node.count_error(failed)

    def _processed(self, call: Call, result: object) -> None:
        if call.given is None:  # somebody asked for quiet
            return
        message_type, size = call.given[:2]
        if size is None:
            warn_once(
                "chunks:message",
                "process() got a message that is not bytes-like: its duration and compression"
                " cannot be told by size",
            )
        if type(result) is not list and not isinstance(result, Collection):
            # Counting an iterator would use it up before the application sees it.
            warn_once(
                f"chunks:{type(result).__name__}",
                "process() returned a %s; chunks are only counted in a collection such as a list",
                type(result).__name__,
            )
            return
        chunks = cast("Collection[object]", result)
        measure: Any = len if self._is_list_of_bytes(chunks) else self._chunk_bytes
        call.given = (message_type, size, len(chunks), sum(map(measure, chunks)))


_BYTES: Final = frozenset({bytes})


def _counting(ratio: Series, node: str | None) -> Tally:
    """What counts chunks, and how long they took by the size of their message."""

    def tally(calls: Sequence[Ended], offset: int) -> None:
        sizes: dict[str, list[Ended]] = {}
        for message_type, ended in by_type(calls).items():
            whole: list[Any] = [call for call in ended if len(call.given or ()) == _COUNTED]
            if whole:
                counts = [call.given[2] for call in whole]
                _cut[message_type, node](counts, whole, offset)
            for call in ended:
                size: Any = call.given and call.given[1]
                if size is not None:
                    sizes.setdefault(size_bucket(size), []).append(call)
        for bucket, ended in sizes.items():
            _durations[bucket, node](
                [(one.ended - one.began) * 1e-9 for one in ended], ended, offset
            )
        for call in reversed(calls):
            given: Any = call.given
            if call.outcome is None and given and len(given) == _COUNTED and given[1]:
                ratio.set(max(0.0, 1 - given[3] / given[1]))
                break

    return tally


_COUNTED: Final = 4  # values of a call whose chunks could be counted
