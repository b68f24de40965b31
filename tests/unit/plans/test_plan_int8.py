from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from host_doubles import golden_plan
from test_plan import CHECKPOINT, FROZEN, PROBES, TRAINED

from bertbuild.errors import DataError, UsageError
from bertbuild.heads.found import FoundHead
from bertbuild.kinds.int8 import Calibration, plan_text_examples, quantize_step
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.plans.plan import File, Target
from bertbuild.source.calibration import find_calibration
from bertbuild.store.store import Store

PREPARED = File(path=PurePosixPath("/prepared"), digest="d-train")
DEV = File(path=PurePosixPath("/prepared"), digest="d-dev")
TEXT = File(path=PurePosixPath("/t.txt"), digest="d-text")
VOCAB = File(path=PurePosixPath("/c/vocab.txt"), digest="d-vocab")
DATA = Ir(precision="int8", calibration="/prepared")
FOR_VNNI = Ir(precision="int8", calibration="/prepared", int8_for="vnni")
BOUNDED = Ir(precision="int8", output="probabilities", calibration="/prepared", calibration_size=100, max_drop="0.01")
SHORT = Ir(precision="int8", batch_size=2, seq_len=64, calibration_text="/t.txt")
WORDS = plan_text_examples(TEXT, VOCAB, CHECKPOINT, SHORT)

CALIBRATION = Calibration(examples=PREPARED)

PLANS = {
    "alone": plan_ir(CHECKPOINT, DATA, PROBES, CALIBRATION),
    "all_precisions": plan_ir(CHECKPOINT, replace(DATA, precision="int8,fp32,fp16"), PROBES, CALIBRATION),
    "openvino_2024": plan_ir(CHECKPOINT, replace(DATA, openvino="2024.6"), PROBES, CALIBRATION),
    "bounded": plan_ir(TRAINED, BOUNDED, PROBES, Calibration(examples=PREPARED, validation=DEV)),
    "vnni": plan_ir(CHECKPOINT, FOR_VNNI, PROBES, CALIBRATION),
    "text": plan_ir(CHECKPOINT, SHORT, PROBES, Calibration(examples=WORDS.id, steps=(WORDS,))),
    "frozen": plan_ir(FROZEN, DATA, PROBES, CALIBRATION),
    "weights": plan_ir(CHECKPOINT, Ir(precision="int8-weights,fp32,int4-weights"), PROBES),
    "weights_of_small_groups": plan_ir(TRAINED, Ir(precision="int4-weights", group_size="32"), PROBES),
    "and_weights": plan_ir(CHECKPOINT, replace(DATA, precision="int8,int8-weights"), PROBES, CALIBRATION),
}


@pytest.mark.parametrize("name", PLANS)
def test_int8_is_made_of_fp32_and_of_examples(name):
    golden_plan(f"plan_int8_{name}", PLANS[name])


TEXT_OF_7 = Ir(precision="int8", calibration_text="/t.txt", calibration_size=7)


def test_text_is_cut_at_the_models_longest_sequence():
    step = plan_text_examples(TEXT, VOCAB, replace(CHECKPOINT, max_positions=40), TEXT_OF_7)
    assert step.params == {"max-seq-length": "40", "most": "7"}


