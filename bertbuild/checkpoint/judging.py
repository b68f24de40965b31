"""What is wrong with each part of a checkpoint, and what is unusual; sentences go to `problems` and `warnings`."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from pathlib import Path

from bertbuild.checkpoint import sentencepiece
from bertbuild.checkpoint.bundle import TensorEntry
from bertbuild.checkpoint.checksums import Checked, Progress, check_tensors
from bertbuild.checkpoint.config import LAYER_NORM_EPSILON, BertConfig, read_config, said_model_type
from bertbuild.checkpoint.data_files import check_data_files
from bertbuild.checkpoint.folder import CheckpointFiles
from bertbuild.checkpoint.graph_facts import GraphFacts
from bertbuild.checkpoint.kin import family as family_of
from bertbuild.checkpoint.kin import kin
from bertbuild.checkpoint.lfs import lfs_pointer
from bertbuild.checkpoint.reading import Choice, Reading, read_names
from bertbuild.checkpoint.tensors import Reader, open_tensors
from bertbuild.checkpoint.user_files import foreign_encoding, read_regular, undecodable
from bertbuild.checkpoint.v1 import V1Reader
from bertbuild.checkpoint.variables import FLOAT32, disagreements, listed, of_another_build
from bertbuild.checkpoint.vocabulary import (
    BERT_TENSORFLOW,
    Vocabulary,
    is_pieces,
    pieces_of,
    pieces_warning,
    read_vocabulary,
    require_pieces,
    vocabulary_warning,
)
from bertbuild.errors import CheckpointError
from bertbuild.families.table import BERT
from bertbuild.heads.rows import HEADS
from bertbuild.plural import are, number_of


def judge_data(
    reader: Reader,
    problems: list[str],
    warnings: list[str],
    progress: Progress | None,
    *,
    checksums: bool,
) -> Checked | None:
    """Look at the data files; what was found in the tensors, None where they were not read."""
    if isinstance(reader, V1Reader):
        return _told(reader.check(progress), problems, warnings) if checksums else None
    data = check_data_files(reader)
    problems += data.problems
    warnings += data.warnings
    if not checksums or not data.readable:
        return None
    return _told(check_tensors(reader, data.readable, progress), problems, warnings)


def _told(found: Checked, problems: list[str], warnings: list[str]) -> Checked:
    problems += found.problems
    if found.not_finite:
        warnings.append(not_finite(found.not_finite))
    return found


def not_finite(names: Sequence[str]) -> str:
    """The sentence on variables that hold a NaN or an infinite number."""
    holding = f"{number_of(len(names), 'variable')} {are(len(names), 'holds', 'hold')}"
    return f"{holding} numbers that are not finite (NaN or infinite): {listed(names)}."


def judge_variables(
    entries: Mapping[str, TensorEntry], config: BertConfig | None, choice: Choice
) -> tuple[Reading, list[str]]:
    """Which variables are the BERT that is meant, and what is wrong with them."""
    shapes = {name: entry.shape for name, entry in entries.items()}
    model = kin(shapes)
    if model and family_of(shapes) is None:
        return Reading(scope=None), [of_another_build(model)]
    reading = read_names(entries, choice)
    if reading.problems or config is None:
        return reading, [*reading.problems]
    taken = {name: entries[own] for name, own in reading.names.items()}
    dtypes = {name: entry.dtype for name, entry in taken.items()}
    return reading, disagreements(config, {name: entry.shape for name, entry in taken.items()}, dtypes)


def judge_heads(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """Sentences on heads of which a part is not there, or has not as many axes as the head's has: they are not taken.

    Args:
        shapes: google-research/bert's name → shape of the variables of the encoder and heads.
    """
    rows = {head.scopes: head for head in reversed(HEADS.values())}  # of kinds with the same variables the first
    for head in reversed(rows.values()):
        expected = {} if head.of_encoder else head.variables(0, 0, 0)
        there = [name for name in expected if name in shapes]
        missing = [name for name in expected if name not in shapes]
        if there and missing:
            yield f"The {head.what} is not whole: there is {listed(there)}, but no {listed(missing)}."
        for name in there:
            if len(shapes[name]) != len(expected[name]):
                axes = number_of(len(expected[name]), "axis", "axes")
                yield f"{name} of the {head.what} has shape {list(shapes[name])}; it should have {axes}."


def other_forms(files: CheckpointFiles, casts: Mapping[str, int], joined: int) -> Iterator[str]:
    """Sentences on a form in which google-research/bert saves no checkpoint."""
    if files.v1:
        yield "The checkpoint is of the first format (V1), and is written again."
    for dtype, count in sorted(casts.items()):
        yield f"{number_of(count, 'variable')} of dtype {dtype} {are(count)} cast to {FLOAT32}."
    if joined:
        yield f"{number_of(joined, 'variable')} {are(joined)} partitioned; their parts are joined."


def opened(files: CheckpointFiles, problems: list[str]) -> Reader | None:
    """The reader of a checkpoint's tensors; None where they cannot be read."""
    if lfs_pointer(files.index):
        problems.append(f"{files.index.name} is a git-lfs pointer, not the file itself; run `git lfs pull`.")
        return None
    try:
        return open_tensors(files)
    except CheckpointError as error:
        problems.append(str(error))
        return None


