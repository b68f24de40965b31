"""A SavedModel that google-research/bert's own run_classifier exports, with the patch of AWS's BERT demo."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from backends import run as run_script
from program import arrays
from tiny_models import CONFIG, weights, write_google

pytestmark = [pytest.mark.integration, pytest.mark.whole]

LENGTH = 32
STEPS = 3
BATCH = 8
FILES = ("saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = tuple(f"word{chr(97 + index // 26)}{chr(97 + index % 26)}" for index in range(CONFIG["vocab_size"] - 4))


def write_mrpc(folder):
    """Pairs of sentences of made-up words, in the columns of MRPC's files."""
    folder.mkdir()
    chance = np.random.default_rng(3)
    for name, rows in (("train", STEPS * BATCH), ("test", BATCH)):
        lines = ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"]
        for row in range(rows):
            one, other = (" ".join(chance.choice(WORDS, chance.integers(3, 14))) for _ in range(2))
            lines.append(f"{row % 2}\t{row}\t{row}\t{one}\t{other}")
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def trained(session_folder, bertbuild):
    """A run of run_classifier: `out` is its output folder, `bert_classifier_saved_model` its export."""
    assert bertbuild.artifacts.is_dir()
    work = session_folder / "run_classifier"
    start = write_google(work / "start", weights(seed=9))
    (start / "vocab.txt").write_text("\n".join((*SPECIAL, *WORDS)) + "\n")
    write_mrpc(work / "glue")
    flags = {
        "task_name": "MRPC",
        "do_train": True,
        "do_predict": True,
        "data_dir": work / "glue",
        "vocab_file": start / "vocab.txt",
        "bert_config_file": start / "bert_config.json",
        "init_checkpoint": start / "bert_model.ckpt",
        "max_seq_length": LENGTH,
        "train_batch_size": BATCH,
        "num_train_epochs": 1,
        "learning_rate": 1e-3,
        "output_dir": work / "out",
    }
    made = run_script("tf1", "run_classifier_export", work=work, flags=flags)
    assert len(made["exports"]) == 1
    for name in ("bert_config.json", "vocab.txt"):  # which run_classifier leaves where they were
        shutil.copy(start / name, work / "out")
    return work


@pytest.fixture(scope="module")
def exported(trained):
    """The SavedModel, in a folder named for the time."""
    (folder,) = (trained / "bert_classifier_saved_model").iterdir()
    return folder


@pytest.fixture(scope="module")
def frozen(exported, session_folder):
    """The same with constants for variables."""
    out = session_folder / "frozen_export"
    out.mkdir()
    run_script("tf1", "make_saved_models", out=out, freeze=exported)
    return out / "frozen"


@pytest.fixture(scope="module")
def ready(bertbuild, exported):
    """Made ready for Neuron from the SavedModel, float32."""
    return bertbuild.ok("neuron-ready", "--saved-model", exported, "--name", "mrpc", "--compute", "float32")


def stage_facts(outcome):
    return json.loads((Path(outcome.last["targets"][0]["path"]) / "stage.json").read_text())["facts"]


def largest_difference(one, other):
    assert one.keys() == other.keys()
    assert "b4_s16/probabilities" in one
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def test_a_model_ready_for_neuron_answers_like_what_run_classifier_exported(bertbuild, ready):
    (target,) = ready.last["targets"]
    assert target["target"] == f"neuron-ready-s{LENGTH}-float32"
    verdict = ready.verdict(target["target"])
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == {"probabilities"}
    assert all(row["limit"] == 1e-5 for row in verdict["rows"])
    answers = bertbuild.answers("mrpc", target["target"])["b4_s16/probabilities"]
    assert answers.std(axis=0).max() > 1e-3, "answers that depend on nothing would agree whatever is built"


def test_in_half_precision_it_gives_every_probe_the_same_class(bertbuild, exported):
    built = bertbuild.ok("neuron-ready", "--saved-model", exported, "--name", "mrpc")
    verdict = built.verdict(f"neuron-ready-s{LENGTH}-float16")
    assert verdict["passed"]
    assert {row["argmax"] for row in verdict["rows"]} == {1.0}
    assert all(row["max_abs"] <= 1e-2 for row in verdict["rows"])


def test_its_sizes_length_and_form_of_gelu_are_read_from_the_graph(ready):
    facts = stage_facts(ready)
    assert facts["gelu"] == "tanh", "the only gelu that this release of modeling.py has"
    assert facts["seq_len"] == LENGTH
    operators = facts["device_operators"]
    assert operators["Softmax"] == CONFIG["num_hidden_layers"]
    assert operators["Tanh"] == CONFIG["num_hidden_layers"] + 1
    assert "Erf" not in operators


