"""`python slow_toy_program.py TASK --flags…`: the bertbuild program with slow_toy.py as a place; workers load it."""

from __future__ import annotations

from bertbuild.places import PLACES, PlaceRow

ROW = PlaceRow(name="toy", module="slow_toy", title="toys", environment="toy box", available="a box of toys is open")
OTHERS = dict(PLACES)
PLACES.clear()
PLACES.update({ROW.name: ROW, **OTHERS})

if __name__ == "__main__":
    from bertbuild.cli.main import main

    main()
