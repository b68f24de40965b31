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
from bertbuild.project import ROOT

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


def questions(*, context="a b", question="who?", **more):
    return {"data": [{"paragraphs": [{"context": context, "qas": [{"id": "1", "question": question, **more}]}]}]}


NO_SQUAD = {
    "nested without end": (b"[" * 200_000, "its lists lie too deep in one another"),
    "nested without end in its data": (b'{"data": ' + b"[" * 200_000, "its lists lie too deep in one another"),
    "cut short": (b'{"data": [', "is not JSON"),
    "empty": (b"", "is not JSON"),
    "a list": (b"[]", "is JSON, but not a SQuAD file"),
    "another table": (b"{}", "is JSON, but not a SQuAD file: it has no 'data'"),
    "a number": (b'{"data": 3}', "is JSON, but not a SQuAD file"),
    "articles that are text": (b'{"data": "abc"}', "is JSON, but not a SQuAD file"),
    "a paragraph that is null": (b'{"data": [{"paragraphs": [null]}]}', "is JSON, but not a SQuAD file"),
    "a question that is a number": (json.dumps(questions(question=3)).encode(), "a question is not text"),
    "a context that is a list": (json.dumps(questions(context=[])).encode(), "a context is not text"),
    "in UTF-16": (json.dumps(questions()).encode("utf-16"), "is UTF-16; save it as UTF-8"),
    "in Latin 1": (json.dumps(questions(question="é"), ensure_ascii=False).encode("latin-1"), "line 1 is not UTF-8"),
}
ASK = """
import sys
from stage import StageInputError
from stages._training_questions import readable

try:
    print(readable("dev.json", "."))
except StageInputError as error:
    print(error)
"""


@pytest.mark.parametrize("case", NO_SQUAD)
def test_questions_that_the_model_garden_cannot_read_are_refused_in_a_sentence(tmp_path, case):
    content, words = NO_SQUAD[case]
    (tmp_path / "dev.json").write_bytes(content)
    done = run(tmp_path, ASK)
    assert done.stderr == ""
    assert done.stdout.startswith("dev.json ")
    assert words in done.stdout
    assert done.stdout.count("\n") == 1


def test_questions_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "dev.json").write_text(json.dumps(questions()))
    assert run(tmp_path, ASK).stdout == "dev.json\n"
    (tmp_path / "dev.json").write_text(json.dumps(questions()), encoding="utf-8-sig")
    assert run(tmp_path, ASK).stdout == "./questions.json\n"
    assert json.loads((tmp_path / "questions.json").read_bytes()) == questions()


JSON = """
from stage import StageInputError, read_json

try:
    print(read_json(".", "meta_data.json"))
except StageInputError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'\xef\xbb\xbf{"a": 1}', "{'a': 1}"),
        (b"[" * 200_000, "cannot read ./meta_data.json: its lists lie too deep in one another"),
        (b"{", "cannot read ./meta_data.json: "),
        (b'{"a": "\xe9"}', "cannot read ./meta_data.json: "),
    ],
)
def test_a_json_file_is_read_or_refused_in_a_sentence(tmp_path, content, words):
    (tmp_path / "meta_data.json").write_bytes(content)
    done = run(tmp_path, JSON)
    assert done.stderr == ""
    assert done.stdout.startswith(words)


def test_a_vocabulary_that_is_not_utf_8_is_no_traceback(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"[PAD]\nthe\ncaf\xe9\n")
    done = run(tmp_path, "from stages.saved_model import lower_cases; print(lower_cases('vocab.txt'))")
    assert done.stdout.strip() == "True", done.stderr


REASONS = {
    "model/layer_with_weights-1/dense/kernel/.ATTRIBUTES/VARIABLE_VALUE": "head with a pooler of its own",
    "model/layer_with_weights-1/out_proj/bias/.ATTRIBUTES/VARIABLE_VALUE": "head with a pooler of its own",
    "model/layer_with_weights-1/out_proj/bias/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE": "optimizer",
    "model/classification_heads/0/dense/kernel/.ATTRIBUTES/VARIABLE_VALUE": "the pooler, a second time",
    "doc/layer_with_weights-0/embeddings/.ATTRIBUTES/VARIABLE_VALUE": "of another encoder",
    "save_counter/.ATTRIBUTES/VARIABLE_VALUE": "counter of the training",
    "tower/kernel": "no variable of a BERT",
}
WHY = """
import json
import sys
from stages.convert_tf1 import reason

used = {"model/classification_heads/0/out_proj/kernel/.ATTRIBUTES/VARIABLE_VALUE"}
print(json.dumps([reason(name, ("doc/",), used) for name in json.loads(%r)]))
"""


def test_what_is_not_brought_back_is_left_out_for_its_own_reason(tmp_path):
    done = run(tmp_path, WHY % json.dumps(list(REASONS)))
    assert json.loads(done.stdout) == list(REASONS.values()), done.stderr
