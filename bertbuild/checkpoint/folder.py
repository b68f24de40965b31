"""Which files make up the checkpoint a user names. Looks at names, and at how files begin and end; needs no numpy."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from bertbuild.checkpoint.keras_files import refuse_keras_files
from bertbuild.checkpoint.lfs import POINTER_SUFFIX
from bertbuild.checkpoint.state_file import STATE_FILE, last_checkpoint
from bertbuild.checkpoint.user_files import open_regular, require_regular
from bertbuild.checkpoint.v1_files import v1_checkpoints
from bertbuild.checkpoint.weight_files import refuse_weight_file
from bertbuild.errors import CheckpointError
from bertbuild.families.bert_names import CONFIG_FILE, OTHER_CONFIGS, OTHER_VOCAB, VOCAB_FILE

OBJECT_GRAPH_KEY: Final = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The key that marks a checkpoint of TensorFlow 2, whose tensors are found by object, not by variable name."""

ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""How the names of archives end in which a checkpoint may lie."""

SHOWN_NAMES: Final = 12
"""How much of a foreign folder's listing an error shows."""

_DATA: Final = re.compile(r"(?P<prefix>.+)\.data-\d{5}-of-\d{5}")
_STEP: Final = re.compile(r"(?P<base>.*)-(?P<step>\d+)")
_HUGGING_FACE_WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack")
_NOT_PYTORCHS: Final = _HUGGING_FACE_WEIGHTS[2:]
_NOT_A_FILE: Final = f"Name the checkpoint's folder, its prefix, or an archive of it ({', '.join(ARCHIVES)})."
_NOT_A_CHECKPOINT: Final = "Name a folder that holds bert_config.json, vocab.txt and bert_model.ckpt.*."


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFiles:
    """The files of one checkpoint."""

    folder: Path
    prefix: Path
    """The path without `.index`, as TensorFlow wants it."""
    index: Path
    data: tuple[Path, ...]
    """The data files that exist, in order of their names; whether they are all, only the index knows."""
    meta: Path | None
    config: Path
    vocab: Path | None
    v1: bool = False
    """Whether it is of the first format: `index` and `data` are the file that holds it all, or its shards."""
    notes: tuple[str, ...] = ()
    """Sentences on why this one was taken, where the folder does not plainly say so."""


def find_checkpoint(
    path: Path | str,
    *,
    config: Path | None = None,
    vocab: Path | None = None,
    require_data: bool = True,
) -> CheckpointFiles:
    """The checkpoint at `path`: a folder, a folder around that folder (what a zip unpacks to), or a prefix.

    `config` and `vocab` stand in for files that lie elsewhere, as those of a fine-tuned model do. Of several
    checkpoints in a folder the one that the file `checkpoint` names is taken, else the one of the highest step where
    all are steps of one training (`model.ckpt-100`, `model.ckpt-200`).
    Raises `CheckpointError` for anything that is not a name-based TensorFlow V2 checkpoint with a bert_config.json, and
    (unless `require_data` is false) for one whose data files are all missing.
    """
    path = Path(path)
    try:
        folder, prefix, notes = _locate(path)
        names = _names(folder)
        index = folder / f"{prefix}.index"
        v1 = () if index.is_file() else _v1_files(folder, prefix)
        data = v1 or tuple(
            folder / name for name in names if (found := _DATA.fullmatch(name)) and found["prefix"] == prefix
        )
        if v1:
            index = v1[0]
        else:
            _reject_object_based(index)
    except PermissionError as error:
        raise CheckpointError(
            f"{error.filename or path} may not be read.",
            next_step="Give yourself permission to read it, or run as its owner.",
            details=str(error),
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"{error.filename or path} cannot be read.", next_step="See the system's message.", details=str(error)
        ) from error
    if require_data and not data:
        pointer = any(name.startswith(f"{prefix}.data-") and name.endswith(POINTER_SUFFIX) for name in names)
        raise CheckpointError(
            f"{folder} holds {prefix}.index but no {prefix}.data-00000-of-00001"
            + (", only a git-lfs pointer to it." if pointer else ", the file with the weights."),
            next_step="Run `git lfs pull`." if pointer else "Copy or download the whole checkpoint.",
        )
    if config is None:
        config = folder / _config(folder, prefix, names)
    return CheckpointFiles(
        folder=folder,
        prefix=folder / prefix,
        index=index,
        data=data,
        meta=folder / f"{prefix}.meta" if f"{prefix}.meta" in names else None,
        config=config,
        vocab=vocab or next((folder / name for name in (VOCAB_FILE, OTHER_VOCAB) if name in names), None),
        v1=bool(v1),
        notes=notes,
    )


