"""`python toy_place_program.py TASK --flags…`: the bertbuild program with one more place to run stages in."""

from __future__ import annotations

from bertbuild.places import PLACES, PlaceRow

row = PlaceRow(
    name="toy",
    module="toy_place",
    title="toys",
    environment="toy box",
    available="a box of toys is open",
)
others = dict(PLACES)
PLACES.clear()
PLACES.update({row.name: row, **others})

from bertbuild.cli.main import main  # noqa: E402 - flags and settings are made of the table

main()
