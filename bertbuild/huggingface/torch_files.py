"""The tensors of a file of `torch.save`: of the zip that PyTorch writes since 1.6, and of the form before that.

Source: torch/serialization.py (1.0 to 2.13). Nothing in the file is run (see `pickles`); numbers are not read yet.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from bertbuild.checkpoint.user_files import open_regular
from bertbuild.errors import CheckpointError
from bertbuild.files.zips import directory
from bertbuild.huggingface.pickles import PickleError, Storage, Tensor, read_pickle
from bertbuild.huggingface.stored import Stored

_KINDS: Final = {
    "DoubleStorage": ("float64", 8),
    "FloatStorage": ("float32", 4),
    "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2),
    "LongStorage": ("int64", 8),
    "IntStorage": ("int32", 4),
    "ShortStorage": ("int16", 2),
    "CharStorage": ("int8", 1),
    "ByteStorage": ("uint8", 1),
    "BoolStorage": ("bool", 1),
}
_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_ZIP: Final = b"PK\x03\x04"
_CHUNK: Final = 1 << 22
_LARGEST_DIRECTORY: Final = 4 << 20
_LOCAL_HEADER: Final = 30
_SAVE_ANEW: Final = "Save the model again with PyTorch: save_pretrained(FOLDER)."
_AGAIN: Final = "Download or copy the file again."


def read_torch(path: Path) -> dict[str, Stored]:
    """The tensors of a state dict by name.

    Raises:
        CheckpointError: the file is damaged, is none of PyTorch's, or holds anything but tensors.
    """
    with open_regular(path) as file:
        zipped = file.read(len(_ZIP)) == _ZIP
    try:
        return _zipped(path) if zipped else _older(path)
    except PickleError as error:
        raise CheckpointError(f"{path} cannot be read: {error}.", next_step=_SAVE_ANEW) from error
    except (zipfile.BadZipFile, struct.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path} cannot be read: it is cut short or damaged.", next_step=_AGAIN, details=str(error)
        ) from error


def _zipped(path: Path) -> dict[str, Stored]:
    """The form since 1.6: NAME/data.pkl, and one entry NAME/data/KEY for each storage, none of them compressed."""
    told = directory(path)
    if told is not None and told.size > _LARGEST_DIRECTORY:
        raise PickleError(f"its directory has more than {_LARGEST_DIRECTORY} bytes, the most that are read")
    with zipfile.ZipFile(path) as archive, open_regular(path) as file:
        entries = {info.filename: info for info in archive.infolist()}
        if told is None or not told.has(len(archive.infolist())):
            raise PickleError("its directory is damaged")
        pickles = [name for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1 or not pickles[0].isprintable():
            raise PickleError("it is a zip, but none of PyTorch's")
        root = pickles[0].removesuffix("data.pkl")
        size = path.stat().st_size

        def content(name: str) -> tuple[int, int]:
            """Where an entry's bytes begin in the file, and how many there are."""
            info = entries.get(name)
            if info is None or not 0 <= info.header_offset < size:
                raise PickleError(f"it has no {name}")
            file.seek(info.header_offset)
            header = file.read(_LOCAL_HEADER)
            begin = info.header_offset + _LOCAL_HEADER
            begin += int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            stored = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
            if header[:4] != _ZIP or not stored or begin + info.file_size > size:
                raise PickleError(f"its {name} is damaged or compressed")
            if _checksum(file, begin, info.file_size) != info.CRC:
                raise PickleError(f"its {name} is damaged: the checksum is another one")
            return begin, info.file_size

        def text(name: str) -> bytes:
            begin, length = content(name)
            file.seek(begin)
            return file.read(length)

        if root + "byteorder" in entries and text(root + "byteorder") != b"little":
            raise PickleError("its numbers are big-endian")
        tensors = _state_dict(read_pickle(io.BytesIO(text(pickles[0]))))
        known: dict[str, tuple[int, int]] = {}  # each storage is held against its checksum once, however many use it

        def place(storage: Storage) -> tuple[int, int]:
            if storage.key not in known:
                known[storage.key] = content(f"{root}data/{storage.key}")
            return known[storage.key]

        return dict(_placed(path, tensors, place))


