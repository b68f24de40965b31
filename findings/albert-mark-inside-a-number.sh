#!/bin/sh
# albert-tensorflow 1.1, google-research/albert as a package, encodes a piece of SentencePiece that ends in a digit and a comma a
# second time without its comma, and is written to take off the mark of a word's beginning that this adds where the piece did
# not begin a word. It looks for the mark as bytes: under Python 3 the piece is text, and the first element of what was
# encoded again, which is bytes, is a number, so that the mark is never found and stays. A number that another sign stands
# in front of is cut as if it began a word, and who writes the rule down as it is meant gets other ids than the package.
#
# Seen: the pieces of the ids of "(9,": sentencepiece 0.2.1 ['▁', '(', '9,'], albert-tensorflow ['▁', '(', '▁', '9', ',']; the rule
#       as it is meant would give ['▁', '(', '9', ',']
# Exit code 0: it is still so. 1: it is not.
#
# The package's tokenization.py takes nothing of TensorFlow and TensorFlow Hub for this but their names, so empty modules do.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps albert-tensorflow==1.1 six==1.17.0 sentencepiece==0.2.1
cd "$work"
mkdir -p tensorflow/compat tensorflow_hub
touch tensorflow/__init__.py tensorflow/compat/__init__.py tensorflow/compat/v1.py tensorflow_hub/__init__.py
cat > look.py <<'PYTHON'
import importlib.util
import sys
from importlib.metadata import version
from pathlib import Path

import sentencepiece

sentences = iter(["a, b (c) 9 8 (9 8) b, a c", "b c a 8 9 (a b) (c 8)"] * 50)
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=sentences, model_prefix="toy", vocab_size=15, model_type="char", user_defined_symbols=["9,"],
    minloglevel=2,
)
path = Path(importlib.util.find_spec("albert").submodule_search_locations[0]) / "tokenization.py"
spec = importlib.util.spec_from_file_location("tokenization", path)
tokenization = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tokenization)
model = sentencepiece.SentencePieceProcessor(model_file="toy.model")
plain = model.encode("(9,", out_type=str)
package = [model.id_to_piece(one) for one in tokenization.encode_ids(model, "(9,")]
print("sentencepiece", version("sentencepiece"), plain)
print("albert-tensorflow", version("albert-tensorflow"), package)
sys.exit(not (plain == ["▁", "(", "9,"] and package == ["▁", "(", "▁", "9", ","]))
PYTHON
"$work/venv/bin/python" look.py
