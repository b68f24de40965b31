"""The sorted table of a checkpoint's `.index`: leveldb's table format with TensorFlow's constants.

    data block …  metaindex block (empty)  index block  footer (48 bytes)

Every block is followed by a trailer: its type (0 plain, 1 snappy) and the masked CRC-32C of block and type. A block is
a run of entries (bytes shared with the previous key, bytes of key not shared, bytes of value; then these bytes), the
positions of its restart points as uint32, and their number. The footer names the metaindex and index blocks by offset
and size (varints, zero-padded to 40 bytes) and ends with the magic number.
Sources: leveldb's doc/table_format.md; tensorflow/core/lib/io/{format,table_builder,table_options}.
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Callable, Iterable
from typing import Final

from bertbuild.checkpoint.crc32c import crc32c, masked
from bertbuild.checkpoint.snappy import SnappyError, decompress
from bertbuild.checkpoint.v1_files import MAGIC
from bertbuild.graph.wire import WireError, encode_varint, read_varint
from bertbuild.plural import number_of

_FOOTER_SIZE: Final = 48
_TRAILER_SIZE: Final = 5
_PLAIN: Final = 0
_SNAPPY: Final = 1
_BLOCK_SIZE: Final = 262144  # table_options.h: a data block is closed when it has grown this large
_RESTART_INTERVAL: Final = 16
_LARGEST_BLOCK: Final = 1 << 28  # a decompressed block beyond this is an attack or damage
_MOST_KEYS: Final = 1 << 16  # BERT-Large with optimizer slots has 1,200, some times as many where cut into parts
_KEY_BYTES: Final = 1 << 25
_KEY_BYTES_PER_BYTE: Final = 8  # keys share their beginnings: those of a BERT are four times as long as they lie there


class TableFormatError(ValueError):
    """The bytes are not a table, or a damaged one. `str()` is a clause that says why."""


def read_table(data: bytes) -> list[tuple[bytes, bytes]]:
    """All keys and values of a table, in the order of keys; every block is checked against its CRC-32C.

    Raises `TableFormatError` for anything that TensorFlow's writer would not have written, and for one with more keys,
    or longer ones, than `Budget` allows.
    """
    table = Table(len(data), lambda offset, size: data[offset : offset + size])
    entries: list[tuple[bytes, bytes]] = []
    budget = Budget(len(data))
    for number in range(len(table.blocks)):
        entries.extend(table.block(number, budget))
    if any(entries[i][0] >= entries[i + 1][0] for i in range(len(entries) - 1)):
        raise TableFormatError("its keys are not in order")
    return entries


class Table:
    """A table whose blocks are read when they are asked for.

    Attributes:
        blocks: of each block the last key it may hold, its offset, and its bytes without the trailer.
    """

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        """`read` gives the bytes at an offset. Raises `TableFormatError` for a damaged footer or index."""
        self._size = size
        self._read = read
        budget = Budget(size)
        if size < _FOOTER_SIZE:
            raise TableFormatError(
                f"it has {number_of(size, 'byte')}, less than the {_FOOTER_SIZE} of a table's footer"
            )
        meta, index = _handles(read(size - _FOOTER_SIZE, _FOOTER_SIZE))
        if _entries(self._contents(*meta), budget):
            raise TableFormatError("its metaindex is not empty")
        self.blocks: list[tuple[bytes, int, int]] = []
        filled = 0
        for last_key, handle in _entries(self._contents(*index), budget):
            try:
                offset, after = read_varint(handle, 0, len(handle))
                length, _ = read_varint(handle, after, len(handle))
            except WireError as error:
                raise TableFormatError("its index block is malformed") from error
            if offset < filled:
                raise TableFormatError(f"the blocks that its index names at offset {offset} lie in each other")
            filled = offset + length + _TRAILER_SIZE
            self.blocks.append((last_key, offset, length))

    def block(self, number: int, budget: Budget | None = None) -> list[tuple[bytes, bytes]]:
        """Keys and values of a block, checked against its CRC-32C. Raises `TableFormatError` where it is damaged.

        `budget` counts its keys, with those of other blocks; without one they are counted alone.
        """
        last_key, offset, length = self.blocks[number]
        entries = _entries(self._contents(offset, length), budget or Budget(self._size))
        if not entries or entries[-1][0] > last_key:
            raise TableFormatError("its index block does not fit its data blocks")
        return entries

    def number_of(self, key: bytes) -> int | None:
        """The number of the block that holds a key, if one does."""
        number = bisect.bisect_left(self.blocks, key, key=lambda block: block[0])
        return number if number < len(self.blocks) else None

    def _contents(self, offset: int, size: int) -> bytes:
        if offset + size + _TRAILER_SIZE > self._size - _FOOTER_SIZE:
            raise TableFormatError(f"a block at offset {offset} reaches beyond the end of the file")
        return _plain(self._read(offset, size + _TRAILER_SIZE), offset)


class Budget:
    """What the keys of a table may come to: their number, and their bytes once each is written out.

    Many short entries can share one long beginning, so that a small file would fill the memory.
    """

    def __init__(self, size: int) -> None:
        """`size`: bytes of the file."""
        self._most_bytes = _KEY_BYTES + _KEY_BYTES_PER_BYTE * size
        self._keys = 0
        self._bytes = 0

    def spend(self, key: bytes) -> None:
        """Count a key. Raises `TableFormatError` where it is one too many."""
        self._keys += 1
        self._bytes += len(key)
        if self._keys > _MOST_KEYS:
            raise TableFormatError(f"it has more than {_MOST_KEYS} keys, the most that are read")
        if self._bytes > self._most_bytes:
            raise TableFormatError(f"its keys have more than {self._most_bytes} bytes, the most for a file of its size")


def _handles(footer: bytes) -> tuple[tuple[int, int], tuple[int, int]]:
    """Offset and size of the metaindex and of the index block."""
    if struct.unpack_from("<Q", footer, 40)[0] != MAGIC:
        raise TableFormatError("it does not end with the magic number of a table")
    try:
        meta_offset, position = read_varint(footer, 0, 40)
        meta_size, position = read_varint(footer, position, 40)
        index_offset, position = read_varint(footer, position, 40)
        index_size, position = read_varint(footer, position, 40)
    except WireError as error:
        raise TableFormatError("its footer is malformed") from error
    handles = b"".join(map(encode_varint, (meta_offset, meta_size, index_offset, index_size)))
    if footer[:40] != handles.ljust(40, b"\0"):  # no checksum covers the footer, so nothing in it may be arbitrary
        raise TableFormatError("its footer is malformed")
    return (meta_offset, meta_size), (index_offset, index_size)


def write_table(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A table of `entries` (keys strictly ascending), byte for byte as TensorFlow's uncompressed writer makes it.

    Raises ValueError when keys do not ascend.
    """
    output = bytearray()
    index = _BlockBuilder(restart_interval=1)
    block = _BlockBuilder(restart_interval=_RESTART_INTERVAL)
    pending: tuple[bytes, bytes] | None = None  # last key and handle of a finished block without its index entry
    last_key: bytes | None = None
    for key, value in entries:
        if last_key is not None and key <= last_key:
            raise ValueError(f"keys must ascend: {key!r} after {last_key!r}")
        if pending is not None:
            index.add(_separator(pending[0], key), pending[1])
            pending = None
        block.add(key, value)
        last_key = key
        if block.size >= _BLOCK_SIZE:
            pending = (key, _append(output, block.finish()))
            block = _BlockBuilder(restart_interval=_RESTART_INTERVAL)
    if last_key is not None and block.size > _BlockBuilder(restart_interval=1).size:
        pending = (last_key, _append(output, block.finish()))
    if pending is not None:
        index.add(_successor(pending[0]), pending[1])
    handles = _append(output, _BlockBuilder(restart_interval=_RESTART_INTERVAL).finish())
    handles += _append(output, index.finish())
    output += handles.ljust(40, b"\0") + struct.pack("<Q", MAGIC)
    return bytes(output)


