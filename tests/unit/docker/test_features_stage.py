"""docker/common/features.py and questions.py, which run inside the images, under the Python of the tests."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from bertbuild.isolation.venv import WAITS
from bertbuild.project import ROOT

COUNT, LENGTH = 11, 6
ROLES = ("input_ids", "input_mask", "segment_ids")


@pytest.fixture(scope="module")
def modules():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docker" / "common"))
        yield SimpleNamespace(
            **{name: importlib.import_module(name) for name in ("features", "questions", "stage", "turn")}
        )


@pytest.fixture
def columns():
    ids = np.arange(COUNT * LENGTH, dtype=np.int32).reshape(COUNT, LENGTH)
    return {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": ids % 2}


@pytest.fixture
def path(tmp_path, columns):
    np.savez(tmp_path / "features.npz", **columns, label_ids=np.zeros(COUNT, np.int32))
    return tmp_path / "features.npz"


class Model:
    """Answers each row with its sums, and remembers the shapes it was asked for."""

    def __init__(self, fails_above=99):
        self.shapes = []
        self.fails_above = fails_above

    def __call__(self, feeds):
        self.shapes.append(feeds["input_ids"].shape)
        if len(feeds["input_ids"]) > self.fails_above:
            raise MemoryError
        sums = np.stack([feeds[role].sum(axis=1) for role in ROLES], axis=1).astype(np.float32)
        return {"probabilities": sums, "sequence_output": feeds["input_ids"][..., None].astype(np.float32)}


def answered(modules, path, size, model, **shape):
    report = SimpleNamespace(facts={"gelu": "erf"})
    return modules.features.Examples(str(path), size, report).answer(model, **shape), report.facts


def expected(columns):
    return np.stack([columns[role].sum(axis=1) for role in ROLES], axis=1)


@pytest.mark.parametrize("size", [1, 4, COUNT, 64])
@pytest.mark.parametrize("shape", [{}, {"batch": 3}, {"seq_len": 9}, {"batch": 5, "seq_len": 9}])
def test_every_example_is_answered_once_and_in_order(modules, path, columns, size, shape):
    found, _ = answered(modules, path, size, Model(), **shape)
    np.testing.assert_array_equal(found["probabilities"], expected(columns))
    np.testing.assert_array_equal(found["sequence_output"][..., 0], columns["input_ids"])


def test_batches_and_single_examples_are_timed_after_a_run_that_counts_for_nothing(modules, path):
    model = Model()
    _, facts = answered(modules, path, 4, model)
    assert [rows for rows, _ in model.shapes] == [4, 4, 4, 3, 1, 1, 1]
    assert facts["gelu"] == "erf"
    latency = facts["latency"]
    assert (latency["batch"]["rows"], latency["batch"]["calls"]) == (4, 2)
    assert (latency["alone"]["rows"], latency["alone"]["calls"]) == (1, 2)
    assert latency["batch"]["median_length"] == LENGTH
    assert 0 < latency["batch"]["median_seconds"] <= latency["batch"]["p95_seconds"]


def test_what_is_timed_comes_after_the_turn_that_the_host_gives(modules, path, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(modules.turn.tempfile, "gettempdir", lambda: str(tmp_path))
    waits = tmp_path / modules.turn.FILE
    assert modules.turn.FILE == WAITS
    waits.touch()
    model, looked = Model(), []

    def look(seconds):
        if seconds == modules.turn.REST:
            return
        looked.append(list(model.shapes))
        if len(looked) == 3:
            waits.unlink()

    monkeypatch.setattr(modules.turn.time, "sleep", look)
    report = modules.stage.Report("infer")
    modules.features.Examples(str(path), 4, report).answer(model)
    assert looked == [[(4, LENGTH)]] * 3
    assert len(model.shapes) == 7
    assert report.waited > 0
    assert report.as_dict(report.waited + 1)["seconds"] == 1
    assert '"ready"' in capsys.readouterr().out


PADDED = 40


@pytest.fixture
def uneven(tmp_path):
    """Rows of 3 to 33 places of 40; one without any mask."""
    own = np.random.default_rng(7).permutation(np.arange(3, 34, 3))
    mask = (np.arange(PADDED) < own[:, None]).astype(np.int32)
    mask[4] = 0
    ids = np.arange(COUNT * PADDED, dtype=np.int32).reshape(COUNT, PADDED) + 1
    np.savez(tmp_path / "features.npz", input_ids=ids, input_mask=mask, segment_ids=mask, label_ids=np.zeros(COUNT))
    return ids, mask


def by_place(feeds):
    ids = feeds["input_ids"].astype(np.float32)
    return {"start_logits": -ids, "logits": ids[..., None] * [1.0, 2.0], "pooled_output": ids[:, :2]}


def test_batches_end_with_their_longest_row_and_answers_are_put_back(modules, tmp_path, uneven):
    ids, mask = uneven
    shapes = []

    def model(feeds):
        shapes.append(feeds["input_ids"].shape)
        return by_place(feeds)

    found, facts = answered(modules, tmp_path, 4, model)
    assert shapes[0] == (4, 24), "before the turn"
    assert shapes[1:4] == [(4, 40), (4, 24), (3, 16)], "the longest first, in steps of 8"
    assert {length for _, length in shapes[4:]} >= {8, 40}, "alone, each is as long as itself"
    real = mask.astype(bool)
    real[4] = True  # it attends to all places alike
    assert np.array_equal(found["start_logits"], np.where(real, -ids, modules.features.NONE))
    assert np.array_equal(found["logits"], np.where(real, ids, 0)[..., None] * np.array([1.0, 2.0]))
    assert np.array_equal(found["pooled_output"], ids[:, :2])
    assert facts["latency"]["batch"]["median_length"] < PADDED


def test_padded_to_the_most_every_batch_has_one_length_and_padding_its_answers(modules, tmp_path, uneven):
    ids, _ = uneven
    report = SimpleNamespace(facts={})
    found = modules.features.Examples(str(tmp_path), 4, report, padded=True).answer(by_place)
    assert np.array_equal(found["start_logits"], -ids)
    assert report.facts["latency"]["batch"]["median_length"] == PADDED


def test_fewer_examples_than_a_batch_are_a_batch(modules, path):
    model = Model()
    _, facts = answered(modules, path, 64, model)
    assert facts["latency"]["batch"] == facts["latency"]["batch"] | {"rows": COUNT, "calls": 1}
    assert [rows for rows, _ in model.shapes] == [COUNT, COUNT, 1, 1, 1]


def test_the_folder_of_the_file_does_too(modules, path, columns):
    found, _ = answered(modules, path.parent, 4, Model())
    np.testing.assert_array_equal(found["probabilities"], expected(columns))


def test_examples_that_are_too_long_are_refused(modules, path):
    with pytest.raises(modules.stage.StageInputError, match="6 tokens long, and the model takes only 4"):
        answered(modules, path, 4, Model(), seq_len=4)


def test_memory_that_runs_out_is_told_with_the_batch_size(modules, path):
    with pytest.raises(modules.stage.StageInputError, match="memory ran out with 4 examples at a time; try fewer"):
        answered(modules, path, 4, Model(fails_above=2))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("not there", None),
        ("no zip", b"PK nonsense"),
        ("empty", b""),
    ],
)
def test_a_file_that_is_no_npz_is_refused(modules, tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(modules.stage.StageInputError, match="holds no features"):
        modules.features.read_features(str(path))


def test_arrays_of_other_shapes_or_names_are_refused(modules, tmp_path, columns):
    np.savez(tmp_path / "a.npz", **{**columns, "segment_ids": columns["segment_ids"][:, :2]})
    with pytest.raises(modules.stage.StageInputError, match="not of one"):
        modules.features.read_features(str(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", input_ids=columns["input_ids"])
    with pytest.raises(modules.stage.StageInputError, match="holds no features"):
        modules.features.read_features(str(tmp_path / "b.npz"))


@pytest.mark.parametrize(("probes", "examples"), [(None, None), ("a", "b")])
def test_an_infer_stage_is_asked_one_kind_of_question(modules, probes, examples):
    args = SimpleNamespace(probes=probes, examples=examples, batch_size=8, pad_to_max=None)
    with pytest.raises(modules.stage.StageInputError, match="give one of --probes and --examples"):
        modules.questions.read(args, None)


def test_a_batch_of_none_is_refused(modules, path):
    with pytest.raises(modules.stage.StageInputError, match=r"--batch-size must be at least 1 \(got 0\)"):
        modules.features.Examples(str(path), 0, None)


def test_of_masked_examples_the_masked_words_are_kept(modules, path, columns):
    positions, labels = np.arange(COUNT) % LENGTH, np.arange(COUNT) % 3
    np.savez(path, **columns, position=positions, label_ids=labels)

    def model(feeds):
        words = feeds["input_ids"][..., None] * np.array([0.0, 0.1, 0.3], np.float32)
        return {"masked_lm_logits": words.astype(np.float32)}

    found, _ = answered(modules, path, 4, model)
    rows = model(columns)["masked_lm_logits"][np.arange(COUNT), positions].astype(np.float64)
    expected = rows[np.arange(COUNT), labels] - np.log(np.exp(rows).sum(axis=-1))
    assert set(found) == {"log_probabilities", "best"}
    np.testing.assert_allclose(found["log_probabilities"], expected, rtol=1e-6)
    assert found["best"].tolist() == rows.argmax(axis=-1).tolist()
