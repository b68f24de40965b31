"""Models of TensorFlow 2 (a checkpoint, a SavedModel, a hub module, what train made) as sources."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.engine.executor import Report
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.families.bert_names import CONFIG_FILE, VOCAB_FILE
from bertbuild.heads.found import FoundHead
from bertbuild.plans.plan import TF2_CHECKPOINT, TF2_HUB, TF2_SAVED_MODEL, TF2_TRAINED, File, Source
from bertbuild.plans.wanted import Wanted
from bertbuild.source.checkpoints import Inspected
from bertbuild.source.garden import heads_of, recorded
from bertbuild.stages import MANIFEST, UNTRACKED
from bertbuild.store.inputs import file_input, folder_input
from bertbuild.store.store import Store
from bertbuild.text.facts import TEXT_FILE, TOKENIZER_FILE

if TYPE_CHECKING:
    from bertbuild.checkpoint.config import BertConfig

OURS = (MANIFEST, *UNTRACKED, TEXT_FILE, TOKENIZER_FILE)
GARDEN_GELU = "tanh"
"""What the Model Garden computes, and so what a model trained with it was trained with."""


def tensorflow_2(wanted: Wanted, path: Path, name: str, store: Store, report: Report) -> Inspected:
    """A TensorFlow 2 model at a path (a folder, or a checkpoint's prefix) as a source that is called `name`.

    Raises:
        CheckpointError: there is no such model.
        UsageError: a file that was named is not there.
    """
    if wanted.tf2:
        return _to_convert(wanted, path, name, store, report)
    return _to_begin_with(wanted, path, name, store, report)


def _to_convert(wanted: Wanted, path: Path, name: str, store: Store, report: Report) -> Inspected:
    from bertbuild.checkpoint.config import read_config
    from bertbuild.checkpoint.keras_files import refuse_keras_files

    folder, prefix = folder_and_prefix(path)
    refuse_keras_files(folder)
    if not folder.is_dir():
        raise CheckpointError(
            f"{wanted.tf2} is not a folder.",
            next_step="Give the folder of a TensorFlow 2 checkpoint, SavedModel or hub module: --tf2 FOLDER.",
        )
    config = read_config(Path(wanted.config) if wanted.config else folder / CONFIG_FILE)
    _check_vocab(Path(wanted.vocab) if wanted.vocab else folder / VOCAB_FILE, config, report)
    kind = _kind(folder)
    if kind == TF2_CHECKPOINT:
        prefix = _whole(folder, prefix, store, report)
    variables = folder / prefix if kind == TF2_CHECKPOINT else folder / "variables" / "variables"
    heads = heads_of(folder, variables, kind, config, wanted.root, wanted.head)
    return _inspected(config, _source(wanted, kind, folder, name, config, store, prefix, heads))


def _to_begin_with(wanted: Wanted, path: Path, name: str, store: Store, report: Report) -> Inspected:
    from bertbuild.checkpoint.config import read_config

    folder, prefix = folder_and_prefix(path)
    if not folder.is_dir():
        where = "; modules are not downloaded, it must be a folder here" if "://" in wanted.of_tf2 else ""
        raise UsageError(f"{wanted.of_tf2} is not a folder{where}.", next_step="Make one: invoke convert-tf2.")
    for file in filter(None, (wanted.config, wanted.vocab)):
        if not Path(file).is_file():
            raise UsageError(f"{file} is not a file.", next_step="Give the one that came with the model.")
    config = read_config(Path(wanted.config or folder / CONFIG_FILE))
    kind = TF2_TRAINED if wanted.model_dir else TF2_HUB if wanted.hub_module_url else TF2_CHECKPOINT
    if kind == TF2_CHECKPOINT:
        chosen = _whole(folder, prefix, store, report)
        prefix = prefix or (chosen if len(list(folder.glob("*.index"))) > 1 else "")  # alone, it needs no name
    return _inspected(config, _source(wanted, kind, folder, name, config, store, prefix))


def _source(
    wanted: Wanted,
    kind: str,
    folder: Path,
    name: str,
    config: BertConfig,
    store: Store,
    prefix: str,
    heads: tuple[FoundHead, ...] = (),
) -> Source:
    return Source(
        model=name,
        kind=kind,
        file=_folder_file(folder, store),
        gelu=_recorded_gelu(folder, config),
        prefix=prefix,
        heads=heads,
        max_positions=config.max_position_embeddings,
        config=_optional_file(wanted.config, store),
        vocab=_optional_file(wanted.vocab, store),
        root=wanted.root,
    )


def _inspected(config: BertConfig, source: Source) -> Inspected:
    return Inspected(
        source=source,
        vocab_size=config.vocab_size,
        type_vocab_size=config.type_vocab_size,
        max_positions=config.max_position_embeddings,
    )


def _whole(folder: Path, prefix: str, store: Store, report: Report) -> str:
    """The checkpoint's name in its folder, the one that is meant where there are several; refused if damaged."""
    from bertbuild.checkpoint.folder import choose_checkpoint

    chosen, notes = (prefix, ()) if prefix else choose_checkpoint(folder)
    for text in notes:
        report({"event": "note", "text": text})
    _check_intact(folder / chosen, store)
    return chosen


def folder_and_prefix(path: Path) -> tuple[Path, str]:
    """A path's checkpoint: its folder and its name in there where it names one, else the path itself and no name."""
    named = bool(path.name) and path.with_name(path.name + ".index").is_file()
    return (path.parent, path.name) if named else (path, "")


def _check_intact(prefix: Path, store: Store) -> None:
    """Refuse a damaged TensorFlow 2 checkpoint; one whose bytes were hashed before was looked at then.

    Raises:
        CheckpointError: a data file is missing, cut off or changed.
    """
    from bertbuild.checkpoint.intact import require_intact

    data = list(prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*"))
    if not data or not all(store.inputs.knows(path.resolve()) for path in data):
        require_intact(prefix)


def _check_vocab(path: Path, config: BertConfig, report: Report) -> None:
    """Say so where the vocabulary has not as many lines as the model has words; no word of it is read here."""
    from bertbuild.checkpoint.vocabulary import count_lines, vocabulary_warning

    warning = vocabulary_warning(str(path), count_lines(path), config.vocab_size) if path.is_file() else ""
    if warning:
        report({"event": "warning", "text": warning})


def _folder_file(path: Path, store: Store) -> File:
    """A folder with all its files, but for what this program keeps beside them."""
    files = (file for file in path.rglob("*") if file.is_file() and file.name not in OURS)
    return folder_input(path, (str(file.relative_to(path)) for file in files), store.inputs)


def _optional_file(path: str, store: Store) -> File | None:
    """A file that was named, or None."""
    return file_input(Path(path), store.inputs) if path else None


def _kind(path: Path) -> str:
    """By what a model is run: as a checkpoint, as a SavedModel, or as a hub module, which ours says it is."""
    if not (path / "saved_model.pb").exists():
        return TF2_CHECKPOINT
    return TF2_HUB if recorded(path, "signature.json", "kind") == "hub" else TF2_SAVED_MODEL


def _recorded_gelu(path: Path, config: BertConfig) -> str | None:
    """The form of gelu that was recorded beside the model, or that its configuration names.

    Else the Model Garden's; None where the model has no gelu.
    """
    if config.hidden_act != "gelu":
        return None
    beside = recorded(path, "mapping.json", "gelu") or recorded(path, "signature.json", "gelu")
    return beside or config.gelu or GARDEN_GELU
