"""A model that a program of 25 lines runs: IR or ONNX model, tokenizer, labels, predict.py, the packages it needs."""

from __future__ import annotations

import re
from typing import Final

from bertbuild.backends import lock_file
from bertbuild.packaging.packed import OF_IR, OF_ONNX, SIGNATURE, Files, Packed
from bertbuild.packaging.program import ARGUMENTS, answering, program, reads_text

PREDICT: Final = "predict.py"
REQUIREMENTS: Final = "requirements.txt"
READERS: Final = ("tokenizer.xml", "tokenizer.bin", "tokenizer_pair.xml", "tokenizer_pair.bin")
"""Models that read text for the IR (`build-ir --text`)."""
RUNTIMES: Final = {
    "ir": dict.fromkeys(("numpy", "openvino", "openvino-telemetry"), "openvino"),
    "onnx": dict.fromkeys(("flatbuffers", "numpy", "onnxruntime", "packaging", "protobuf"), "onnx"),
}
"""Kind of target → package → the backend whose lock file has its version; what others pull in is there. Not there is
huggingface-hub, which tokenizers names and has only for downloads: it is in no lock file, and no backend has it.
"""
INSTALL: Final = f"pip install --no-deps -r {REQUIREMENTS}"


def files(packed: Packed) -> Files:
    """The files of the layout."""
    return {
        **packed.files(*OF_IR, *OF_ONNX, SIGNATURE, *(READERS if reads_text(packed) else ())),
        **packed.tokenizer(),
        PREDICT: program(packed).encode(),
        REQUIREMENTS: "".join(f"{name}=={version}\n" for name, version in requirements(packed).items()).encode(),
    }


def requirements(packed: Packed) -> dict[str, str]:
    """All packages that predict.py needs, in the versions of the lock files that made the target."""
    reader = {"openvino-tokenizers": "openvino"} if reads_text(packed) else {"tokenizers": "data"}
    return {name: _locked(backend, name) for name, backend in sorted({**RUNTIMES[packed.kind], **reader}.items())}


def _locked(backend: str, name: str) -> str:
    found = re.search(rf"^{re.escape(name)}==(\S+)", lock_file(backend).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, name  # noqa: S101 - a test holds it
    return found[1]


def use(packed: Packed) -> str:
    """How it is used, for the model card."""
    kind = answering(packed)
    asked = {"span": '"Who made it?" "Tom made it."', "masked-lm": '"a [MASK] film"'}.get(kind, '"a good film"')
    more = "" if kind in ARGUMENTS else " (a second text behind the first makes a pair)"
    return f"""With Python 3.11 or newer, from this folder{more}:

```sh
{INSTALL}
python {PREDICT} {asked}
```"""
