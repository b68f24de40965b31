from __future__ import annotations

import os
import shutil

import head_tasks
import pytest
import tf2_models
from backends import run as run_script
from neuron_checkout import checkout
from program import DATA, ROOT, STAY, Bertbuild
from tiny_models import CONFIG, weights, write_google
from training_graphs import HEAD_CONFIG, HEAD_GRAPHS


def pytest_collection_modifyitems(items):
    for item in items:
        if ROOT / "tests" / "integration" in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("session")


@pytest.fixture(scope="session")
def bertbuild(session_folder):
    """The program over the artifacts that all tests of the session share; its environments are made."""
    program = Bertbuild(session_folder / "artifacts")
    program.ok("images")
    program.artifacts.mkdir(exist_ok=True)  # other fixtures take it for a sign that this one ran
    return program


@pytest.fixture
def fresh(bertbuild, tmp_path):
    """The program over an empty store of the test's own."""
    assert bertbuild.artifacts.is_dir()
    return Bertbuild(tmp_path / "artifacts")


@pytest.fixture
def altered(bertbuild, tmp_path):
    """A function that gives the program of a copy of the checkout, one of whose stages runs some more code first."""

    def make(backend, stage, code):
        for folder in ("bertbuild", "docker"):
            shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(ROOT / "compose.yaml", tmp_path / "compose.yaml")
        path = tmp_path / "docker" / backend / "stages" / f"{stage}.py"
        before, main, after = path.read_text().partition('\nif __name__ == "__main__":\n')
        assert main
        path.write_text(before + code + main + after)
        return Bertbuild(bertbuild.artifacts, root=tmp_path)

    return make


@pytest.fixture(scope="session")
def minilm(bertbuild):
    """all-MiniLM-L6-v2 built in both precisions, from download to gate."""
    return bertbuild.ok("build-ir", "--model", "minilm-l6", "--precision", "fp32,fp16")


@pytest.fixture(scope="session")
def tiny_weights():
    return weights(seed=1, labels=3)


@pytest.fixture(scope="session")
def tiny(session_folder, tiny_weights):
    """A tiny checkpoint with a classifier head and no .meta."""
    return write_google(session_folder / "tiny", tiny_weights)


@pytest.fixture(scope="session")
def tiny_built(bertbuild, tiny):
    """Its IR, fp32."""
    return bertbuild.ok("build-ir", "--checkpoint", tiny)


@pytest.fixture(scope="session")
def tiny_exported(bertbuild, tiny):
    """Its SavedModel: five inputs, probabilities."""
    return bertbuild.ok("export", "--checkpoint", tiny)


@pytest.fixture(scope="session")
def bare(session_folder):
    """A tiny checkpoint without a head."""
    return write_google(session_folder / "bare", weights(seed=2))


@pytest.fixture(scope="session")
def bare_exported(bertbuild, bare):
    """Its SavedModel: three inputs, pooled and sequence output."""
    return bertbuild.ok("export", "--checkpoint", bare, "--output", "pooled,sequence")


@pytest.fixture(scope="session")
def tiny_ready(bertbuild, tiny):
    """The checkpoint with a head made ready for Neuron, float32."""
    return bertbuild.ok("neuron-ready", "--checkpoint", tiny, "--compute", "float32")


@pytest.fixture(scope="session")
def tiny_ready_half(bertbuild, tiny):
    """The same, float16."""
    return bertbuild.ok("neuron-ready", "--checkpoint", tiny)


@pytest.fixture(scope="session")
def bare_ready_half(bertbuild, bare):
    """The checkpoint without a head, float16: pooled and sequence output."""
    return bertbuild.ok("neuron-ready", "--checkpoint", bare, "--output", "pooled,sequence")


@pytest.fixture(scope="session")
def neuron(session_folder, bertbuild):
    """The program with stand-ins for AWS's Neuron packages and no device; its environment is made."""
    program = Bertbuild(bertbuild.artifacts, root=checkout(session_folder / "neuron-checkout"))
    STAY.add(program.root)
    program.ok("images", "--backend", "neuron")
    return program.having(BERTBUILD_NEURON_DEVICE=session_folder / "no-device")


@pytest.fixture(scope="session")
def foreign(session_folder, bertbuild):
    """Checkpoints and graphs made by TensorFlow 1 and google-research/bert; see scripts/make_sources.py."""
    assert bertbuild.artifacts.is_dir()
    folder = session_folder / "foreign"
    folder.mkdir()
    run_script("tf1", "make_sources", out=folder, config=CONFIG, seed=5)
    return folder


@pytest.fixture(scope="session")
def head_graphs(session_folder, bertbuild):
    """Checkpoints of training graphs by the head they have, two layers of 16 units; see scripts/make_head_graphs.py."""
    assert bertbuild.artifacts.is_dir()
    out = session_folder / "head-graphs"
    run_script("tf1", "make_head_graphs", out=out, config=HEAD_CONFIG, seed=3, names=HEAD_GRAPHS)
    return out


@pytest.fixture(scope="session")
def pretraining():
    """A genuine checkpoint of run_pretraining.py, two layers of four units."""
    folder = DATA / "checkpoints" / "pretraining_step20_L-2_H-4"
    if not os.access(folder / "bert_model.ckpt.index", os.R_OK):
        pytest.skip("needs ../shared/data/checkpoints/pretraining_step20_L-2_H-4 beside the repository")
    return folder


@pytest.fixture(scope="session")
def tuned_heads(session_folder, bertbuild):
    """A checkpoint of each kind of head, trained by finetune for a few steps: kind → `head_tasks.Tuned`."""
    return head_tasks.tune_all(bertbuild, session_folder / "tuned-heads")


@pytest.fixture(scope="session")
def trained_heads(bertbuild, tuned_heads):
    """Tags and several labels trained by train (no program of the Model Garden does): kind → `head_tasks.Tuned`."""
    return head_tasks.train_all(bertbuild, tuned_heads, ("tokens", "multi-label"))


@pytest.fixture(scope="session")
def converted(session_folder, bertbuild, tiny, bare):
    """Checkpoints converted to TensorFlow 2: model → folder; the program's outcomes by (model, format)."""
    return tf2_models.convert_all(bertbuild, {"tiny": tiny, "bare": bare, **tf2_models.write_more(session_folder)})


@pytest.fixture(scope="session")
def garden(session_folder, bertbuild, tiny):
    """What the Model Garden makes and trains itself; see scripts/garden_files.py."""
    assert bertbuild.artifacts.is_dir()
    folder = session_folder / "garden"
    folder.mkdir()
    return tf2_models.garden_files(folder, tiny)