def judge_family(files: CheckpointFiles, entries: Mapping[str, TensorEntry]) -> str:
    """The family of a checkpoint, by its variables and its configuration; BERT where they are of none."""
    shapes = {name: entry.shape for name, entry in entries.items()}
    return family_of(shapes, said_model_type(files.config)) or BERT


def read_own_config(files: CheckpointFiles) -> BertConfig:
    """The configuration of a checkpoint, read as its family's; as BERT's where its variables cannot be read.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        entries = {} if files.v1 else open_tensors(files).entries
    except CheckpointError:
        entries = {}  # told by who needs the variables
    return read_config(files.config, judge_family(files, entries))


def judge_config(
    files: CheckpointFiles, problems: list[str], warnings: list[str], family: str = BERT
) -> BertConfig | None:
    """bert_config.json; None where it is of no use."""
    if lfs_pointer(files.config):
        problems.append(f"{files.config.name} is a git-lfs pointer, not the file itself; run `git lfs pull`.")
        return None
    try:
        found = read_config(files.config, family)
    except CheckpointError as error:
        problems.append(str(error))
        return None
    if read_regular(files.config).startswith(BOM_UTF8):
        warnings.append(f"{files.config.name} begins with a byte order mark, which google-research/bert does not read.")
    return found


def judge_vocabulary(
    files: CheckpointFiles, expected: int | None, problems: list[str], warnings: list[str]
) -> Vocabulary | None:
    """What vocab.txt holds, if it can be read."""
    if files.vocab is None or is_pieces(files.vocab):
        warnings += _judged_pieces(files.vocab or sentencepiece.model_in(files.folder), files.folder, expected)
        return None
    if files.vocab.parent == files.folder and (beside := sentencepiece.models_in(files.folder)):
        problems.append(
            f"It has a {files.vocab.name} and a model of SentencePiece ({beside[0].name}), and nothing tells which of "
            "them reads the model's text; name it: --vocab FILE."
        )
    if lfs_pointer(files.vocab):
        problems.append(f"{files.vocab.name} is a git-lfs pointer, not the file itself; run `git lfs pull`.")
        return None
    try:
        content = read_regular(files.vocab)
    except OSError as error:
        problems.append(f"{files.vocab.name} cannot be read: {error}.")
        return None
    except CheckpointError as error:
        problems.append(str(error))
        return None
    foreign = sentencepiece.told(content) or foreign_encoding(content)
    if foreign:
        problems.append(f"{files.vocab.name} {foreign}.")
        return None
    damaged = undecodable(content)
    if damaged is not None:
        warnings.append(f"{files.vocab.name} {damaged}.")
    if content.startswith(BOM_UTF8):
        warnings.append(
            f"{files.vocab.name} begins with a byte order mark, which programs read as part of its first word."
        )
    found = read_vocabulary(content)
    if found.different < found.lines:
        warnings.append(found.told(expected))
    if expected not in (None, found.lines) and found.reading(expected) != BERT_TENSORFLOW:
        warnings.append(vocabulary_warning(files.vocab.name, found.lines, expected))
    return found


def _judged_pieces(path: Path | None, folder: Path, expected: int | None) -> Iterator[str]:
    """Sentences on the model of SentencePiece that text is read with, where there is none or it cannot be read."""
    no_ids = "so texts cannot be turned into ids for this model."
    if path is None:
        yield f"There is no vocab.txt, {no_ids}{sentencepiece.beside(folder)}"
        return
    try:
        if expected is None:
            pieces_of(path)
        else:
            require_pieces(path, expected)
            yield from filter(None, [pieces_warning(path, expected)])
    except CheckpointError as error:
        yield str(error)


def judge_meta(graph: GraphFacts, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """A sentence on a .meta whose variables have other shapes than the checkpoint's of the same names.

    Args:
        graph: what is known of the .meta.
        shapes: the checkpoint's own name → shape.
    """
    others = [name for name, shape in graph.variables.items() if shapes.get(name, shape) != shape]
    if others:
        name = others[0]
        more = f", and {len(others) - 1} more differ" if len(others) > 1 else ""
        yield (
            f"The .meta is of another model: its {name} has shape {list(graph.variables[name])}, the checkpoint's "
            f"{list(shapes[name])}{more}; put the checkpoint's own .meta in its place, or remove it."
        )


def judge_graph(graph: GraphFacts, config: BertConfig | None, problems: list[str], warnings: list[str]) -> None:
    """Hold what the .meta computes against bert_config.json."""
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
