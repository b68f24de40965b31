"""convert-tf1, and what it and train find out of a TensorFlow 2 model."""

from __future__ import annotations

import glob
import json
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.checkpoint.user_files import read_regular
from bertbuild.commands.copying import check_copy
from bertbuild.commands.reference import with_reference
from bertbuild.commands.session import Session
from bertbuild.commands.target import Built, told
from bertbuild.errors import CheckpointError
from bertbuild.families.bert import CONFIG_FILE
from bertbuild.heads import classifier
from bertbuild.heads.found import FoundHead
from bertbuild.kinds.tf1_checkpoint import KIND
from bertbuild.plans.convert_tf1 import Tf2Source, plan_convert_tf1
from bertbuild.plans.parts import Part
from bertbuild.plans.plan import File, Source
from bertbuild.report.mapping import MAPPING
from bertbuild.source.checkpoints import Inspected
from bertbuild.source.inputs import folder_input
from bertbuild.source.resolve import check_name, model_name
from bertbuild.stages import MANIFEST, UNTRACKED
from bertbuild.store.naming import described

if TYPE_CHECKING:
    from bertbuild.checkpoint.config import BertConfig

OURS = (MANIFEST, *UNTRACKED)
GARDEN_GELU = "tanh"
"""What the Model Garden computes, and so what a model trained with it was trained with."""


def convert_tf1(
    session: Session, folder: str, config: str, vocab: str, gelu: str, name: str, destination: str, *, root: str = ""
) -> Built:
    """Make the Google-format checkpoint, prove it, and name it in out/.

    Of several encoders in a TensorFlow 2 checkpoint the one below the object `root` is taken.

    Raises:
        CheckpointError: there is no TensorFlow 2 model in the folder.
        ParityError: it does not answer like its source.
    """
    if destination:
        check_copy(KIND, destination)
    source, inspected = _tf2_source(session, folder, config, vocab, gelu, name, root)
    probes = session.probes(inspected)
    plan = plan_convert_tf1(source, probes)
    session.claim_targets(plan, inspected.named, source.file)
    plan = with_reference(session, plan)
    built = session.engine.build(plan, probes)
    return told(session, KIND, plan.model, built, _left_out(built[-1].path / MAPPING), destination)


def _left_out(mapping: Path) -> list[Part]:
    """What a mapping table says was left out, by the reason why."""
    names: dict[str, list[str]] = {}
    for row in json.loads(mapping.read_text(encoding="utf-8"))["left_out"]:
        names.setdefault(row["reason"], []).append(row["source"])
    return [Part(kind=reason, what=reason, names=tuple(found)) for reason, found in names.items()]


def _tf2_source(
    session: Session, folder: str, config: str, vocab: str, gelu: str, name: str, root: str
) -> tuple[Tf2Source, Inspected]:
    from bertbuild.checkpoint.config import read_config
    from bertbuild.checkpoint.folder import choose_checkpoint
    from bertbuild.checkpoint.keras_files import refuse_keras_files

    check_name(name)
    path, prefix = folder_and_prefix(Path(folder))
    if folder:
        refuse_keras_files(path)
    if not folder or not path.is_dir():
        raise CheckpointError(
            f"{folder} is not a folder." if folder else "No TensorFlow 2 model is named.",
            next_step="Give the folder of a TensorFlow 2 checkpoint, SavedModel or hub module: --tf2 FOLDER.",
        )
    read = read_config(Path(config) if config else path / CONFIG_FILE)
    _check_vocab(session, Path(vocab) if vocab else path / "vocab.txt", read)
    kind = _kind(path)
    if kind == "converted":
        prefix, notes = (prefix, ()) if prefix else choose_checkpoint(path)
        for text in notes:
            session.report({"event": "note", "text": text})
        check_intact(session, path / prefix)
    source = Tf2Source(
        model=name or model_name(path, session.store),
        kind=kind,
        file=folder_file(session, path),
        gelu=recorded_gelu(path, gelu, read),
        config=optional_file(session, config),
        vocab=optional_file(session, vocab),
        prefix=prefix,
        root=root,
        heads=_heads(path / prefix if kind == "converted" else path / "variables" / "variables", read, root),
    )
    inspected = Inspected(
        source=Source(model=source.model, kind=source.kind, file=source.file),
        vocab_size=read.vocab_size,
        type_vocab_size=read.type_vocab_size,
        max_positions=read.max_position_embeddings,
        named=described("TensorFlow 2 model", Path(folder), session.store.root) + (f" --root {root}" if root else ""),
    )
    return source, inspected


