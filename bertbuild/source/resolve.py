"""From what the user names (a model, a folder, a zip, a frozen graph) to a source that has passed inspection."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.checkpoint.folder import ARCHIVES, choose_checkpoint
from bertbuild.checkpoint.v1_files import is_v1
from bertbuild.config import Settings
from bertbuild.engine.engine import Engine
from bertbuild.engine.executor import Report
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.families.bert_names import CONFIG_FILE, OTHER_CONFIGS
from bertbuild.files.locking import exclusive
from bertbuild.huggingface.folder import find_files, is_huggingface
from bertbuild.names import clean_name
from bertbuild.plans.plan import Plan, Source, plan_import
from bertbuild.plans.wanted import SOURCES, Wanted
from bertbuild.source.checkpoints import AS_IT_IS, Inspected, inspected, inspected_before
from bertbuild.source.fetched import fetch_model
from bertbuild.store.inputs import folder_input
from bertbuild.store.naming import below, described
from bertbuild.store.store import Store
from bertbuild.text.words import TOKENIZER_FILES

if TYPE_CHECKING:
    from bertbuild.graph.sizes import EmbeddingSizes


def is_fetched(name: str, store: Store) -> bool:
    """Whether a catalogue model is in its place; whether it is whole is looked at when it is used."""
    from bertbuild.catalogue.models import find_model

    return (store.root / "downloads" / find_model(name).name).is_dir()


USUAL = ("model", "checkpoint", "frozen", "saved_model")
"""The flags that most commands name a source by."""


def check_wanted(wanted: Wanted, flags: Sequence[str] = USUAL) -> None:
    """Refuse what does not name just one source, or says of it what goes with another kind of source.

    Args:
        wanted: what was named.
        flags: those by which the command takes a source, for the error.

    Raises:
        UsageError: it does not.
    """
    words = [SOURCES[flag] for flag in flags if flag in SOURCES]
    example = "--tf2 FOLDER" if "model" not in flags else "--model minilm-l6 or --checkpoint FOLDER-or-ZIP"
    if sum(bool(getattr(wanted, source)) for source in SOURCES) != 1:
        raise UsageError(
            f"Name one source: {', '.join(words[:-1])} or {words[-1]}." if len(words) > 1 else f"Name {words[0]}.",
            next_step=f"For instance {example}; --help lists what there is.",
        )
    check_name(wanted.name)
    if wanted.root and not wanted.of_tf2:
        raise UsageError(
            "--root says which encoder of a TensorFlow 2 checkpoint is meant; none is named.",
            next_step="Leave it out, or choose a scope of a TensorFlow 1 checkpoint: --scope SCOPE.",
        )
    if wanted.choice != AS_IT_IS and not (wanted.model or wanted.checkpoint):
        raise UsageError(
            f"--{next(iter(wanted.choice.as_params()))} says how a checkpoint is read, and no checkpoint is named.",
            next_step="Leave them out, or build from the checkpoint with --checkpoint.",
        )
    _check_own_files(wanted)
    if wanted.outputs and not wanted.frozen:
        raise UsageError(
            "--outputs names nodes of a frozen graph, and none is given.",
            next_step="Give --frozen GRAPH.pb, or choose with --output what a checkpoint's target gives.",
        )


def called(wanted: Wanted, store: Store) -> str:
    """What results of a source are called: its --name, else after the source.

    Raises:
        UnknownModelError: the catalogue has no such model.
    """
    if wanted.model:
        from bertbuild.catalogue.models import find_model

        return wanted.name or find_model(wanted.model).name
    if wanted.frozen:
        return wanted.name or _frozen_name(Path(wanted.frozen), store)
    return wanted.name or model_name(Path(wanted.checkpoint or wanted.saved_model or wanted.of_tf2), store)


def as_named(wanted: Wanted, store: Store) -> str:
    """A source in the user's own words, as names in out/ remember it."""
    if wanted.model:
        from bertbuild.catalogue.models import find_model

        return f"model {find_model(wanted.model).name}"
    kinds = {"checkpoint": wanted.checkpoint, "frozen graph": wanted.frozen, "SavedModel": wanted.saved_model}
    kinds["TensorFlow 2 model"] = wanted.of_tf2
    ((kind, path),) = ((kind, path) for kind, path in kinds.items() if path)
    root = [f"--root {wanted.root}"] if wanted.root else []
    return " ".join([described(kind, Path(path), store.root), *root, *wanted.choice.as_flags()])


def checkpoint_folder(
    wanted: Wanted, settings: Settings, store: Store, engine: Engine, report: Report
) -> tuple[Path, str]:
    """The folder of the checkpoint that was named, and what to call it: fetched, unpacked, imported if need be."""
    _check_own_files(wanted)
    folder, name = located(wanted, settings, store, report), called(wanted, store)
    if to_import(wanted, folder):
        folder = engine.run(import_plan(folder, name, store))["import"].path
    return folder, name


