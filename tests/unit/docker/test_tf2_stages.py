"""The helpers of docker/tf2's stages that need no TensorFlow."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.layouts import layout
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.config import ROOT

MARKS = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
VOCABULARIES = {
    "uncased": (MARKS + "[unused1]\nthe\n##ing\né\n1\n", True),
    "cased": (MARKS + "the\nThe\n", False),
    "cased, in the middle": (MARKS + "mcDonald\n", False),
    "Chinese, with its marks": (MARKS + "<S>\n<T>\n的\n##的\nthe\n", True),
}


TINY = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def run(folder, code):
    """A program that can import the stages of tf2, run in a folder."""
    paths = [*(ROOT / "docker" / part for part in ("tf2", "common")), ROOT]
    return subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_vocabulary_tells_whether_its_words_are_lower_cased(tmp_path, name):
    words, expected = VOCABULARIES[name]
    (tmp_path / "vocab.txt").write_text(words, encoding="utf-8")
    done = run(tmp_path, "from stages.saved_model import lower_cases; print(lower_cases('vocab.txt'))")
    assert done.stdout.strip() == str(expected), done.stderr


READ = """
from types import SimpleNamespace
from stages._training_inputs import _source

args = SimpleNamespace(
    init_checkpoint=".", hub_module=None, model_dir=None, mode="train", config=None, vocab=None, prefix=None
)
_source(args)
"""


@pytest.mark.parametrize(
    ("stated", "refused"), [({}, False), ({"layer_norm_eps": 1e-12}, False), ({"layer_norm_eps": 1e-5}, True)]
)
def test_the_model_garden_does_not_train_with_another_epsilon(tmp_path, stated, refused):
    config = config_from(TINY, name="tiny")
    values = {
        place.name: np.zeros(place.shape, np.float32)
        for place in layout("keras-names", config, encoder_variables(config)).places
    }
    write_checkpoint(tmp_path / "bert_model.ckpt", values)
    (tmp_path / "bert_config.json").write_text(json.dumps(TINY | stated))
    done = run(tmp_path, READ)
    assert ("has layer_norm_eps 1e-05" in done.stderr) == refused, done.stderr
