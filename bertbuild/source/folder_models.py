"""Which models a folder holds: told by names and small files, and by the headers of what they name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bertbuild.checkpoint.folder import (
    ARCHIVES,
    OBJECT_GRAPH_KEY,
    choose_checkpoint,
    find_checkpoint,
)
from bertbuild.checkpoint.lfs import POINTER_SUFFIX
from bertbuild.checkpoint.user_files import open_regular
from bertbuild.checkpoint.v1_files import is_v1
from bertbuild.errors import BertbuildError, CheckpointError
from bertbuild.families.bert_names import CONFIG_FILE
from bertbuild.huggingface.folder import is_huggingface
from bertbuild.source.folder_tree import SAVED_MODELS, Folder

INDEX: Final = ".index"
WEIGHTS: Final = (".h5", ".hdf5", ".keras", ".msgpack", ".safetensors", ".data-00000-of-00001", POINTER_SUFFIX)
"""How files end that hold weights, for folders where nothing that is read was found."""
OF_OTHERS: Final = {
    ".onnx": "an ONNX model",
    ".tflite": "a TensorFlow Lite model",
    ".gguf": "a GGUF model",
}
"""How files of models end that nothing is built from."""
OF_PYTORCH: Final = (".pt", ".pth")
"""The same of PyTorch's, which are zips; Python has text files of such names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a model seems to be.

    Attributes:
        path: of it.
        key: what names it in a build file: "checkpoint", "huggingface", "tf2", "frozen" or "saved_model".
    """

    path: Path
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A model, or what seems to be one, that nothing can be built from: where it is, why, and what to do."""

    path: Path
    why: str
    next_step: str


def unusable(path: Path, error: BertbuildError) -> Unusable:
    """The same of an error that its reader gave."""
    return Unusable(path=path, why=str(error), next_step=error.next_step)


def models_in(folder: Folder) -> Iterator[Place | Unusable]:
    """The models that lie in a folder itself."""
    if folder.is_saved_model:
        yield _saved_model(folder.path)
        return
    found = [*_checkpoints(folder)]
    names = [name for name in folder.names if not name.startswith((".", "_"))]
    found += [Place(path=folder.path / name, key="checkpoint") for name in names if name.endswith(ARCHIVES)]
    found += [Place(path=folder.path / name, key="frozen") for name in names if _is_graph(name)]
    found += _of_others(folder.path, names)
    yield from found or _weights(folder)


def _saved_model(path: Path) -> Place:
    """One of TensorFlow 2 by the object graph in its variables; of an Estimator's exports the folder of all of them."""
    index = path / "variables" / "variables.index"
    if index.is_file() and is_object_based(index):
        return Place(path=path, key="tf2")
    return Place(path=path.parent if path.name.isdecimal() else path, key="saved_model")


def is_object_based(index: Path) -> bool:
    """Whether an index is of TensorFlow 2's checkpoints; raises OSError, CheckpointError."""
    with open_regular(index) as file:
        return OBJECT_GRAPH_KEY.encode() in file.read(1 << 24)


def _checkpoints(folder: Folder) -> Iterator[Place | Unusable]:
    """The checkpoint of a folder; each where it holds several and nothing tells which is meant."""
    path = folder.path
    prefixes = [name.removesuffix(INDEX) for name in folder.names if name.endswith(INDEX)]
    if prefixes:
        try:
            chosen = [(path, choose_checkpoint(path)[0])]
        except CheckpointError:
            chosen = [(path / prefix, prefix) for prefix in prefixes]
        for place, prefix in chosen:
            yield _checkpoint(place, path / f"{prefix}{INDEX}")
    elif is_huggingface(path):
        yield Place(path=path, key="huggingface")
    elif CONFIG_FILE in folder.names and any(is_v1(path / name) for name in folder.names):
        yield Place(path=path, key="checkpoint")


def _checkpoint(path: Path, index: Path) -> Place | Unusable:
    try:
        return Place(path=path, key="tf2" if is_object_based(index) else "checkpoint")
    except CheckpointError as error:
        return unusable(path, error)
    except OSError as error:
        return Unusable(path=path, why=f"{index} cannot be read: {error.strerror}.", next_step="Check its rights.")


def _is_graph(name: str) -> bool:
    return name.endswith(".pb") and name not in SAVED_MODELS


def _of_others(path: Path, names: list[str]) -> Iterator[Unusable]:
    for name in names:
        what = next((words for ending, words in OF_OTHERS.items() if name.endswith(ending)), "")
        if name.endswith(OF_PYTORCH) and _is_zip(path / name):
            what = "a file of PyTorch's"
        if name.endswith(".xml") and f"{name.removesuffix('.xml')}.bin" in names:
            what = "an OpenVINO IR"
        if what:
            why = f"{path / name} is {what}, from which nothing is built."
            yield Unusable(path=path / name, why=why, next_step="Name the checkpoint that it was made from.")


def _is_zip(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return file.read(4) == b"PK\x03\x04"
    except (OSError, CheckpointError):
        return False


def _weights(folder: Folder) -> Iterator[Unusable]:
    """What the reader of checkpoints says of a folder with weights, or a configuration, that it does not read."""
    if CONFIG_FILE in folder.names or any(name.endswith(WEIGHTS) for name in folder.names):
        try:
            find_checkpoint(folder.path)
        except BertbuildError as error:
            yield unusable(folder.path, error)
