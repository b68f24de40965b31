#!/usr/bin/env bash
# connect_models of openvino-tokenizers 2026.4.1.0 joins a tokenizer that truncates with a model, and what it gives
# compiles and cannot be run: the operator Assign of the tokenizer's variable "truncation", a sink of its model, is left
# out, while the ReadValue stays. And where the second model does not take every output of the tokenizer (no
# token_type_ids, for instance), connect_models raises AttributeError out of its own log line, which asks an
# openvino.Output for a `name`.
#
# The tokenizer alone runs and cuts. An openvino.Model built of the same graph with the sinks of the tokenizer runs too.
#
# Seen with openvino 2026.4.1, openvino-tokenizers 2026.4.1.0, Python 3.11:
#     sinks of the tokenizer 1, of the joined model 0
#     the tokenizer alone: [[2, 4, 5, 3]]
#     joined by connect_models: RuntimeError: ReadValue node with name 'ReadValue_92'  doesn't have sibling output
#     joined, the sinks added: [[3, 5, 6, 4]]
#     joined by one of three outputs: AttributeError: 'openvino._pyopenvino.Output' object has no attribute 'name'
# Exit code 0: it is still so. 1: it is not.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet --python 3.11 "$folder/venv"
uv pip install --quiet --python "$folder/venv/bin/python" openvino==2026.4.1 openvino-tokenizers==2026.4.1.0 numpy==2.4.6

cat > "$folder/join.py" <<'PYTHON'
import sys

import numpy as np
import openvino as ov
import openvino_tokenizers
from openvino import opset15 as ops
from openvino_tokenizers import connect_models
from openvino_tokenizers import tokenizer_pipeline as steps

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b"]
NAMES = ["input_ids", "token_type_ids", "attention_mask"]
TEXT = np.array(["a b a b a"])


def tokenizer():
    """[CLS] text [SEP], the text cut to two pieces."""
    cls, sep = (steps.AddToken(token=WORDS[i], _token_id=i, token_type_id=0) for i in (2, 3))
    pipeline = steps.TokenizerPipeline(vocab=WORDS)
    pipeline.add_steps(
        [
            steps.SpecialTokensSplit.from_string_iter(["[SEP]"]),
            steps.RegexSplitStep.bert_whitespace_splitter(),
            steps.WordPieceTokenizationStep(vocab=WORDS),
            steps.TruncationStep(max_length=2, truncation=True),
            steps.CombineSegmentsStep([cls, steps.Sequence(token_type_id=0), sep]),
            steps.PaddingStep(token="[PAD]", _token_id=0),
        ]
    )
    return pipeline.get_tokenizer_ov_subgraph()


def model(names):
    """The sum of some of the tokenizer's outputs."""
    ports = [ops.parameter([-1, -1], np.int32, name=name) for name in names]
    for port, name in zip(ports, names):
        port.output(0).get_tensor().set_names({name})
    total = ports[0]
    for port in ports[1:]:
        total = ops.add(total, port)
    return ov.Model([ops.abs(total)], ports, "model")


def outcome(what, run):
    try:
        found = run()
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        found = type(error).__name__ + ": " + lines[-1][:160]
    print("%s: %s" % (what, found), flush=True)
    return str(found)


core = ov.Core()


def answer(joined):
    return core.compile_model(joined, "CPU")([TEXT])[0].tolist()


joined, whole = connect_models(tokenizer(), model(NAMES)), tokenizer()
print("sinks of the tokenizer %d, of the joined model %d" % (len(whole.get_sinks()), len(joined.get_sinks())))
sinks = whole.get_sinks()
kept = connect_models(whole, model(NAMES))
kept.add_sinks(sinks)
found = {
    "alone": outcome("the tokenizer alone", lambda: answer(tokenizer())),
    "joined": outcome("joined by connect_models", lambda: answer(joined)),
    "kept": outcome("joined, the sinks added", lambda: answer(kept)),
    "fewer": outcome(
        "joined by one of three outputs",
        lambda: connect_models(tokenizer(), model(NAMES[:1]), name_map=[(NAMES[0], NAMES[0])]),
    ),
}
same = found["alone"] == "[[2, 4, 5, 3]]" and found["joined"].startswith("RuntimeError") and found["kept"] == "[[3, 5, 6, 4]]"
sys.exit(0 if same and found["fewer"].startswith("AttributeError") else 1)
PYTHON

CI=true "$folder/venv/bin/python" "$folder/join.py"
