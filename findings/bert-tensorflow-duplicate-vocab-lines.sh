#!/bin/sh
# bert-tensorflow 1.0.4, google-research/bert as a package, numbers the words of a vocab.txt and not its lines: a line that is
# there a second time has no number, and every later word's number is one smaller than in tokenizers 0.21.4 (Hugging Face),
# which numbers lines, as google-research/bert's own tokenization.py and the Model Garden do. A model whose vocab.txt has a
# duplicate line so gets other ids from the package than it was trained with, and nothing says so.
#
# Seen: bert-tensorflow {'[PAD]': 0, '[UNK]': 1, 'the': 2, 'cat': 3, 'sat': 4}
#       tokenizers      {'[PAD]': 0, '[UNK]': 1, 'the': 4, 'cat': 3, 'sat': 5}
# Exit code 0: it is still so. 1: it is not.
#
# The package's tokenization.py takes nothing of TensorFlow but gfile.GFile, so modules of that name, with `open` in its place, do.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps bert-tensorflow==1.0.4 \
    absl-py==2.3.1 six==1.17.0 tokenizers==0.21.4
cd "$work"
mkdir -p tensorflow/compat
touch tensorflow/__init__.py tensorflow/compat/__init__.py
cat > tensorflow/compat/v1.py <<'PYTHON'
import types

gfile = types.SimpleNamespace(GFile=lambda path, mode: open(path, mode, encoding="utf-8", newline="\n"))
PYTHON
printf '%s\n' '[PAD]' '[UNK]' the cat the sat > vocab.txt
cat > look.py <<'PYTHON'
import importlib.util
import sys
from importlib.metadata import version
from pathlib import Path

from tokenizers.models import WordPiece

path = Path(importlib.util.find_spec("bert").submodule_search_locations[0]) / "tokenization.py"
spec = importlib.util.spec_from_file_location("tokenization", path)
tokenization = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tokenization)
package = dict(tokenization.load_vocab("vocab.txt"))
others = dict(sorted(WordPiece.read_file("vocab.txt").items(), key=lambda item: list(package).index(item[0])))
print("bert-tensorflow", version("bert-tensorflow"), package)
print("tokenizers", version("tokenizers"), others)
same = package == {"[PAD]": 0, "[UNK]": 1, "the": 2, "cat": 3, "sat": 4}
sys.exit(not (same and others == {"[PAD]": 0, "[UNK]": 1, "the": 4, "cat": 3, "sat": 5}))
PYTHON
"$work/venv/bin/python" look.py
