"""The demo network's parts without telemetry: chunks, cache, DAG, signatures, files, frames."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

import pytest

from qudag_otel.demo.cache import ValidationCache
from qudag_otel.demo.chunks import CHUNK_BYTES, Chunk, ChunkProcessor, CorruptChunkError
from qudag_otel.demo.dag import GENESIS, Dag, UnknownParentError, Vertex, VertexHashError
from qudag_otel.demo.signing import InvalidSignatureError, KeyRing, UnknownAuthorError
from qudag_otel.demo.sources import FileSource, SourceError, standard_library
from qudag_otel.demo.wire import MAX_FRAME_BYTES, FrameError, Message, read_message

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 300_000])
def test_chunks_any_size_come_back_whole(size: int) -> None:
    """A message of any size is the same after splitting, compressing and restoring."""
    message = random.Random(size).randbytes(size // 2) + b"a" * (size - size // 2)
    processor = ChunkProcessor()
    chunks = processor.process(message, "file")
    assert processor.restore(chunks) == message
    assert len(chunks) == -(-size // CHUNK_BYTES) == processor.chunks["file"]


def test_chunks_incompressible_never_grow() -> None:
    """Bytes that zstd cannot shrink are sent as they are, so that nothing is saved or lost."""
    processor = ChunkProcessor()
    (chunk,) = processor.process(random.Random(0).randbytes(1000), "file")
    assert not chunk.compressed
    assert processor.latest_saved == 0


@pytest.mark.parametrize(
    "chunk",
    [Chunk(100, b"not zstd"), Chunk(10**9, b"bomb"), Chunk(99, b"")],
    ids=["garbage", "bomb", "empty"],
)
def test_restore_corrupt_chunk_is_refused(chunk: Chunk) -> None:
    """A chunk that does not hold what it promises raises before memory is spent on it."""
    with pytest.raises(CorruptChunkError, match=r".+"):
        ChunkProcessor().restore([chunk])


def test_cache_each_reason_is_told_apart() -> None:
    """Entries leave because there is no room, too many bytes, too old, or on request."""
    now = [0.0]
    seen: list[str] = []
    cache = ValidationCache(2, 100, 10.0, lambda: now[0], seen.append)
    for name in (b"a", b"b", b"c"):
        cache.put(name, b"x" * 9)
    assert seen == ["capacity"]
    cache.put(b"d", b"x" * 95)
    assert seen == ["capacity", "capacity", "memory_pressure"]
    now[0] = 10.0
    assert cache.get(b"d") is None
    cache.put(b"e", b"")
    assert cache.remove(b"e")
    assert not cache.remove(b"e")
    assert cache.evictions == {"capacity": 2, "memory_pressure": 1, "expired": 1, "explicit": 1}
    assert (len(cache), cache.memory_bytes) == (0, 0)


def test_cache_recent_use_keeps_an_entry() -> None:
    """The entry that was used least recently is the one to go."""
    cache = ValidationCache(max_entries=2)
    cache.put(b"old", b"1")
    cache.put(b"new", b"2")
    assert cache.get(b"old") == b"1"
    cache.put(b"newer", b"3")
    assert cache.get(b"new") is None
    assert cache.get(b"old") == b"1"
    assert cache.lookups == {"hit": 2, "miss": 1}


def test_cache_larger_than_itself_is_not_kept() -> None:
    """A value that exceeds the byte limit evicts nobody."""
    cache = ValidationCache(max_bytes=10)
    cache.put(b"a", b"x")
    cache.put(b"b", b"x" * 100)
    assert (len(cache), cache.memory_bytes) == (1, 2)


def test_dag_extend_links_all_tips() -> None:
    """A new vertex confirms the tips, and is the only tip afterwards."""
    dag = Dag()
    ours = dag.extend("d1", "n1", 0)
    theirs = Vertex("d2", (GENESIS.hash,), "n2", 0)
    assert dag.append(theirs)
    assert not dag.append(theirs)
    assert set(dag.tips) == {ours.hash, theirs.hash}
    joined = dag.extend("d3", "n1", 1)
    assert dag.tips == (joined.hash,)
    assert dag.appended == 3


def test_dag_unknown_parent_is_named() -> None:
    """A vertex whose parent has not arrived is refused with the parent's hash."""
    with pytest.raises(UnknownParentError, match="nobody"):
        Dag().append(Vertex("d", ("nobody",), "n", 0))


