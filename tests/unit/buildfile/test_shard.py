from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bertbuild.buildfile.load import load_build_file
from bertbuild.buildfile.shard import shard
from bertbuild.errors import UsageError

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
TEXT = """
[targets.frozen]
kind = "frozen"
[targets.ir]
kind = "ir"
matrix = { precision = ["fp32", "fp16"] }
[models.base]
checkpoint = "a"
[models.same]
checkpoint = "a"
[models.trained]
finetune = { from = "base", task = "MRPC" }
[models.other]
checkpoint = "b"
[models.small]
checkpoint = "c"
targets = ["frozen"]
"""


@pytest.fixture
def build_file(tmp_path):
    (tmp_path / "bertbuild.toml").write_text(TEXT)
    return load_build_file(tmp_path / "bertbuild.toml")


def names(part):
    return [model.name for model in part.models]


def test_every_model_is_in_one_part_and_those_with_steps_in_common_in_the_same(build_file):
    assert [names(shard(build_file, f"{number}/2")) for number in (1, 2)] == [
        ["base", "same", "trained"],
        ["other", "small"],
    ]
    assert [names(shard(build_file, f"{number}/4")) for number in (1, 2, 3, 4)] == [
        ["base", "same", "trained"],
        ["other"],
        ["small"],
        [],
    ]
    assert shard(build_file, "1/1") == shard(build_file, "") == build_file


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7])
def test_the_parts_of_the_example_are_the_whole(count):
    whole = load_build_file(EXAMPLES / "fleet.toml")
    parts = [shard(whole, f"{number}/{count}") for number in range(1, count + 1)]
    assert sorted(name for part in parts for name in names(part)) == sorted(names(whole))
    targets = [sum(len(model.targets) for model in part.models) for part in parts]
    assert max(targets) - min(targets) <= max(len(model.targets) for model in whole.models)


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "1/99999", "-1/2", "1/2/3", " 1/2"])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(UsageError, match="names no part"):
        shard(SimpleNamespace(models=()), text)
