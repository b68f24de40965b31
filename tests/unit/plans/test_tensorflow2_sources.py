"""convert-tf1: which encoder of a TensorFlow 2 checkpoint is meant, and whether its bytes are whole."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_fleet import TINY, Fleet

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


@pytest.fixture
def both(tmp_path, isolation, monkeypatch):
    """The commands in a folder, and the folder of tf.train.Checkpoint(query=…, doc=…)."""
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    made, names = {value_key(SAVE_COUNTER): np.array(1, np.int64)}, {SAVE_COUNTER: "save_counter"}
    for root in ("query", "doc"):
        for place in encoder_places(config_from(TINY, name="tiny"), root):
            made[value_key(place.path)] = np.ones(place.shape, np.float32)
            names[place.path] = place.name
    made[OBJECT_GRAPH_KEY] = encode_object_graph(names)
    folder = tmp_path / "both"
    folder.mkdir()
    write_checkpoint(folder / "ckpt-1", made)
    (folder / "bert_config.json").write_text(json.dumps(TINY))
    return Fleet(tmp_path), folder


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
