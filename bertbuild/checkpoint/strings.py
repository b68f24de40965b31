"""Scalar strings in a checkpoint, which lie there in a form of their own: length, a checksum of it, bytes.

Source: WriteStringTensor in tensorflow/core/util/tensor_bundle/tensor_bundle.cc (1.15 and 2.x).
"""

from __future__ import annotations

from bertbuild.checkpoint.bundle import CheckpointReader, TensorEntry
from bertbuild.checkpoint.crc32c import crc32c, masked
from bertbuild.checkpoint.user_files import open_regular
from bertbuild.errors import CheckpointError
from bertbuild.graph.wire import WireError, encode_varint, read_varint

_CHECKSUM_BYTES = 4
_LONGEST = 1 << 26  # the object graph of BERT-Large with optimizer slots has a hundredth of it


def encode_string(value: bytes) -> tuple[bytes, int]:
    """The bytes of a scalar string as they lie in a data file, and their CRC-32C (not masked).

    The checksum is taken of the length as a uint32, of the length's own masked checksum, and of the bytes.
    Raises ValueError for 4 GiB or more.
    """
    if len(value) >> 32:
        raise ValueError("a string of 4 GiB or more has another form, which nobody needs")
    of_length = crc32c(len(value).to_bytes(4, "little"))
    checksum = masked(of_length).to_bytes(_CHECKSUM_BYTES, "little")
    return encode_varint(len(value)) + checksum + value, crc32c(value, crc32c(checksum, of_length))


def read_string(reader: CheckpointReader, name: str) -> bytes:
    """The scalar string `name` of a checkpoint.

    Raises `CheckpointError` when there is no such string, or its bytes are not those its checksum was taken of.
    """
    entry = reader.entries.get(name)
    if entry is None or entry.dtype != "string" or entry.shape:
        raise CheckpointError(
            f"The checkpoint {reader.prefix} has no scalar string {name}.",
            next_step="See `bertbuild inspect` for the tensors it has.",
        )
    content = _bytes(reader, entry)
    try:
        length, start = read_varint(content, 0, len(content))
    except WireError:
        length, start = -1, 0
    value = content[start + _CHECKSUM_BYTES :]
    if len(value) != length or encode_string(value) != (content, entry.crc32c):
        raise CheckpointError(
            f"The string {name} in {reader.data_file(entry.shard)} is damaged.",
            next_step="Copy or download the checkpoint again.",
        )
    return value


def _bytes(reader: CheckpointReader, entry: TensorEntry) -> bytes:
    path = reader.data_file(entry.shard)
    try:
        size = min(entry.nbytes, path.stat().st_size)  # no memory is asked for that the file does not fill
        if size > _LONGEST:
            raise CheckpointError(
                f"The string {entry.name} in {path} has {size} bytes; at most {_LONGEST} are read.",
                next_step="Copy or download the checkpoint again.",
            )
        with open_regular(path) as file:
            file.seek(entry.offset)
            return file.read(size)
    except OSError as error:
        raise CheckpointError(
            f"The data file {path} cannot be read.",
            next_step="Copy or download the checkpoint again.",
            details=str(error),
        ) from error
