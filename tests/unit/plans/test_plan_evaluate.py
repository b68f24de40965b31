from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from host_doubles import golden_plan

from bertbuild.backends import of_version
from bertbuild.errors import DataError, UsageError
from bertbuild.heads.classifier import found as classifier_of
from bertbuild.heads.found import FoundHead
from bertbuild.kinds.evaluation import GROUPS, TARGETS, EvaluateRequest, plan_evaluate
from bertbuild.kinds.frozen import Frozen, plan_freeze
from bertbuild.kinds.int8 import Calibration
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import OPENVINOS, Ir
from bertbuild.kinds.measured import Judging, Reading, of_prepared, of_questions, of_text
from bertbuild.plans.placing import backend_of
from bertbuild.plans.plan import File, Source
from bertbuild.plans.prepare_data import Prepared
from bertbuild.stages import STAGES

SOURCE = Source(
    model="tuned",
    kind="checkpoint",
    file=File(path=PurePosixPath("/c"), digest="d-checkpoint"),
    gelu="tanh",
    heads=(classifier_of(2),),
    prefix="model.ckpt-343",
)
PREPARED = Prepared(
    task="MRPC",
    task_type="classification",
    labels=("0", "1"),
    max_seq_length=128,
    source=File(path=PurePosixPath("/data-MRPC-128"), digest="d-data"),
    training=File(path=PurePosixPath("/data-MRPC-128"), digest="d-training"),
)
DATA = of_prepared(PREPARED, Judging())
PROBES = File(path=PurePosixPath("/probes.json"), digest="d-probes")
ALL = EvaluateRequest(targets=("tf1", *TARGETS))

