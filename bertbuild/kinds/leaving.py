"""What a target leaves out of its source, by what its request takes. Pure, as `plans` are."""

from __future__ import annotations

from dataclasses import replace

from bertbuild.heads.rows import HEADS
from bertbuild.kinds import kind_of
from bertbuild.kinds.kind import Request
from bertbuild.plans.parts import Part
from bertbuild.plans.plan import Source


def left_out(source: Source, request: Request) -> list[Part]:
    """The parts of a source that a target of it does not have, and what would take them."""
    kind = kind_of(request)
    taken = kind.taken(source, request)
    lacking = {row.part for row in HEADS.values() if not row.of_encoder} - {
        HEADS[one.kind].part for one in source.heads
    }
    flags = kind.taken_of_family.get(source.family, kind.taken_by)
    takes = {part: flag for part, flag in flags.items() if part not in lacking}  # of what is whole
    left = [part for part in source.parts if part.kind not in taken]
    return [part if part.taken_by else replace(part, taken_by=takes.get(part.kind, "")) for part in left]
