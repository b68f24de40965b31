"""What a checkpoint holds, and everything that is wrong with it, found without TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bertbuild.checkpoint.bundle import TensorEntry
from bertbuild.checkpoint.checksums import Progress
from bertbuild.checkpoint.config import BertConfig
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY, CheckpointFiles, find_checkpoint, object_based
from bertbuild.checkpoint.graph_facts import GraphFacts, graph_and_facts, traced_as_json
from bertbuild.checkpoint.head_evidence import Known
from bertbuild.checkpoint.head_judging import JudgedHeads, judge_kinds
from bertbuild.checkpoint.imported import import_facts
from bertbuild.checkpoint.judging import (
    judge_config,
    judge_data,
    judge_family,
    judge_graph,
    judge_heads,
    judge_meta,
    judge_variables,
    judge_vocabulary,
    opened,
    other_forms,
)
from bertbuild.checkpoint.own_graph import own_answers
from bertbuild.checkpoint.reading import Choice, Reading
from bertbuild.checkpoint.sentencepiece import model_in
from bertbuild.checkpoint.task_file import task_file
from bertbuild.checkpoint.training import sort_variables
from bertbuild.checkpoint.user_files import read_object
from bertbuild.checkpoint.variables import (
    ASKED_FOR,
    CAST_TO_FLOAT32,
    NOT_OF_IT,
    EncoderSizes,
    Heads,
    Shape,
    encoder_sizes,
    find_heads,
    has_pooler,
)
from bertbuild.checkpoint.vocabulary import Vocabulary
from bertbuild.errors import CheckpointError
from bertbuild.families.bert_names import SCOPE
from bertbuild.families.table import ALBERT_ZH, BERT, FAMILIES
from bertbuild.heads.masked_lm import PART as MASKED_LM

_NOT_ALBERT_ZHS = (
    "The masked-LM head of albert_zh multiplies by word_embeddings_2 before the table of words, which is not computed "
    "here."
)
_NO_CHOICE = Choice()
_NAME_ONE = "See `bertbuild inspect` for what the checkpoint holds."
_COPY_AGAIN = "Copy or download the checkpoint again, whole and with its own bert_config.json and vocab.txt."
_OTHER_CONFIG = "Give the configuration that it was trained with: --config FILE."
_OTHER_PARTS = "Nothing is made of an encoder with such parts; give one as its repository publishes it."

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
    reading: Reading
    """Which of the tensors are the BERT that was taken; `encoder`, `heads` and `pooler` tell of it."""
    casts: Mapping[str, int]
    """The dtype of variables that are read as float32 → their number."""
    joined: int
    """How many variables are cut into parts, which are joined."""
    told: tuple[str, ...]
    """Sentences on what is read otherwise than google-research/bert saves it; they are among the warnings too."""
    encoder: EncoderSizes
    heads: Heads
    judged_heads: JudgedHeads
    """The heads and of what kind each is."""
    pooler: bool
    parameters: int
    """Elements of all variables but optimizer slots and the global step."""
    encoder_parameters: int
    """Elements of the variables `bert/…` alone, 109,482,240 for BERT-Base uncased."""
    optimizer_slots: Mapping[str, int]
    """The slot's name (`adam_m`) → the number of variables that have it."""
    global_step: bool
    graph: GraphFacts
    family: str
    """The model's name in the table of families."""
    imported: bool
    """Whether it was made of a Hugging Face folder, whose plain `gelu` is the form by erf."""
    vocabulary: Vocabulary | None
    """The lines of vocab.txt, ended by LF alone; None without a readable vocab.txt."""
    vocab_reading: str | None
    """How the lines of vocab.txt are numbered, one of `vocabulary.READINGS`; None where that is not known."""
    intact: int | None
    """Tensors whose bytes have the checksum in the index; None when checksums were not taken."""
    not_finite: tuple[str, ...]
    """Tensors with a NaN or an infinite number in them; empty when checksums were not taken."""
    problems: tuple[str, ...]
    """Sentences on what makes the checkpoint unusable."""
    warnings: tuple[str, ...]
    """Sentences on what is unusual but does not stand in the way."""

    @property
    def vocab_lines(self) -> int | None:
        """How many lines vocab.txt has; None without a readable one."""
        return self.vocabulary.lines if self.vocabulary else None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with the checkpoint as far as was looked."""
        return not self.problems

    @property
    def plain(self) -> bool:
        """Whether it lies in the file as google-research/bert saves it, so that stages can restore it as it is."""
        return self.reading.plain and not self.casts and not self.joined and not self.files.v1

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes, with these keys (`?` may be null):

        - `format` (`JSON_FORMAT`), `prefix`, `sound`, `problems` [sentence], `warnings` [sentence]
        - `family` (the model's name in the table of families: bert, albert, albert-zh, electra)
        - `files` {name: bytes}
        - `config`? (the keys of bert_config.json, defaults filled in, unknown ones in `extra`)
        - `reading` {plain, scope?, scopes [scope], averages, averaged, casts {dtype: variables}, joined, format,
          left_out [name], told [sentence]}: which tensors are the BERT that was taken, and what is not as
          google-research/bert saves it
        - `encoder` {layers?, hidden?, intermediate?, vocab?, positions?, token_types?, embedding?, attention_heads?,
          pooler}; the
          heads are those of the configuration, the other sizes are those of the variables
        - `heads` {masked_lm, next_sentence, classifier_labels?, squad,
          found [{kind, weights, bias, labels, why, assumed}], refused [{weights, kinds, why, next_step, default}],
          warnings [sentence]}: the heads of a known kind with what tells it, those whose outputs cannot be had, and
          what people should know of both
        - `parameters`, `encoder_parameters`, `optimizer_slots` {slot: variables}, `global_step` (whether there is one)
        - `graph` {tensorflow_version, gelu?, layer_norm_epsilon?, inputs? {role: tensor},
          published_form? {batch, seq_len}, heads [{weights, bias, columns, reads, kinds, unknown, behind, why}],
          answers [name] (that it is asked for; of other families than BERT), notes}
        - `imported` (of a Hugging Face folder, whose `gelu` is the form by erf)
        - `vocab_lines`?, `vocab_words`? (different ones), `vocab_duplicates` {word: [line, from 1]}, `vocab_reading`?
          ("lines" or "bert-tensorflow"; null where duplicates can be counted in two ways and nothing tells)
        - `intact_tensors`? (null when checksums were not taken)
        - `not_finite` [name] (of tensors with a NaN or an infinite number in them)
        - `tensors` [{name, dtype, shape, shard, offset, bytes, crc32c (hexadecimal, not masked)}]
        """
        published, vocabulary = self.graph.published, self.vocabulary
        return {
            "format": JSON_FORMAT,
            "prefix": str(self.files.prefix),
            "sound": self.sound,
            "problems": list(self.problems),
            "warnings": list(self.warnings),
            "family": self.family,
            "files": dict(self.sizes),
            "config": asdict(self.config) if self.config else None,
            "reading": {
                "plain": self.plain,
                "scope": self.reading.scope,
                "scopes": list(self.reading.scopes),
                "averages": self.reading.averages,
                "averaged": self.reading.averaged,
                "casts": dict(self.casts),
                "joined": self.joined,
                "format": "V1" if self.files.v1 else "V2",
                "left_out": list(self.reading.left_out),
                "told": list(self.told),
            },
            "encoder": {
                **asdict(self.encoder),
                "attention_heads": self.config.num_attention_heads if self.config else None,
                "pooler": self.pooler,
            },
            "heads": {**asdict(self.heads), **self.judged_heads.to_json()},
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
                "ends_at_pooler": self.graph.ends_at_pooler,
                "heads": traced_as_json(self.graph.heads),
                "answers": list(self.graph.answers),
                "notes": list(self.graph.notes),
            },
            "imported": self.imported,
            "vocab_lines": self.vocab_lines,
            "vocab_words": vocabulary.different if vocabulary else None,
            "vocab_duplicates": {word: list(lines) for word, lines in vocabulary.duplicates.items()}
            if vocabulary
            else {},
            "vocab_reading": self.vocab_reading,
            "intact_tensors": self.intact,
            "not_finite": list(self.not_finite),
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
    path: Path | str | CheckpointFiles,
    *,
    choice: Choice = _NO_CHOICE,
    config: Path | None = None,
    vocab: Path | None = None,
    checksums: bool = True,
    progress: Progress | None = None,
) -> Inspection:
    """Look at every part of a checkpoint: the one at `path` (see `folder.find_checkpoint`, also for `config` and
    `vocab`), or that of these files.

    With `checksums` every byte of the data files is read; `progress` is then called with the bytes done and to do.
    Raises `CheckpointError` only when there is no TensorFlow 1 checkpoint at `path`, or the task.json beside it is no
    JSON object; whatever is wrong with a checkpoint that is there is told in `Inspection.problems`. Raises `UsageError`
    where its heads contradict the kind in `choice`.
    """
    if isinstance(path, CheckpointFiles):
        files = path
    else:
        files = find_checkpoint(path, config=config, vocab=vocab, require_data=False)
    problems: list[str] = []
    warnings: list[str] = [*files.notes]
    reader = opened(files, problems)
    entries = reader.entries if reader else {}
    if OBJECT_GRAPH_KEY in entries:
        raise object_based(files.index)
    checked = judge_data(reader, problems, warnings, progress, checksums=checksums) if reader else None
    family = judge_family(files, entries)
    read = judge_config(files, problems, warnings, family)
    shapes = {name: entry.shape for name, entry in entries.items()}
    reading, judged = judge_variables(entries, read, choice) if reader else (Reading(scope=None), [])
    problems += judged
    taken = {name: entries[own] for name, own in reading.names.items()}
    view = {name: entry.shape for name, entry in taken.items()}
    casts = Counter(entry.dtype for entry in taken.values() if entry.dtype in CAST_TO_FLOAT32)
    joined = sum(entry.slices > 0 for entry in taken.values())
    told = (*reading.told, *other_forms(files, casts, joined))
    warnings += told
    if reading.names and FAMILIES[family].scopes.pooler and not has_pooler(view):
        warnings.append("The encoder has no pooler, so it gives sequence output and all layers, but no pooled output.")
    warnings += judge_heads(view)
    encoder = encoder_sizes(view, family)
    if FAMILIES[family].scopes.shared and read:
        encoder = replace(encoder, layers=read.num_hidden_layers)
    rows = encoder.vocab or (read.vocab_size if read else None)
    vocabulary = judge_vocabulary(files, rows, problems, warnings)
    own, graph = graph_and_facts(files.meta)
    judge_graph(graph, read, problems, warnings)
    problems += judge_meta(graph, shapes)
    judged_heads = judge_kinds(_known_of_heads(files, reading, view, encoder, graph, choice))
    if family == ALBERT_ZH:
        judged_heads = judged_heads.without(MASKED_LM, _NOT_ALBERT_ZHS)
    problems += judged_heads.problems
    warnings += judged_heads.warnings
    if family != BERT and not reading.averaged:
        graph = replace(graph, answers=own_answers(own, judged_heads.found, reading.names, shapes))
    groups = sort_variables(shapes)
    return Inspection(
        files=files,
        sizes=_file_sizes(files),
        config=read,
        tensors=tuple(entries.values()),
        reading=reading,
        casts=casts,
        joined=joined,
        told=told,
        encoder=encoder,
        heads=find_heads(view),
        judged_heads=judged_heads,
        pooler=has_pooler(view),
        parameters=sum(entries[name].size for name in groups.model),
        encoder_parameters=sum(entry.size for name, entry in taken.items() if name.startswith(SCOPE)),
        optimizer_slots={slot: len(names) for slot, names in groups.slots.items()},
        global_step=groups.global_step,
        graph=graph,
        family=family,
        imported=import_facts(files) is not None,
        vocabulary=vocabulary,
        vocab_reading=None if vocabulary is None else vocabulary.reading(rows),
        intact=checked.intact if checked else None,
        not_finite=checked.not_finite if checked else (),
        problems=tuple(problems),
        warnings=tuple(warnings),
    )


