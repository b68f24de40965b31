"""From what the user names (a model, a folder, a zip, a frozen graph) to a source that has passed inspection."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from bertbuild.checkpoint.reading import Choice
from bertbuild.checkpoint_sources import AS_IT_IS, Inspected, inspected
from bertbuild.config import Settings
from bertbuild.engine.engine import Engine
from bertbuild.engine.making import Report
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.graph.graphdef import Graph
from bertbuild.huggingface.folder import find_files, is_huggingface
from bertbuild.inputs import file_input, folder_input
from bertbuild.plans.plan import Plan, Source, plan_import
from bertbuild.store.locking import exclusive
from bertbuild.store.naming import below, described
from bertbuild.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user named: a model, a checkpoint (folder, zip or Hugging Face folder), a frozen graph, or a SavedModel.

    Just one of the four; `name` is what the results are called; left empty, the model's or the folder's own name.
    `scope` and `ema` are as in `Choice`.
    """

    model: str = ""
    checkpoint: str = ""
    frozen: str = ""
    saved_model: str = ""
    name: str = ""
    scope: str = ""
    ema: bool = False

    @property
    def choice(self) -> Choice:
        """What was said of a checkpoint that can be read in several ways."""
        return Choice(scope=self.scope, ema=self.ema)


def fetch_model(name: str, settings: Settings, store: Store, report: Report) -> Path:
    """The folder of a catalogue model, fetched if it is not there; every file is the one on record."""
    from bertbuild.catalogue.fetch import fetch
    from bertbuild.catalogue.models import find_model
    from bertbuild.catalogue.sources import Sources

    model = find_model(name)
    store.use(store.root / "downloads" / model.name)
    fetched = fetch(
        model,
        downloads=store.root / "downloads",
        sources=Sources(mirror=settings.mirror, local=settings.local),
        lock=settings.models_lock,
        progress=lambda done, total: report({"event": "download", "name": model.name, "done": done, "total": total}),
        note=lambda text: report({"event": "note", "text": text}),
    )
    for entry in fetched.recorded:
        report({"event": "note", "text": f"hash of {entry} recorded in {settings.models_lock}; keep that file"})
    return fetched.folder


def resolve(wanted: Wanted, settings: Settings, store: Store, engine: Engine, report: Report) -> Inspected:
    """The source that was named, inspected.

    Raises:
        UsageError: not just one source was named.
        CheckpointError: it did not pass; nothing was started.
        UnknownModelError, DownloadError, IntegrityError, ArchiveError, NoSpaceError: it could not be had.
    """
    if sum(map(bool, (wanted.model, wanted.checkpoint, wanted.frozen, wanted.saved_model))) != 1:
        raise UsageError(
            "Name one source: a model, a checkpoint, a frozen graph or a SavedModel, where the command takes it.",
            next_step="For instance --model minilm-l6 or --checkpoint FOLDER-or-ZIP; --help lists what there is.",
        )
    check_name(wanted.name)
    if wanted.choice != AS_IT_IS and not (wanted.model or wanted.checkpoint):
        raise UsageError(
            "--scope and --ema say which variables of a checkpoint are meant; no checkpoint is named.",
            next_step="Leave them out, or build from the checkpoint with --checkpoint.",
        )
    return replace(_resolved(wanted, settings, store, engine, report), named=as_named(wanted, store))


def _resolved(wanted: Wanted, settings: Settings, store: Store, engine: Engine, report: Report) -> Inspected:
    if wanted.frozen:
        path = Path(wanted.frozen)
        return _frozen(path, wanted.name or _frozen_name(path, store), store)
    if wanted.saved_model:
        folder = newest_saved_model(Path(wanted.saved_model), report)
        return _saved_model(folder, wanted.name or model_name(Path(wanted.saved_model), store), store)
    folder, name = checkpoint_folder(wanted, settings, store, engine, report)
    return inspected(folder, name, store, engine, report, wanted.choice)


