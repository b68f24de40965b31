"""A checkpoint on disk as a source to build from: inspected once, and where it is not as google-research/bert saves it,
written again as such, so that every stage reads one kind of checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from bertbuild import keys
from bertbuild.checkpoint import sentencepiece
from bertbuild.checkpoint.folder import CheckpointFiles, find_checkpoint
from bertbuild.checkpoint.head_judging import RefusedHead
from bertbuild.checkpoint.imported import import_facts
from bertbuild.checkpoint.reading import Choice, read_names
from bertbuild.checkpoint.task_file import task_file
from bertbuild.checkpoint.training import sort_variables
from bertbuild.engine.engine import Engine
from bertbuild.engine.executor import Report
from bertbuild.engine.order import Order
from bertbuild.families.table import FAMILIES
from bertbuild.heads.found import FoundHead
from bertbuild.json_text import parse_json
from bertbuild.plans.parts import Part, parts_of
from bertbuild.plans.plan import File, OwnGraph, Source
from bertbuild.stages import PROVENANCE, host_code
from bertbuild.store.inputs import file_input, folder_input
from bertbuild.store.store import Store, StoredObject

INSPECT = "inspect"
NORMALISE = "normalise"
MODULES = {INSPECT: "bertbuild.checkpoint.inspection", NORMALISE: "bertbuild.checkpoint.plain"}
"""Whose code makes each of them."""

AS_IT_IS = Choice()
RECORDS = ("normalised.json", PROVENANCE)
"""What lies beside a checkpoint that was written again and is not part of it."""
PLAIN_PREFIX = "bert_model.ckpt"
"""What a checkpoint that was written again is called in its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """A source that may be built from, and the sizes its probe inputs must keep to.

    `named` is the source as the user named it; names in out/ remember it. `labels` are the words that the user gave the
    head's rows, with commas; `lower_case` is what the catalogue says of its text, if it is of the catalogue.
    """

    source: Source
    vocab_size: int
    type_vocab_size: int
    max_positions: int
    named: str = ""
    labels: str = ""
    lower_case: bool | None = None


