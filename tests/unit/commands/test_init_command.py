"""init: what it finds in a folder, what it writes, and what build makes of that."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from family_models import ALBERT_CONFIG, albert_shapes, values, write_family
from graph_builder import bert_graph
from saved_model_bytes import meta_graph, saved_model
from small_fleet import TINY, Fleet, write_tiny
from tiny_models import huggingface_tensors, weights, write_huggingface

from bertbuild.backends import BACKENDS
from bertbuild.buildfile.load import load_build_file
from bertbuild.buildfile.targets import LONGEST_NAME
from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.model_garden import encoder_places
from bertbuild.checkpoint.object_graph import SAVE_COUNTER, encode_object_graph, value_key
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.cli.tasks import buildfile as tasks
from bertbuild.commands.init import Init, init
from bertbuild.commands.session import Session
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.heads.rows import HEADS
from bertbuild.plans.wanted import SOURCES
from bertbuild.source import folder_tree
from bertbuild.source.folder_tree import Tree

HEAD = {"output_weights": np.ones((2, 8), np.float32), "output_bias": np.zeros(2, np.float32)}


@pytest.fixture
def fleet(tmp_path, isolation, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    found = Fleet(tmp_path)
    shutil.rmtree(tmp_path / "checkpoints")
    (tmp_path / "bertbuild.toml").unlink()
    (tmp_path / "models").mkdir()
    return found


@pytest.fixture
def models(fleet):
    return fleet.folder / "models"


@pytest.fixture
def run(fleet):
    """Runs the command; gives its result as JSON."""

    def command(folder="models", **more):
        return fleet.run(init, Init(folder=folder), **more)

    return command


def write_tf2(folder):
    places = [*encoder_places(config_from(TINY, name="tiny"), "query")]
    made = {value_key(SAVE_COUNTER): np.array(1, np.int64)}
    made |= {value_key(place.path): np.ones(place.shape, np.float32) for place in places}
    names = {SAVE_COUNTER: "save_counter", **{place.path: place.name for place in places}}
    made[OBJECT_GRAPH_KEY] = encode_object_graph(names)
    folder.mkdir(parents=True)
    write_checkpoint(folder / "ckpt-1", made)
    (folder / "bert_config.json").write_text(json.dumps(TINY))


def zipped(folder, archive):
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.iterdir():
            file.write(path, f"{folder.name}/{path.name}")
    shutil.rmtree(folder)


def sources():
    """Name → (the field that names its source, its targets) of what the written file has, as a build reads it."""
    models = load_build_file(Path("bertbuild.toml")).models
    return {
        model.name: (
            next(name for name in SOURCES if getattr(model.source, name)),
            *(target.name for target in model.targets),
        )
        for model in models
    }


def test_every_kind_of_model_is_found_and_the_file_is_one_that_a_dry_run_takes(fleet, models, run):
    write_tiny(models / "plain")
    write_tiny(models / "tuned", heads=HEAD)
    (models / "tuned" / "task.json").write_text(
        json.dumps({"task": "own-x", "head": "classifier", "labels": ["no", "yes"]})
    )
    write_tiny(models / "packed", heads=HEAD)
    zipped(models / "packed", models / "packed.zip")
    named = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "bad", "1": "good"}}
    write_huggingface(models / "theirs", huggingface_tensors(weights(labels=2)), **named)
    (models / "graphs").mkdir()
    (models / "graphs" / "frozen.pb").write_bytes(bert_graph(frozen=True, norms=True)[0].graph_def())
    write_tf2(models / "garden")
    for time in ("1550000000", "1560000000"):
        (models / "exports" / time).mkdir(parents=True)
        graph, _ = bert_graph(frozen=True, norms=True)
        graph.add("loss/Softmax", "Softmax", graph.dense("loss", "bert/pooler/dense/Tanh"))
        (models / "exports" / time / "saved_model.pb").write_bytes(saved_model(meta_graph(graph)))
    result = run()
    assert sources() == {
        "plain": ("checkpoint", "ir"),
        "tuned": ("checkpoint", "ir"),
        "packed": ("checkpoint", "ir"),
        "theirs": ("checkpoint", "ir"),
        "graphs-frozen": ("frozen", "ir"),
        "garden": ("tf2", "tf1-checkpoint"),
        "exports": ("saved_model", "neuron-ready"),
    }
    assert {one["name"]: one["labels"] for one in result["models"]}["theirs"] == ["bad", "good"]
    text = (fleet.folder / "bertbuild.toml").read_text()
    assert "a head of kind classifier of 2 (no, yes)" in text
    assert '# [models.garden-tf1]\n# checkpoint = "artifacts/out/garden/tf1-checkpoint"' in text
    assert result["unusable"] == []
    plan = fleet.dry_run()
    assert plan["counts"]["targets"] == {"would run": 5, "unknown": 2}  # what is unpacked or imported first


def test_what_no_file_tells_is_there_to_be_said(models, run, fleet):
    write_tiny(models / "bare", heads=HEAD)
    run()
    text = (fleet.folder / "bertbuild.toml").read_text()
    assert '# labels = "name-0,name-1"    # words for the 2 rows of its head, which nothing names' in text
    assert '# head = "classifier"    # assumed' in text
    said = text.replace('# labels = "name-0,name-1"', 'labels = "no,yes"').replace("# head =", "head =")
    fleet.write(said)
    assert load_build_file(fleet.folder / "bertbuild.toml").models[0].source.labels == "no,yes"


def test_a_model_that_is_pre_trained_alone_may_give_what_it_learnt(models, run, fleet):
    heads = {name: np.ones(shape, np.float32) for name, shape in HEADS["next-sentence"].variables(8, 20, 2).items()}
    write_tiny(models / "pre.trained", heads=heads)
    run()
    text = (fleet.folder / "bertbuild.toml").read_text()
    block = '# [models."pre.trained".override.ir]\n# output = ["next-sentence-logits"]'
    assert block in text
    fleet.write(text.replace(block, block.replace("# ", "")))
    (model,) = load_build_file(fleet.folder / "bertbuild.toml").models
    assert model.targets[0].request.output == "next-sentence-logits"
    assert fleet.dry_run()["counts"]["targets"] == {"would run": 1}


def test_a_sentence_stands_for_each_thing_that_cannot_be_built(models, run, fleet):
    write_tiny(models / "good")
    write_tiny(models / "no config")
    (models / "no config" / "bert_config.json").unlink()
    write_tiny(
        models / "one column",
        heads={"output_weights": HEAD["output_weights"][:1], "output_bias": np.zeros(1, np.float32)},
    )
    write_tiny(models / "wide")
    (models / "wide" / "bert_config.json").write_text(json.dumps({**TINY, "hidden_size": 16}))
    (models / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    (models / "graph.pb").write_bytes(b"\x0a\x07\x0a\x01x\x12\x02No")
    (models / "tokens.onnx").write_bytes(b"onnx")
    (models / "paths.pth").write_text("import site")
    (models / "spoilt").mkdir()
    write_tiny(models / "spoilt", heads=HEAD)
    (models / "spoilt" / "task.json").write_text('{"task": "x", "head": "classifier", "labels": 5}')
    (models / "keras").mkdir()
    (models / "keras" / "bert.h5").write_bytes(b"\x89HDF")
    write_huggingface(models / "roberta", huggingface_tensors(weights()), model_type="xlnet")
    result = run()
    left = {one["path"].removeprefix("models/"): one for one in result["unusable"]}
    assert sorted(left) == sorted(
        ["no config", "one column", "wide", "broken.zip", "graph.pb", "tokens.onnx", "keras", "roberta", "spoilt"]
    )
    assert all(path in one["why"] and one["next_step"] for path, one in left.items())
    assert left["spoilt"]["why"] == "models/spoilt/task.json: labels is not a list of words."
    assert "no bert_config.json" in left["no config"]["why"]
    assert "--head" in left["one column"]["next_step"]
    assert left["tokens.onnx"]["why"] == "models/tokens.onnx is an ONNX model, from which nothing is built."
    text = (fleet.folder / "bertbuild.toml").read_text()
    warned = [event["text"] for event in fleet.events.of("warning")]
    for one in left.values():
        assert f"# {one['why']} {one['next_step']}" in text
        assert f"not in the file: {one['why']} {one['next_step']}" in warned
    assert list(sources()) == ["good"]
    block = '# [models.one-column]\n# checkpoint = "models/one column"\n# head = "…"'
    assert block in text
    fleet.write(text.replace(block, block.replace("# ", "").replace("…", "regression")))
    assert list(sources()) == ["good", "one-column"]


def test_a_damaged_archive_is_named_as_the_user_named_it(models, run):
    write_tiny(models / "good")
    write_tiny(models / "wide")
    (models / "wide" / "bert_config.json").write_text(json.dumps({**TINY, "hidden_size": 16}))
    zipped(models / "wide", models / "wide.zip")
    (models / "data.zip").write_bytes(b"")
    with zipfile.ZipFile(models / "data.zip", "w") as file:
        file.writestr("train.tsv", "a\tb\n")
    (one,) = run()["unusable"]
    assert one["why"].startswith("The checkpoint models/wide.zip/bert_model.ckpt cannot be used")


def test_names_are_unique_and_fit(models, run):
    for name in ("a/mrpc model", "b/mrpc model", "B/mrpc model"):
        write_tiny(models / name)
    write_tiny(models / ("long" * 60))
    write_tiny(models / "several")
    for name in ("first", "second"):
        for ending in ("index", "data-00000-of-00001"):
            shutil.copy(models / "several" / f"bert_model.ckpt.{ending}", models / "several" / f"{name}.{ending}")
            if name == "second":
                (models / "several" / f"bert_model.ckpt.{ending}").unlink()
    run()
    names = list(sources())
    assert {"mrpc-model", "b-mrpc-model", "B-mrpc-model-2"} & set(names) >= {"mrpc-model"}
    assert {"several-first", "several-second"} <= set(names)
    assert max(map(len, names)) <= LONGEST_NAME
    assert len(names) == len({name.casefold() for name in names}) == 6


def test_no_build_file_is_ever_written_over(models, run, fleet):
    write_tiny(models / "good")
    fleet.write("jobs = 1\n")
    with pytest.raises(UsageError, match=r"There is already a bertbuild\.toml here") as raised:
        run()
    assert "run init again" in raised.value.next_step
    assert (fleet.folder / "bertbuild.toml").read_text() == "jobs = 1\n"


@pytest.mark.parametrize("folder", ["nowhere", "models/file"])
def test_what_is_no_folder_is_told(models, run, folder):
    (models / "file").write_text("")
    with pytest.raises(UsageError, match="is not a folder"):
        run(folder)


def test_a_folder_without_a_model_gets_no_file(models, run, fleet):
    with pytest.raises(CheckpointError, match=r"^models holds no model that bertbuild builds from\.$"):
        run()
    (models / "tokens.onnx").write_bytes(b"onnx")
    with pytest.raises(CheckpointError) as raised:
        run()
    assert "models/tokens.onnx is an ONNX model" in raised.value.details
    assert not (fleet.folder / "bertbuild.toml").exists()


def test_links_lead_to_a_model_once_and_never_in_a_circle(models, run, tmp_path):
    write_tiny(tmp_path / "elsewhere" / "far")
    write_tiny(models / "near")
    (models / "circle").symlink_to(models)
    (models / "again").symlink_to(models / "near")
    (models / "far").symlink_to(tmp_path / "elsewhere" / "far")
    (models / "gone").symlink_to(tmp_path / "nothing")
    (models / "itself").symlink_to(models / "itself")
    run()
    assert sorted(sources()) == ["far", "near"]


def test_a_huge_tree_is_looked_at_in_part_and_that_is_told(models):
    for number in range(8):
        (models / f"{number}").mkdir()
    tree = Tree(top=models, most=4)
    assert [folder.path for folder in tree.folders()] == [models]
    assert "holds more than 4 files and folders; the rest was not looked at" in tree.told[0]


def test_so_is_a_deep_one(models, monkeypatch):
    monkeypatch.setattr(folder_tree, "DEEPEST", 2)
    (models / "1" / "2" / "3").mkdir(parents=True)
    tree = Tree(top=models)
    assert [folder.path.name for folder in tree.folders()] == ["models", "1", "2"]
    assert tree.told == [f"What is more than 2 folders down was not looked at: {models / '1' / '2'}."]


def test_a_folder_that_cannot_be_read_is_told(models, monkeypatch):
    write_tiny(models / "good")
    real = folder_tree.os.scandir

    def scandir(path):
        if path == models / "good":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(folder_tree.os, "scandir", scandir)
    tree = Tree(top=models)
    assert [folder.path for folder in tree.folders()] == [models]
    assert tree.told == [f"{models / 'good'} cannot be looked at: Permission denied."]


def test_the_store_hidden_folders_and_virtual_environments_are_passed_over(fleet, models, run):
    write_tiny(models / "good")
    write_tiny(models / ".cache" / "hidden")
    write_tiny(models / "venv" / "inner")
    (models / "venv" / "pyvenv.cfg").write_text("")
    write_tiny(fleet.folder / "artifacts" / "objects" / "made")
    for name in ("objects", "out", "locks"):
        write_tiny(models / "others' artifacts" / name / "made")
    run(".")
    assert list(sources()) == ["good"]


def test_a_name_that_toml_cannot_hold_is_told(models, run):
    write_tiny(models / "good")
    (models / "odd\nname").mkdir()
    write_tiny(models / "odd\nname" / "m")
    try:
        write_tiny(models / "bad\udcff")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    (one,) = run()["unusable"]
    assert one["why"].endswith("is not UTF-8, and a build file is.")
    assert sorted(sources()) == ["good", "m"]


def test_nothing_is_written_where_the_user_says_no(models, run, fleet):
    write_tiny(models / "good")
    asked = []
    result = run(agreed=lambda question: asked.append(question) or False)
    assert (result["file"], result["lines"]) == (None, ["nothing written"])
    assert asked == ["Write bertbuild.toml with 1 model?"]
    assert not (fleet.folder / "bertbuild.toml").exists()
    fleet.run(init, Init(folder="models", yes=True), agreed=lambda _question: pytest.fail("it is asked"))
    assert (fleet.folder / "bertbuild.toml").exists()


@pytest.mark.parametrize(("typed", "agreed"), [("\n", True), ("y\n", True), ("No\n", False), ("", False)])
def test_a_terminal_is_asked_once(monkeypatch, capsys, typed, agreed):
    stdin = io.StringIO(typed)
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(tasks.sys, "stdin", stdin)
    assert tasks._agreed("Write it?") is agreed
    assert capsys.readouterr().err == "Write it? [Y/n] "


def test_without_a_terminal_nothing_is_asked(monkeypatch, capsys):
    monkeypatch.setattr(tasks.sys, "stdin", io.StringIO("n\n"))
    assert tasks._agreed("Write it?") is True
    assert capsys.readouterr().err == ""


def test_a_model_is_told_by_its_family(models, run):
    write_tiny(models / "small")
    write_family(models / "shared", values(albert_shapes()), ALBERT_CONFIG)
    result = run()
    words = {one["name"]: one["what"].partition(":")[0] for one in result["models"]}
    assert words == {"small": "BERT", "shared": "ALBERT"}