def _checksum(file: BinaryIO, begin: int, length: int) -> int:
    """The CRC-32 of some bytes of a file."""
    file.seek(begin)
    found = 0
    for place in range(0, length, _CHUNK):
        found = zlib.crc32(file.read(min(_CHUNK, length - place)), found)
    return found


def _older(path: Path) -> dict[str, Stored]:
    """The form before 1.6: five pickles, then each storage's size and numbers, in the order of the fifth."""
    size = path.stat().st_size
    with open_regular(path) as file:
        if file.read(1) != b"\x80":
            raise PickleError("it is not a file of torch.save")
        file.seek(0)
        if read_pickle(file) != _MAGIC:
            raise PickleError("it is a pickle, but no state dict of torch.save")
        version, system = read_pickle(file), read_pickle(file)
        if version != _PROTOCOL or not isinstance(system, dict) or system.get("little_endian") is not True:
            raise PickleError("it is of a version that is not known, or big-endian")
        tensors = _state_dict(read_pickle(file))
        keys = read_pickle(file)
        widths = _widths(tensors)
        places = dict(_behind(file, keys, widths, size))

    def content(storage: Storage) -> tuple[int, int]:
        if storage.key not in places:
            raise PickleError(f"it has no storage {storage.key[:80]!r}")
        return places[storage.key]

    return dict(_placed(path, tensors, content))


def _behind(file: BinaryIO, keys: Any, widths: dict[str, int], size: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Key → where its numbers begin, and how many bytes they are; the file stands before the first."""
    if not isinstance(keys, list):
        raise PickleError("it is damaged")
    place = file.tell()
    for key in keys:
        if not isinstance(key, str) or key not in widths:
            raise PickleError("it has a storage that no tensor uses")
        file.seek(place)
        length = int.from_bytes(file.read(8), "little") * widths[key]
        place += 8
        if place + length > size:
            raise PickleError(f"it is cut short: {size:,} bytes of at least {place + length:,}")
        yield key, (place, length)
        place += length


def _widths(tensors: dict[str, Tensor]) -> dict[str, int]:
    """The bytes of a number of each storage; storages have one kind, or those behind them would be misplaced."""
    kinds = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    if any(tensor.storage.kind != kinds[tensor.storage.key].kind for tensor in tensors.values()):
        raise PickleError("it has a storage of two kinds of numbers")
    return {key: _dtype(storage)[1] for key, storage in kinds.items()}


def _state_dict(value: Any) -> dict[str, Tensor]:
    """A dict of tensors, or the same in a dict under `state_dict`, as training programs wrap it."""
    if isinstance(value, dict) and isinstance(value.get("state_dict"), dict):
        value = value["state_dict"]
    if not isinstance(value, dict) or not value:
        raise PickleError("it holds no state dict")
    for name, tensor in value.items():
        if not isinstance(name, str) or not name.isprintable() or not isinstance(tensor, Tensor):
            raise PickleError(f"its {str(name)[:80]!r} is not a tensor")
    return value


def _placed(
    path: Path, tensors: dict[str, Tensor], content: Callable[[Storage], tuple[int, int]]
) -> Iterator[tuple[str, Stored]]:
    """Each tensor's place in the file."""
    for name, tensor in tensors.items():
        dtype, width = _dtype(tensor.storage)
        begin, length = content(tensor.storage)
        steps = zip(tensor.shape, tensor.strides, strict=True)
        span = 1 + sum((size - 1) * stride for size, stride in steps) if all(tensor.shape) else 0
        if (tensor.offset + span) * width > length or tensor.storage.size * width > length:
            raise PickleError(f"{name[:80]} reaches beyond its storage")
        yield (
            name,
            Stored(
                path=path,
                offset=begin + tensor.offset * width,
                dtype=dtype,
                shape=tensor.shape,
                strides=() if tensor.strides == _contiguous(tensor.shape) else tensor.strides,
            ),
        )


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor in C order."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def _dtype(storage: Storage) -> tuple[str, int]:
    """The dtype of a storage's numbers, and the bytes of each."""
    package, _, kind = storage.kind.rpartition(".")
    if package.split(".")[0] != "torch" or kind not in _KINDS:
        raise PickleError(f"it has numbers of {storage.kind[:80]!r}, which is not known")
    return _KINDS[kind]
