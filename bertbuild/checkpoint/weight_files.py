"""A single file of weights that is named where a checkpoint is looked for: its format, and what to name instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bertbuild.checkpoint.keras_files import refuse_keras_files
from bertbuild.errors import CheckpointError

_READ: Final = {
    "safetensors": re.compile(r".+\.safetensors(\.index\.json)?"),
    "PyTorch's format": re.compile(r"pytorch_model.*\.bin(\.index\.json)?"),
}
"""Formats of Hugging Face's that are read by the folder of the model."""
_FLAX: Final = ".msgpack"


def refuse_weight_file(path: Path) -> None:
    """Do nothing for a file of another kind.

    Raises:
        CheckpointError: it holds weights in a format of Hugging Face's or Keras's.
    """
    refuse_keras_files(path)
    for format_, pattern in _READ.items():
        if pattern.fullmatch(path.name):
            raise CheckpointError(
                f"{path} is a file of a Hugging Face model, its weights in {format_}; the model is its whole folder.",
                next_step=f"Name that folder, with config.json and vocab.txt in it: --checkpoint {path.parent}.",
            )
    if path.name.endswith(_FLAX):
        raise CheckpointError(
            f"{path} holds weights of Flax, which are not read.",
            next_step="Save the model with PyTorch's weights (from_pretrained with from_flax, save_pretrained); "
            "name that folder.",
        )
