#!/bin/sh
# tf.gather of a variable reads rows of it without a copy of the whole (the operator ResourceGather), which is its point. But it also marks
# the variable for good: from then on every read of the whole copies it, and so does every operation that updates all of it, an optimizer's
# among them. Until then reads share the variable's own memory. tf.gather of variable.read_value() copies nothing and marks nothing.
# So a table of word embeddings that is trained with an update of every row costs several copies of itself a step.
#
# Seen: two reads share memory: tensorflow-cpu 2.20.0 True of a new variable, True after tf.gather(variable.read_value(), …),
#       False after tf.gather(variable, …), False after all of it was assigned again
# Exit code 0: it is still so. 1: it is not.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow-cpu==2.20.0 numpy==2.2.6
cat > "$work/look.py" <<'PYTHON'
import sys

import numpy as np
import tensorflow as tf


def shared():
    reads = [variable.read_value(), variable.read_value()]
    return len({np.asarray(memoryview(read)).__array_interface__["data"][0] for read in reads}) == 1


variable = tf.Variable(tf.zeros([1000, 128]))
found = [shared()]
tf.gather(variable.read_value(), [1, 2])
found.append(shared())
tf.gather(variable, [1, 2])
found.append(shared())
variable.assign(tf.ones([1000, 128]))
found.append(shared())
print("tensorflow", tf.__version__, found)
sys.exit(found != [True, True, False, False])
PYTHON
TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" -W ignore "$work/look.py"