def _plain(block: bytes, offset: int) -> bytes:
    """The plain contents of a block with its trailer, which lay at `offset`."""
    end = len(block) - _TRAILER_SIZE
    if end < 0:
        raise TableFormatError(f"the block at offset {offset} is cut off")
    kind, stored = struct.unpack_from("<BI", block, end)
    if masked(crc32c(block[: end + 1])) != stored:
        raise TableFormatError(f"the block at offset {offset} does not have the checksum stored with it")
    contents = block[:end]
    if kind == _PLAIN:
        return contents
    if kind != _SNAPPY:
        raise TableFormatError(f"the block at offset {offset} has the unknown type {kind}")
    try:
        return decompress(contents, limit=_LARGEST_BLOCK)
    except SnappyError as error:
        raise TableFormatError(f"the compressed block at offset {offset} is malformed: {error}") from error


def _entries(block: bytes, budget: Budget) -> list[tuple[bytes, bytes]]:
    """Keys and values of a plain block, counted by `budget`."""
    if len(block) < 4:
        raise TableFormatError("a block has no restart points")
    restarts = struct.unpack_from("<I", block, len(block) - 4)[0]
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise TableFormatError("a block has more restart points than bytes")
    found: list[tuple[bytes, bytes]] = []
    key = b""
    position = 0
    while position < end:
        try:
            shared, position = read_varint(block, position, end)
            unshared, position = read_varint(block, position, end)
            length, position = read_varint(block, position, end)
        except WireError as error:
            raise TableFormatError("an entry of a block is cut off") from error
        middle = position + unshared
        if shared > len(key) or middle + length > end:
            raise TableFormatError("an entry of a block reaches beyond its bounds")
        key = key[:shared] + block[position:middle]
        position = middle + length
        budget.spend(key)
        found.append((key, block[middle:position]))
    return found


