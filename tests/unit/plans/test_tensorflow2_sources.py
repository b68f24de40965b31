"""convert-tf1: which encoder of a TensorFlow 2 checkpoint is meant, and whether its bytes are whole."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_fleet import TINY, Fleet, write_tiny

from bertbuild.backends import BACKENDS
from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.model_garden import encoder_places
from bertbuild.checkpoint.object_graph import SAVE_COUNTER, encode_object_graph, value_key
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.commands.session import Session
from bertbuild.commands.target import build
from bertbuild.errors import CheckpointError
from bertbuild.kinds.tf1_checkpoint import Tf1Checkpoint
from bertbuild.plans.convert_tf1 import plan_convert_tf1
from bertbuild.plans.plan import File, Source
from bertbuild.plans.wanted import Wanted

DATA = "ckpt-1.data-00000-of-00001"


def written(folder, *roots):
    """A folder with a checkpoint of encoders below objects of these names."""
    made, names = {value_key(SAVE_COUNTER): np.array(1, np.int64)}, {SAVE_COUNTER: "save_counter"}
    for root in roots:
        for place in encoder_places(config_from(TINY, name="tiny"), root):
            made[value_key(place.path)] = np.ones(place.shape, np.float32)
            names[place.path] = place.name
    made[OBJECT_GRAPH_KEY] = encode_object_graph(names)
    folder.mkdir()
    write_checkpoint(folder / "ckpt-1", made)
    (folder / "bert_config.json").write_text(json.dumps(TINY))
    return folder


@pytest.fixture
def both(tmp_path, isolation, monkeypatch):
    """The commands in a folder, and the folder of tf.train.Checkpoint(query=…, doc=…)."""
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    return Fleet(tmp_path), written(tmp_path / "both", "query", "doc")


def converted(both, root=""):
    fleet, folder = both
    return fleet.run(build, Wanted(tf2=str(folder), root=root), Tf1Checkpoint())


def test_of_two_encoders_one_must_be_chosen(both):
    with pytest.raises(CheckpointError, match="2 encoders: doc, query") as raised:
        converted(both)
    assert raised.value.next_step == "Choose one: --root doc."
    with pytest.raises(CheckpointError, match="has no encoder below answer"):
        converted(both, "answer")


def test_the_root_goes_to_every_stage_that_reads_the_checkpoint(both):
    file = File(path=both[1], digest="d")
    source = Source(model="m", kind="tf2-checkpoint", file=file, gelu="erf", prefix="ckpt-1", root="query")
    plan = plan_convert_tf1(source, file)
    roots = [plan.step(name).params.get("root") for name in ("convert-tf1", "reference", "tf1-infer")]
    assert roots == ["query", "query", None]


@pytest.mark.parametrize(("damage", "why"), [("cut", "is cut off"), ("bit", "is damaged"), ("gone", "is missing")])
def test_a_damaged_checkpoint_is_refused_before_anything_runs(both, damage, why):
    fleet, folder = both
    path = folder / DATA
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content[:-9] if damage == "cut" else content)
    if damage == "gone":
        path.unlink()
    with pytest.raises(CheckpointError, match=why) as raised:
        converted(both, "query")
    assert raised.value.next_step
    assert not fleet.events.of("stage")


def test_a_build_file_names_it_as_the_command_does(both):
    fleet, _ = both
    written(fleet.folder / "garden", "encoder")
    fleet.write(
        '[targets.back]\nkind = "tf1-checkpoint"\n[targets.frozen]\nkind = "frozen"\n[models.m]\ntf2 = "garden"\n'
    )
    rows = {row["job"]: row for row in fleet.dry_run()["plan"]}
    assert [job for job in rows if job.startswith("m/")] == [
        *("m/convert-tf1", "m/complete", "m/reference", "m/tf1-infer", "m/back parity", "m/frozen"),
    ]
    assert "is a TensorFlow 2 model, of which freeze makes nothing" in rows["m/frozen"]["reason"]


def test_only_a_model_of_tensorflow_2_is_converted_back(both):
    fleet, _ = both
    fleet.write('[targets.back]\nkind = "tf1-checkpoint"\n[models.one]\ncheckpoint = "checkpoints/one"\n')
    write_tiny(fleet.folder / "checkpoints" / "one")
    (row,) = fleet.dry_run()["plan"]
    assert "no TensorFlow 2 model" in row["reason"]
