"""What a source holds besides its encoder, and what of that a target leaves out. Pure, as `plan` is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bertbuild.families.bert_names import SCOPE
from bertbuild.heads.found import FoundHead
from bertbuild.heads.head import Head
from bertbuild.heads.rows import HEADS

OTHER = "other"
"""The kind of the part whose variables are neither BERT's nor of a head."""
SHOWN = 2
"""How many names of a part people are shown; programs get all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Something of a source that a target may leave out.

    Attributes:
        kind: a part of the table of heads; another word where nothing takes it; of an output its name.
        what: the same in words.
        names: of its variables; of an output, its tensor.
        taken_by: the flags by which a target would have it; empty where none does.
    """

    kind: str
    what: str
    names: tuple[str, ...]
    taken_by: str = ""

    def line(self, target: str = "") -> str:
        """It as a line for people; `target` is what leaves it out, where that has to be said."""
        shown = ", ".join(self.names[:SHOWN])
        more = len(self.names) - SHOWN
        others = f" and {more} more" if more > 0 else ""
        how = f"; {self.taken_by} takes it" if self.taken_by else ""
        return f"left out{f' of {target}' if target else ''}: {self.what} ({shown}{others}){how}"

    def as_json(self) -> dict[str, str | list[str]]:
        """It for programs."""
        return {"kind": self.kind, "what": self.what, "names": list(self.names), "taken_by": self.taken_by}


def parts_of(
    model: Mapping[str, str],
    others: Iterable[str],
    kept: Iterable[str],
    *,
    global_step: bool,
    found: Iterable[FoundHead] = (),
) -> tuple[Part, ...]:
    """The parts of a checkpoint besides its encoder.

    Args:
        model: google-research/bert's name → the checkpoint's own, of the encoder and the heads.
        others: variables of a model that are not among them.
        kept: the optimizer's.
        global_step: whether there is one.
        found: the heads, of a known kind. Several kinds have the same variables.
    """
    kinds = {head.kind for head in found}
    rows: dict[tuple[str, ...], Head] = {}
    for row in HEADS.values():
        if row.part and (row.scopes not in rows or row.name in kinds):
            rows[row.scopes] = row
    heads = [
        Part(
            kind=head.part,
            what=head.what,
            names=tuple(own for name, own in model.items() if name.startswith(head.scopes)),
        )
        for head in rows.values()
    ]
    used = {name for head in heads for name in head.names}
    unknown = [own for name, own in model.items() if own not in used and not name.startswith(SCOPE)]
    more = (
        Part(kind=OTHER, what="variables that are not BERT's", names=(*unknown, *others)),
        Part(kind="optimizer", what="what the optimizer keeps", names=tuple(sorted(set(kept) - set(model.values())))),
        Part(kind="global-step", what="counter of the training", names=("global_step",) if global_step else ()),
    )
    return tuple(part for part in (*heads, *more) if part.names)
