"""docker/common/tagged_words.py: the words of a test set with the tags that a model tells."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest

from bertbuild.project import ROOT


@pytest.fixture(scope="module")
def modules():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docker" / "common"))
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in ("tagged_words", "stage")})


WORDS = "john\tB-PER\nruns\tO\n\nin\tO\n\n"


def test_each_word_gets_its_tag_as_the_last_column(modules, tmp_path):
    (tmp_path / "test.conll").write_text(WORDS)
    modules.tagged_words.write_tags(tmp_path / "out", tmp_path / "test.conll", ["X", "Y", "Z"])
    assert (tmp_path / "out").read_text() == "john\tB-PER\tX\nruns\tO\tY\n\nin\tO\tZ\n\n"


@pytest.mark.parametrize("count", [2, 4])
def test_records_of_other_words_are_refused(modules, tmp_path, count):
    (tmp_path / "test.conll").write_text(WORDS)
    with pytest.raises(
        modules.stage.StageInputError, match=r"not of the words in .*test\.conll; prepare the data again"
    ):
        modules.tagged_words.write_tags(tmp_path / "out", tmp_path / "test.conll", ["X"] * count)
