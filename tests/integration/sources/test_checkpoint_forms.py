from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from backends import run as run_script

from bertbuild.checkpoint.bundle import CheckpointReader

pytestmark = pytest.mark.integration


@pytest.fixture
def training_folder(foreign, tmp_path):
    """A copy of a training run's folder, to be changed: model.ckpt-10, model.ckpt-20, `checkpoint`."""
    return shutil.copytree(foreign / "finetuned", tmp_path / "finetuned")


def frozen_from(bertbuild, folder, step):
    """Whether the graph frozen from a folder holds the weights of one of its checkpoints."""
    words = ("--name", "steps", "--replace", "--output", "pooled")  # of another folder each
    frozen = bertbuild.ok("freeze", "--checkpoint", folder, *words)
    graph = Path(frozen.last["targets"][0]["path"]) / "inference_graph.pb"
    facts = run_script("tf1", "frozen", graph=graph, checkpoint=folder / f"model.ckpt-{step}")
    encoder = {name for name in CheckpointReader(folder / f"model.ckpt-{step}").entries if name.startswith("bert/")}
    return set(facts["same"]) == {name for name in encoder if "adam" not in name}


def test_a_training_run_gives_what_its_checkpoint_file_names(bertbuild, training_folder):
    state = training_folder / "checkpoint"
    named = state.read_text().splitlines()[0]
    assert named.endswith('/finetuned/model.ckpt-20"'), "TensorFlow wrote where the folder lay when it was trained"
    assert str(training_folder) not in named
    assert frozen_from(bertbuild, training_folder, 20)
    state.write_text('model_checkpoint_path: "model.ckpt-10"\n')
    assert frozen_from(bertbuild, training_folder, 10)
    assert not frozen_from(bertbuild, training_folder, 20)


def test_without_a_checkpoint_file_the_newest_is_taken(bertbuild, training_folder):
    (training_folder / "checkpoint").unlink()
    assert frozen_from(bertbuild, training_folder, 20)


def test_optimizer_slots_are_told_and_left_out_and_the_classifier_passes_the_gate(bertbuild, foreign):
    inspection = bertbuild.ok("inspect", "--checkpoint", foreign / "finetuned").last["inspection"]
    assert inspection["sound"]
    assert inspection["global_step"]
    assert set(inspection["optimizer_slots"]) == {"adam_m", "adam_v"}
    assert Path(inspection["prefix"]).name == "model.ckpt-20"
    built = bertbuild.ok("build-ir", "--checkpoint", foreign / "finetuned", "--output", "pooled,probabilities")
    verdict = built.verdict(built.last["targets"][0]["target"])
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == {"pooled_output", "probabilities"}


@pytest.mark.parametrize("inside", ["", "uncased_L-2_H-32_A-4/"])
def test_a_zip_of_a_checkpoint_is_built_from_like_its_folder(bertbuild, tiny, tiny_built, tmp_path, inside):
    path = tmp_path / "zipped.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(tiny.iterdir()):
            archive.write(file, inside + file.name)
    built = bertbuild.ok("build-ir", "--checkpoint", path)
    assert built.last["model"] == "zipped"
    assert built.verdict("ir-fp32")["passed"]
    assert "reference" in built.ids("cached"), "same content, same key, wherever it lies"
    assert tiny_built.code == 0
