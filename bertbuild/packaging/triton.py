"""NVIDIA Triton Inference Server: a model repository, with config.pbtxt for the backend of the kind.

Triton batches nothing itself (`max_batch_size: 0`): texts are of different lengths, and its backend for OpenVINO takes
no other batch than the largest. So each tensor's first dimension is the batch, and a request has as many texts as it
likes. https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bertbuild.packaging.packed import LABELS, OF_IR, OF_ONNX, Files, Packed

REPOSITORY: Final = "model_repository"
BACKENDS: Final = {"ir": "openvino", "onnx": "onnxruntime"}
"""Kind of target → Triton's backend."""
TYPES: Final = {
    "i32": "TYPE_INT32",
    "int32": "TYPE_INT32",
    "i64": "TYPE_INT64",
    "int64": "TYPE_INT64",
    "f32": "TYPE_FP32",
    "float32": "TYPE_FP32",
    "f16": "TYPE_FP16",
    "float16": "TYPE_FP16",
}
CLASSES: Final = "probabilities"
"""The output whose columns labels.txt names; Triton reads it for requests that ask for classes."""


def files(packed: Packed) -> Files:
    """The files of the layout."""
    folder = f"{REPOSITORY}/{packed.model}/"
    tokenizer = packed.tokenizer()
    found = {
        f"{folder}config.pbtxt": _config(packed).encode(),
        **packed.files(*OF_IR, *OF_ONNX, to=f"{folder}1/"),
        **tokenizer,
    }
    if _label_file(packed):
        found[f"{folder}{LABELS}"] = tokenizer[LABELS]
    return found


def _config(packed: Packed) -> str:
    lines = [f"name: {json.dumps(packed.model)}", f'backend: "{BACKENDS[packed.kind]}"', "max_batch_size: 0"]
    for group, ports in (("input", packed.inputs), ("output", packed.outputs)):
        lines.append(f"{group} [")
        lines.append(",\n".join(_tensor(name, port, packed) for name, port in sorted(ports.items())))
        lines.append("]")
    return "\n".join([*lines, *_instances(), ""])


def _tensor(name: str, port: Mapping[str, Any], packed: Packed) -> str:
    fields = [f"name: {json.dumps(name)}", f"data_type: {TYPES[port['dtype']]}"]
    fields.append(f"dims: [ {', '.join(map(str, port['shape']))} ]")
    if name == CLASSES and _label_file(packed):
        fields.append(f'label_filename: "{LABELS}"')
    return "  {\n" + "".join(f"    {field}\n" for field in fields) + "  }"


def _label_file(packed: Packed) -> bool:
    """Whether rows of the output are one text's classes each."""
    return bool(packed.text["labels"]) and len(packed.outputs.get(CLASSES, {}).get("shape", ())) == 2


def _instances() -> Iterator[str]:
    yield "instance_group [ { count: 1, kind: KIND_CPU } ]"


def use(packed: Packed) -> str:
    """How it is served, for the model card."""
    return f"""Triton Inference Server, from this folder, with an image that has the backend `{BACKENDS[packed.kind]}`:

```sh
tritonserver --model-repository "$PWD/{REPOSITORY}"
```

The model is called `{packed.model}` there; the first dimension of each tensor is the batch."""
