"""package: what is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.errors import UsageError
from bertbuild.packaging.layouts import LAYOUTS
from bertbuild.parameters import check, parameter
from bertbuild.toml.values import Choice, Location, Name, Text, Truth

DEFAULT = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What a package is to be like."""

    target: str = ""
    """MODEL/TARGET."""
    format: str = parameter(Choice(tuple(LAYOUTS)), DEFAULT, "the layout: of a server, or plain files with a program")
    to: str = parameter(
        Location(), "", "the folder to make; default: MODEL-TARGET-FORMAT in this folder", written="FOLDER"
    )
    archive: bool = parameter(Truth(), False, "also make FOLDER.tar.gz")
    examples: str = parameter(
        Location(),
        "",
        "texts to make a server's warm-up requests of, as predict's --file; default: those that evaluate asked",
        written="FILE",
    )
    text_column: str = parameter(Name(), "", "column of the texts of --examples; default: text, question or sentence")
    text_pair_column: str = parameter(Name(), "", "column of what goes with them; default: text_pair or context")
    allow_licence: str = parameter(
        Text(), "", "licences (SPDX identifiers, with commas) that forbid to publish, and are no hindrance here"
    )

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, before anything is read."""
        check(self)
        if self.target.count("/") != 1:
            raise UsageError(
                f"A package is made of one target, MODEL/TARGET (got {self.target!r})."
                if self.target
                else "No target is named.",
                next_step="Name one, for instance package my-model/ir-fp32; invoke status lists all.",
            )
        if self.examples and not LAYOUTS[self.format].needs_examples:
            raise UsageError(
                f"--examples has no effect with --format {self.format}, which holds no requests.",
                next_step="Leave it out.",
            )
        if (self.text_column or self.text_pair_column) and not self.examples:
            raise UsageError("--text-column and --text-pair-column are for --examples.", next_step="Leave them out.")