def folder_and_prefix(path: Path) -> tuple[Path, str]:
    """A path's checkpoint: its folder and its name in there where it names one, else the path itself and no name."""
    named = bool(path.name) and path.with_name(path.name + ".index").is_file()
    return (path.parent, path.name) if named else (path, "")


def check_intact(session: Session, prefix: Path) -> None:
    """Refuse a damaged TensorFlow 2 checkpoint; one whose bytes were hashed before was looked at then.

    Raises:
        CheckpointError: a data file is missing, cut off or changed.
    """
    from bertbuild.checkpoint.intact import require_intact

    data = list(prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*"))
    if not data or not all(session.store.inputs.knows(path.resolve()) for path in data):
        require_intact(prefix)


def _check_vocab(session: Session, path: Path, config: BertConfig) -> None:
    """Say so where the vocabulary has not as many lines as the model has words; no word of it is read here."""
    from bertbuild.checkpoint.vocabulary import count_lines, vocabulary_warning

    warning = vocabulary_warning(str(path), count_lines(path), config.vocab_size) if path.is_file() else ""
    if warning:
        session.report({"event": "warning", "text": warning})


def folder_file(session: Session, path: Path) -> File:
    """A folder with all its files, but for what this program keeps beside them."""
    files = (file for file in path.rglob("*") if file.is_file() and file.name not in OURS)
    return folder_input(path, (str(file.relative_to(path)) for file in files), session.store.inputs)


def optional_file(session: Session, path: str) -> File | None:
    """A file that was named, or None."""
    return session.file(Path(path)) if path else None


def _kind(path: Path) -> str:
    """By what a model is run: as a checkpoint, as a SavedModel, or as a hub module, which ours says it is."""
    if not (path / "saved_model.pb").exists():
        return "converted"
    return "hub" if recorded(path, "signature.json", "kind") == "hub" else "saved-model"


def recorded(path: Path, name: str, key: str) -> str:
    """What a JSON file beside a model says of it; empty where there is no such file, or it says nothing."""
    try:
        value = json.loads(read_regular(path / name)).get(key)
    except (CheckpointError, OSError, ValueError, RecursionError, AttributeError):
        return ""
    return str(value or "")


def recorded_gelu(path: Path, wanted: str, config: BertConfig) -> str | None:
    """The form that was asked for, or was recorded beside the model, or that its configuration names.

    Else the Model Garden's; None where the model has no gelu.
    """
    if config.hidden_act != "gelu":
        return None
    if wanted != "auto":
        return wanted
    beside = recorded(path, "mapping.json", "gelu") or recorded(path, "signature.json", "gelu")
    return beside or config.gelu or GARDEN_GELU


def _heads(prefix: Path, config: BertConfig, root: str) -> tuple[FoundHead, ...]:
    """The classifier that the model answers with, where it has one.

    Raises `CheckpointError` where there is no BERT of this config.
    """
    from bertbuild.checkpoint.bundle import CheckpointReader
    from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
    from bertbuild.checkpoint.recovery import recover

    reader = CheckpointReader(prefix)
    shapes = {found.place.source: found.place.source_shape for found in recover(reader, config, root)}
    has_one = OBJECT_GRAPH_KEY in reader.entries and classifier.WEIGHTS in shapes
    return (classifier.found(shapes[classifier.WEIGHTS][0]),) if has_one else ()
