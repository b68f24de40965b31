from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from backends import run as run_script
from program import arrays
from wordpiece import WordPiece

pytestmark = pytest.mark.integration

MODEL = "minilm-l6"
SHAPES = ((2, 64), (3, 200))
PARAPHRASES = (
    ("A man is playing the guitar on stage.", "Someone performs a song with his guitar."),
    ("The bank raised its interest rates again.", "Borrowing money has become more expensive at the bank."),
    ("How do I reset my password?", "I forgot my password and need a new one."),
)


def source_folder(bertbuild):
    steps = {step["id"]: step for step in bertbuild.record(MODEL, "ir-fp32")["steps"]}
    return bertbuild.artifacts / steps["ir-fp32"]["inputs"]["checkpoint"]["path"]


@pytest.fixture(scope="module")
def questions(session_folder):
    """Inputs of shapes that no probe has, as .npz files by shape."""
    chance = np.random.default_rng(11)
    paths = {}
    for batch, length in SHAPES:
        lengths = chance.integers(1, length + 1, batch)
        lengths[0] = length
        mask = (np.arange(length) < lengths[:, None]).astype(np.int32)
        paths[batch, length] = session_folder / f"question_{batch}_{length}.npz"
        np.savez(
            paths[batch, length],
            input_ids=chance.integers(0, 30522, (batch, length)).astype(np.int32) * mask,
            input_mask=mask,
            segment_ids=(np.arange(length) >= lengths[:, None] // 2).astype(np.int32) * mask,
        )
    return paths


@pytest.fixture(scope="module")
def tensorflow_answers(bertbuild, minilm, questions, session_folder):
    """TensorFlow 1's answers to them, by google-research/bert's own code."""
    assert minilm.code == 0
    paths = {shape: session_folder / f"tensorflow_{shape[0]}_{shape[1]}.npz" for shape in SHAPES}
    run_script(
        "tf1",
        "modeling",
        folder=source_folder(bertbuild),
        prefix="bert_model.ckpt",
        gelu="erf",
        runs=[{"inputs": questions[shape], "answers": paths[shape]} for shape in SHAPES],
    )
    return {shape: arrays(path) for shape, path in paths.items()}


def test_the_build_goes_from_download_to_named_results(bertbuild, minilm):
    assert [target["target"] for target in minilm.last["targets"]] == ["ir-fp32", "ir-fp16"]
    for target in minilm.last["targets"]:
        path = bertbuild.out(MODEL, target["target"])
        assert str(path) == target["path"]
        assert path.is_symlink()
        assert {file.name for file in path.iterdir()} >= {"model.xml", "model.bin", "signature.json", "manifest.json"}


@pytest.mark.parametrize(("target", "limit"), [("ir-fp32", 1e-5), ("ir-fp16", 5e-3)])
def test_answers_are_as_near_to_the_source_as_its_precision_allows(minilm, target, limit):
    verdict = minilm.verdict(target)
    assert verdict["passed"]
    assert verdict["skipped"] == []
    assert {row["limit"] for row in verdict["rows"]} <= {1e-5, limit}
    assert all(row["max_abs"] <= row["limit"] for row in verdict["rows"])
    probes = {row["probe"].split()[0] for row in verdict["rows"]}
    assert probes == {"b1_s16", "b1_s128", "b4_s16", "b4_s128"}


def test_rows_of_a_batch_get_the_answers_they_get_alone(minilm):
    alone = [row for row in minilm.verdict("ir-fp32")["rows"] if "rows alone" in row["probe"]]
    assert {row["probe"].split()[0] for row in alone} == {"b4_s16", "b4_s128"}
    assert all(row["max_abs"] <= 1e-5 for row in alone)


def test_openvino_reads_named_reshapeable_ports_and_where_the_ir_comes_from(bertbuild, minilm):
    assert minilm.code == 0
    facts = run_script("openvino", "ir", ir=bertbuild.out(MODEL, "ir-fp32"))
    assert list(facts["inputs"]) == ["input_ids", "input_mask", "segment_ids"]
    assert {(port["type"], port["shape"]) for port in facts["inputs"].values()} == {("i32", "[?,?]")}
    assert list(facts["outputs"]) == ["pooled_output"]
    assert facts["outputs"]["pooled_output"]["shape"] in {"[?,384]", "[1..,384]"}
    rt_info = facts["rt_info"]
    assert rt_info["model"] == MODEL
    assert rt_info["key"] == bertbuild.record(MODEL, "ir-fp32")["results"]["ir-fp32"][1]
    assert facts["version"].startswith(rt_info["openvino"])
    assert (rt_info["precision"], rt_info["gelu"], rt_info["route"]) == ("fp32", "erf", "direct")


@pytest.mark.parametrize("target", ["ir-fp32", "ir-fp16"])
def test_reshaped_to_any_shape_it_answers_like_tensorflow(
    bertbuild, minilm, questions, tensorflow_answers, tmp_path, target
):
    assert minilm.code == 0
    runs = [{"inputs": questions[shape], "answers": tmp_path / f"{shape[0]}.npz", "shape": shape} for shape in SHAPES]
    run_script("openvino", "ir", ir=bertbuild.out(MODEL, target), runs=runs)
    for shape in SHAPES:
        found = arrays(tmp_path / f"{shape[0]}.npz")["pooled_output"]
        assert found.shape == (shape[0], 384)
        limit = {"ir-fp32": 1e-5, "ir-fp16": 5e-3}[target]
        assert np.abs(found - tensorflow_answers[shape]["pooled_output"]).max() <= limit


def test_half_precision_halves_the_file_and_nothing_else(bertbuild, minilm):
    assert minilm.code == 0
    full, half = (bertbuild.out(MODEL, target) / "model.bin" for target in ("ir-fp32", "ir-fp16"))
    assert 0.48 < half.stat().st_size / full.stat().st_size < 0.52
    facts = run_script("openvino", "ir", ir=bertbuild.out(MODEL, "ir-fp16"))
    assert "f16" in facts["weights"]
    assert facts["rt_info"]["precision"] == "fp16"
    worst = max(row["max_abs"] for row in minilm.verdict("ir-fp16")["rows"] if "rows" not in row["probe"])
    assert 1e-6 < worst < 5e-3


def test_sentence_embeddings_put_paraphrases_nearer_than_unrelated_sentences(bertbuild, minilm, tmp_path):
    assert minilm.code == 0
    built = bertbuild.ok("build-ir", "--model", MODEL, "--output", "sequence")
    ir = built.last["targets"][0]["path"]
    tokenizer = WordPiece(Path(source_folder(bertbuild)) / "vocab.txt")
    batch = tokenizer.encode([sentence for pair in PARAPHRASES for sentence in pair])
    assert not (batch["input_ids"] == tokenizer.ids["[UNK]"]).any()
    np.savez(tmp_path / "sentences.npz", **batch)
    runs = [{"inputs": tmp_path / "sentences.npz", "answers": tmp_path / "answers.npz"}]
    run_script("openvino", "ir", ir=ir, runs=runs)
    hidden = arrays(tmp_path / "answers.npz")["sequence_output"]
    weight = batch["input_mask"][:, :, None]
    means = (hidden * weight).sum(axis=1) / weight.sum(axis=1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    near = means @ means.T
    paraphrases = [near[2 * pair, 2 * pair + 1] for pair in range(len(PARAPHRASES))]
    unrelated = [near[i, j] for i in range(6) for j in range(i) if i // 2 != j // 2]
    assert min(paraphrases) > max(unrelated) + 0.1


def test_a_second_build_does_no_work(bertbuild, minilm, capsys):
    assert minilm.code == 0
    started = bertbuild.start(
        "build-ir", "--model", "minilm-l6", "--precision", "fp32,fp16"
    )  # from nothing: it is timed
    again = bertbuild.finish(started)
    assert again.code == 0
    assert again.ids("started") == []
    assert len(again.ids("cached")) == len(set(again.ids("cached"))) >= 8
    assert again.of("download") == []
    assert again.last == minilm.last
    with capsys.disabled():
        sys.stdout.write(f" [second build of MiniLM: {again.seconds:.2f} s] ")
    assert again.seconds < 5
