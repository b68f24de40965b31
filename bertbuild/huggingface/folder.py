"""Which files make up a Hugging Face folder. Looks at names and small files only; numpy is not needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bertbuild.checkpoint.lfs import lfs_pointer
from bertbuild.errors import CheckpointError

CONFIG: Final = "config.json"
VOCAB: Final = "vocab.txt"
SAFETENSORS: Final = "model.safetensors"
WEIGHTS: Final = (SAFETENSORS,)
"""Files that hold the weights, in the order in which they are taken."""

_WHOLE: Final = "Download the whole folder of the model."


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceFiles:
    """The files of a folder that are read."""

    folder: Path
    config: Path
    vocab: Path
    weights: tuple[Path, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all of them."""
        return tuple(sorted(path.name for path in (self.config, self.vocab, *self.weights)))


def is_huggingface(folder: Path) -> bool:
    """Whether a folder is a Hugging Face model with weights of PyTorch, and no TensorFlow checkpoint."""
    return any((folder / name).is_file() for name in WEIGHTS) and not any(folder.glob("*.index"))


def find_files(folder: Path) -> HuggingFaceFiles:
    """The files of a folder.

    Raises:
        CheckpointError: one is missing, or is a git-lfs pointer.
    """
    weights = next(name for name in WEIGHTS if (folder / name).is_file())
    for name in (CONFIG, VOCAB):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} has a {weights} but no {name}.", next_step=_WHOLE)
    found = HuggingFaceFiles(folder=folder, config=folder / CONFIG, vocab=folder / VOCAB, weights=(folder / weights,))
    for name in found.names:
        if lfs_pointer(folder / name) is not None:
            raise CheckpointError(
                f"{folder / name} is a git-lfs pointer, not the file itself.",
                next_step=f"Run `git lfs pull` in {folder}, or download the file.",
            )
    return found
