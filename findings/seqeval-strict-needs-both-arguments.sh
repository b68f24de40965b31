#!/usr/bin/env bash
# seqeval's strict figures need mode="strict" and scheme=…; with either of them alone it gives the default figure, which
# counts what begins wrongly as an entity, and says nothing.
#
# Seen with: Python 3.11, seqeval 1.2.2, scikit-learn 1.7.2, NumPy 2.2.6. f1_score of a sentence, where one entity is
# right and of the other one the mark alone is wrong (I-LOC after O):
#   no argument 1.0   mode="strict" 1.0   scheme=IOB2 1.0   both 0.667
# What follows: a figure that is called strict has to be asked for with both; two programs that each give one of them
# publish the same number for two different things.
#
# Exits with 0 while this is so, else with 1. Needs uv (or pip) and a package index; takes less than a minute. seqeval has
# no wheel: it is built.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packages=(seqeval==1.2.2 scikit-learn==1.7.2 numpy==2.2.6)

if command -v uv >/dev/null; then
    uv venv --quiet --python 3.11 "$work/env" && uv pip install --quiet --python "$work/env/bin/python" "${packages[@]}"
else
    python3.11 -m venv "$work/env" && "$work/env/bin/pip" install --quiet "${packages[@]}"
fi

"$work/env/bin/python" - <<'PYTHON'
import sys
import warnings

from seqeval.metrics import f1_score
from seqeval.scheme import IOB2

warnings.simplefilter("error")  # nothing is warned of
right = [["B-PER", "I-PER", "O", "B-LOC"]]
given = [["B-PER", "I-PER", "O", "I-LOC"]]
asked = {"no argument": {}, 'mode="strict"': {"mode": "strict"}, "scheme=IOB2": {"scheme": IOB2}}
asked["both"] = {"mode": "strict", "scheme": IOB2}
found = {name: round(float(f1_score(right, given, **words)), 3) for name, words in asked.items()}
print("   ".join(f"{name} {value}" for name, value in found.items()))
sys.exit(0 if list(found.values()) == [1.0, 1.0, 1.0, 0.667] else 1)
PYTHON
