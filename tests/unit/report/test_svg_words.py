"""Words in boxes are cut before they leave them."""

import pytest

from bertbuild.report.html.graph import GRID, INSET, LABEL_SIZE
from bertbuild.report.html.svg import fitted, text_width

ROOM = GRID.width - 2 * INSET


@pytest.mark.parametrize("text", ["m" * 20, "W" * 40, "ir-probabilities-s128-fp16-infer", "i" * 90, "ß–…" * 20])
def test_a_long_name_is_cut_in_its_middle(text):
    shown = fitted(text, ROOM, LABEL_SIZE)
    assert text_width(shown, LABEL_SIZE) <= ROOM
    assert "…" in shown
    assert (shown[0], shown[-1]) == (text[0], text[-1])


def test_a_short_one_stays():
    assert fitted("ir-fp16", ROOM, LABEL_SIZE) == "ir-fp16"
    assert fitted("", ROOM, LABEL_SIZE) == ""
