"""convert-hf: folders that transformers' own TensorFlow classes answer for, and that come back as they were."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matrix import cells
from tiny_models import head_weights, weights, write_google
from torch_reference import needs_torch, require_like_source

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.text.words import WordPieces

pytestmark = pytest.mark.integration

CASES = {
    "classifier": (("classifier",), (), {"logits", "probabilities"}),
    "multi-label": (("multi-label",), ("--head", "multi-label"), {"logits", "probabilities"}),
    "regression": (("regression",), ("--head", "regression"), {"score"}),
    "tokens": (("tokens",), ("--head", "tokens"), {"logits", "probabilities"}),
    "span": (("span",), (), {"start_logits", "end_logits"}),
    "masked-lm": (("masked-lm",), (), {"masked_lm_logits"}),
    "next-sentence": (("next-sentence",), (), {"next_sentence_logits"}),
    "pretraining": (("masked-lm", "next-sentence"), (), {"masked_lm_logits", "next_sentence_logits"}),
    "none": ((), (), {"pooled_output"}),
}
"""Name → kinds of heads, the flags that say the kind, and what is answered besides the hidden states."""
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"thequickbrownfox",
    *(f"##{letter}" for letter in "abcdefghijklmnopq"),
]
WORDS = list(dict.fromkeys(WORDS))
WORDS += [f"w{number}" for number in range(60 - len(WORDS))]


@pytest.fixture(scope="module", params=cells(CASES, "tokens"))
def case(request, bertbuild, session_folder):
    """A checkpoint with these heads, its variables, and what came of it."""
    name = request.param
    kinds, flags, _ = CASES[name]
    variables = dict(weights(seed=5))
    for kind in kinds:
        variables |= head_weights(kind, seed=6)
    folder = write_google(session_folder / f"to-hf-{name}", variables)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    return name, variables, bertbuild.ok("convert-hf", "--checkpoint", folder, *flags)


def test_transformers_own_class_answers_like_the_source(case):
    name, _, built = case
    verdict = built.verdict("hf")
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == {"sequence_output", *CASES[name][2]}


@pytest.mark.whole
@needs_torch
def test_pytorchs_class_answers_like_the_source(bertbuild, case):
    name, _, built = case
    require_like_source(bertbuild, f"to-hf-{name}", built)


def test_its_tokenizer_is_the_one_that_was_held_to_upstreams(bertbuild, case):
    """By a step that models of one vocabulary share; it read the file as the folder has it, but for how it cuts."""
    name, _, built = case
    found = json.loads((bertbuild.result(f"to-hf-{name}", "hf", "tokenizer-special") / "text_gate.json").read_text())
    assert found["texts"] >= 5000
    assert found["special_tokens_in_text"]
    assert "private-use characters" in found["differences"]
    written = json.loads((Path(built.last["path"]) / "tokenizer.json").read_text())
    words = WordPieces(WORDS)
    held = json.loads(words.tokenizer_json(lower_case=True, max_seq_length=64, special=True))
    assert written == {**held, "truncation": None, "padding": None}


def test_the_folder_comes_back_bit_for_bit(bertbuild, case):
    name, variables, built = case
    folder = built.last["path"]
    flags = () if name != "pretraining" else ("--output", "masked-lm-logits")
    back = bertbuild.ok("build-ir", "--checkpoint", folder, "--name", f"hf-{name}-back", *flags)
    target = back.last["target"]
    record = bertbuild.record(f"hf-{name}-back", target)
    step = next(step for step in record["steps"] if step["id"] == "ir-fp32" or step["id"] == target)
    prefix = bertbuild.artifacts / step["inputs"]["checkpoint"]["path"] / "bert_model.ckpt"
    reader = CheckpointReader(prefix)
    assert reader.entries.keys() == variables.keys()
    for variable, value in variables.items():
        assert reader.tensor(variable).tobytes() == np.ascontiguousarray(value).tobytes(), variable


LOWERED = '''
_write_json = write_json


def write_json(folder, name, value):
    """Name a class that makes a tokenizer of the words, and do not say that it is not to lower-case text."""
    if name == "tokenizer_config.json":
        value = {"tokenizer_class": "BertTokenizer", "model_max_length": value["model_max_length"]}
    _write_json(folder, name, value)
'''


@pytest.mark.whole
def test_a_cased_model_that_transformers_would_lower_case_fails(session_folder, altered):
    """Its BertTokenizer takes the normalizer of tokenizer.json for another, unless tokenizer_config.json says false."""
    folder = write_google(session_folder / "to-hf-cased", weights(seed=5))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in ["T", *WORDS[1:]]))
    program = altered("data", "convert_hf", LOWERED)
    error = program.refused("convert-hf", "--checkpoint", folder, "--do-lower-case=false", code=13)
    assert "and google-research/bert as" in error["message"] + error["details"]
