"""A file of a checkpoint that is spoilt by chance is told or refused in a sentence; it never ends in a traceback."""

from __future__ import annotations

import json
import random
import shutil

import pytest
from conftest import TINY
from first_format import write_v1
from graph_builder import bert_graph
from mutations import cleared, mutated, mutated_json, replaced
from partitioned import partition

from bertbuild.catalogue.archive import unpack_checkpoint
from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.table import read_table, write_table
from bertbuild.errors import ArchiveError, CheckpointError

TRIES = 10
FORMS = ("plain", "partitioned", "first", "sharded first")


@pytest.fixture(params=FORMS)
def folder(request, make, tensors):
    """A checkpoint of some form, with all that may lie beside it."""
    form = request.param
    made = make(tensors)
    (made / "bert_model.ckpt.meta").write_bytes(bert_graph(gelu="erf")[0].meta_graph())
    (made / "checkpoint").write_text('model_checkpoint_path: "bert_model.ckpt"\n')
    (made / "stage.json").write_text(json.dumps({"stage": "import", "facts": {"gelu": "erf", "left_out": {}}}))
    if form == "partitioned":
        partition(made, ["bert/embeddings/word_embeddings"])
    if form.endswith("first"):
        for path in made.glob("bert_model.ckpt.*"):
            if path.suffix != ".meta":
                path.unlink()
        write_v1(made / "bert_model.ckpt", tensors)
    if form == "sharded first":
        (made / "bert_model.ckpt").unlink()
        names = sorted(tensors)
        for number in range(2):
            part = {name: tensors[name] for name in names[number::2]}
            write_v1(made / f"bert_model.ckpt-0000{number}-of-00002", part, parts=2)
    return made


def looked_at(folder):
    """What `inspect` says of it: the sentences of an inspection, or of a refusal."""
    try:
        inspection = inspect_checkpoint(folder)
    except CheckpointError as error:
        return [str(error), error.next_step]
    json.dumps(inspection.to_json())
    return [*inspection.problems, *inspection.warnings]


def check(told):
    assert all("\n" not in text and text.endswith((".", "`")) for text in told), told


def test_no_change_of_a_file_ends_in_a_traceback(folder):
    assert looked_at(folder) == [text for text in looked_at(folder) if "is written again" in text or "joined" in text]
    chance = random.Random(13)  # noqa: S311
    count = 0
    whole = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    for path, content in whole.items():
        others = [other for other in whole if other != path]
        for number in range(TRIES):
            if number % 10 == 9:
                replaced(path, others, chance)
            elif path.suffix == ".json" and number % 2:
                path.write_bytes(mutated_json(content, chance))
            else:
                path.write_bytes(mutated(content, chance))
            told = looked_at(folder)
            check(told)
            count += bool(told)
            cleared(path)
            path.write_bytes(content)
    assert count > TRIES


def test_no_entry_of_a_table_that_is_wrong_ends_in_a_traceback(folder):
    """What the checksums of the table's blocks do not tell, because it was written so."""
    chance = random.Random(17)  # noqa: S311
    tables = [path for path in folder.iterdir() if path.name.endswith((".index", ".ckpt", "-of-00002"))]
    for path in tables:
        content = path.read_bytes()
        entries = read_table(content)
        for _ in range(2 * TRIES):
            spoilt = list(entries)
            place = chance.randrange(len(spoilt))
            key, value = spoilt[place]
            spoilt[place] = (
                (mutated(key, chance), value) if chance.random() < 0.2 and key else (key, mutated(value, chance))
            )
            path.write_bytes(write_table(sorted(dict(spoilt).items())))
            check(looked_at(folder))
        path.write_bytes(content)


@pytest.mark.parametrize("form", ["zip", "tar", "gztar", "bztar", "xztar"])
def test_no_change_of_an_archive_ends_in_a_traceback(tiny, tmp_path, form):
    path = tmp_path / shutil.make_archive(str(tmp_path / "model"), form, tiny)
    content = path.read_bytes()
    chance = random.Random(19)  # noqa: S311
    refused = 0
    for number in range(TRIES):
        path.write_bytes(mutated(content, chance))
        place = tmp_path / f"out{number}"
        try:
            unpack_checkpoint(path, place)
        except ArchiveError as error:
            check([str(error), error.next_step])
            refused += 1
        else:
            check(looked_at(place))
    assert refused > TRIES // 4


def test_the_configuration_of_every_type_is_told(tiny):
    path = tiny / "bert_config.json"
    for key in TINY:
        for value in (None, True, -1, 1.5, 1e999, float("nan"), 10**30, "x", [], {}, [[1]]):
            path.write_text(json.dumps({**TINY, key: value}))
            (problem,) = inspect_checkpoint(tiny).problems
            assert f" has {key} " in problem
