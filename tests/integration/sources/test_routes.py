from __future__ import annotations

import itertools
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from matrix import cells
from tiny_models import huggingface_tensors, write_huggingface

pytestmark = pytest.mark.integration

ROUTES = {
    "ir-fp32": (),
    "ir-reshapeable-fp32": ("--route", "reshapeable"),
    "ir-static-fp32": ("--route", "static"),
    "ir-mo-static-fp32": ("--converter", "mo"),
    "ir-mo-fp32": ("--converter", "mo", "--route", "reshapeable"),
}
ROUTES = cells(ROUTES, "ir-fp32", "ir-reshapeable-fp32", "ir-static-fp32", "ir-mo-static-fp32")


def build_all(bertbuild, folder):
    """Every route's outcome by target; those by the Model Optimizer, which are slow, at the same time."""

    def build(target):
        return bertbuild.ok("build-ir", "--checkpoint", folder, *ROUTES[target])

    built = {target: build(target) for target in ROUTES if "mo" not in target}
    with ThreadPoolExecutor(2) as pool:
        slow = [target for target in ROUTES if target not in built]
        built |= dict(zip(slow, pool.map(build, slow), strict=True))
    return built


def agreement(bertbuild, model, targets):
    """Largest difference of any two routes, or of a route and TensorFlow 1, over every answer to every probe."""
    answers = {target: bertbuild.answers(model, target) for target in targets}
    answers["tensorflow"] = bertbuild.answers(model, targets[0], "reference")
    told = ("default/",)  # the answers in bf16, where the processor has it
    answers = {
        who: {name: value for name, value in given.items() if not name.startswith(told)}
        for who, given in answers.items()
    }
    asked = answers["tensorflow"].keys()  # TensorFlow 1 is not asked row by row
    assert "b4_s16/pooled_output" in asked
    for target in targets:
        assert answers[target].keys() == answers[targets[0]].keys()
        assert {name for name in answers[target] if "/alone/" not in name} == asked
    return max(
        float(np.abs(a[name] - b[name]).max())
        for a, b in itertools.combinations(answers.values(), 2)
        for name in a.keys() & b.keys()
    )


def published(bertbuild, session_folder, weights):
    """A checkpoint with the .meta of the published form, no head: what `import` and `metagraph` make, in one folder."""
    theirs = huggingface_tensors({name: value for name, value in weights.items() if name.startswith("bert/")})
    folder = write_huggingface(session_folder / "theirs", theirs)
    bertbuild.ok("build-ir", "--checkpoint", folder, "--route", "static")
    folder = session_folder / "published"
    folder.mkdir()
    steps = {step["id"]: step for step in bertbuild.record("theirs", "ir-static-fp32")["steps"]}
    imported = bertbuild.artifacts / steps["metagraph"]["inputs"]["checkpoint"]["path"]
    for path in (*imported.glob("bert_*"), imported / "vocab.txt"):
        shutil.copyfile(path, folder / path.name)
    meta = bertbuild.result("theirs", "ir-static-fp32", "metagraph") / "bert_model.ckpt.meta"
    shutil.copyfile(meta, folder / meta.name)
    return folder


@pytest.mark.whole
def test_all_routes_of_a_published_checkpoint_agree(bertbuild, session_folder, tiny_weights):
    folder = published(bertbuild, session_folder, tiny_weights)
    for target, built in build_all(bertbuild, folder).items():
        assert [found["target"] for found in built.last["targets"]] == [target]
        assert "metagraph" not in built.ids("started"), "the .meta is to be converted as it is"
    assert agreement(bertbuild, "published", list(ROUTES)) <= 1e-5


@pytest.mark.whole
def test_minilm_straight_from_its_meta_agrees_with_the_reshapeable_route(bertbuild, minilm):
    assert minilm.code == 0
    bertbuild.ok("build-ir", "--model", "minilm-l6", "--route", "static")
    assert agreement(bertbuild, "minilm-l6", ["ir-fp32", "ir-static-fp32"]) <= 1e-5


@pytest.mark.whole
def test_static_ports_have_the_shape_of_the_meta(bertbuild, minilm):
    assert minilm.code == 0
    bertbuild.ok("build-ir", "--model", "minilm-l6", "--route", "static")
    signature = json.loads((bertbuild.out("minilm-l6", "ir-static-fp32") / "signature.json").read_text())
    assert [port["shape"] for port in signature["inputs"].values()] == [[1, 128]] * 3


@pytest.fixture(scope="module")
def training_routes(bertbuild, pretraining):
    """A checkpoint whose .meta holds an input pipeline, built by every route."""
    return build_all(bertbuild, pretraining)


def test_all_routes_of_a_training_checkpoint_agree(bertbuild, pretraining, training_routes):
    assert all(built.verdict(target)["passed"] for target, built in training_routes.items())
    assert agreement(bertbuild, pretraining.name, list(ROUTES)) <= 1e-5


def test_static_routes_make_the_meta_of_a_training_checkpoint_anew_once_and_say_so(training_routes):
    assert "metagraph" not in training_routes["ir-fp32"].ids("started")
    assert "metagraph" in training_routes["ir-static-fp32"].ids("done")
    assert "metagraph" in training_routes["ir-mo-static-fp32"].ids("cached")
    assert any(".meta" in note and "again" in note for note in training_routes["ir-static-fp32"].notes)