def _config(folder: Path, prefix: str, names: list[str]) -> str:
    """The name of the configuration in a folder."""
    others = [name for name in names if any(fnmatch(name, pattern) for pattern in OTHER_CONFIGS)]
    if CONFIG_FILE not in names and len(others) > 1:
        raise CheckpointError(
            f"{folder} holds {len(others)} configurations: {_shown(others)}.",
            next_step=f"Name the one of the checkpoint {prefix}: --config {folder / others[0]}.",
        )
    if CONFIG_FILE not in names and not others:
        raise CheckpointError(
            f"{folder} holds the checkpoint {prefix} but no {CONFIG_FILE}.",
            next_step="Copy the one of the model it was trained from into the folder, or name it: --config FILE.",
        )
    return CONFIG_FILE if CONFIG_FILE in names else others[0]


def choose_checkpoint(folder: Path) -> tuple[str, tuple[str, ...]]:
    """The name of the checkpoint of any kind in a folder: the only one, or that which `find_checkpoint` would take.

    With it come the sentences on why it is that one, as in `CheckpointFiles.notes`.

    Raises `CheckpointError` when there is none, or nothing tells which of several.
    """
    names = _names(folder)
    if not any(name.endswith(".index") for name in names):
        raise _no_checkpoint(folder, names)
    return _choose(folder, names)


def _locate(path: Path) -> tuple[Path, str, tuple[str, ...]]:
    """The folder of the checkpoint, the name of its prefix, and what is to be said of the choice."""
    if path.is_dir():
        return _in_folder(path)
    index = path.with_name(f"{path.name}.index")
    require_regular(index)
    if index.is_file():
        return path.parent, path.name, ()
    if path.parent.is_dir() and _v1_files(path.parent, path.name):
        return path.parent, path.name, ()
    if path.is_file():
        found = _DATA.fullmatch(path.name)
        prefix = found["prefix"] if found else path.stem if path.suffix in (".index", ".meta") else None
        if prefix is not None:
            raise CheckpointError(
                f"{path} is one file of a checkpoint.",
                next_step=f"Name its folder {path.parent} or its prefix {path.with_name(prefix)}.",
            )
        refuse_weight_file(path)
        unpack = path.name.endswith(ARCHIVES)
        raise CheckpointError(
            f"{path} is a file, not the folder of a checkpoint.",
            next_step="Unpack it and name the folder." if unpack else _NOT_A_FILE,
        )
    raise CheckpointError(f"There is no folder or checkpoint {path}.", next_step=_NOT_A_CHECKPOINT)


def _v1_files(folder: Path, prefix: str) -> tuple[Path, ...]:
    """The file of a V1 checkpoint, or its shards; none where there is none of that name."""
    near = [prefix, *(path.name for path in folder.glob(f"{glob.escape(prefix)}-?????-of-?????"))]
    return v1_checkpoints(folder, near).get(prefix, ())


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def _in_folder(folder: Path) -> tuple[Path, str, tuple[str, ...]]:
    names = _names(folder)
    if not any(name.endswith(".index") for name in names):
        first = v1_checkpoints(folder, names)
        if first:
            return folder, *_choose(folder, [*names, *(f"{prefix}.index" for prefix in first)])
        children = [folder / name for name in names if not name.startswith((".", "__")) and (folder / name).is_dir()]
        files = [name for name in names if (folder / name).is_file() and not name.startswith(".")]
        if len(children) == 1 and not files:
            inner = _names(children[0])
            if any(name.endswith(".index") for name in inner):
                return children[0], *_choose(children[0], inner)
            raise _no_checkpoint(children[0], inner)
        raise _no_checkpoint(folder, names)
    return folder, *_choose(folder, names)


