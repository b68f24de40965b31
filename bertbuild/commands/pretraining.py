"""prepare-pretraining-data."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertbuild import keys
from bertbuild.checkpoint.vocabulary import is_pieces
from bertbuild.commands.data import reading_of
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.errors import UsageError
from bertbuild.files.disk import full_disk_told
from bertbuild.json_text import parse_json
from bertbuild.plans.plan import File
from bertbuild.plans.pretraining_data import PretrainingRequest, plan_pretraining_data, target_name
from bertbuild.plural import number_of
from bertbuild.source.resolve import check_name, vocabulary_name
from bertbuild.store.naming import DATA, described


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingData(Result):
    """Records to pre-train with: their name in out/ (`name`, `target`), the link there, what prepared.json says."""

    name: str
    target: str
    path: Path
    prepared: Mapping[str, Any]

    def facts(self) -> dict[str, Any]:
        """What prepared.json says beside the rest."""
        return {"name": self.name, "target": self.target, "path": str(self.path), **self.prepared}


def prepare_pretraining_data(
    session: Session, patterns: str, vocab: str, outputs: Sequence[str], name: str, request: PretrainingRequest
) -> PretrainingData:
    """Make the records, name them in out/, and copy them to `outputs`, of which there are as many as shards.

    Raises:
        UsageError: there is no such text or vocabulary, or an output is there already.
        StageError: the text, the vocabulary or a setting is not what examples can be made of.
    """
    check_name(name)
    texts = _matching(patterns)
    if not Path(vocab).is_file():
        raise UsageError(
            f"{vocab} is not a file." if vocab else "No vocabulary is named.",
            next_step="Give the model's: --vocab-file vocab.txt.",
        )
    for output in outputs:
        if Path(output).exists():
            raise UsageError(f"There is a file {output} already.", next_step="Name another, or remove that one first.")
    if is_pieces(Path(vocab)):
        raise UsageError(
            f"{vocab} is a model of SentencePiece, and records for pre-training are made of WordPiece's words.",
            next_step="Give a vocab.txt; an ALBERT is pre-trained with google-research/albert's own program.",
        )
    reading = reading_of(session, Path(vocab), None, request.vocab_reading)
    request = replace(request, vocab_reading=reading)
    digests = [session.store.inputs.of(path) for path in texts]
    words = session.file(Path(vocab))
    # A work folder without a lock would count as a crash's, and be removed by the next command that starts.
    with session.store.lock("text", str(os.getpid()), on_wait=lambda _: None) as work:
        links = work / "text"
        links.mkdir()
        for number, path in enumerate(texts):
            (links / (path.name if len(texts) == 1 else f"{number:05d}-{path.name}")).symlink_to(path)
        text = File(path=links, digest=keys.digest(digests))
        plan = plan_pretraining_data(name or vocabulary_name(Path(vocab), session.store), text, words, request)
        source = f"{patterns} with {described('vocabulary', Path(vocab), session.store.root)}"
        session.claim(plan.model, target_name(request), source, keys.digest([*digests, words.digest]), of=DATA)
        made = session.engine.run(plan)["pretraining-data"]
    path = session.store.link(plan.model, target_name(request), made)
    prepared = parse_json((path / "prepared.json").read_text(encoding="utf-8"))
    with full_disk_told(Path.cwd()):
        for file, output in zip(prepared["files"], outputs, strict=False):
            Path(output).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path / file, output)
    return session.result(
        PretrainingData(name=plan.model, target=target_name(request), path=path, prepared=prepared),
        f"{number_of(prepared['examples'], 'example')} of {number_of(prepared['documents'], 'document')}, "
        f"{number_of(prepared['pieces'], 'piece')}",
        shown(path),
    )


def _matching(patterns: str) -> list[Path]:
    """The files that patterns with commas name, in the order they name them; those of one pattern by name.

    Raises:
        UsageError: a pattern names none.
    """
    if not patterns:
        raise UsageError("No text is named.", next_step="For instance: --input-file corpus.txt")
    found = []
    for pattern in patterns.split(","):
        names = sorted(glob.glob(pattern))  # noqa: PTH207 - pathlib takes no absolute pattern
        files = [Path(name).resolve() for name in names if Path(name).is_file()]
        if not files:
            raise UsageError(
                f"No file matches {pattern!r}.",
                next_step="Give files of text: --input-file corpus.txt, or of a folder: --input-file 'folder/*.txt'",
            )
        found += files
    return found
