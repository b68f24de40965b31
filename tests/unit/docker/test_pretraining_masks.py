"""Draws of pre-training examples that stand for upstream's shuffles; integration tests compare the examples."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bertbuild.project import ROOT

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


GOOGLE = """
import random
from stages._examples import Pair
from stages._google_masking import GoogleMasking

VOCAB = {"[MASK]": 0, "a": 1, "##b": 2, "c": 3}
PAIR = Pair(0, 4, 4, 8, False)

class Read:
    def ids(self, begin, end):
        return [2, 1, 2, 2, 2, 2, 3, 2][begin:end]

def masking(rng, **settings):
    return GoogleMasking(rng, VOCAB, **{"prob": 1.0, "most": 20, "whole_words": True, **settings})

# [CLS] ##b a ##b ##b [SEP] ##b ##b c ##b [SEP]: the first piece is a word for want of one, those behind [SEP] go on a.
places, ids = [1, 2, 3, 4, 6, 7, 8, 9], [2, 1, 2, 2, 2, 2, 3, 2]
assert masking(random.Random(0))._words(places, ids) == [[1], [2, 3, 4, 6, 7], [8, 9]]
for seed in range(200):
    rng = random.Random(seed)
    positions, instead = masking(rng, most=2).of(Read(), PAIR)
    assert positions in ([1], [8, 9])  # a word of five pieces is more than may be masked, one of two and one are three
    assert all(one in (-1, 0, 1, 2, 3) for one in instead)
for seed in range(50):
    rng, theirs = random.Random(seed), random.Random(seed)
    order = list(range(8))
    theirs.shuffle(order)
    positions, _ = masking(rng, most=3, whole_words=False).of(Read(), PAIR)
    assert positions == sorted(places[at] for at in order[:3])  # from the front of the shuffle
print("fine")
"""


@pytest.mark.parametrize("program", [PROGRAM, GOOGLE], ids=["the Model Garden's", "google-research's"])
def test_masks_are_drawn_as_upstream_draws_them(program):
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / "docker" / part) for part in ("data", "common"))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "fine\n", done.stderr