PLANS = {
    "evaluate": plan_evaluate(SOURCE, DATA, ALL, PROBES),
    "evaluate_short_relu": plan_evaluate(
        replace(SOURCE, gelu=None, max_positions=64),
        replace(DATA, max_seq_length=64),
        EvaluateRequest(targets=("ir-fp16", "neuron-ready", "frozen"), batch_size=1),
        PROBES,
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_each_evaluation_has_the_plan_on_record(name):
    golden_plan(f"plan_{name}", PLANS[name])


@pytest.mark.parametrize("name", PLANS)
def test_steps_find_their_inputs_made_and_have_ids_of_their_own(name):
    plan = PLANS[name].plan
    made = set()
    for step in plan.steps:
        assert step.stage in STAGES
        assert {source for source in step.inputs.values() if isinstance(source, str)} <= made
        made.add(step.id)
    assert len(made) == len(plan.steps)


def test_a_target_is_made_by_the_step_that_its_own_command_runs():
    planned = PLANS["evaluate"]
    frozen = plan_freeze(SOURCE, Frozen(output="probabilities"), PROBES).steps[0]
    request = Ir(precision="fp16", output="probabilities")
    own = plan_ir(SOURCE, request, PROBES)
    for name, theirs in (("frozen", frozen), ("ir-fp16", own.step(own.targets[0].step))):
        ours = planned.plan.step(planned.made[name])
        assert (ours.stage, ours.params) == (theirs.stage, theirs.params)
    assert planned.plan.step(planned.made["ir-fp16"]).inputs == {"checkpoint": SOURCE.file}


def test_int8_is_made_of_the_fp32_ir_by_the_step_that_build_ir_runs():
    request = Ir(precision="int8", output="probabilities", calibration="/data-MRPC-128")
    calibration = Calibration(examples=DATA.training)
    own = plan_ir(SOURCE, request, PROBES, calibration)
    theirs = own.step(own.targets[0].step)
    planned = PLANS["evaluate"]
    ours = planned.plan.step(planned.made["ir-int8"])
    assert (ours.stage, ours.params) == (theirs.stage, theirs.params)
    assert ours.inputs == {"ir": planned.made["ir-fp32"], "examples": DATA.training}


def test_int8_is_for_any_processor_unless_it_is_asked_for_vnni():
    for asked in ("any", "vnni"):
        planned = plan_evaluate(SOURCE, DATA, EvaluateRequest(targets=("ir-int8",), int8_for=asked), PROBES)
        assert planned.plan.step(planned.made["ir-int8"]).params["int8-for"] == asked
    with pytest.raises(UsageError, match="--int8-for is for the targets ir-int8 and onnx-int8 alone") as caught:
        EvaluateRequest(targets=("ir-fp32",), int8_for="vnni")
    assert "--target ir-int8" in caught.value.next_step


def test_irs_are_made_and_asked_by_the_openvino_that_is_named():
    newer = OPENVINOS[1]
    request = EvaluateRequest(targets=("frozen", "ir-fp32", "ir-int8"), openvino=newer)
    planned = plan_evaluate(SOURCE, DATA, request, PROBES)
    by = {step.id: backend_of(step) for step in planned.plan.steps}
    for name in ("ir-fp32", "ir-int8"):
        assert by[planned.made[name]] == by[planned.answers[name]] == of_version("openvino", newer)
    assert by[planned.made["frozen"]] == "data"
    assert by[planned.answers["frozen"]] == by[planned.answers["tf1"]] == "tf1"
    own = plan_ir(SOURCE, Ir(output="probabilities", openvino=newer), PROBES)
    theirs, ours = own.step(own.targets[0].step), planned.plan.step(planned.made["ir-fp32"])
    assert (ours.stage, ours.params, ours.backend) == (theirs.stage, theirs.params, theirs.backend)


def test_an_openvino_that_is_not_there_or_has_nothing_to_do_is_refused():
    with pytest.raises(UsageError, match="--openvino"):
        EvaluateRequest(targets=("ir-fp32",), openvino="1.0")
    with pytest.raises(UsageError, match="--openvino is for the targets ir-fp32, ir-fp16, ir-int8 alone"):
        EvaluateRequest(targets=("frozen",), openvino=OPENVINOS[1])


def test_int8_without_training_examples_is_refused():
    with pytest.raises(DataError, match="no training examples"):
        plan_evaluate(SOURCE, replace(DATA, training=None), ALL, PROBES)


def test_one_graph_is_frozen_for_all_targets():
    stages = [step.stage for step in PLANS["evaluate"].plan.steps]
    assert (stages.count("freeze"), stages.count("examples"), stages.count("neuron-ready")) == (1, 1, 2)


def test_what_the_longest_chain_is_made_from_comes_first():
    names = [step.id for step in PLANS["evaluate"].plan.steps]
    assert names.index("ir-fp32") < names.index("ir-int8") < names.index("convert-tf2") < names.index("tf2")
    assert names.index("tf2") < names.index("neuron-ready-float32") < names.index("tf1-answers")


def test_the_reference_is_always_asked_and_comes_first():
    planned = plan_evaluate(SOURCE, DATA, EvaluateRequest(targets=("tf2", "tf1", "tf2")), PROBES)
    assert list(planned.answers) == ["tf1", "tf2"]
    assert planned.made["tf1"] is None


def test_a_group_is_its_members():
    assert EvaluateRequest(targets=("neuron-ready", "frozen")).names == (*GROUPS["neuron-ready"], "frozen")


VOCAB = File(path=PurePosixPath("/c/vocab.txt"), digest="d-vocab")
READING = Reading(vocab=VOCAB, lower_case=False, vocab_reading="lines", max_seq_length=128, doc_stride=64)
SQUAD = File(path=PurePosixPath("/dev-v1.1.json"), digest="d-squad")


def head_of(kind, labels=2):
    return FoundHead(kind=kind, weights="output_weights", bias="output_bias", labels=labels)


def data_of(task_type, labels=("0", "1")):
    return of_prepared(replace(PREPARED, task="OWN", task_type=task_type, labels=labels), Judging(tag_scheme="IOB2"))


HEADS_ASKED = {
    "regression": (head_of("regression", 1), data_of("regression", ()), "score", {}),
    "multi-label": (head_of("multi-label"), data_of("multi-label"), "probabilities", {"head": "multi-label"}),
    "tokens": (head_of("tokens"), data_of("tagging"), "probabilities", {"head": "tokens", "tag-scheme": "IOB2"}),
    "span": (
        head_of("span"),
        of_questions("SQUAD-1.1", SQUAD, READING, Judging(n_best_size=5), PREPARED.training),
        "start_logits,end_logits",
        {"head": "span", "n-best-size": "5", "max-answer-length": "30", "null-score-diff-threshold": "0.0"},
    ),
    "masked-lm": (head_of("masked-lm"), of_text(SQUAD, READING), "masked-lm-logits", {"head": "masked-lm"}),
}


@pytest.mark.parametrize("name", HEADS_ASKED)
def test_each_head_is_asked_for_its_own_answer_and_judged_by_its_own_metric(name):
    head, data, output, params = HEADS_ASKED[name]
    targets = ("frozen", "ir-fp32", *(["ir-int8"] if data.training else []))
    planned = plan_evaluate(replace(SOURCE, heads=(head,)), data, EvaluateRequest(targets=targets), PROBES)
    step = planned.plan.step
    assert data.head == name
    assert step(planned.answers["tf1"]).params["output"] == output
    assert step(planned.made["frozen"]).params["output"] == output
    assert {one: step(id_).params for one, id_ in planned.scores.items()} == (
        dict.fromkeys(("tf1", *targets), params) if params else {}
    )
    for one, id_ in planned.scores.items():
        assert step(id_).inputs == {"examples": "examples", "answers": planned.answers[one]}
    if data.training:
        assert step(planned.made["ir-int8"]).params["head"] == name


def test_questions_and_text_are_read_as_the_model_reads_text():
    questions = HEADS_ASKED["span"][1].steps
    assert [(step.id, step.stage) for step in questions] == [("examples", "squad-examples")]
    sizes = {"max-seq-length": "128", "max-query-length": "64", "doc-stride": "64"}
    assert questions[0].params == {**sizes, "do-lower-case": "false", "vocab-reading": "lines"}
    read, masked = HEADS_ASKED["masked-lm"][1].steps
    assert (read.stage, masked.stage, masked.inputs) == (
        "text-examples",
        "masked-examples",
        {"examples": read.id, "vocab": VOCAB},
    )


OTHER = replace(SOURCE, heads=(head_of("tokens"),))
REFUSED = {
    "scores of a classifier": (SOURCE, data_of("regression", ()), UsageError, "fine-tuned on"),
    "another head": (OTHER, DATA, UsageError, "data of the task that this one was fine-tuned on"),
    "no head": (replace(SOURCE, heads=()), DATA, UsageError, "fine-tuned on the task"),
    "a head of another size": (replace(SOURCE, heads=(classifier_of(3),)), DATA, DataError, "task that the checkpoint"),
    "too long": (replace(SOURCE, max_positions=64), DATA, DataError, "--max-seq-length 64 or less"),
    "no checkpoint": (replace(SOURCE, kind="frozen"), DATA, UsageError, "--checkpoint"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_before_anything_runs(name):
    source, data, error, next_step = REFUSED[name]
    with pytest.raises(error) as caught:
        plan_evaluate(source, data, ALL, PROBES)
    assert next_step in caught.value.next_step


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"targets": ("ir",)}, "--target must be one of tf1, frozen, "),
        ({"batch_size": 0}, "--batch-size must be at least 1"),
    ],
)
def test_what_means_nothing_is_refused(values, sentence):
    with pytest.raises(UsageError, match=sentence):
        EvaluateRequest(**values)
