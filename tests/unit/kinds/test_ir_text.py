"""--text: the plan of an IR with models beside it that take strings, and what does not go with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bertbuild.errors import UsageError
from bertbuild.kinds.int8 import Calibration
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.plans.carrying import VOCAB, carries_text, reads_text, with_text
from bertbuild.plans.plan import File
from bertbuild.stages import STAGES
from bertbuild.text.facts import Text, from_json

WORDS = File(path=Path("/m/vocab.txt"), digest="d-vocab")


def test_each_ir_gets_models_that_take_strings(source, probes):
    plan = plan_ir(source, Ir(precision="fp32,fp16", text=True), probes)
    assert [(one.name, one.step, one.answers, one.precision) for one in plan.targets] == [
        ("ir-text-fp32", "ir-text-fp32", "ir-text-fp32-infer", "fp32"),
        ("ir-text-fp16", "ir-text-fp16", "ir-text-fp16-infer", "fp16"),
    ]
    made, answers = plan.step("ir-text-fp16"), plan.step("ir-text-fp16-infer")
    assert (made.stage, made.inputs) == ("text", {"ir": "ir-fp16"})
    assert answers.inputs == {"ir": "ir-text-fp16", "probes": probes}
    assert "ir-fp16-infer" not in [step.id for step in plan.steps]
    assert reads_text(plan)
    assert not reads_text(plan_ir(source, Ir(), probes))


def test_an_int8_ir_gets_them_too(source, probes):
    plan = plan_ir(source, Ir(precision="int8", calibration="d", text=True), probes, Calibration(examples=WORDS))
    assert plan.step("ir-text-int8").inputs == {"ir": "ir-int8"}
    assert plan.targets[0].precision == "int8"


def test_the_stage_is_told_how_text_is_read(source, probes):
    plan = plan_ir(source, Ir(text=True), probes)
    step = with_text(plan, Text(max_positions=64), WORDS).step("ir-text-fp32")
    assert step.inputs == {"ir": "ir-fp32", "words": WORDS, VOCAB: WORDS}
    assert {**step.params, "text": ""} == {"max-seq-length": "64", "text": ""}
    told = Text(max_positions=512, max_seq_length=48, do_lower_case=False, vocab_reading="lines")
    step = with_text(plan, told, WORDS).step("ir-text-fp32")
    assert {**step.params, "text": ""} == {
        "max-seq-length": "48",
        "do-lower-case": "false",
        "vocab-reading": "lines",
        "text": "",
    }
    assert carries_text(step)


def test_special_tokens_in_a_text_are_another_target(source, probes):
    plan = plan_ir(source, Ir(text=True, special_tokens_in_text=True), probes)
    assert [target.name for target in plan.targets] == ["ir-text-special-fp32"]
    step = with_text(plan, Text(max_positions=64), WORDS).step("ir-text-special-fp32")
    assert step.params["special-tokens-in-text"] == "true"
    assert from_json(json.loads(step.params["text"])).special_tokens_in_text


def test_special_tokens_in_a_text_are_for_models_that_take_strings():
    with pytest.raises(UsageError, match="--special-tokens-in-text is for models that take strings"):
        Ir(special_tokens_in_text=True)


def test_its_files_are_those_that_predict_and_the_gate_ask_for():
    assert {*STAGES["ir-direct"].outputs, "text_model.xml", "tokenizer.bin"} <= {*STAGES["text"].outputs}


@pytest.mark.parametrize(
    ("request_", "leave"),
    [
        ({"openvino": "2024.6"}, "--openvino"),
        ({"converter": "mo"}, "--converter mo"),
        ({"batch_size": 8}, "--batch-size"),
        ({"seq_len": 64}, "--seq-len"),
        ({"route": "static"}, "--route static"),
    ],
)
def test_what_does_not_go_with_it_is_refused(request_, leave):
    with pytest.raises(UsageError, match=r"^--text ") as refused:
        Ir(text=True, **request_)
    assert leave in refused.value.next_step


def test_a_graph_frozen_for_one_size_is_refused(source, probes):
    fixed = replace(source, kind="frozen", seq_len=128, prefix="")
    with pytest.raises(UsageError, match="frozen for one size"):
        plan_ir(fixed, Ir(text=True), probes)
