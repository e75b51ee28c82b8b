"""Chunk processing: chunks, compression and duration from the bytes that really passed."""

from __future__ import annotations

import asyncio
import random
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.instrumentation.qudag.chunking import MonitoredChunkProcessor, size_bucket

from qudag_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qudag_otel.testing import Captured

CHUNK = 64 * 1024


class Processor:
    """Splits at 64 KiB and compresses with zlib."""

    def process(self, message: bytes, message_type: str) -> list[bytes]:
        return [zlib.compress(message[at : at + CHUNK]) for at in range(0, len(message), CHUNK)]


class AsyncProcessor:
    async def process(self, message: bytes, message_type: str) -> list[bytes]:
        return await asyncio.to_thread(Processor().process, message, message_type)


@dataclass
class Chunk:
    data: bytes


class ObjectProcessor:
    def process(self, message: bytes, message_type: str) -> list[Chunk]:
        return [Chunk(chunk) for chunk in Processor().process(message, message_type)]


class LazyProcessor:
    def process(self, message: bytes, message_type: str) -> Iterator[bytes]:
        return iter(Processor().process(message, message_type))


def test_processor_measures_chunks_and_the_share_of_bytes_saved(telemetry: Captured) -> None:
    """Chunks and compression are those of the bytes in and out."""
    message = b"repeat" * 30_000
    monitored = MonitoredChunkProcessor(Processor(), compression_type="zlib", node_id="n1")

    chunks = monitored.process(message, "file")

    assert chunks == Processor().process(message, "file")
    assert telemetry.value("qudag_chunks_processed_total", message_type="file") == 3
    saved = telemetry.value("qudag_compression_ratio", compression_type="zlib", node_id="n1")
    assert saved == pytest.approx(1 - sum(map(len, chunks)) / len(message))
    assert 0.9 < saved < 1
    count, seconds = telemetry.histogram(
        "qudag_chunking_duration_seconds", message_size_bucket="xlarge"
    )
    assert count == 1
    assert seconds > 0
    attributes = telemetry.span("chunk message").attributes
    assert attributes["qudag.chunk.count"] == 3
    assert attributes["qudag.chunk.bytes"] == sum(map(len, chunks))


def test_processor_with_a_message_that_grows_saved_nothing(telemetry: Captured) -> None:
    """What cannot be compressed saves 0, not a negative share."""
    noise = random.Random(1).randbytes(2000)

    monitored = MonitoredChunkProcessor(Processor(), compression_type="zlib")
    assert sum(map(len, monitored.process(noise, "file"))) > len(noise)

    assert telemetry.value("qudag.compression") == 0


def test_processor_with_an_empty_message_keeps_the_former_compression(telemetry: Captured) -> None:
    """An empty message has a duration, no chunk and no NaN."""
    monitored = MonitoredChunkProcessor(
        Processor(), compression_type="zlib", message_types=["file"]
    )

    assert monitored.process(b"", "file") == []

    assert telemetry.value("qudag.chunks.processed") == 0
    assert not telemetry.points("qudag.compression")
    assert telemetry.value("qudag.chunking.duration", message_size_bucket="small") == 1
    assert not telemetry.logs

    monitored.process(b"a" * 1000, "file")
    former = telemetry.value("qudag.compression")
    monitored.process(b"", "file")
    assert telemetry.value("qudag.compression") == former > 0


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        (0, "small"),
        (1024, "small"),
        (1025, "medium"),
        (10_240, "medium"),
        (10_241, "large"),
        (102_400, "large"),
        (102_401, "xlarge"),
    ],
)
def test_size_bucket_at_each_edge_includes_its_upper_bound(size: int, bucket: str) -> None:
    """Bounds are inclusive: 1 KiB is small, one byte more is medium."""
    assert size_bucket(size) == bucket


def test_async_processor_is_measured_when_awaited(telemetry: Captured) -> None:
    """A coroutine's chunks count once it has run."""
    monitored = MonitoredChunkProcessor(AsyncProcessor(), compression_type="zlib")

    async def main() -> list[bytes]:
        return await monitored.process(b"a" * 100_000, "file")

    assert len(asyncio.run(main())) == 2
    assert telemetry.value("qudag.chunks.processed", message_type="file") == 2
    assert telemetry.span("chunk message").attributes["qudag.chunk.count"] == 2


def test_processor_of_chunk_objects_is_measured_through_chunk_bytes(telemetry: Captured) -> None:
    """Chunks that are not bytes are measured by the function given for it."""
    monitored = MonitoredChunkProcessor(
        ObjectProcessor(), compression_type="zlib", chunk_bytes=lambda chunk: len(chunk.data)
    )

    chunks = monitored.process(b"a" * 1000, "file")

    assert telemetry.value("qudag.compression") == pytest.approx(1 - len(chunks[0].data) / 1000)


def test_processor_of_unknown_chunks_warns_and_returns_them(telemetry: Captured) -> None:
    """Without that function the result is untouched, nothing is guessed, and the log says why."""
    monitored = MonitoredChunkProcessor(ObjectProcessor(), compression_type="zlib")

    assert len(monitored.process(b"a" * 1000, "file")) == 1

    assert not telemetry.points("qudag.compression")
    assert not telemetry.points("qudag.chunks.processed")
    assert telemetry.log("chunk_bytes=").severity == "warning"


def test_processor_of_an_iterator_leaves_it_unused(telemetry: Captured) -> None:
    """An iterator reaches the application whole; only the duration is measured."""
    monitored = MonitoredChunkProcessor(LazyProcessor(), compression_type="zlib")

    assert len(list(monitored.process(b"a" * 100_000, "file"))) == 2

    assert telemetry.value("qudag.chunking.duration") == 1
    assert not telemetry.points("qudag.chunks.processed")
    assert "such as a list" in str(telemetry.logs[0].body)


def test_processor_that_raises_counts_an_error_only(telemetry: Captured) -> None:
    """A failed message has no duration, no chunks and one error."""
    monitored = MonitoredChunkProcessor(
        Processor(), compression_type="zlib", message_types=["file"]
    )

    with pytest.raises(TypeError):
        monitored.process(None, "file")

    assert telemetry.value("qudag.errors", component="chunking", error_type="TypeError") == 1
    assert telemetry.value("qudag.chunks.processed") == 0
    assert not telemetry.points("qudag.chunking.duration")


@settings(max_examples=25, deadline=None)
@given(messages=st.lists(st.binary(max_size=300) | st.just(b"x" * 150_000), max_size=8))
def test_processor_with_any_messages_counts_exactly(
    messages: list[bytes],
) -> None:
    """Chunks and durations are exact, and the compression is the latest non-empty message's."""
    with capture() as telemetry:
        monitored = MonitoredChunkProcessor(Processor(), compression_type="zlib", node_id="n1")

        results = [monitored.process(message, "file") for message in messages]

        if not messages:
            assert not telemetry.points("qudag.chunks.processed", node_id="n1")
            return
        assert telemetry.value("qudag.chunks.processed", node_id="n1") == sum(map(len, results))
        assert telemetry.histogram("qudag.chunking.duration", node_id="n1")[0] == len(messages)
        shares = [
            max(0.0, 1 - sum(map(len, chunks)) / len(message))
            for message, chunks in zip(messages, results, strict=True)
            if message
        ]
        found = [point.value for point in telemetry.points("qudag.compression", node_id="n1")]
        assert found == pytest.approx(shares[-1:])
