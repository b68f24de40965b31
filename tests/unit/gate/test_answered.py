"""Who answered for a source, as stages say it, as a verdict keeps it and as people read it."""

from __future__ import annotations

import json

from bertbuild.gate.answered import Answered, answered_in, in_words, reasons
from bertbuild.gate.parity import Verdict, reference_in_words

OWN = Answered(what="the checkpoint's own graph (bert_model.ckpt.meta)", outputs=("start_logits", "end_logits"))
NOT_OWN = Answered(
    what="google-research/bert's modeling.py",
    outputs=("layer_*_output",),
    why="its own graph is not asked for every layer",
)


def verdict(*answered, references=("TensorFlow 1.15.5",), one_tensorflow=False):
    made = Verdict(
        precision="fp32",
        rows=(),
        skipped=(),
        references=references,
        one_tensorflow=one_tensorflow,
        answered_by=answered,
    )
    assert Verdict.from_json(json.loads(json.dumps(made.as_json()))) == made
    return made.as_json()


def test_a_verdict_names_the_graph_and_the_tensorflow_that_ran_it():
    assert reference_in_words(verdict(OWN)) == "the checkpoint's own graph (bert_model.ckpt.meta), TensorFlow 1.15.5"


def test_of_two_who_answered_each_is_named_with_its_outputs():
    assert reference_in_words(verdict(OWN, NOT_OWN, one_tensorflow=True)) == (
        "the checkpoint's own graph (bert_model.ckpt.meta) (start_logits, end_logits) and google-research/bert's "
        "modeling.py (layer_*_output), TensorFlow 1.15.5; both sides ran on one TensorFlow"
    )


def test_a_verdict_of_before_that_was_told_has_the_tensorflow_alone():
    value = verdict()
    del value["answered_by"]
    assert reference_in_words(value) == "TensorFlow 1.15.5"
    assert reference_in_words(verdict(references=())) == ""


def test_the_reason_is_told_where_it_was_not_the_own_graph():
    assert reasons([OWN, NOT_OWN]) == [
        "google-research/bert's modeling.py answered for layer_*_output: its own graph is not asked for every layer"
    ]


def test_stages_say_it_and_both_that_were_asked_count_once(tmp_path):
    for name, rows in (("one", [OWN, NOT_OWN]), ("two", [OWN]), ("silent", None)):
        (tmp_path / name).mkdir()
        if rows is not None:
            (tmp_path / name / "reference.json").write_text(json.dumps([row.as_json() for row in rows]))
    assert answered_in(tmp_path / name for name in ("one", "two", "silent")) == (OWN, NOT_OWN)
    assert in_words(answered_in([tmp_path / "silent"])) == ""