def as_named(wanted: Wanted, store: Store) -> str:
    """A source in the user's own words, as names in out/ remember it."""
    if wanted.model:
        from bertbuild.catalogue.models import find_model

        return f"model {find_model(wanted.model).name}"
    kinds = {"checkpoint": wanted.checkpoint, "frozen graph": wanted.frozen, "SavedModel": wanted.saved_model}
    ((kind, path),) = ((kind, path) for kind, path in kinds.items() if path)
    return " ".join([described(kind, Path(path), store.root), *wanted.choice.as_flags()])


def checkpoint_folder(
    wanted: Wanted, settings: Settings, store: Store, engine: Engine, report: Report
) -> tuple[Path, str]:
    """The folder of the checkpoint that was named, and what to call it: fetched, unpacked, imported if need be."""
    folder, name = located(wanted, settings, store, report)
    if is_huggingface(folder):
        folder = engine.run(import_plan(folder, name, store))["import"].path
    return folder, name


def located(wanted: Wanted, settings: Settings, store: Store, report: Report) -> tuple[Path, str]:
    """The folder of what was named, and what to call it: fetched and unpacked, but not imported yet."""
    if wanted.model:
        from bertbuild.catalogue.models import find_model

        name = find_model(wanted.model).name
        folder = fetch_model(wanted.model, settings, store, report)
    else:
        folder = _unpacked(Path(wanted.checkpoint), store)
        name = model_name(Path(wanted.checkpoint), store)
    return folder, wanted.name or name


def import_plan(folder: Path, name: str, store: Store) -> Plan:
    """Hugging Face folder → checkpoint, its one step being `import`.

    Raises:
        CheckpointError: a file is missing, or config.json is of a model that cannot be imported.
    """
    from bertbuild.huggingface.settings import read_settings

    files = find_files(folder)
    read_settings(files.config)
    return plan_import(name, folder_input(folder, files.names, store.inputs))


def is_zip(path: Path) -> bool:
    """Whether a checkpoint has to be unpacked."""
    return path.is_file() and path.suffix == ".zip"


def unpacked_place(path: Path, store: Store) -> Path:
    """Where a zip is unpacked to, once, under its hash."""
    return store.root / "downloads" / ".unpacked" / store.inputs.of(path.resolve())[:32]


def _unpacked(path: Path, store: Store) -> Path:
    if not is_zip(path):
        return path
    from bertbuild.catalogue.archive import unpack_checkpoint_zip

    folder = unpacked_place(path, store)
    store.use(folder)
    with exclusive(folder.with_name(folder.name + ".lock")):
        if not folder.exists():
            unpack_checkpoint_zip(path, folder)
    return folder


def _frozen(path: Path, name: str, store: Store) -> Inspected:
    from bertbuild.graph.graphdef import GraphFormatError, read_graph
    from bertbuild.graph.roles import input_roles
    from bertbuild.graph.sizes import embedding_sizes

    if not path.is_file():
        raise CheckpointError(f"{path} is not a file.", next_step="Give the path of a frozen graph (.pb).")
    try:
        graph = read_graph(path)
        _require_frozen(graph, path)
        input_roles(graph)
        sizes = embedding_sizes(graph)
    except GraphFormatError as error:
        raise CheckpointError(
            str(error), next_step="Give a frozen BERT graph, or build from the checkpoint with --checkpoint."
        ) from error
    source = Source(model=name, kind="frozen", file=file_input(path, store.inputs), max_positions=sizes.positions)
    return Inspected(
        source=source, vocab_size=sizes.vocab, type_vocab_size=sizes.token_types, max_positions=sizes.positions
    )


def newest_saved_model(folder: Path, report: Report) -> Path:
    """The folder itself where it holds a SavedModel; of an Estimator's exports (one folder a time), the newest."""
    exports = [path for path in folder.glob("*/saved_model.pb") if path.parent.name.isdecimal()]
    if (folder / "saved_model.pb").exists() or not exports:
        return folder
    newest = max(exports, key=lambda path: int(path.parent.name)).parent
    report({"event": "note", "text": f"of {len(exports)} exports in {folder}, the newest is taken: {newest.name}"})
    return newest