def located(wanted: Wanted, settings: Settings, store: Store, report: Report) -> Path:
    """The file or folder of what was named: fetched and unpacked, but not imported yet."""
    if wanted.model:
        return _as_called(fetch_model(wanted.model, settings, store, report), store)
    if wanted.frozen:
        return Path(wanted.frozen)
    if wanted.saved_model:
        return newest_saved_model(Path(wanted.saved_model), report)
    if wanted.of_tf2:
        return Path(wanted.of_tf2)
    folder = _unpacked(Path(wanted.checkpoint), store)
    return _as_called(folder, store, wanted.config, wanted.vocab)


def _as_called(folder: Path, store: Store, config: str = "", vocab: str = "") -> Path:
    """A checkpoint with the configuration and vocabulary that are its own, under the names that stages look for."""
    if not (config or vocab or _is_called_otherwise(folder)):
        return folder
    from bertbuild.source.completed import completed

    return completed(folder, config, vocab, store)


def _is_called_otherwise(folder: Path) -> bool:
    """Whether a checkpoint's configuration has the name of another family's, which stages do not look for."""
    place = folder if folder.is_dir() else folder.parent
    if (place / CONFIG_FILE).exists() or is_huggingface(place):
        return False
    return any(found for pattern in OTHER_CONFIGS for found in (*place.glob(pattern), *place.glob(f"*/{pattern}")))


def to_import(wanted: Wanted, folder: Path) -> bool:
    """Whether what was located has to be imported: a Hugging Face folder."""
    return bool(wanted.model or wanted.checkpoint) and is_huggingface(folder)


def look(wanted: Wanted, place: Path, name: str, store: Store, engine: Engine, report: Report) -> Inspected:
    """What lies at a place, inspected as the source that was named; a checkpoint is imported by now.

    Raises:
        CheckpointError: it did not pass.
    """
    found = look_at_other(wanted, place, name, store, report)
    with _told_as_named(wanted, place):
        return found or inspected(place, name, store, engine, report, wanted.choice)


def look_at_other(wanted: Wanted, place: Path, name: str, store: Store, report: Report) -> Inspected | None:
    """The same of what is no checkpoint of TensorFlow 1, for which no engine is needed; None for one."""
    if wanted.frozen:
        return _frozen(place, name, wanted, store, report)
    if wanted.saved_model:
        return _saved_model(place, name, store)
    if wanted.of_tf2:
        from bertbuild.source.tensorflow2 import tensorflow_2

        return tensorflow_2(wanted, place, name, store, report)
    return None


def looked_before(
    wanted: Wanted, place: Path, name: str, store: Store, engine: Engine, report: Report
) -> Inspected | None:
    """The same in a millisecond where an earlier run has read a checkpoint; else None."""
    if wanted.frozen or wanted.saved_model or wanted.of_tf2:
        return None
    with _told_as_named(wanted, place):
        return inspected_before(place, name, store, engine, report, wanted.choice)


@contextlib.contextmanager
def _told_as_named(wanted: Wanted, place: Path) -> Iterator[None]:
    """Tell of a checkpoint by the path that the user gave, not by the store's, where it was unpacked or completed."""
    try:
        yield
    except CheckpointError as error:
        if not wanted.checkpoint or str(place) not in str(error):
            raise
        path = Path(wanted.checkpoint)
        named = path if path.is_dir() or is_archive(path) or not place.is_dir() else path.parent
        raise CheckpointError(
            str(error).replace(str(place), str(named)), next_step=error.next_step, details=error.details
        ) from error


def _check_own_files(wanted: Wanted) -> None:
    if (wanted.config or wanted.vocab) and not (wanted.checkpoint or wanted.of_tf2):
        raise UsageError(
            f"{'--config' if wanted.config else '--vocab'} goes with a checkpoint, and none is named.",
            next_step="Leave it out, or name the checkpoint: --checkpoint FOLDER.",
        )


def import_plan(folder: Path, name: str, store: Store) -> Plan:
    """Hugging Face folder → checkpoint, its one step being `import`.

    Raises:
        CheckpointError: a file is missing, or config.json is of a model that cannot be imported.
    """
    from bertbuild.huggingface.settings import read_settings

    files = find_files(folder)
    read_settings(files.config)
    return plan_import(name, folder_input(folder, files.names, store.inputs))


def is_archive(path: Path) -> bool:
    """Whether a checkpoint has to be unpacked."""
    return path.is_file() and path.name.endswith(ARCHIVES)


