"""OpenVINO Model Server: config.json, and the model in model/1/.

https://docs.openvino.ai/2025/model-server/ovms_docs_parameters.html: `base_path` may be relative to config.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from bertbuild.packaging.packed import OPENVINO, TEXT_MODEL, TEXT_PAIR_MODEL, Files, Packed

IN_FLOAT32: Final = {"INFERENCE_PRECISION_HINT": "f32"}
"""What the gate judged; newer processors compute in bfloat16 unless told otherwise."""


def files(packed: Packed) -> Files:
    """The files of the layout."""
    served = [(packed.model, "model"), *((f"{packed.model}-{name}", name) for name in _of_text(packed))]
    config = {"model_config_list": [_entry(name, folder) for name, folder in served]}
    found = {"config.json": (json.dumps(config, indent=1) + "\n").encode(), **packed.tokenizer()}
    for folder, name in (("model", OPENVINO), *_of_text(packed).items()):
        found |= packed.files(name, f"{Path(name).stem}.bin", to=f"{folder}/1/")
    return found


def _of_text(packed: Packed) -> dict[str, str]:
    """Folder → the model that takes strings (`build-ir --text`), as far as the target has them."""
    models = {"text": TEXT_MODEL, "text-pair": TEXT_PAIR_MODEL}
    return {folder: name for folder, name in models.items() if packed.has(name)}


def _entry(name: str, base_path: str) -> dict[str, Any]:
    return {"config": {"name": name, "base_path": base_path, "plugin_config": IN_FLOAT32}}


def use(packed: Packed) -> str:
    """How it is served, for the model card."""
    return f"""OpenVINO Model Server, from this folder:

```sh
docker run --rm -p 8000:8000 -v "$PWD:/models:ro" openvino/model_server:latest \\
  --config_path /models/config.json --rest_port 8000
```

The model is called `{packed.model}` there{_told_of_text(packed)}."""


def _told_of_text(packed: Packed) -> str:
    if not _of_text(packed):
        return ""
    names = " and ".join(f"`{packed.model}-{folder}`" for folder in _of_text(packed))
    return f"; {names} take strings, by the operators of openvino-tokenizers, which the server's images bring"
