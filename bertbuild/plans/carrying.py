"""What a target carries so that it answers text: a parameter and an input of the step that makes it, which its stage
does not see. The host adds the files once the stage has ended (`engine/carried.py`).

What a stage computes does not depend on them. So a result's digest leaves them out, and other labels make nothing again
but the files that hold them: see `Store.alike`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from bertbuild.plans.plan import File, Plan, Step, Target
from bertbuild.stages import STAGES
from bertbuild.text.facts import TOKENIZER_FILE, Text

TEXT = "text"
"""The parameter: a `Text` as JSON."""
VOCAB = "vocab"
"""The input: vocab.txt."""
TEXT_STAGE, WORDS = "text", "words"
"""The stage that makes models which take strings, and what all stages that read text call the tokenizer's file."""

TOKENIZER_STAGE = "tokenizer"
"""The stage that holds the tokenizer.json of targets to google-research/bert."""

SPECIAL_IN_TEXT = "special-tokens-in-text"
"""The parameter of both: "true" where special tokens in a text are such."""

OF_PROBES = ("other-gelu",)
"""Parameters of stages that answer which go with the gate's probes alone: a target that is asked in words has none."""

Value = TypeVar("Value")


def with_text(plan: Plan, text: Text, vocab: File) -> Plan:
    """The plan with its targets carrying a model's text, and their tokenizer.json held to google-research/bert: by a
    step of its own, which waits for none, so that it runs beside the others; once for all targets that are read alike.
    """
    made = {target.step: target for target in plan.targets}
    held: dict[str, Step] = {}

    def target_with(target: Target) -> Target:
        check = _held(plan.step(target.step), text, vocab)
        held[check.id] = check
        return replace(target, tokenizer=check.id)

    def step_with(step: Step) -> Step:
        if step.stage == TEXT_STAGE:
            step = _reading(step, text, vocab)
        if step.id not in made:
            return step
        if _writes_tokenizer(step):
            return _writing(step, text, vocab)
        return _carrying(step, _asked(plan, made[step.id]), text, vocab)

    targets = tuple(map(target_with, plan.targets))
    return replace(plan, steps=(*map(step_with, plan.steps), *held.values()), targets=targets)


def carries_text(step: Step) -> bool:
    """Whether the host adds a tokenizer to what a step makes."""
    return TEXT in step.params


def seen_by_stage(values: Mapping[str, Value], step: Step) -> dict[str, Value]:
    """Inputs or parameters of a step, as its stage is given them."""
    hidden = (TEXT, VOCAB) if carries_text(step) else ()
    return {name: value for name, value in values.items() if name not in hidden}


def computed(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The components of a key that decide what a stage computes: all but what the host adds."""
    if TEXT not in parts["params"]:
        return dict(parts)
    left = {
        group: {name: value for name, value in parts[group].items() if name not in (TEXT, VOCAB)}
        for group in ("params", "inputs")
    }
    return {**parts, **left}


def reads_text(plan: Plan) -> bool:
    """Whether a plan has models that take strings."""
    return any(step.stage == TEXT_STAGE for step in plan.steps)


def writes_tokenizer(plan: Plan) -> bool:
    """Whether a plan has targets whose format has the files of a tokenizer, so that there is none without."""
    return any(_writes_tokenizer(plan.step(target.step)) for target in plan.targets)


def _writes_tokenizer(step: Step) -> bool:
    return TOKENIZER_FILE in STAGES[step.stage].outputs


def _reading(step: Step, text: Text, vocab: File) -> Step:
    """A step that makes models which take strings, told how they are to read text."""
    told = {"max-seq-length": str(text.length), **_how(text)}
    return replace(step, inputs={**step.inputs, WORDS: vocab}, params={**step.params, **told})


def _held(step: Step, text: Text, vocab: File) -> Step:
    """The step that holds the tokenizer.json of what a step makes to google-research/bert."""
    special = _writes_tokenizer(step) or step.params.get(SPECIAL_IN_TEXT) == "true"  # to transformers they always are
    params = {**_how(text), **({SPECIAL_IN_TEXT: "true"} if special else {})}
    step_id = "tokenizer-special" if special else "tokenizer"
    return Step(id=step_id, stage=TOKENIZER_STAGE, inputs={WORDS: vocab}, params=params)


def _how(text: Text) -> dict[str, str]:
    """How a vocabulary is read, as parameters of stages."""
    told = {}
    if text.do_lower_case is not None:
        told["do-lower-case"] = str(text.do_lower_case).lower()
    if text.vocab_reading:
        told["vocab-reading"] = text.vocab_reading
    return told


def _writing(step: Step, text: Text, vocab: File) -> Step:
    """A step whose stage writes a tokenizer itself, told what is known of the text."""
    labels = {"labels": json.dumps(list(text.labels))} if text.labels else {}
    return replace(step, inputs={**step.inputs, WORDS: vocab}, params={**step.params, **labels, **_how(text)})


def _carrying(step: Step, asked: Mapping[str, Any], text: Text, vocab: File) -> Step:
    special = step.params.get(SPECIAL_IN_TEXT) == "true"
    told = replace(text, asked=asked, special_tokens_in_text=special).as_parameter()
    return replace(step, inputs={**step.inputs, VOCAB: vocab}, params={**step.params, TEXT: told})


def _asked(plan: Plan, target: Target) -> dict[str, Any]:
    step = plan.step(target.answers)
    flag = next(name for name, source in step.inputs.items() if source == target.step)
    params = {name: value for name, value in step.params.items() if name not in OF_PROBES}
    return {"stage": step.stage, "flag": flag, "params": params}
