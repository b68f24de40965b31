"""Which files make up a Hugging Face folder. Looks at names and small files only; numpy is not needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bertbuild.checkpoint.lfs import lfs_pointer
from bertbuild.checkpoint.user_files import read_object, require_regular
from bertbuild.errors import CheckpointError
from bertbuild.families.bert_names import CONFIG_FILE

CONFIGS: Final = ("config.json", CONFIG_FILE)
"""The second is what pytorch-pretrained-bert, which transformers grew from, called it."""
VOCAB: Final = "vocab.txt"
TOKENIZER: Final = "tokenizer.json"
PIECES: Final = "spiece.model"
"""What transformers calls a model of SentencePiece, as ALBERTs have one."""
TOKENIZER_CONFIG: Final = "tokenizer_config.json"
INDEX: Final = ".index.json"
WEIGHTS: Final = (
    "model.safetensors",
    "model.safetensors" + INDEX,
    "pytorch_model.bin",
    "pytorch_model.bin" + INDEX,
)
"""Files that hold the weights, or name those that do, in the order in which transformers takes them."""

_WHOLE: Final = "Download the whole folder of the model."


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceFiles:
    """The files of a folder that are read.

    Attributes:
        folder: where they lie.
        config: config.json, or bert_config.json where there is no config.json.
        vocabulary: vocab.txt, or tokenizer.json where there is no vocab.txt; None where there is but a model of
            SentencePiece.
        pieces: that model, where there is no vocab.txt.
        tokenizer: tokenizer_config.json, if there is one.
        weights: one file, or several where the model is sharded.
        index: which tensor lies in which of several, else None.
    """

    folder: Path
    config: Path
    vocabulary: Path | None
    pieces: Path | None
    tokenizer: Path | None
    weights: tuple[Path, ...]
    index: Path | None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all of them."""
        found = (self.config, self.vocabulary, self.pieces, self.tokenizer, *self.weights, self.index)
        return tuple(sorted(path.name for path in found if path is not None))


def is_huggingface(folder: Path) -> bool:
    """Whether a folder is a Hugging Face model with weights of PyTorch, and no TensorFlow checkpoint."""
    return _first(folder, WEIGHTS) is not None and not any(folder.glob("*.index"))


def find_files(folder: Path) -> HuggingFaceFiles:
    """The files of a folder.

    Raises:
        CheckpointError: one is missing, is a git-lfs pointer or no regular file, or cannot be read; or there are a
            vocab.txt and a model of SentencePiece.
    """
    weights = _first(folder, WEIGHTS) or ""
    config = _first(folder, CONFIGS)
    if config is None:
        raise CheckpointError(f"{folder} has a {weights} but no {CONFIGS[0]}.", next_step=_WHOLE)
    vocabulary = _first(folder, (VOCAB, PIECES, TOKENIZER))
    if vocabulary is None:
        raise CheckpointError(f"{folder} has a {weights} but no {VOCAB} and no {TOKENIZER}.", next_step=_WHOLE)
    if vocabulary == VOCAB and _first(folder, (PIECES,)):
        raise CheckpointError(
            f"{folder} has a {VOCAB} and a {PIECES}, and nothing tells which of them reads the model's text.",
            next_step="Leave the one that is the model's.",
        )
    place, is_pieces = folder / vocabulary, vocabulary == PIECES
    index = folder / weights if weights.endswith(INDEX) else None
    tokenizer = _first(folder, (TOKENIZER_CONFIG,))
    found = HuggingFaceFiles(
        folder=folder,
        config=folder / config,
        vocabulary=None if is_pieces else place,
        pieces=place if is_pieces else None,
        tokenizer=folder / tokenizer if tokenizer else None,
        weights=_shards(index) if index else (folder / weights,),
        index=index,
    )
    for name in found.names:
        if not (folder / name).exists():
            raise CheckpointError(f"{folder / name} is a link to a file that is not there.", next_step=_WHOLE)
        require_regular(folder / name)
        if lfs_pointer(folder / name) is not None:
            raise CheckpointError(
                f"{folder / name} is a git-lfs pointer, not the file itself.",
                next_step=f"Run `git lfs pull` in {folder}, or download the file.",
            )
    return found


def read_index(path: Path) -> dict[str, str]:
    """The name of each tensor of a sharded model → the name of its file.

    Raises:
        CheckpointError: the index is damaged, or names a file outside its folder.
    """
    table = read_object(path).get("weight_map")
    if not isinstance(table, dict) or not table or not all(isinstance(name, str) for name in table.values()):
        raise CheckpointError(f"{path} has no table of weights (weight_map).", next_step="Download the file again.")
    odd = next((name for name in (*table, *table.values()) if not name.isprintable()), None)
    if odd is not None:
        raise CheckpointError(f"{path} has the name {odd!r}, which is damaged.", next_step="Download the file again.")
    outside = next((name for name in table.values() if name in ("", ".", "..") or Path(name).name != name), None)
    if outside is not None:
        raise CheckpointError(
            f"{path} names {outside!r}, which is not a file of its folder.", next_step="Download the folder again."
        )
    return table


def _first(folder: Path, names: tuple[str, ...]) -> str | None:
    """The first of these names that is a file, or a link that should lead to one, as in the caches of downloads."""
    return next((name for name in names if (folder / name).is_file() or (folder / name).is_symlink()), None)


def _shards(index: Path) -> tuple[Path, ...]:
    if not index.exists() or lfs_pointer(index) is not None:
        return ()  # `find_files` says so
    names = sorted(set(read_index(index).values()))
    missing = next((name for name in names if not (index.parent / name).exists()), None)
    if missing is not None:
        raise CheckpointError(
            f"{index.parent} has no {missing}, one of the {len(names)} files that {index.name} names.", next_step=_WHOLE
        )
    return tuple(index.parent / name for name in names)
