#!/usr/bin/env bash
# RegexSplit of openvino-tokenizers 2026.4.1.0 makes one row of a batch of empty strings, however many they are: where
# its strings have no byte in all, its first two outputs (begins and ends of the words of each string) have one element
# each. So a tokenizer of two empty texts answers one text, without an error; and what broadcasts or slices by the size
# of the input fails behind it. One string of the batch that is not empty, or a byte that is of no string, is enough for
# a row for each.
#
# Seen with openvino 2026.4.1, openvino-tokenizers 2026.4.1.0, Python 3.11:
#     RegexSplit, begins of ['a b', '']: [0, 2]
#     RegexSplit, begins of ['', '']: [0]
#     RegexSplit, begins of ['', ''] with a byte behind: [0, 0]
#     a tokenizer's input_ids of ['a b', '']: [[2, 4, 5, 3], [2, 3, 0, 0]]
#     a tokenizer's input_ids of ['', '']: [[2, 3]]
# Exit code 0: it is still so. 1: it is not.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet --python 3.11 "$folder/venv"
uv pip install --quiet --python "$folder/venv/bin/python" openvino==2026.4.1 openvino-tokenizers==2026.4.1.0 numpy==2.4.6

cat > "$folder/split.py" <<'PYTHON'
import sys

import numpy as np
import openvino as ov
import openvino_tokenizers
from openvino import opset15 as ops
from openvino.utils.node_factory import NodeFactory
from openvino_tokenizers import tokenizer_pipeline as steps

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b"]


def split(byte):
    """Strings, cut at their spaces: begins of the words of each; `byte`: whether a space follows the last string."""
    made = NodeFactory()
    made.add_extension(str(openvino_tokenizers._ext_path))
    space = ops.constant(np.frombuffer(b" ", np.uint8))
    texts = ops.parameter([-1], ov.Type.string, name="text")
    begins, ends, chars = ops.string_tensor_unpack(texts).outputs()
    if byte:
        chars = ops.concat([chars, space], 0).output(0)
    zero, one = (ops.constant(np.array(value, np.int32)) for value in (0, 1))
    count = ops.squeeze(ops.shape_of(texts, output_type="i32"))
    rows = ops.range(zero, count, one, output_type="i32"), ops.range(one, ops.add(count, one), one, output_type="i32")
    inputs = [*(row.output(0) for row in rows), begins, ends, chars, space.output(0)]
    options = {"behaviour": "remove", "invert": False, "max_splits": -1}
    return ov.Model([made.create("RegexSplit", inputs, options).output(0)], [texts], "split")


def tokenizer():
    """[CLS] text [SEP], of the package's own steps."""
    cls, sep = (steps.AddToken(token=WORDS[i], _token_id=i, token_type_id=0) for i in (2, 3))
    pipeline = steps.TokenizerPipeline(vocab=WORDS)
    pipeline.add_steps(
        [
            steps.SpecialTokensSplit.from_string_iter(["[SEP]"]),
            steps.RegexSplitStep.bert_whitespace_splitter(),
            steps.WordPieceTokenizationStep(vocab=WORDS),
            steps.CombineSegmentsStep([cls, steps.Sequence(token_type_id=0), sep]),
            steps.PaddingStep(token="[PAD]", _token_id=0),
        ]
    )
    return pipeline.get_tokenizer_ov_subgraph()


core = ov.Core()


def answer(what, model, texts, ending=""):
    found = core.compile_model(model, "CPU")([np.array(texts)])[0].tolist()
    print("%s of %r%s: %s" % (what, texts, ending, found), flush=True)
    return found


SOME, NONE = ["a b", ""], ["", ""]
found = [
    answer("RegexSplit, begins", split(False), SOME),
    answer("RegexSplit, begins", split(False), NONE),
    answer("RegexSplit, begins", split(True), NONE, " with a byte behind"),
    answer("a tokenizer's input_ids", tokenizer(), SOME),
    answer("a tokenizer's input_ids", tokenizer(), NONE),
]
sys.exit(0 if found == [[0, 2], [0], [0, 0], [[2, 4, 5, 3], [2, 3, 0, 0]], [[2, 3]]] else 1)
PYTHON

CI=true "$folder/venv/bin/python" "$folder/split.py"