def require_sound(
    path: Path | str | CheckpointFiles,
    *,
    choice: Choice = _NO_CHOICE,
    checksums: bool = True,
    progress: Progress | None = None,
) -> Inspection:
    """Like `inspect_checkpoint`, but raise `CheckpointError` when there are problems: the first one in the message, all
    of them in `details`, one a line.
    """
    inspection = inspect_checkpoint(path, choice=choice, checksums=checksums, progress=progress)
    if not inspection.sound:
        more = len(inspection.problems) - 1
        others = f" (and {more} more problem{'s' * (more > 1)})" if more else ""
        raise CheckpointError(
            f"The checkpoint {inspection.files.prefix} cannot be used: {inspection.problems[0]}{others}",
            next_step=_next_step(inspection),
            details="\n".join(inspection.problems),
        )
    return inspection


def _next_step(inspection: Inspection) -> str:
    """What to do about the first problem."""
    if inspection.reading.problems:
        return _NAME_ONE
    first = inspection.problems[0]
    return _OTHER_CONFIG if ASKED_FOR in first else _OTHER_PARTS if NOT_OF_IT in first else _COPY_AGAIN


def _known_of_heads(
    files: CheckpointFiles,
    reading: Reading,
    view: Mapping[str, Shape],
    encoder: EncoderSizes,
    graph: GraphFacts,
    choice: Choice,
) -> Known:
    """All that tells of the heads. Raises `CheckpointError` for a task.json that cannot be read."""
    task = task_file(files.folder, files.prefix.name)
    return Known(
        shapes=view,
        own=reading.names,
        others=frozenset(reading.left_out),
        hidden=encoder.hidden,
        traced=traced_as_json(graph.heads),
        task={} if task is None else read_object(task),
        imported=(import_facts(files) or {}).get("head") or {},
        told=choice.head,
    )


def _file_sizes(files: CheckpointFiles) -> dict[str, int]:
    paths = [files.index, *files.data, files.meta, files.config, files.vocab or model_in(files.folder)]
    return {path.name: path.stat().st_size for path in paths if path is not None and path.is_file()}
