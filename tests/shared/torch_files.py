"""Files in the two forms of torch.save, written without PyTorch: what its readers need of them, opcode by opcode.

Compared with PyTorch 2.13.0 by hand: it loads both forms with weights_only=True, and what it writes is read alike.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
KINDS = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
}


def _global(name):
    module, _, attribute = name.rpartition(".")
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def _text(value):
    content = value.encode()
    return b"X" + struct.pack("<i", len(content)) + content


def _number(value):
    return b"J" + struct.pack("<i", value)


def _tuple(values):
    return b"(" + b"".join(map(_number, values)) + b"t"


def tensor(key, value, *, older=False, kind=None, strides=None, offset=0):
    """The opcodes of one tensor: a storage by its key, offset, sizes, strides (in numbers), and no gradient."""
    strides = strides or [step // value.itemsize for step in value.strides]
    kind = "torch." + (kind or KINDS[value.dtype.name])
    view = b"N" if older else b""
    storage = b"(" + _text("storage") + _global(kind) + _text(key) + _text("cpu") + _number(value.size) + view + b"tQ"
    hooks = _global("collections.OrderedDict") + b")R"
    arguments = b"(" + storage + _number(offset) + _tuple(value.shape) + _tuple(strides) + b"\x89" + hooks + b"t"
    return _global("torch._utils._rebuild_tensor_v2") + arguments + b"R"


def state_dict(entries):
    """The opcodes of an OrderedDict of such entries, with the attribute _metadata that modules leave there."""
    items = b"".join(_text(name) + opcodes for name, opcodes in entries.items())
    metadata = b"}" + _text("_metadata") + _global("collections.OrderedDict") + b")Rsb"
    return b"\x80\x02" + _global("collections.OrderedDict") + b")R(" + items + b"u" + metadata + b"."


def write_zip(path, pickled, storages, *, root="archive", byteorder=b"little", compressed=False):
    """The form since 1.6: a zip of the pickle and of each storage."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{root}/data.pkl", pickled)
        archive.writestr(f"{root}/byteorder", byteorder)
        for key, content in storages.items():
            archive.writestr(f"{root}/data/{key}", content)
        archive.writestr(f"{root}/version", "3\n")


def write_older(path, pickled, storages, *, magic=MAGIC):
    """The form before 1.6: magic number, protocol and system, the state dict, the keys; sizes and numbers behind."""
    file = io.BytesIO()
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    for value in (magic, 1001, system):
        pickle.dump(value, file, protocol=2)
    file.write(pickled)
    pickle.dump(list(storages), file, protocol=2)
    for value in storages.values():
        file.write(struct.pack("<q", value.size) + value.tobytes())
    path.write_bytes(file.getvalue())


def write_torch(path, tensors, *, older=False):
    """Arrays by name, each in a storage of its own."""
    keys = {name: str(number) for number, name in enumerate(tensors)}
    pickled = state_dict({name: tensor(keys[name], value, older=older) for name, value in tensors.items()})
    if older:
        write_older(path, pickled, {keys[name]: np.ascontiguousarray(value) for name, value in tensors.items()})
    else:
        write_zip(path, pickled, {keys[name]: value.tobytes() for name, value in tensors.items()})
