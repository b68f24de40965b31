"""TensorFlow Serving: the SavedModel in model/1/, with requests to warm up with, made of real texts.

A request is a PredictionLog in a TFRecord file (https://www.tensorflow.org/tfx/serving/saved_model_warmup). The
messages are encoded by hand: tensorflow_serving/apis/{prediction_log,predict,model}.proto and
tensorflow/core/framework/{tensor,tensor_shape,types}.proto name the fields.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from bertbuild.checkpoint.crc32c import crc32c, masked
from bertbuild.graph.wire import encode_bytes, encode_number
from bertbuild.packaging.packed import SAVED_MODEL, Files, Packed

VERSION: Final = "model/1/"
WARMUP: Final = "assets.extra/tf_serving_warmup_requests"
PARTS: Final = ("fingerprint.pb",)
MOST: Final = 1000
"""Requests that the server takes."""
SIGNATURE_NAME: Final = "serving_default"
TYPES: Final = {"int32": (np.int32, 3), "int64": (np.int64, 9), "float32": (np.float32, 1)}
"""A dtype → NumPy's, and the number of TensorFlow's DataType."""


def files(packed: Packed) -> Files:
    """The files of the layout."""
    inside = (path for folder in ("variables", "assets") for path in (packed.folder / folder).rglob("*"))
    parts = (path.relative_to(packed.folder).as_posix() for path in inside)
    found = packed.files(SAVED_MODEL, *PARTS, *parts, to=VERSION)
    found[f"{VERSION}{WARMUP}"] = b"".join(
        _record(_prediction_log(packed.model, _request(example, packed.inputs))) for example in packed.examples[:MOST]
    )
    return {**found, **packed.tokenizer()}


def _request(example: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """An example as a SavedModel takes it: padded to its length, zeros for what it takes besides."""
    (rows, length) = np.shape(example["input_ids"])
    arrays = {}
    for name, port in inputs.items():
        fixed = [rows, *port["shape"][1:]]
        array = np.zeros([length if size == -1 else size for size in fixed], TYPES[port["dtype"]][0])
        if name in example:
            kept = min(length, array.shape[1])
            array[:, :kept] = example[name][:, :kept]
        arrays[name] = array
    return arrays


def _prediction_log(model: str, arrays: Mapping[str, Any]) -> bytes:
    """PredictionLog{predict_log (6): PredictLog{request (1): PredictRequest{model_spec (1), inputs (2)}}}."""
    spec = encode_bytes(1, model.encode()) + encode_bytes(3, SIGNATURE_NAME.encode())
    entries = (
        encode_bytes(2, encode_bytes(1, name.encode()) + encode_bytes(2, _tensor(arrays[name])))
        for name in sorted(arrays)
    )
    return encode_bytes(6, encode_bytes(1, encode_bytes(1, spec) + b"".join(entries)))


def _tensor(array: Any) -> bytes:
    """TensorProto{dtype (1), tensor_shape (2): {dim (2): {size (1)}}, tensor_content (4)}."""
    number = next(number for kind, number in TYPES.values() if kind == array.dtype)
    shape = b"".join(encode_bytes(2, encode_number(1, size)) for size in array.shape)
    return encode_number(1, number) + encode_bytes(2, shape) + encode_bytes(4, array.tobytes())


def _record(message: bytes) -> bytes:
    length = struct.pack("<Q", len(message))
    return b"".join((length, _checksum(length), message, _checksum(message)))


def _checksum(data: bytes) -> bytes:
    return struct.pack("<I", masked(crc32c(data)))


def use(packed: Packed) -> str:
    """How it is served, for the model card."""
    return f"""TensorFlow Serving, from this folder:

```sh
docker run --rm -p 8501:8501 -v "$PWD/model:/models/{packed.model}:ro" -e MODEL_NAME={packed.model} tensorflow/serving
```

Before it takes requests the server answers those of `{WARMUP}`, made of real texts:
{min(MOST, len(packed.examples))} in number."""
