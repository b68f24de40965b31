"""docker/common/answers.py, which runs inside the images, under the Python of the tests: what is asked how often."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest

from bertbuild.gate.probes import make_probes
from bertbuild.project import ROOT


@pytest.fixture(scope="module")
def answers():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docker" / "common"))
        yield importlib.import_module("answers")


@pytest.fixture
def probes(answers, tmp_path):
    made = make_probes(vocab_size=60, type_vocab_size=2, max_positions=160)
    (tmp_path / "probes.json").write_text(json.dumps({"probes": made}))
    return answers.Probes(str(tmp_path / "probes.json"))


@pytest.mark.parametrize(
    ("shape", "calls"),
    [({"batch": 1, "seq_len": 128}, 10), ({"batch": 1}, 10), ({"batch": 4, "seq_len": 128}, 12), ({}, 12)],
    ids=str,
)
def test_what_a_fixed_shape_makes_equal_is_asked_once(probes, shape, calls):
    asked = []

    def run(group):
        asked.append(tuple(values.tobytes() for values in group.values()))
        return {"pooled_output": group["input_ids"][:, :2].astype(np.float32)}

    found = probes.answer(run, **shape)
    assert len(asked) == len(set(asked)) == calls
    assert sorted(found) == sorted(
        f"{probe}/{alone}pooled_output"
        for probe in ("b1_s16", "b1_s128", "b4_s16", "b4_s128")
        for alone in ("", "alone/")
        if probe.startswith("b4") or not alone
    )
    for probe in ("b4_s16", "b4_s128"):
        assert np.array_equal(found[f"{probe}/alone/pooled_output"], found[f"{probe}/pooled_output"])


def test_a_source_is_not_asked_for_the_rows_of_a_batch(probes, answers, tmp_path):
    calls = []

    def run(group):
        calls.append(group["input_ids"].shape)
        return {"pooled_output": group["input_ids"][:, :2].astype(np.float32)}

    found = answers.Probes(str(tmp_path / "probes.json"), alone=False).answer(run)
    assert calls == [(1, 16), (1, 128), (4, 16), (4, 128)]
    assert sorted(found) == sorted(name for name in probes.answer(run) if "/alone/" not in name)
