"""What a package is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bertbuild.gate.parity import Verdict
from bertbuild.text.facts import TEXT_FILE, TOKENIZER_FILE
from bertbuild.text.words import TOKENIZER_FILES

Content = bytes | Path
"""A file's bytes, or the file that has them."""
Files = dict[str, Content]
"""Name in the package, with forward slashes → content."""

ROLES: Final = ("input_ids", "input_mask", "segment_ids")
FREE: Final = {"dtype": "int32", "shape": [-1, -1]}
"""An input of a SavedModel of TensorFlow 2, as the stage that writes it declares each."""
SIGNATURE: Final = "signature.json"
LABELS: Final = "labels.txt"
TEXT_MODEL: Final = "text_model.xml"
TEXT_PAIR_MODEL: Final = "text_pair_model.xml"
"""Tokenizer and model joined into one, of single texts and of pairs (`build-ir --text`)."""
OPENVINO, ONNX, SAVED_MODEL = "model.xml", "model.onnx", "saved_model.pb"
OF_IR: Final = (OPENVINO, "model.bin")
OF_ONNX: Final = (ONNX, f"{ONNX}.data")
"""The files of a model; the second of ONNX's is there above 2 GB of weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A built target, and what is known of it.

    Attributes:
        model: the model's name.
        target: its own.
        kind: of `kinds.KINDS`.
        folder: where its files are.
        text: what its text.json says.
        signature: what its signature.json says.
        verdict: of its gate.
        examples: requests made of real texts: each of `ROLES` → int array [1, S].
    """

    model: str
    target: str
    kind: str
    folder: Path
    text: Mapping[str, Any]
    signature: Mapping[str, Any]
    verdict: Verdict
    examples: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def label(self) -> str:
        """As people name it."""
        return f"{self.model}/{self.target}"

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Name of each input → "dtype", "shape"; -1 for what is free."""
        return dict(self.signature.get("inputs") or dict.fromkeys(ROLES, FREE))  # TensorFlow 2's has none

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The same of outputs."""
        return dict(self.signature.get("outputs", {}))

    def has(self, name: str) -> bool:
        """Whether the target has a file."""
        return (self.folder / name).is_file()

    def files(self, *names: str, to: str = "") -> Files:
        """Files of the target, as far as they are there, in a folder of the package."""
        return {f"{to}{name}": self.folder / name for name in names if self.has(name)}

    def tokenizer(self, to: str = "") -> Files:
        """What its text is read with, its labels a line each."""
        found = self.files(*TOKENIZER_FILES, TOKENIZER_FILE, TEXT_FILE, to=to)
        if self.text["labels"]:
            found[f"{to}{LABELS}"] = "".join(f"{label}\n" for label in self.text["labels"]).encode()
        return found
