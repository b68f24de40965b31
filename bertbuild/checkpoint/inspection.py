"""What a checkpoint holds, and everything that is wrong with it, found without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isclose
from pathlib import Path
from typing import Any

from bertbuild.checkpoint.bundle import CheckpointReader, TensorEntry
from bertbuild.checkpoint.checksums import Progress, damaged_tensors
from bertbuild.checkpoint.config import LAYER_NORM_EPSILON, BertConfig, read_config
from bertbuild.checkpoint.data_files import check_data_files
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY, CheckpointFiles, find_checkpoint, object_based
from bertbuild.checkpoint.graph_facts import GraphFacts, graph_facts
from bertbuild.checkpoint.lfs import lfs_pointer
from bertbuild.checkpoint.variables import (
    EncoderSizes,
    Heads,
    disagreements,
    encoder_sizes,
    find_heads,
    sort_variables,
)
from bertbuild.errors import CheckpointError

JSON_FORMAT = 1
"""Raised when a key of `Inspection.to_json` changes its meaning or goes; new keys do not raise it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The result of `inspect_checkpoint`."""

    files: CheckpointFiles
    sizes: Mapping[str, int]
    """The name of each file of the checkpoint → its bytes."""
    config: BertConfig | None
    """None when bert_config.json is unusable; the reason is among the problems."""
    tensors: tuple[TensorEntry, ...]
    """In the order of their names; empty when the index is unusable."""
    encoder: EncoderSizes
    heads: Heads
    parameters: int
    """Elements of all variables but optimizer slots and the global step."""
    encoder_parameters: int
    """Elements of the variables `bert/…` alone, 109,482,240 for BERT-Base uncased."""
    optimizer_slots: Mapping[str, int]
    """The slot's name (`adam_m`) → the number of variables that have it."""
    global_step: bool
    graph: GraphFacts
    vocab_lines: int | None
    """Lines of vocab.txt, ended by LF alone; None without a readable vocab.txt."""
    intact: int | None
    """Tensors whose bytes have the checksum in the index; None when checksums were not taken."""
    problems: tuple[str, ...]
    """Sentences on what makes the checkpoint unusable."""
    warnings: tuple[str, ...]
    """Sentences on what is unusual but does not stand in the way."""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with the checkpoint as far as was looked."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes, with these keys (`?` may be null):

        - `format` (`JSON_FORMAT`), `prefix`, `sound`, `problems` [sentence], `warnings` [sentence]
        - `files` {name: bytes}
        - `config`? (the keys of bert_config.json, defaults filled in, unknown ones in `extra`)
        - `encoder` {layers?, hidden?, intermediate?, vocab?, positions?, token_types?, attention_heads?}; the heads are
          those of the configuration, the other sizes are those of the variables
        - `heads` {masked_lm, next_sentence, classifier_labels?, squad}
        - `parameters`, `encoder_parameters`, `optimizer_slots` {slot: variables}, `global_step` (whether there is one)
        - `graph` {tensorflow_version, gelu?, layer_norm_epsilon?, inputs? {role: tensor},
          published_form? {batch, seq_len}, notes}
        - `vocab_lines`?, `intact_tensors`? (null when checksums were not taken)
        - `tensors` [{name, dtype, shape, shard, offset, bytes, crc32c (hexadecimal, not masked)}]
        """
        published = self.graph.published
        return {
            "format": JSON_FORMAT,
            "prefix": str(self.files.prefix),
            "sound": self.sound,
            "problems": list(self.problems),
            "warnings": list(self.warnings),
            "files": dict(self.sizes),
            "config": asdict(self.config) if self.config else None,
            "encoder": {
                **asdict(self.encoder),
                "attention_heads": self.config.num_attention_heads if self.config else None,
            },
            "heads": asdict(self.heads),
            "parameters": self.parameters,
            "encoder_parameters": self.encoder_parameters,
            "optimizer_slots": dict(self.optimizer_slots),
            "global_step": self.global_step,
            "graph": {
                "tensorflow_version": self.graph.tensorflow_version,
                "gelu": self.graph.gelu,
                "layer_norm_epsilon": self.graph.epsilon,
                "inputs": dict(self.graph.inputs) if self.graph.inputs is not None else None,
                "published_form": {"batch": published[0], "seq_len": published[1]} if published else None,
                "notes": list(self.graph.notes),
            },
            "vocab_lines": self.vocab_lines,
            "intact_tensors": self.intact,
            "tensors": [
                {
                    "name": tensor.name,
                    "dtype": tensor.dtype,
                    "shape": list(tensor.shape),
                    "shard": tensor.shard,
                    "offset": tensor.offset,
                    "bytes": tensor.nbytes,
                    "crc32c": f"{tensor.crc32c:08x}",
                }
                for tensor in self.tensors
            ],
        }


def inspect_checkpoint(
    path: Path | str,
    *,
    config: Path | None = None,
    vocab: Path | None = None,
    checksums: bool = True,
    progress: Progress | None = None,
) -> Inspection:
    """Look at every part of the checkpoint at `path` (see `folder.find_checkpoint`, also for `config` and `vocab`).

    With `checksums` every byte of the data files is read; `progress` is then called with the bytes done and to do.
    Raises `CheckpointError` only when there is no TensorFlow 1 checkpoint at `path`; whatever is wrong with one that is
    there is told in `Inspection.problems`.
    """
    files = find_checkpoint(path, config=config, vocab=vocab, require_data=False)
    problems: list[str] = []
    warnings: list[str] = []
    reader = _open(files, problems)
    entries = reader.entries if reader else {}
    if OBJECT_GRAPH_KEY in entries:
        raise object_based(files.index)
    intact: int | None = None
    if reader:
        data = check_data_files(reader)
        problems += data.problems
        warnings += data.warnings
        if checksums and data.readable:
            found, intact = damaged_tensors(reader, data.readable, progress)
            problems += found
    shapes = {name: entry.shape for name, entry in entries.items()}
    read = _config(files, problems)
    if read and reader:
        problems += disagreements(read, shapes, {name: entry.dtype for name, entry in entries.items()})
    encoder = encoder_sizes(shapes)
    lines = _vocab(files, encoder.vocab or (read.vocab_size if read else None), problems, warnings)
    graph = graph_facts(files.meta)
    _judge_graph(graph, read, problems, warnings)
    groups = sort_variables(shapes)
    return Inspection(
        files=files,
        sizes=_file_sizes(files),
        config=read,
        tensors=tuple(entries.values()),
        encoder=encoder,
        heads=find_heads(shapes),
        parameters=sum(entries[name].size for name in groups.model),
        encoder_parameters=sum(entries[name].size for name in groups.model if name.startswith("bert/")),
        optimizer_slots={slot: len(names) for slot, names in groups.slots.items()},
        global_step=groups.global_step,
        graph=graph,
        vocab_lines=lines,
        intact=intact,
        problems=tuple(problems),
        warnings=tuple(warnings),
    )


def require_sound(
    path: Path | str,
    *,
    config: Path | None = None,
    vocab: Path | None = None,
    checksums: bool = True,
    progress: Progress | None = None,
) -> Inspection:
    """Like `inspect_checkpoint`, but raise `CheckpointError` when there are problems: the first one in the message, all
    of them in `details`, one a line.
    """
    inspection = inspect_checkpoint(path, config=config, vocab=vocab, checksums=checksums, progress=progress)
    if not inspection.sound:
        more = len(inspection.problems) - 1
        others = f" (and {more} more problem{'s' * (more > 1)})" if more else ""
        raise CheckpointError(
            f"The checkpoint {inspection.files.prefix} cannot be used: {inspection.problems[0]}{others}",
            next_step="Copy or download the checkpoint again, whole and with its own bert_config.json and vocab.txt.",
            details="\n".join(inspection.problems),
        )
    return inspection


def _open(files: CheckpointFiles, problems: list[str]) -> CheckpointReader | None:
    if lfs_pointer(files.index):
        problems.append(f"{files.index.name} is a git-lfs pointer, not the file itself; run `git lfs pull`.")
        return None
    try:
        return CheckpointReader(files.prefix)
    except CheckpointError as error:
        problems.append(str(error))
        return None


def _config(files: CheckpointFiles, problems: list[str]) -> BertConfig | None:
    if lfs_pointer(files.config):
        problems.append(f"{files.config.name} is a git-lfs pointer, not the file itself; run `git lfs pull`.")
        return None
    try:
        return read_config(files.config)
    except CheckpointError as error:
        problems.append(str(error))
        return None


def _vocab(files: CheckpointFiles, expected: int | None, problems: list[str], warnings: list[str]) -> int | None:
    """The lines of vocab.txt. LF alone ends one: vocabularies hold other characters that Unicode calls line ends."""
    if files.vocab is None:
        warnings.append("There is no vocab.txt, so texts cannot be turned into ids for this model.")
        return None
    if lfs_pointer(files.vocab):
        problems.append(f"{files.vocab.name} is a git-lfs pointer, not the file itself; run `git lfs pull`.")
        return None
    try:
        text = files.vocab.read_bytes()
    except OSError as error:
        problems.append(f"{files.vocab.name} cannot be read: {error}.")
        return None
    lines = text.count(b"\n") + (not text.endswith(b"\n") and text != b"")
    if expected is not None and lines != expected:
        problems.append(f"{files.vocab.name} has {lines} lines, but the model knows {expected} words.")
    return lines


def _judge_graph(graph: GraphFacts, config: BertConfig | None, problems: list[str], warnings: list[str]) -> None:
    if graph.problem is not None:
        problems.append(graph.problem)
    elif graph.inputs is None and graph.tensorflow_version:
        warnings.extend(graph.notes)
    if config is None:
        return
    if graph.gelu and config.hidden_act != "gelu":
        warnings.append(
            f"The graph in the .meta computes gelu, but bert_config.json has hidden_act {config.hidden_act}."
        )
    if graph.gelu and config.gelu and graph.gelu != config.gelu:
        problems.append(
            f"The graph in the .meta computes gelu by {graph.gelu}, but the hidden_act of bert_config.json is the form "
            f'{config.gelu}; write "gelu" there if the .meta is right, or remove the .meta if it is not.'
        )
    _judge_epsilon(graph.epsilon, config, problems, warnings)


def _judge_epsilon(computed: float | None, config: BertConfig, problems: list[str], warnings: list[str]) -> None:
    stated = config.layer_norm_eps
    if computed and stated and not isclose(computed, stated, rel_tol=1e-5):
        problems.append(
            f"The layer norms of the graph in the .meta add {computed:g} to the variance, but bert_config.json has "
            f"layer_norm_eps {stated:g}; remove that key if the .meta is right, or remove the .meta if it is not."
        )
    elif computed and stated is None and computed != LAYER_NORM_EPSILON:
        warnings.append(
            f"The layer norms of the graph in the .meta add {computed:g} to the variance, modeling.py's "
            f"{LAYER_NORM_EPSILON:g}; the .meta's is taken."
        )


def _file_sizes(files: CheckpointFiles) -> dict[str, int]:
    paths = [files.index, *files.data, files.meta, files.config, files.vocab]
    return {path.name: path.stat().st_size for path in paths if path is not None and path.is_file()}
