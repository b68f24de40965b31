"""What a target carries is in its step, where its stage does not see it, and in no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from bertbuild import keys
from bertbuild.kinds.hf import HuggingFace, plan_hf
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.tf2 import Tf2, plan_convert_tf2
from bertbuild.plans.carrying import TEXT, VOCAB, carries_text, computed, seen_by_stage, with_text, writes_tokenizer
from bertbuild.plans.carrying import WORDS as WORDS_FLAG
from bertbuild.plans.plan import File, Step
from bertbuild.text.facts import Text, from_json

WORDS = File(path=Path("/m/vocab.txt"), digest="d-vocab")
MINE = Text(task="MRPC", head="classifier", labels=("no", "yes"), max_seq_length=128, max_positions=512)


def planned(source, probes, text=MINE):
    return with_text(plan_ir(source, Ir(precision="fp32,fp16"), probes), text, WORDS)


def parts_of(step, inputs=None):
    digests = {name: getattr(source, "digest", source) for name, source in (inputs or step.inputs).items()}
    return keys.components(stage=step.stage, code="c", environment={}, params=step.params, inputs=digests)


def test_only_steps_that_make_targets_carry_text(source, probes):
    plan = planned(source, probes)
    assert [step.id for step in plan.steps if carries_text(step)] == ["ir-fp32", "ir-fp16"]
    assert plan.step("ir-fp32").inputs[VOCAB] == WORDS


def test_the_tokenizer_of_targets_is_held_to_upstreams_once(source, probes):
    plan = planned(source, probes, replace(MINE, do_lower_case=False, vocab_reading="lines"))
    assert [target.tokenizer for target in plan.targets] == ["tokenizer", "tokenizer"]
    assert plan.steps[-1] == Step(
        id="tokenizer",
        stage="tokenizer",
        inputs={WORDS_FLAG: WORDS},
        params={"do-lower-case": "false", "vocab-reading": "lines"},
    )
    assert plan.targets[0].needed(is_asked=True) == ("ir-fp32", "reference", "ir-fp32-infer", "tokenizer")
    assert plan.targets[0].needed(is_asked=False) == ("ir-fp32", "tokenizer")


def test_labels_and_lengths_are_nothing_to_the_tokenizer(source, probes):
    """So models of one vocabulary share the step."""
    step = planned(source, probes).step("tokenizer")
    assert step == planned(source, probes, Text(labels=("0", "1"), max_seq_length=64)).step("tokenizer")


def test_special_tokens_in_a_text_are_another_tokenizer(source, probes):
    plan = with_text(plan_ir(source, Ir(text=True, special_tokens_in_text=True), probes), MINE, WORDS)
    (target,) = plan.targets
    assert plan.step(target.tokenizer).params == {"special-tokens-in-text": "true"}


def test_a_hugging_face_folder_writes_its_own_tokenizer(source, probes):
    plan = with_text(plan_hf(source, HuggingFace(), probes), MINE, WORDS)
    assert not [step.id for step in plan.steps if carries_text(step)]
    assert writes_tokenizer(plan)
    assert not writes_tokenizer(planned(source, probes))


def test_what_is_carried_tells_how_the_target_is_asked(source, probes):
    told = from_json(json.loads(planned(source, probes).step("ir-fp32").params[TEXT]))
    assert (told.labels, told.task, told.do_lower_case) == (("no", "yes"), "MRPC", None)
    assert told.asked == {"stage": "openvino-infer", "flag": "ir", "params": {}}


def test_a_target_of_tensorflow_2_is_asked_in_words_without_what_goes_with_probes(source, probes):
    """Its gate asks it with the other form of gelu too; a stage that is asked for texts refuses that."""
    plan = with_text(plan_convert_tf2(source, Tf2(), probes), MINE, WORDS)
    (target,) = plan.targets
    assert "other-gelu" in plan.step(target.answers).params
    told = from_json(json.loads(plan.step(target.step).params[TEXT]))
    assert told.asked["stage"] == "tf2-infer"
    assert set(told.asked["params"]) == {"gelu"}


def test_a_stage_sees_neither_text_nor_vocabulary(source, probes):
    step = planned(source, probes).step("ir-fp32")
    plain = plan_ir(source, Ir(), probes).step("ir-fp32")
    assert seen_by_stage(step.inputs, step) == plain.inputs
    assert seen_by_stage(step.params, step) == plain.params
    assert seen_by_stage({VOCAB: 1}, plan_ir(source, Ir(), probes).step("reference")) == {VOCAB: 1}


def test_other_text_is_another_key_and_the_same_computation(source, probes):
    plain = parts_of(plan_ir(source, Ir(), probes).step("ir-fp32"))
    one = parts_of(planned(source, probes).step("ir-fp32"))
    other = parts_of(planned(source, probes, Text(labels=("0", "1"))).step("ir-fp32"))
    assert len({keys.digest(parts) for parts in (plain, one, other)}) == 3
    assert computed(one) == computed(other) == computed(plain) == plain
