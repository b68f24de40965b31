"""The tensors of a Hugging Face folder by its own names, whatever files they lie in."""

from __future__ import annotations

from bertbuild.errors import CheckpointError
from bertbuild.huggingface.folder import HuggingFaceFiles, read_index
from bertbuild.huggingface.safetensors import read_safetensors
from bertbuild.huggingface.stored import Stored
from bertbuild.huggingface.torch_files import read_torch

_WHOLE = "Download the whole folder of the model, with the config.json that belongs to it."


def read_weights(files: HuggingFaceFiles) -> dict[str, Stored]:
    """The tensors of a folder by Hugging Face's names, none of them read yet.

    Raises:
        CheckpointError: a file is damaged.
    """
    tensors: dict[str, Stored] = {}
    for path in files.weights:
        found = read_safetensors(path) if path.suffix == ".safetensors" else read_torch(path)
        twice = next((name for name in found if name in tensors), None)
        if twice is not None:
            raise unfit(f"{twice} lies in both {tensors[twice].path.name} and {path.name}")
        tensors |= found
    if files.index is not None:
        for name, file in sorted(read_index(files.index).items()):
            if name not in tensors or tensors[name].path.name != file:
                raise unfit(f"{files.index.name} says that {name} lies in {file}, where it is not")
    return tensors


def unfit(why: str) -> CheckpointError:
    """The error of a folder whose files do not fit each other."""
    return CheckpointError(f"The folder does not hold the model that it describes: {why}.", next_step=_WHOLE)