def unpacked_place(path: Path, store: Store) -> Path:
    """Where an archive is unpacked to, once, under its hash."""
    return store.root / "downloads" / ".unpacked" / store.inputs.of(path.resolve())[:32]


def _unpacked(path: Path, store: Store) -> Path:
    if not is_archive(path):
        return path
    from bertbuild.catalogue.archive import unpack_checkpoint

    folder = unpacked_place(path, store)
    store.use(folder)
    with exclusive(folder.with_name(folder.name + ".lock")):
        if not folder.exists():
            unpack_checkpoint(path, folder)
    _check_only(path, folder)
    return folder


def _check_only(archive: Path, folder: Path) -> None:
    """Refuse an archive of several checkpoints: a prefix in the store is no name of the user's for one of them."""
    try:
        choose_checkpoint(folder)
    except CheckpointError as error:
        prefixes = sorted(path.stem for path in folder.glob("*.index"))
        if len(prefixes) < 2:
            raise
        raise CheckpointError(
            str(error).replace(str(folder), str(archive)),
            next_step=f"Unpack it into a folder of yours and name one by its prefix: --checkpoint FOLDER/{prefixes[0]}",
            details=error.details,
        ) from error


def _frozen(path: Path, name: str, wanted: Wanted, store: Store, report: Report) -> Inspected:
    from bertbuild.source.graphs import frozen_source

    source, sizes = frozen_source(path, name, wanted.outputs, store.inputs)
    for what, size in (("batches", source.batch), ("sequences", source.seq_len)):
        if size is not None:
            report({"event": "note", "text": f"the graph takes {what} of {size} alone: that is built into its inputs"})
    return _of_graph(source, sizes)


def newest_saved_model(folder: Path, report: Report) -> Path:
    """The folder itself where it holds a SavedModel; of an Estimator's exports (one folder a time), the newest."""
    exports = [path for path in folder.glob("*/saved_model.pb") if path.parent.name.isdecimal()]
    if (folder / "saved_model.pb").exists() or not exports:
        return folder
    newest = max(exports, key=lambda path: int(path.parent.name)).parent
    report({"event": "note", "text": f"of {len(exports)} exports in {folder}, the newest is taken: {newest.name}"})
    return newest


def _saved_model(folder: Path, name: str, store: Store) -> Inspected:
    from bertbuild.source.graphs import saved_model_source

    return _of_graph(*saved_model_source(folder, name, store.inputs))


def _of_graph(source: Source, sizes: EmbeddingSizes) -> Inspected:
    return Inspected(
        source=source,
        vocab_size=sizes.vocab,
        type_vocab_size=sizes.token_types,
        max_positions=source.seq_len or sizes.positions,
    )


def name_of(path: Path) -> str:
    """What to call a result after the path that was typed: its last part, though it be a link to another name."""
    return clean_name(os.path.basename(os.path.abspath(path)))  # noqa: PTH100, PTH119 - pathlib would follow links


def model_name(path: Path, store: Store) -> str:
    """What to call the model at a path that was typed: a folder, the name of a checkpoint in one, or an archive.

    What has a name in out/ already keeps its model's: `out/mine/finetuned-mrpc` is of the model `mine`. A checkpoint
    that is named by its prefix is called as its folder is, an Estimator's export (a time) as the folder of its exports.
    """
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link to another name
    inside = below(whole, store.root)
    if inside is not None and inside.parts[:1] == ("out",) and len(inside.parts) > 1:
        return inside.parts[1]
    if not whole.is_dir() and (whole.with_name(f"{whole.name}.index").is_file() or is_v1(whole)):
        return model_name(whole.parent, store)
    if whole.is_dir() and whole.name.isdecimal():
        return model_name(whole.parent, store)
    ending = next((ending for ending in ARCHIVES if whole.name.endswith(ending)), "")
    return name_of(whole.with_name(whole.name.removesuffix(ending)) if ending else whole)


def _frozen_name(path: Path, store: Store) -> str:
    folder = model_name(path.parent, store)
    return folder if below(path, store.root) is not None else f"{folder}-{clean_name(path.stem)}"


def vocabulary_name(path: Path, store: Store) -> str:
    """What to call a vocabulary: its model where it has a model's usual file name, else the file's name."""
    if path.name in TOKENIZER_FILES:
        return model_name(path.absolute().parent, store)
    return clean_name(path.name.removesuffix(".txt").removesuffix(".vocab").removesuffix(".model"))


def check_name(name: str) -> None:
    """Refuse a --name that cannot be a folder's; an empty one is none."""
    if name and name != clean_name(name):
        raise UsageError(
            f"--name {name!r} cannot be a folder's name.",
            next_step=f"Use letters, digits, dots, dashes, underscores; for instance --name {clean_name(name)}",
        )
