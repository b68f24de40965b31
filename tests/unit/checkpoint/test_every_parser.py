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
from dataclasses import dataclass, field

import pytest
from every_parser import crafted, parsers
from mutations import mutated, mutated_json

from bertbuild.checkpoint.snappy import SnappyError
from bertbuild.checkpoint.table import TableFormatError
from bertbuild.errors import BertbuildError
from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.wire import WireError
from bertbuild.report.clean import cleaned

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


@dataclass
class Outcome:
    """What came of many inputs.

    Attributes:
        told: how many were read, and how many refused.
        wrong: what must not be: another value than was written, a refusal that is no sentence.
        seconds: of the slowest, at work.
        memory: bytes beyond `GROWTH` times the input, at most.
    """

    told: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    memory: int = 0


def run(name, count, seed, folder, measured=1):
    """Read so many inputs; the memory of every n-th is measured."""
    parser, chance = PARSERS[name], random.Random(f"{name} {seed}")  # noqa: S311
    found, place = Outcome(), folder / "input"
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
            value = parser.read(place, content)
        except refusals as error:
            found.told["refused"] += 1
            shown = cleaned({"message": str(error)})["message"]  # as people see it: a name may have a line break
            if not shown or "\n" in shown:
                found.wrong.append(f"{name} {number}: {error!r} is no sentence")
        else:
            found.told["read"] += 1
            if parser.checked and value != sound:
                found.wrong.append(f"{name} {number} gives something else than was written")
        found.seconds = max(found.seconds, time.process_time() - began)
        if tracemalloc.is_tracing():
            found.memory = max(found.memory, tracemalloc.get_traced_memory()[1] - GROWTH * len(content))
            tracemalloc.stop()
        shutil.rmtree(place)
    if found.seconds > SECONDS or found.memory > ROOM:
        found.wrong.append(f"{name} takes {found.seconds:.2f} s, {found.memory:,} bytes")
    return found


@pytest.mark.parametrize("name", PARSERS)
def test_a_spoilt_input_is_read_or_refused_in_a_sentence(name, tmp_path):
    assert run(name, IN_CI // len(PARSERS) + 1, 1, tmp_path, measured=4).wrong == []


@pytest.mark.whole
def test_fifty_thousand(tmp_path, capsys):
    found = {}
    for number, name in enumerate(PARSERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        found[name] = run(name, WHOLE // len(PARSERS) + 1, os.environ.get("BERTBUILD_FUZZ_SEED", "2"), folder)
    total = sum((outcome.told for outcome in found.values()), Counter())
    with capsys.disabled():
        sys.stdout.write(f"\n{total.total():,} inputs: {total['read']:,} read, {total['refused']:,} refused\n")
        for name, outcome in found.items():
            counts = f"{outcome.told['read']:6,} {outcome.told['refused']:6,}"
            sys.stdout.write(f"{name:24} {counts} {outcome.seconds:8.3f} s {outcome.memory / 1e6:8.1f} MB\n")
    assert [line for outcome in found.values() for line in outcome.wrong] == []
    assert total.total() >= WHOLE