REFUSED = {
    "no data": (lambda: Ir(precision="int8"), "int8 needs examples of what the model will see"),
    "groups for int8-weights": (
        lambda: Ir(precision="int8-weights", group_size="64"),
        "--group-size is for int4-weights alone.",
    ),
    "groups of another size": (
        lambda: Ir(precision="int4-weights", group_size="48"),
        r"--group-size must be one of 128, 64, 32 \(got '48'\)",
    ),
    "data for weights alone": (
        lambda: Ir(precision="int8-weights", calibration="/prepared"),
        "Only int8 is calibrated",
    ),
    "data for fp32": (lambda: Ir(calibration="/prepared"), "Only int8 is calibrated"),
    "processors for fp32": (
        lambda: Ir(int8_for="vnni"),
        "Only int8 is calibrated; .* and --int8-for are for it alone",
    ),
    "processors that are none": (
        lambda: Ir(precision="int8", int8_for="avx2"),
        "--int8-for must be one of any, vnni",
    ),
    "questions without a bound": (
        lambda: Ir(precision="int8", calibration="a", validation="dev.json"),
        "--validation is what --max-drop is measured on",
    ),
    "two kinds of data": (lambda: Ir(precision="int8", calibration="a", calibration_text="b"), "were both given"),
    "no examples": (
        lambda: Ir(precision="int8", calibration="a", calibration_size=0),
        r"--calibration-size must be at least 1 \(got 0\)\.",
    ),
    "a bound on text": (lambda: Ir(precision="int8", calibration_text="a", max_drop="0.1"), "needs labelled examples"),
    "a bound out of range": (
        lambda: Ir(precision="int8", calibration="a", max_drop="1"),
        "--max-drop must be a number, 0 or more and below 1",
    ),
    "a bound that is not a number": (
        lambda: Ir(precision="int8", calibration="a", max_drop="1%"),
        "--max-drop must be a number, 0 or more and below 1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_meant_is_refused_with_a_sentence_and_a_next_step(name):
    refuse, sentence = REFUSED[name]
    with pytest.raises(UsageError, match=sentence) as raised:
        refuse()
    assert raised.value.next_step


@pytest.fixture
def prepared(tmp_path):
    """A folder of prepare-data, whose facts may be others."""

    def make(**facts):
        (tmp_path / "train.tf_record").write_bytes(b"train")
        (tmp_path / "eval.tf_record").write_bytes(b"eval")
        known = {"task": "MRPC", "task_type": "classification", "vocab_sha256": None, **facts}
        (tmp_path / "prepared.json").write_text(json.dumps(known))
        return tmp_path

    return make


@pytest.fixture
def find(tmp_path_factory):
    """What a request finds for a checkpoint with three classes and a vocabulary."""
    checkpoint = tmp_path_factory.mktemp("checkpoint")
    (checkpoint / "vocab.txt").write_text("[PAD]\n")
    (checkpoint / "bert_config.json").write_text('{"vocab_size": 3}')
    store = Store(tmp_path_factory.mktemp("store"))
    trained = replace(TRAINED, file=File(path=checkpoint, digest="d"))

    def run(source=trained, **request):
        asked = {"precision": "int8", "output": "probabilities", **request}
        return find_calibration(Ir(**asked), source, store)

    run.trained = trained
    run.checkpoint = checkpoint
    return run


def test_a_folder_gives_its_training_examples_and_with_a_bound_its_dev_set(find, prepared):
    folder = prepared()
    found, bounded = find(calibration=str(folder)), find(calibration=str(folder), max_drop="0.01")
    assert found.validation is None
    assert found.examples == bounded.examples
    assert bounded.validation.path == folder.resolve()
    assert bounded.validation.digest != bounded.examples.digest
    (folder / "eval.tf_record").write_bytes(b"other")
    assert find(calibration=str(folder)).examples == found.examples


def test_each_head_is_bounded_on_data_of_its_own_task(find, prepared, tmp_path):
    facts = {"task": "SQUAD-1.1", "task_type": "squad", "max_seq_length": 32, "doc_stride": 16}
    folder, questions = prepared(**facts), tmp_path / "dev.json"
    asked = {"calibration": str(folder), "max_drop": "0.01", "output": ""}
    questions.write_text("{}")
    reader = replace(find.trained, heads=(FoundHead(kind="span", weights="w", bias="b", labels=2),))
    found = find(reader, **asked, validation=str(questions))
    (step,) = found.steps
    assert (found.validation, step.id, step.stage) == ("validation", "validation", "squad-examples")
    assert {name: step.params[name] for name in ("max-seq-length", "doc-stride")} == {
        "max-seq-length": "32",
        "doc-stride": "16",
    }
    with pytest.raises(UsageError, match="have no questions to measure --max-drop on"):
        find(reader, **asked)
    tagger = replace(find.trained, heads=(FoundHead(kind="tokens", weights="w", bias="b", labels=3),))
    with pytest.raises(DataError, match="prepared for squad: it does not tell the entity f1 of a token head"):
        find(tagger, **asked)
    prepared(task="NER", task_type="tagging")
    assert set(find(tagger, **asked).validation.files) == {"eval.tf_record", "prepared.json"}
    with pytest.raises(UsageError, match="--validation is for SQuAD"):
        find(tagger, **asked, validation=str(questions))


def test_quantizing_is_told_of_which_head_the_ir_answers(find):
    quantized = {
        kind: quantize_step(
            Target(name="ir-fp32", step="ir", reference="r", answers="a", precision="fp32"),
            replace(find.trained, heads=(FoundHead(kind=kind, weights="w", bias="b", labels=2),)),
            Ir(precision="int8", calibration="/c", output=output),
            Calibration(examples=TEXT),
        ).params.get("head")
        for kind, output in (("classifier", ""), ("tokens", ""), ("span", "pooled"))
    }
    assert quantized == {"classifier": None, "tokens": "tokens", "span": None}


def test_text_is_read_with_the_checkpoints_vocabulary(find, tmp_path):
    (tmp_path / "t.txt").write_text("words")
    found = find(calibration_text=str(tmp_path / "t.txt"))
    assert found.examples == found.steps[0].id
    assert Path(found.steps[0].inputs["vocab"].path).name == "vocab.txt"


@pytest.mark.parametrize(
    ("rows", "asked", "reading"), [(4, "", "lines"), (3, "", "bert-tensorflow"), (5, "lines", "lines"), (5, "", None)]
)
def test_text_is_read_as_the_word_tables_rows_or_the_flag_say(find, tmp_path, rows, asked, reading):
    (find.checkpoint / "vocab.txt").write_text("[PAD]\na\na\nb\n")
    (find.checkpoint / "bert_config.json").write_text(f'{{"vocab_size": {rows}}}')
    (tmp_path / "t.txt").write_text("words")
    if reading is None:
        with pytest.raises(UsageError, match="the word table's 5 rows do not tell"):
            find(calibration_text=str(tmp_path / "t.txt"), vocab_reading=asked)
    else:
        found = find(calibration_text=str(tmp_path / "t.txt"), vocab_reading=asked)
        assert found.steps[0].params["vocab-reading"] == reading


WRONG = {
    "another vocabulary": ({"vocab_sha256": "0" * 64}, "was prepared with another vocab.txt"),
    "a regression": (
        {"task": "STS-B", "task_type": "regression"},
        "holds STS-B, prepared for regression: it does not tell the accuracy of a classifier head",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_data_that_do_not_fit_are_refused(find, prepared, name):
    facts, sentence = WRONG[name]
    with pytest.raises(DataError, match=sentence) as raised:
        find(calibration=str(prepared(**facts)), max_drop="0.01")
    assert raised.value.next_step
    assert raised.value.exit_code == 18


def test_data_that_are_not_there_are_refused(find, prepared, tmp_path):
    with pytest.raises(DataError, match=r"prepared\.json cannot be read"):
        find(calibration=str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="is not a file"):
        find(calibration_text=str(tmp_path / "nowhere.txt"))
    folder = prepared()
    (folder / "train.tf_record").unlink()
    with pytest.raises(DataError, match=r"has no train\.tf_record"):
        find(calibration=str(folder))
    (folder / "prepared.json").write_text("[1]")
    with pytest.raises(DataError, match="holds no JSON object"):
        find(calibration=str(folder))


def test_a_source_without_head_or_vocabulary_is_refused_where_it_needs_one(find, prepared, tmp_path):
    for source, output in ((replace(find.trained, heads=()), ""), (find.trained, "pooled")):
        with pytest.raises(UsageError, match="gives no answer of a head for a task, so --max-drop has no metric"):
            find(source, calibration=str(prepared()), max_drop="0.01", output=output)
    (tmp_path / "t.txt").write_text("words")
    with pytest.raises(UsageError, match="frozen comes without one"):
        find(FROZEN, calibration_text=str(tmp_path / "t.txt"))
