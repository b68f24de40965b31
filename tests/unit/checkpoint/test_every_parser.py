"""Every reader of files from elsewhere, given inputs that are spoilt by chance or crafted: a value or a sentence.

2,000 inputs in CI, 50,000 by `invoke test --whole`; docs/faults.md has the counts of such a run.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
import tracemalloc
from collections import Counter

import pytest
from every_parser import crafted, parsers
from mutations import mutated, mutated_json

from bertbuild.checkpoint.snappy import SnappyError
from bertbuild.checkpoint.table import TableFormatError
from bertbuild.errors import BertbuildError
from bertbuild.graph.graphdef import GraphFormatError
from bertbuild.graph.wire import WireError

PARSERS = parsers()
REFUSALS = (BertbuildError, TableFormatError, SnappyError, GraphFormatError, WireError)
JSON_REFUSALS = ("JSON", "statement")
"""Readers that are told of by ValueError: their callers say of which file."""
IN_CI, WHOLE = 2_000, 50_000
SECONDS, GROWTH, ROOM = 2.0, 10, 100_000_000


def spoilt(parser, chance):
    """An input made of a sound one."""
    if parser.is_json and chance.random() < 0.5:
        return mutated_json(parser.sound, chance)
    content = crafted(parser.sound, chance) if chance.random() < 0.3 else mutated(parser.sound, chance)
    return mutated(content, chance) if content and chance.random() < 0.2 else content


def run(name, count, seed, folder, measured=1):
    """What came of so many inputs: how many were read, how many refused; the worst seconds, and bytes of every n-th."""
    parser, chance = PARSERS[name], random.Random(f"{name} {seed}")  # noqa: S311
    told, slowest, largest = Counter(), 0.0, 0
    place = folder / "input"
    refusals = (*REFUSALS, ValueError) if name in JSON_REFUSALS else REFUSALS
    place.mkdir()
    sound = parser.read(place, parser.sound)
    shutil.rmtree(place)
    for number in range(count):
        content = spoilt(parser, chance)
        place.mkdir()
        if number % measured == 0:
            tracemalloc.start()
        began = time.process_time()
        try:
            found = parser.read(place, content)
        except refusals as error:
            told["refused" if str(error) and "\n" not in str(error) else "no sentence"] += 1
        else:
            told["read"] += 1
            if parser.checked and found != sound:
                told["silent"] += 1
                assert content != parser.sound
                pytest.fail(f"{name} gives something else than was written: {content!r}")
        slowest = max(slowest, time.process_time() - began)
        if tracemalloc.is_tracing():
            largest = max(largest, tracemalloc.get_traced_memory()[1] - GROWTH * len(content))
            tracemalloc.stop()
        shutil.rmtree(place)
    return told, slowest, largest


@pytest.mark.parametrize("name", PARSERS)
def test_a_spoilt_input_is_read_or_refused_in_a_sentence(name, tmp_path):
    told, slowest, largest = run(name, IN_CI // len(PARSERS) + 1, 1, tmp_path, measured=4)
    assert not told["no sentence"]
    assert slowest <= SECONDS
    assert largest <= ROOM


@pytest.mark.whole
def test_fifty_thousand(tmp_path, capsys):
    each = WHOLE // len(PARSERS) + 1
    rows, total = [], Counter()
    for name in PARSERS:
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        told, slowest, largest = run(name, each, os.environ.get("BERTBUILD_FUZZ_SEED", "2"), folder)
        assert not told["no sentence"]
        total += told
        rows.append((name, told["read"], told["refused"], slowest, largest / 1e6))
        assert slowest <= SECONDS
        assert largest <= ROOM
    with capsys.disabled():
        sys.stdout.write(f"\n{total.total():,} inputs: {total['read']:,} read, {total['refused']:,} refused\n")
        for row in rows:
            sys.stdout.write("{:24} {:6,} {:6,} {:8.3f} s {:8.1f} MB\n".format(*row))
    assert total.total() >= WHOLE
