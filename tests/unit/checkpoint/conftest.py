from __future__ import annotations

import json
import pathlib
import shutil

import numpy as np
import pytest

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.checkpoint.writer import write_checkpoint

DATA = pathlib.Path(__file__).resolve().parents[3].parent / "shared" / "data"

TINY = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
}


def tiny_tensors(values=TINY):
    chance = np.random.default_rng(0)
    shapes = encoder_variables(config_from(values, name="tiny"))
    return {name: chance.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def tensors():
    """The encoder variables of a tiny BERT."""
    return tiny_tensors()


@pytest.fixture
def make(tmp_path):
    """A function that writes a checkpoint folder: tensors, configuration, words in the vocabulary."""

    def write(tensors, *, config=TINY, words=20, name="model", prefix="bert_model.ckpt"):
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        write_checkpoint(folder / prefix, tensors)
        if config is not None:
            (folder / "bert_config.json").write_text(json.dumps(config))
        if words is not None:
            (folder / "vocab.txt").write_text("".join(f"w{i}\n" for i in range(words)))
        return folder

    return write


@pytest.fixture
def tiny(make, tensors):
    """The folder of a sound tiny checkpoint."""
    return make(tensors)


@pytest.fixture
def shared():
    """The folder of shared checkpoints."""
    if not DATA.is_dir():
        pytest.skip("the shared checkpoints are not here")
    return DATA / "checkpoints"


@pytest.fixture
def genuine(shared, tmp_path):
    """A writable copy of the one whole genuine checkpoint, two layers of four units."""
    folder = tmp_path / "genuine"
    shutil.copytree(shared / "pretraining_step20_L-2_H-4", folder)
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder
