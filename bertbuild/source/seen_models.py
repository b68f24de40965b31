"""A model of a user's folder as a source to plan with, and what it is in words; no weights are read of a checkpoint."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bertbuild.catalogue.archive import unpack_checkpoint
from bertbuild.catalogue.containers import DAMAGE, ending_of, open_container
from bertbuild.catalogue.members import Limits, Member, list_members
from bertbuild.checkpoint.config import read_config
from bertbuild.checkpoint.folder import ARCHIVES, find_checkpoint
from bertbuild.errors import ArchiveError, BertbuildError
from bertbuild.families.bert_names import CONFIG_FILE
from bertbuild.families.table import FAMILIES
from bertbuild.fields import fields_of
from bertbuild.heads.found import FoundHead
from bertbuild.huggingface.folder import find_files
from bertbuild.huggingface.settings import read_settings
from bertbuild.plans.plan import Source
from bertbuild.plans.wanted import Wanted
from bertbuild.plural import number_of
from bertbuild.source.checkpoints import Inspected, expected
from bertbuild.source.expected import expected_source
from bertbuild.source.folder_models import Place
from bertbuild.source.known_text import OF_WORDS, named_labels, text_of
from bertbuild.source.resolve import look_at_other, newest_saved_model
from bertbuild.source.tensorflow2 import folder_and_prefix
from bertbuild.store.store import Store

SMALL: Final = 64 << 20
"""Bytes: a file of an archive that is larger is not unpacked to look at it; it has weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A model that was looked at.

    Attributes:
        source: what can be planned with.
        what: it in words.
        labels: the words of its head's rows, where they are known.
        told: sentences on what is unusual.
    """

    source: Source
    what: str
    labels: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def heads(self) -> str:
        """Its heads in words."""
        of_task = [_head(head, self.labels) for head in self.source.heads]
        return "; ".join(of_task) or "no head"

    @property
    def lacks_labels(self) -> FoundHead | None:
        """Its head, where the rows of that have no words."""
        head = self.source.head
        return head if head and head.kind in OF_WORDS and len(self.labels) != head.labels else None


def seen(place: Place, name: str, store: Store) -> Seen | None:
    """Look at a model; None for an archive of something else.

    Raises:
        BertbuildError: nothing can be built from it.
    """
    path = place.path
    if place.key == "huggingface":
        return _hugging_face(path, name)
    if place.key != "checkpoint":
        return _by_reader(place, name, store)
    if not path.name.endswith(ARCHIVES) or path.is_dir():
        return _checkpoint(path, name, store)
    members = _members(path)
    if not any(member.name.endswith(".index") for member in members):
        return None
    with _without_weights(path, members) as folder:
        try:
            return _checkpoint(folder, name, store)
        except BertbuildError as error:
            error.args = (str(error).replace(str(folder), str(path)),)
            error.next_step = error.next_step.replace(str(folder), str(path))
            raise


def _checkpoint(path: Path, name: str, store: Store) -> Seen:
    found, facts = expected(find_checkpoint(path), name)
    told = (*facts["warnings"], *(refused["why"] for refused in facts["heads"]["refused"]))
    return Seen(
        source=found.source, what=_sizes(facts["config"], found.source), labels=_labels(found, store), told=told
    )


def _labels(found: Inspected, store: Store) -> tuple[str, ...]:
    text = text_of(found, store)
    return text[0].labels if text else ()


def _hugging_face(path: Path, name: str) -> Seen:
    source, settings = expected_source(path, name), read_settings(find_files(path).config)
    return Seen(source=source, what=_sizes(settings.bert_config, source), labels=named_labels(settings.theirs))


def _by_reader(place: Place, name: str, store: Store) -> Seen:
    """A graph, SavedModel or TensorFlow 2 model, as a build looks at it."""
    told: list[str] = []
    named: dict[str, Any] = {place.key: str(place.path)}
    wanted = Wanted(**named, name=name)

    def report(event: Mapping[str, Any]) -> None:
        told.append(str(event["text"]))

    path = newest_saved_model(place.path, report) if place.key == "saved_model" else place.path
    found = look_at_other(wanted, path, name, store, report)
    assert found is not None  # noqa: S101 - it is no checkpoint
    if place.key == "tf2":
        what = _sizes(fields_of(read_config(folder_and_prefix(path)[0] / CONFIG_FILE)), found.source)
    else:
        what = f"{found.vocab_size} words, {found.max_positions} positions"
    return Seen(source=found.source, what=what, labels=_labels(found, store), told=tuple(told))


def _sizes(config: Mapping[str, Any], source: Source) -> str:
    layers = number_of(config["num_hidden_layers"], "layer")
    return (
        f"{FAMILIES[source.family].what}: {layers} of {config['hidden_size']}, {config['vocab_size']} words, "
        f"{config['max_position_embeddings']} positions"
    )


def _head(head: FoundHead, labels: Sequence[str]) -> str:
    if head.kind not in OF_WORDS:
        return f"a head of kind {head.kind}"
    words = f" ({', '.join(labels[:8])}{', …' if len(labels) > 8 else ''})" if len(labels) == head.labels else ""
    return f"a head of kind {head.kind} of {head.labels}{words}"


def _members(archive: Path) -> list[Member]:
    """The files of an archive.

    Raises:
        ArchiveError: it is damaged, or one that would not be unpacked.
    """
    limits = Limits()
    try:
        with open_container(archive, limits) as opened:
            return list_members(opened.entries(), archive.name, limits=limits, inside="")
    except (*DAMAGE, OSError) as error:
        raise ArchiveError(
            f"{archive} cannot be read as a {ending_of(archive)}.",
            next_step="Fetch it again; if it is your own, check how it was made.",
            details=str(error),
        ) from error


@contextmanager
def _without_weights(archive: Path, members: Sequence[Member]) -> Iterator[Path]:
    """The checkpoint of an archive in a folder for a while, with empty files of their size in the place of weights."""
    small = [member.name for member in members if ".data-" not in member.name and member.info.size <= SMALL]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "unpacked"
        unpack_checkpoint(archive, folder, only=small)
        for member in members:
            if member.name not in small and "/" not in member.name:
                with (folder / member.name).open("xb") as file:
                    file.truncate(member.info.size)
        yield folder
