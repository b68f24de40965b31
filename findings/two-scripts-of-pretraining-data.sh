#!/bin/sh
# create_pretraining_data.py is in google-research/bert (here from bert-tensorflow 1.0.4) and in the Model Garden (here from
# tf-models-official 2.20.0). Of the same tokens, with the same seed and settings, the two mask other pieces: both shuffle what
# may be masked, and one takes it from the front of the list, the other from its end. So a seed does not tell which file of
# pre-training examples was meant; the script has to be named too.
#
# Seen, for 40 tokens and the seed 12345, the positions that are masked:
#   bert-tensorflow 1.0.4 [5, 7, 8, 15, 16, 37]
#   tf-models-official 2.20.0 [1, 13, 18, 21, 25, 28]
# Exit code 0: it is still so. 1: it is not.
#
# What is called computes with lists alone, so an empty stand-in takes the place of TensorFlow, which both files import.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
    absl-py==2.3.1 bert-tensorflow==1.0.4 six==1.17.0 tf-models-official==2.20.0
cd "$work"
cat > look.py <<'PYTHON'
import importlib.util
import random
import sys
from importlib.metadata import version
from pathlib import Path
from unittest import mock

for name in ("tensorflow", "tensorflow.compat", "tensorflow.compat.v1", "sentencepiece", "tf_keras"):
    sys.modules[name] = mock.MagicMock()
site = Path(importlib.util.find_spec("six").origin).parent


def load(path):
    for name in ("bert", "official", "official.nlp", "official.nlp.tools", "tokenization", "bert.tokenization"):
        sys.modules[name] = mock.MagicMock()
    spec = importlib.util.spec_from_file_location("upstream", site / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.create_masked_lm_predictions


tokens = ["[CLS]", *(f"w{number}" for number in range(18)), "[SEP]", *(f"w{number}" for number in range(19)), "[SEP]"]
settings = (tokens, 0.15, 20, [f"w{number}" for number in range(50)])
google = load("bert/create_pretraining_data.py")(*settings, random.Random(12345))[1]
garden = load("official/nlp/data/create_pretraining_data.py")(*settings, random.Random(12345), False)[1]
print("bert-tensorflow", version("bert-tensorflow"), google)
print("tf-models-official", version("tf-models-official"), garden)
sys.exit(not (google == [5, 7, 8, 15, 16, 37] and garden == [1, 13, 18, 21, 25, 28]))
PYTHON
"$work/venv/bin/python" look.py
