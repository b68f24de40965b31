"""Draws of pre-training examples that stand for upstream's shuffles; integration tests compare the examples."""

from __future__ import annotations

import os
import subprocess
import sys

from bertbuild.config import ROOT

PROGRAM = """
import random
from stages._masking import Masking

VOCAB = {"[MASK]": 0, "a": 1, "##b": 2}
for count in range(1, 300):
    for wanted in {1, 2, count // 2, count - 1, count, count + 3}:
        ours, theirs = random.Random(count), random.Random(count)
        masking = Masking(ours, 0, VOCAB, prob=0.15, most=20, whole_words=False, max_ngram=1)
        items = list(range(count))
        theirs.shuffle(items)
        assert masking._last_of_shuffled(count, wanted) == [items.pop() for _ in range(min(wanted, count))]
        assert ours.getstate() == theirs.getstate(), (count, wanted)

masking = Masking(random.Random(0), 0, VOCAB, prob=0.15, most=20, whole_words=True, max_ngram=1)
assert masking._words([2, 1, 2, 2, 1], 4) == [range(4, 5), range(5, 8), range(8, 9)]
print("fine")
"""


def test_the_end_of_a_shuffle_is_drawn_as_python_draws_it():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / "docker" / part) for part in ("data", "common"))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "fine\n", done.stderr