def _choose(folder: Path, names: list[str]) -> tuple[str, tuple[str, ...]]:
    """The prefix to take, and what is to be said of that."""
    prefixes = sorted(name.removesuffix(".index") for name in names if name.endswith(".index"))
    named = last_checkpoint(folder) if STATE_FILE in names else ()
    known = [name for name in named if name in prefixes]
    if known:
        return known[0], ()
    if len(prefixes) == 1:
        only = prefixes[0]
        return only, (f"{_not_here(named)}: {only}, the only one, is taken.",) if named else ()
    steps = [found for prefix in prefixes if (found := _STEP.fullmatch(prefix))]
    if len(steps) == len(prefixes) and len({found["base"] for found in steps}) == 1:
        prefixes = [found[0] for found in sorted(steps, key=lambda found: int(found["step"]))]
        return prefixes[-1], (_why_the_last(prefixes, named, told=STATE_FILE in names),)
    raise CheckpointError(
        f"{folder} holds {len(prefixes)} checkpoints: {_shown(prefixes)}.",
        next_step=f"Name one by its prefix, for example {folder / prefixes[0]}.",
    )


def _why_the_last(prefixes: list[str], named: tuple[str, ...], *, told: bool) -> str:
    """The sentence on the last step of one training being taken; `told`: there is a file that might have said which."""
    *others, taken = prefixes
    why = _not_here(named) if named else "No file says which is meant"
    if told and not named:
        why = f"The file {STATE_FILE} names no checkpoint"
    return f"{why}: {taken}, of the highest step, is taken, and not {_shown(others)}."


def _not_here(named: tuple[str, ...]) -> str:
    return f"The file {STATE_FILE} names {named[0]}, which is not here"


def _shown(names: list[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _hugging_face(folder: Path, weights: list[str], details: str) -> CheckpointError:
    """The error for a Hugging Face folder that is named where a checkpoint is looked for, or whose weights are none."""
    if not any((folder / name).is_file() for name in weights):
        return CheckpointError(
            f"{folder / weights[0]} is not a file.",
            next_step="Download the whole folder of the model.",
            details=details,
        )
    foreign = weights[0] if weights[0] in _NOT_PYTORCHS else None
    save = "Save it with PyTorch's weights (from_pretrained with from_tf or from_flax, save_pretrained); "
    return CheckpointError(
        f"{folder} holds a Hugging Face model" + (f" as {foreign}, which is not read." if foreign else "."),
        next_step=f"{save}name that folder." if foreign else f"Name that folder itself: --checkpoint {folder}.",
        details=details,
    )


def _no_checkpoint(folder: Path, names: list[str]) -> CheckpointError:
    """The error for a folder without any `*.index`, saying what it is instead; of Keras's files it is raised."""
    shown = names[:SHOWN_NAMES]
    more = f"… and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    details = "\n".join(filter(None, ["It holds:", *shown, more]))
    if not names:
        return CheckpointError(f"The folder {folder} is empty.", next_step=_NOT_A_CHECKPOINT)
    if "config.json" in names and any(name in names for name in _HUGGING_FACE_WEIGHTS):
        return _hugging_face(folder, [name for name in _HUGGING_FACE_WEIGHTS if name in names], details)
    if "saved_model.pb" in names or "saved_model.pbtxt" in names:
        return CheckpointError(
            f"{folder} holds a SavedModel, not a TensorFlow 1 checkpoint.",
            next_step="Name the folder of the checkpoint the SavedModel was made from.",
            details=details,
        )
    if any(name.endswith(f".index{POINTER_SUFFIX}") for name in names):
        return CheckpointError(
            f"{folder} holds a git-lfs pointer in place of the index of its checkpoint.",
            next_step="Run `git lfs pull`.",
            details=details,
        )
    if any(_DATA.fullmatch(name) for name in names):
        return CheckpointError(
            f"{folder} holds the data of a checkpoint but not its .index.",
            next_step="Copy or download the whole checkpoint.",
            details=details,
        )
    refuse_keras_files(folder)
    return CheckpointError(
        f"{folder} holds no checkpoint: there is no *.index in it.", next_step=_NOT_A_CHECKPOINT, details=details
    )


def _reject_object_based(index: Path) -> None:
    """Raise for a checkpoint of TensorFlow 2. TensorFlow writes an index plainly, so its keys can be searched for."""
    with open_regular(index) as file:
        if OBJECT_GRAPH_KEY.encode() in file.read(1 << 24):
            raise object_based(index)


def object_based(index: Path) -> CheckpointError:
    """The error for a checkpoint whose tensors are found by object, not by variable name."""
    several = len(list(index.parent.glob("*.index"))) > 1
    named = index.with_suffix("") if several else index.parent
    return CheckpointError(
        f"{index} belongs to an object-based TensorFlow 2 checkpoint, not to a TensorFlow 1 checkpoint.",
        next_step=f"Convert it: invoke convert-tf1 --tf2 {named}; or name the checkpoint it was made from.",
    )