def _saved_model(folder: Path, name: str, store: Store) -> Inspected:
    from bertbuild.graph.gelu import gelu_form
    from bertbuild.graph.graphdef import GraphFormatError
    from bertbuild.graph.saved_model import read_saved_model
    from bertbuild.graph.sizes import embedding_sizes

    try:
        model = read_saved_model(folder)
        outputs, sizes, gelu, seq_len = (
            model.known_outputs(),
            embedding_sizes(model.graph),
            gelu_form(model.graph),
            model.fixed_size(1),
        )
    except GraphFormatError as error:
        raise CheckpointError(
            str(error), next_step="Give the folder that holds saved_model.pb, or build from the checkpoint."
        ) from error
    variables = [f"variables/{path.name}" for path in (folder / "variables").glob("variables.*")]
    probabilities = outputs.get("probabilities")
    source = Source(
        model=name,
        kind="saved-model",
        file=folder_input(folder, ["saved_model.pb", *variables], store.inputs),
        gelu=gelu,
        labels=probabilities.shape[-1] if probabilities is not None and probabilities.shape else 0,
        seq_len=seq_len,
        outputs=tuple(output.removesuffix("_output") for output in outputs),
        max_positions=sizes.positions,
    )
    return Inspected(
        source=source,
        vocab_size=sizes.vocab,
        type_vocab_size=sizes.token_types,
        max_positions=seq_len or sizes.positions,
    )


def _require_frozen(graph: Graph, path: Path) -> None:
    variables = [node.name for node in graph.nodes.values() if node.op in ("Variable", "VariableV2", "VarHandleOp")]
    if variables:
        raise CheckpointError(
            f"{path} is not frozen: {variables[0]} is a variable, and {len(variables) - 1} more are.",
            next_step="Build from its checkpoint (--checkpoint FOLDER), or freeze it with its weights first.",
        )


def name_of(path: Path) -> str:
    """What to call a result after the path that was typed: its last part, though it be a link to another name."""
    return clean_name(os.path.basename(os.path.abspath(path)))  # noqa: PTH100, PTH119 - pathlib would follow links


def model_name(path: Path, store: Store) -> str:
    """What to call the model at a path that was typed: a folder, the name of a checkpoint in one, or a zip.

    What has a name in out/ already keeps its model's: `out/mine/finetuned-mrpc` is of the model `mine`. A checkpoint
    that is named by its prefix is called as its folder is, an Estimator's export (a time) as the folder of its exports.
    """
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link to another name
    inside = below(whole, store.root)
    if inside is not None and inside.parts[:1] == ("out",) and len(inside.parts) > 1:
        return inside.parts[1]
    if not whole.is_dir() and whole.with_name(f"{whole.name}.index").is_file():
        return model_name(whole.parent, store)
    if whole.is_dir() and whole.name.isdecimal():
        return model_name(whole.parent, store)
    return name_of(whole).removesuffix(".zip")


def _frozen_name(path: Path, store: Store) -> str:
    folder = model_name(path.parent, store)
    return folder if below(path, store.root) is not None else f"{folder}-{clean_name(path.stem)}"


def vocabulary_name(path: Path, store: Store) -> str:
    """What to call a vocabulary: its model where it has a model's usual file name, else the file's name."""
    if path.name == "vocab.txt":
        return model_name(path.absolute().parent, store)
    return clean_name(path.name.removesuffix(".txt").removesuffix(".vocab"))


def check_name(name: str) -> None:
    """Refuse a --name that cannot be a folder's; an empty one is none."""
    if name and name != clean_name(name):
        raise UsageError(
            f"--name {name!r} cannot be a folder's name.",
            next_step=f"Use letters, digits, dots, dashes, underscores; for instance --name {clean_name(name)}",
        )


def clean_name(name: str) -> str:
    """A name that is safe as a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"