def _append(output: bytearray, block: bytes) -> bytes:
    """Append `block` and its trailer; return its handle."""
    handle = encode_varint(len(output)) + encode_varint(len(block))
    typed = block + bytes([_PLAIN])
    output += typed + struct.pack("<I", masked(crc32c(typed)))
    return handle


class _BlockBuilder:
    """A block being written: every `restart_interval`-th key in full, the others without what they share."""

    def __init__(self, *, restart_interval: int) -> None:
        self._interval = restart_interval
        self._bytes = bytearray()
        self._restarts = [0]
        self._since_restart = 0
        self._last = b""

    @property
    def size(self) -> int:
        """Bytes of the block if it were finished now."""
        return len(self._bytes) + 4 * len(self._restarts) + 4

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self._since_restart < self._interval:
            shared = _shared(self._last, key)
        else:
            self._restarts.append(len(self._bytes))
            self._since_restart = 0
        self._bytes += encode_varint(shared) + encode_varint(len(key) - shared) + encode_varint(len(value))
        self._bytes += key[shared:] + value
        self._last = key
        self._since_restart += 1

    def finish(self) -> bytes:
        return bytes(self._bytes) + struct.pack(f"<{len(self._restarts) + 1}I", *self._restarts, len(self._restarts))


def _shared(left: bytes, right: bytes) -> int:
    """How many bytes two keys have in common at their start."""
    size = min(len(left), len(right))
    return next((i for i in range(size) if left[i] != right[i]), size)


def _separator(start: bytes, limit: bytes) -> bytes:
    """A short key k with start <= k < limit, by leveldb's rule."""
    common = _shared(start, limit)
    if common < min(len(start), len(limit)) and start[common] < 0xFF and start[common] + 1 < limit[common]:
        return start[:common] + bytes([start[common] + 1])
    return start


def _successor(key: bytes) -> bytes:
    """A short key k with key <= k, by leveldb's rule."""
    for i, byte in enumerate(key):
        if byte != 0xFF:
            return key[:i] + bytes([byte + 1])
    return key
