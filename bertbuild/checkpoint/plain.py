"""A checkpoint written again as google-research/bert saves one: its own names, float32, nothing cut into parts.

What was taken from where is in `normalised.json` beside it. Every tensor is read back and compared with its source, bit
by bit. That the numbers are the source's is this module's word: the parity gate restores what was written here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bertbuild.checkpoint import sentencepiece
from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import LAYER_NORM_EPSILON, read_config
from bertbuild.checkpoint.folder import CheckpointFiles
from bertbuild.checkpoint.graph_facts import graph_facts
from bertbuild.checkpoint.judging import judge_family
from bertbuild.checkpoint.reading import Choice, read_names
from bertbuild.checkpoint.task_file import task_file
from bertbuild.checkpoint.tensors import Reader, open_tensors
from bertbuild.checkpoint.user_files import read_regular
from bertbuild.checkpoint.variables import FLOAT32
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.errors import CheckpointError
from bertbuild.families.bert_names import CONFIG_FILE, VOCAB_FILE
from bertbuild.families.table import ELECTRA
from bertbuild.json_text import parse_json

RECORD: Final = "normalised.json"
_GELU_BY_TANH: Final = "gelu_new"


def write_plain(files: CheckpointFiles, choice: Choice, prefix: Path) -> None:
    """Write the BERT that is meant in a sound checkpoint as `prefix`, with the files beside it.

    Memory: one tensor, whatever the size of the checkpoint.
    Raises `CheckpointError` for a number that float32 cannot hold, and for what cannot be read.
    """
    reader = open_tensors(files)
    reading = read_names(reader.entries, choice)
    tensors = _Tensors(reader, reading.names)
    write_checkpoint(prefix, tensors)
    _compare(CheckpointReader(prefix), tensors)
    family = judge_family(files, reader.entries)
    _write_config(files, prefix.with_name(CONFIG_FILE), family)
    if files.vocab is not None:
        shutil.copyfile(files.vocab, prefix.with_name(VOCAB_FILE))
    elif (pieces := sentencepiece.model_in(files.folder)) is not None:
        shutil.copyfile(pieces, prefix.with_name(pieces.name))
    task = task_file(files.folder, files.prefix.name)
    if task is not None:
        shutil.copyfile(task, prefix.with_name(task.name))
    entries = reader.entries
    record = {
        "told": list(reading.told),
        "variables": [
            {"name": name, "source": own, "dtype": entries[own].dtype, "slices": entries[own].slices}
            for name, own in sorted(reading.names.items())
        ],
        "left_out": list(reading.left_out),
    }
    prefix.with_name(RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _write_config(files: CheckpointFiles, path: Path, family: str) -> None:
    """The configuration; what only the .meta or the names tell, which are left behind, is added to it."""
    content, config, graph = read_regular(files.config), read_config(files.config, family), graph_facts(files.meta)
    added: dict[str, Any] = {}
    if graph.epsilon and config.layer_norm_eps is None and graph.epsilon != LAYER_NORM_EPSILON:
        added["layer_norm_eps"] = graph.epsilon
    if graph.gelu == "tanh" and config.hidden_act == "gelu" and config.gelu is None:
        added["hidden_act"] = _GELU_BY_TANH  # "gelu" alone is taken for the published graphs' form, erf
    if family == ELECTRA:
        added["model_type"] = ELECTRA
    if added:
        content = (json.dumps(parse_json(content) | added, indent=2) + "\n").encode()
    path.write_bytes(content)


def as_float32(value: npt.NDArray[Any], dtype: str, name: str) -> npt.NDArray[np.float32]:
    """A tensor of a floating dtype (`STORED_AS`: bfloat16 comes as uint16) in float32.

    Raises `CheckpointError` where a number of it lies beyond what float32 can hold.
    """
    if dtype == "bfloat16":
        return (value.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):
        cast = value.astype(np.float32)
    if dtype == "float64" and np.isinf(cast).sum() > np.isinf(value).sum():
        raise CheckpointError(
            f"{name} holds numbers that float32 cannot: they become infinite.",
            next_step="Look at how the model was trained; weights of a BERT are small.",
        )
    return cast


class _Tensors(Mapping[str, npt.NDArray[Any]]):
    """The tensors to write by google-research/bert's names, each read when it is asked for."""

    def __init__(self, reader: Reader, names: Mapping[str, str]) -> None:
        self._reader = reader
        self._names = names

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        own = self._names[name]
        value, dtype = self._reader.tensor(own), self._reader.entries[own].dtype
        return value if dtype == FLOAT32 else as_float32(value, dtype, own)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _compare(written: CheckpointReader, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    for name in tensors:
        written.verify(name)
        if written.tensor(name).tobytes() != np.ascontiguousarray(tensors[name]).tobytes():
            raise CheckpointError(
                f"{name} was written and came back with other bits.", next_step="Check the disk, and run it again."
            )
