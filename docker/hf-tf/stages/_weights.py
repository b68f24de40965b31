"""The weights of a Hugging Face folder as NumPy arrays; safetensors' own package reads its files."""

import json
import os
from pathlib import Path

from stage import StageInputError

NUMPYS = {"float32", "float16", "float64"}
WEIGHTS = "model.safetensors"


def read(folder):
    """Name → array of every tensor of floating point.

    What PyTorch saved itself, and what NumPy has no type for (bfloat16), is read by bertbuild, as the import does:
    there is no torch here.

    Raises:
        StageInputError: a file is missing or damaged.
    """
    from bertbuild.errors import BertbuildError

    try:
        stored, files = _stored(folder)
    except BertbuildError as error:
        raise StageInputError("%s %s" % (error, error.next_step)) from error
    if not {tensor.dtype for tensor in stored.values()} <= NUMPYS:
        files = ()
    return {name: tensor.read() for name, tensor in stored.items()} if not files else _loaded(files, stored)


def _stored(folder):
    """Name → where a tensor lies, of those of floating point; the files that safetensors' own package can read."""
    from bertbuild.huggingface.folder import find_files
    from bertbuild.huggingface.safetensors import read_safetensors
    from bertbuild.huggingface.stored import FLOATS
    from bertbuild.huggingface.weights import read_weights

    files = files_of(folder)
    found = {}
    for file in files:
        found.update(read_safetensors(Path(file)))
    found = found if files else read_weights(find_files(Path(folder)))
    return {name: tensor for name, tensor in found.items() if tensor.dtype in FLOATS}, files


def _loaded(files, names):
    from safetensors.numpy import load_file

    found = {}
    for file in files:
        found.update(load_file(file))
    return {name: found[name] for name in names}


def files_of(folder):
    """The files of weights in the format of safetensors; none where PyTorch saved them itself."""
    index = os.path.join(folder, WEIGHTS + ".index.json")
    if os.path.exists(os.path.join(folder, WEIGHTS)):
        return [os.path.join(folder, WEIGHTS)]
    if not os.path.exists(index):
        return []
    with open(index) as file:
        return [os.path.join(folder, name) for name in sorted(set(json.load(file)["weight_map"].values()))]