def test_dag_limit_prunes_the_oldest() -> None:
    """The graph stays within its limit, and its tips are never pruned."""
    dag = Dag(limit=10)
    for number in range(50):
        dag.extend(f"d{number}", "n", number)
    assert len(dag) == 10
    assert dag.tips[0] in dag
    assert GENESIS.hash not in dag


def test_vertex_changed_on_the_way_is_refused() -> None:
    """A vertex whose hash does not fit its content is not accepted."""
    data = Vertex("d", (GENESIS.hash,), "n", 7).as_dict()
    assert Vertex.from_dict(data).sequence == 7
    with pytest.raises(VertexHashError, match="not the hash"):
        Vertex.from_dict({**data, "digest": "other"})
    with pytest.raises(VertexHashError, match="not a list"):
        Vertex.from_dict({**data, "parents": "x"})


def test_signature_of_another_content_is_refused() -> None:
    """Only the author's own signature of the very digest is accepted."""
    one, two = KeyRing("n1", ["n2"], 1), KeyRing("n2", ["n1"], 1)
    signature = one.sign(b"digest")
    two.verify("n1", b"digest", signature)
    with pytest.raises(InvalidSignatureError, match="n1 did not sign"):
        two.verify("n1", b"other", signature)
    with pytest.raises(UnknownAuthorError, match="n9"):
        two.verify("n9", b"digest", signature)


def test_source_same_seed_same_files(tmp_path: Path) -> None:
    """The seed decides which files are sent, and caches and hidden folders are left out."""
    for number in range(20):
        (tmp_path / f"{number}.txt").write_text("x")
    for skipped in ("__pycache__", ".git"):
        (tmp_path / skipped).mkdir()
        (tmp_path / skipped / "file").write_text("x")
    first, again, other = (FileSource(tmp_path, seed) for seed in (1, 1, 2))
    sent = [first.next() for _ in range(100)]
    assert sent == [again.next() for _ in range(100)]
    assert sent != [other.next() for _ in range(100)]
    assert len(first.files) == 20


def test_source_unusable_folder_says_why(tmp_path: Path) -> None:
    """A missing folder, and one without usable files, are told apart."""
    with pytest.raises(SourceError, match="there is no folder"):
        FileSource(tmp_path / "missing", 0)
    with (tmp_path / "huge").open("wb") as huge:
        os.ftruncate(huge.fileno(), 5 << 20)
    with pytest.raises(SourceError, match="no readable file up to 4 MiB"):
        FileSource(tmp_path, 0)


def test_source_standard_library_has_every_size() -> None:
    """The default folder has files of every size bucket of the chunking metric."""
    sizes = [file.stat().st_size for file in FileSource(standard_library(), 0).files]
    for low, high in ((0, 1 << 10), (1 << 10, 10 << 10), (10 << 10, 100 << 10), (100 << 10, 1e9)):
        assert any(low < size <= high for size in sizes)


def _read(data: bytes) -> Message:
    async def read() -> Message:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await read_message(reader)

    return asyncio.run(read())


def test_message_packed_reads_back_equal() -> None:
    """Type, fields, headers and chunks arrive as they were sent."""
    message = Message("file", {"a": 1}, (Chunk(5, b"abc"), Chunk(2, b"de")), {"traceparent": "x"})
    assert _read(message.pack()) == message


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 16,
        b"\0\0\0\2\0\0\0\2{}",
        b"\0\0\0\4\0\0\0\4nope",
        Message("x", {}, (Chunk(1, b"a"),)).pack()[:-1].replace(b"\0\0\0\x3f", b"\0\0\0\x3e"),
    ],
    ids=["too-large", "no-type", "no-json", "short-body"],
)
def test_message_malformed_frame_is_refused(data: bytes) -> None:
    """Bytes that are not a message raise, whatever is wrong with them."""
    with pytest.raises(FrameError, match=r"frame|message|promised"):
        _read(data)


def test_message_too_large_is_not_sent() -> None:
    """A frame over the limit is refused by its sender."""
    with pytest.raises(FrameError, match="allowed"):
        Message("x", {}, (Chunk(1, b"a" * (MAX_FRAME_BYTES + 1)),)).pack()