def test_a_quarter_of_the_exported_operators_at_least_is_gone(ready):
    counts = stage_facts(ready)["compute_operators"]
    assert counts["neuron_ready"] / counts["source"] <= 0.75
    note = f"{counts['source']} operators of the source became {counts['neuron_ready']}"
    assert any(note in text for text in ready.notes)


def test_of_a_folder_of_exports_the_newest_is_taken_and_named(bertbuild, ready, exported, tmp_path):
    shutil.copytree(exported, tmp_path / "exports" / exported.name)
    for name in ("9", "temp-9999999999", "99999999999.old"):  # an older one, one being written, one put aside
        (tmp_path / "exports" / name).mkdir()
        (tmp_path / "exports" / name / "saved_model.pb").touch()
    again = bertbuild.ok("neuron-ready", "--saved-model", tmp_path / "exports", "--compute", "float32")
    assert any(exported.name in note and "newest" in note for note in again.notes)
    assert again.last["model"] == "exports"
    assert again.last["targets"][0]["key"] == ready.last["targets"][0]["key"]
    assert again.ids("started") == [], "the same bytes elsewhere are the same source"


def test_variables_frozen_into_constants_change_no_answer(bertbuild, ready, frozen):
    assert not list(frozen.glob("variables/*")), "nothing may be left to read but the graph"
    target = ready.last["targets"][0]["target"]
    built = bertbuild.ok("neuron-ready", "--saved-model", frozen, "--name", "mrpc-frozen", "--compute", "float32")
    assert built.verdict(target)["passed"]
    for step in (None, "reference"):
        assert largest_difference(
            bertbuild.answers("mrpc", target, step), bertbuild.answers("mrpc-frozen", target, step)
        ) == pytest.approx(0, abs=1e-6)
    one, other = (bertbuild.out(model, target) for model in ("mrpc", "mrpc-frozen"))
    for file in FILES:
        assert (one / file).read_bytes() == (other / file).read_bytes()


def test_export_of_the_trained_checkpoint_has_the_signature_and_answers_of_run_classifiers_own(
    bertbuild, trained, exported, tmp_path
):
    built = bertbuild.ok("export", "--checkpoint", trained / "out", "--seq-len", LENGTH, "--name", "mrpc-trained")
    target = f"saved-model-s{LENGTH}"
    assert built.verdict(target)["passed"]
    np.savez(tmp_path / "probe.npz", **padded(bertbuild.probes("mrpc-trained", target)["b4_s16"]))
    theirs, ours = (
        run_script("tf1", "saved_model", folder=folder, runs=[{"inputs": tmp_path / "probe.npz", "answers": answers}])
        for folder, answers in (
            (exported, tmp_path / "theirs.npz"),
            (bertbuild.out("mrpc-trained", target), tmp_path / "ours.npz"),
        )
    )
    assert interface(ours["inputs"]) == interface(theirs["inputs"])
    assert sorted(ours["inputs"]) == ["input_ids", "input_mask", "is_real_example", "label_ids", "segment_ids"]
    assert interface(ours["outputs"]) == interface(theirs["outputs"])
    a, b = (arrays(tmp_path / name)["probabilities"] for name in ("theirs.npz", "ours.npz"))
    assert a.shape == (4, 2)
    assert np.abs(a - b).max() <= 1e-5


def interface(ports):
    """What whoever calls a model sees of a signature: names, types and shapes."""
    return {name: (port["dtype"], port["shape"]) for name, port in ports.items()}


def padded(probe):
    """A probe at the length that the model takes."""
    return {role: np.pad(value, ((0, 0), (0, LENGTH - value.shape[1]))) for role, value in probe.items()}


def test_what_is_made_ready_of_the_checkpoint_and_of_the_export_is_one_model(bertbuild, trained, ready):
    target = ready.last["targets"][0]["target"]
    bertbuild.ok(
        *("neuron-ready", "--checkpoint", trained / "out", "--seq-len", LENGTH),
        *("--compute", "float32", "--name", "mrpc-checkpoint"),
    )
    one, other = (bertbuild.out(model, target) for model in ("mrpc", "mrpc-checkpoint"))
    for file in FILES:
        assert (one / file).read_bytes() == (other / file).read_bytes()
