from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.gate.probes import make_outside_probe, make_probes

BASE = {"vocab_size": 30522, "type_vocab_size": 2, "max_positions": 512}
PRINT = f"import json; from bertbuild.gate.probes import make_probes; print(json.dumps(make_probes(**{BASE})))"


def test_probes_are_the_same_in_every_process_and_for_ever():
    text = json.dumps(make_probes(**BASE))
    for seed in ("0", "1"):
        command = [sys.executable, "-c", PRINT]
        run = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed})
        assert run.stdout.strip() == text
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "c8ceda4e090883cdc208236e727d7f178f660d0aaa349f17cd1a1ec9c5490f24"
    )


def test_batches_and_lengths():
    probes = make_probes(**BASE)
    assert [probe["name"] for probe in probes] == ["b1_s16", "b1_s128", "b4_s16", "b4_s128"]
    for probe in probes:
        batch, length = (int(part[1:]) for part in probe["name"].split("_"))
        for role in ("input_ids", "input_mask", "segment_ids"):
            assert [len(row) for row in probe[role]] == [length] * batch


@pytest.mark.parametrize(
    ("max_positions", "names"),
    [
        (16, ["b1_s16", "b4_s16"]),
        (12, ["b1_s12", "b4_s12"]),
        (1, ["b1_s1", "b4_s1"]),
        (64, ["b1_s16", "b1_s64", "b4_s16", "b4_s64"]),
    ],
)
def test_no_probe_is_longer_than_the_model(max_positions, names):
    assert [probe["name"] for probe in make_probes(**BASE | {"max_positions": max_positions})] == names


def test_batches_are_padded_more_and_more_after_a_full_row():
    (probe,) = (probe for probe in make_probes(**BASE) if probe["name"] == "b4_s16")
    assert [sum(row) for row in probe["input_mask"]] == [16, 12, 8, 4]


@given(vocab_size=st.integers(1, 50_000), type_vocab_size=st.integers(1, 3), max_positions=st.integers(1, 600))
def test_every_probe_is_one_that_the_model_can_take(vocab_size, type_vocab_size, max_positions):
    probes = make_probes(vocab_size=vocab_size, type_vocab_size=type_vocab_size, max_positions=max_positions)
    for probe in probes:
        for ids, mask, segments in zip(probe["input_ids"], probe["input_mask"], probe["segment_ids"], strict=True):
            tokens = sum(mask)
            assert 1 <= tokens <= len(ids) <= max_positions
            assert mask == [1] * tokens + [0] * (len(ids) - tokens)
            assert all(0 <= token < vocab_size for token in ids)
            assert all(0 <= segment < type_vocab_size for segment in segments)
            assert ids[tokens:] == segments[tokens:] == [0] * (len(ids) - tokens)
            assert segments[:tokens] == sorted(segments[:tokens])


def test_both_segments_occur_in_every_row_of_a_model_that_has_two():
    assert all({0, 1} <= set(row) for probe in make_probes(**BASE) for row in probe["segment_ids"])


def test_a_model_with_one_segment_gets_no_second():
    probes = make_probes(**BASE | {"type_vocab_size": 1})
    assert {segment for probe in probes for row in probe["segment_ids"] for segment in row} == {0}


@pytest.mark.parametrize("sizes", [BASE, {"vocab_size": 3, "type_vocab_size": 1, "max_positions": 8}])
def test_a_probe_outside_differs_from_what_it_is_taken_for_where_it_is_outside_alone(sizes):
    within, asked = make_outside_probe(**sizes, unknown=1)
    assert within["name"] == asked["name"]
    assert within["input_mask"] == asked["input_mask"]
    for role, size, otherwise in (("input_ids", sizes["vocab_size"], 1), ("segment_ids", sizes["type_vocab_size"], 0)):
        values = [value for row in asked[role] for value in row]
        taken = [value for row in within[role] for value in row]
        assert taken == [value if 0 <= value < size else otherwise for value in values]
        assert {-1, -size, -size - 1, size, 2**31 - 1, -(2**31)} <= set(values) or len(values) < 20
        assert any(0 <= value < size for value in values)
