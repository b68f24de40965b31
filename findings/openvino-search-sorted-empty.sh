#!/usr/bin/env bash
# SearchSorted of OpenVINO 2026.4.1 on a CPU gives any numbers where the sequence that it looks in is empty: it does not
# write its answer, which is what was in memory before, such as the answer to another question. An element can be put into
# an empty sequence at one place alone, 0. So a graph that finds where the rows of a ragged tensor begin is wrong, without
# an error, for a batch whose rows are all empty. One element more in the sequence, greater than all values, changes no
# other place, and makes it right.
#
# Seen with openvino 2026.4.1, Python 3.11, one model asked three times:
#     places of [0, 1, 2, 3] in [1, 2]: [0, 0, 1, 2]
#     places of [0, 1, 2, 3] in []: [0, 0, 1, 2]
#     places of [0, 1, 2, 3] in [9]: [0, 0, 0, 0]
# Exit code 0: it is still so. 1: it is not.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet --python 3.11 "$folder/venv"
uv pip install --quiet --python "$folder/venv/bin/python" openvino==2026.4.1 numpy==2.4.6

cat > "$folder/places.py" <<'PYTHON'
import sys

import numpy as np
import openvino as ov
from openvino import opset15 as ops

rows, values = (ops.parameter([-1], ov.Type.i32, name=name) for name in ("rows", "values"))
model = ov.Model([ops.search_sorted(rows, values).output(0)], [rows, values], "places")
asked = ov.Core().compile_model(model, "CPU")


def places(of, within):
    return asked([np.array(within, np.int32), np.array(of, np.int32)])[0].tolist()


VALUES = [0, 1, 2, 3]
for within in ([1, 2], [], [9]):
    print("places of %r in %r: %r" % (VALUES, within, places(VALUES, within)), flush=True)
# What is not written may be 0 by chance: several sizes are asked.
sizes = [list(range(size)) for size in range(1, 40)]
empty, more = ([places(values, within) for values in sizes] for within in ([], [99]))
sys.exit(0 if any(map(any, empty)) and not any(map(any, more)) else 1)
PYTHON

CI=true "$folder/venv/bin/python" "$folder/places.py"