def inspected(
    path: Path, name: str, store: Store, engine: Engine, report: Report, choice: Choice = AS_IT_IS
) -> Inspected:
    """A checkpoint (its folder, or its prefix) as a source; says what is read otherwise than it lies in the file.

    Raises:
        CheckpointError: it is not a checkpoint, or not a sound one.
    """
    from concurrent.futures import ThreadPoolExecutor

    files = find_checkpoint(path)
    file, found = _known_input(files, store), None
    if file is None:  # a checkpoint never seen is hashed and inspected at once: each reads all of it on its own core
        with ThreadPoolExecutor(max_workers=1) as pool:
            hashed = pool.submit(_input, files, store)
            found = _inspect(files, choice)
            file = hashed.result()
    made = []

    def make(work: Path) -> None:
        facts = found or _inspect(files, choice)
        made.append(True)
        (work / "out" / "inspection.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    facts = _facts(engine.stored(_inspecting(files, file, name, choice, store), make))
    source = _of_facts(files, file, name, facts, choice)
    _tell(files, name, facts, report)
    told = facts["graph"]["gelu"] or facts["config"]["gelu"]
    if made and source.source.gelu and not told and import_facts(files) is None:  # Hugging Face's gelu is erf
        gelu, why = source.source.gelu, facts["graph"]["notes"][0]
        report({"event": "note", "text": f"gelu taken as {gelu}, {FAMILIES[facts['family']].why}: {why}"})
    if facts["reading"]["plain"]:
        return source

    def write(work: Path) -> None:
        from bertbuild.checkpoint.plain import write_plain

        write_plain(files, choice, work / "out" / PLAIN_PREFIX)

    return _plain(source, engine.stored(_normalising(files, file, name, choice, store), write), store)


def expected(files: CheckpointFiles, name: str) -> tuple[Inspected, Mapping[str, Any]]:
    """A checkpoint as a source, as far as its index and the small files beside it tell, and its inspection as JSON.

    No byte of its weights is read, and nothing is kept: it is enough to plan with.

    Raises:
        CheckpointError: something is wrong with it.
    """
    from bertbuild.checkpoint.inspection import require_sound

    facts = require_sound(files, checksums=False).to_json()
    file = File(path=files.folder, digest="", files=(files.index.name,))
    return _of_facts(files, file, name, facts, AS_IT_IS), facts


def inspected_before(
    path: Path, name: str, store: Store, engine: Engine, report: Report, choice: Choice = AS_IT_IS
) -> Inspected | None:
    """As `inspected`, in a millisecond, where an earlier run has read the checkpoint; else None.

    Raises:
        CheckpointError: it is not a checkpoint.
    """
    files = find_checkpoint(path)
    file = _known_input(files, store)
    stored = None if file is None else engine.found(_inspecting(files, file, name, choice, store))
    if file is None or stored is None:
        return None
    facts = _facts(stored)
    source = _of_facts(files, file, name, facts, choice)
    if not facts["reading"]["plain"]:
        plain = engine.found(_normalising(files, file, name, choice, store))
        if plain is None:
            return None
        source = _plain(source, plain, store)
    _tell(files, name, facts, report)
    return source


def _tell(files: CheckpointFiles, name: str, facts: dict[str, Any], report: Report) -> None:
    """Say what is read otherwise than it lies in the file, and what people should look into."""
    for text in (*files.notes, *facts["reading"]["told"]):
        report({"event": "note", "text": f"{name}: {text}"})
    warnings = list(facts["heads"]["warnings"])
    if facts["not_finite"]:
        from bertbuild.checkpoint.judging import not_finite

        warnings.append(not_finite(facts["not_finite"]))
    for text in warnings:
        report({"event": "warning", "text": f"{name}: {text}"})


def _known_input(files: CheckpointFiles, store: Store) -> File | None:
    return _input(files, store) if all(store.inputs.knows(path.resolve()) for path in files.data) else None


def _input(files: CheckpointFiles, store: Store) -> File:
    words = files.vocab or sentencepiece.model_in(files.folder)
    read = {files.config, files.index, *files.data, *filter(None, (words, files.meta))}
    return folder_input(files.folder, [path.name for path in read], store.inputs)


def _of_facts(files: CheckpointFiles, file: File, name: str, facts: dict[str, Any], choice: Choice) -> Inspected:
    config, graph, family = facts["config"], facts["graph"], FAMILIES[facts["family"]]
    heads = tuple(FoundHead(**head) for head in facts["heads"]["found"])
    answers = tuple(graph["answers"])
    return Inspected(
        source=Source(
            model=name,
            kind="checkpoint",
            file=file,
            gelu=(graph["gelu"] or config["gelu"] or family.gelu) if config["hidden_act"] == "gelu" else None,
            family=family.name,
            published=graph["ends_at_pooler"],
            prefix=files.prefix.name,
            heads=heads,
            refused=tuple(RefusedHead(**head) for head in facts["heads"]["refused"]),
            pooler=facts["encoder"]["pooler"],
            max_positions=config["max_position_embeddings"],
            parts=_parts(facts, files, choice, heads),
            own=OwnGraph(file=file, prefix=files.prefix.name, answers=answers) if answers else None,
        ),
        vocab_size=config["vocab_size"],
        type_vocab_size=config["type_vocab_size"],
        max_positions=config["max_position_embeddings"],
    )


def _parts(
    facts: dict[str, Any], files: CheckpointFiles, choice: Choice, heads: tuple[FoundHead, ...]
) -> tuple[Part, ...]:
    """What a checkpoint has besides its encoder, and what an import left out of the folder it was made from."""
    parts = _parts_by_names(tuple(tensor["name"] for tensor in facts["tensors"]), choice, heads)
    left = tuple((import_facts(files) or {}).get("left_out", ()))
    return (*parts, Part(kind="import", what="tensors that the import left out", names=left)) if left else parts


@cache
def _parts_by_names(tensors: tuple[str, ...], choice: Choice, heads: tuple[FoundHead, ...]) -> tuple[Part, ...]:
    """What the names of a checkpoint's tensors tell of its parts; most models of a build file have the same."""
    names = dict.fromkeys(tensors)
    reading, purposes = read_names(names, choice), sort_variables(names)
    kept = [name for found in purposes.slots.values() for name in found]
    return parts_of(reading.names, reading.left_out, kept, global_step=purposes.global_step, found=heads)


def _plain(found: Inspected, stored: StoredObject, store: Store) -> Inspected:
    """The source with the checkpoint that was written again in the place of its own; its .meta fits other names."""
    names = [name for name in stored.manifest["files"] if name not in RECORDS]
    file = folder_input(stored.path, names, store.inputs)
    return replace(found, source=replace(found.source, file=file, prefix=PLAIN_PREFIX, published=False))


def _inspect(files: CheckpointFiles, choice: Choice) -> dict[str, Any]:
    from bertbuild.checkpoint.inspection import require_sound

    return require_sound(files, choice=choice).to_json()


def _task(files: CheckpointFiles, store: Store) -> dict[str, File]:
    """What the checkpoint was fine-tuned for, where that lies beside it: it goes with the weights."""
    path = task_file(files.folder, files.prefix.name)
    return {} if path is None else {"task": file_input(path, store.inputs)}


def _inspecting(files: CheckpointFiles, file: File, name: str, choice: Choice, store: Store) -> Order:
    """What `inspect` says of a checkpoint: of that, and of what tells of its heads beside it."""
    kind = ((import_facts(files) or {}).get("head") or {}).get("kind", "")
    params = choice.as_params() | ({"imported": kind} if kind else {})
    return _order(INSPECT, files, {"checkpoint": file, **_task(files, store)}, name, params)


def _normalising(files: CheckpointFiles, file: File, name: str, choice: Choice, store: Store) -> Order:
    """A checkpoint written again: the same whatever its heads are of."""
    params = replace(choice, head="").as_params()
    return _order(NORMALISE, files, {"checkpoint": file, **_task(files, store)}, name, params)


def _order(
    stage: str, files: CheckpointFiles, sources: Mapping[str, File], name: str, params: Mapping[str, str]
) -> Order:
    """A stage of the host's over a checkpoint, kept: one that passed once is not read again."""
    parts = keys.components(
        stage=stage,
        code=_code(stage),
        environment={},
        params={"prefix": files.prefix.name, **params},
        inputs={name: source.digest for name, source in sources.items()},
    )
    told = {"id": stage, "job": f"{name}/{stage}", "model": name}
    return Order(stage=stage, parts=parts, sources=dict(sources), told=told)


@cache
def _code(stage: str) -> str:
    """Digest of the code that inspects or writes again: this process's own, so that it stays the same."""
    return keys.code_digest(host_code(MODULES[stage]))


def _facts(stored: StoredObject) -> dict[str, Any]:
    return dict(parse_json((stored.path / "inspection.json").read_text(encoding="utf-8")))
