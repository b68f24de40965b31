"""From a checkpoint to a Hugging Face folder: each plan is the one on record, and what has no class is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from host_doubles import golden_plan

from bertbuild.errors import UsageError
from bertbuild.heads.found import FoundHead
from bertbuild.heads.masked_lm import UNTIED_WEIGHTS
from bertbuild.heads.rows import HEADS
from bertbuild.huggingface.classes import CLASSES
from bertbuild.kinds.hf import KIND, HuggingFace, heads_of, plan_hf
from bertbuild.plans.carrying import with_text
from bertbuild.plans.plan import File, Source, Step
from bertbuild.text.facts import HowRead, Text

VOCAB = File(path=PurePosixPath("/c/vocab.txt"), digest="d-vocab")
PROBES = File(path=PurePosixPath("/probes.json"), digest="d-probes")
CHECKPOINT = Source(
    model="bert", kind="checkpoint", file=File(path=PurePosixPath("/c"), digest="d-checkpoint"), gelu="erf"
)


def found(kind):
    return FoundHead(kind, *HEADS[kind].last, labels=2)


def with_heads(*kinds, **changes):
    return replace(CHECKPOINT, heads=tuple(map(found, kinds)), **changes)


PRETRAINED = with_heads("masked-lm", "next-sentence")
PLANS = {
    "hf": plan_hf(CHECKPOINT, HuggingFace(), PROBES),
    "hf_pretrained_tanh": plan_hf(PRETRAINED, HuggingFace(gelu="tanh"), PROBES),
    "hf_span": plan_hf(with_heads("span", pooler=False), HuggingFace(), PROBES),
    "hf_classifier": plan_hf(with_heads("classifier", gelu=None, prefix="model.ckpt-3"), HuggingFace(), PROBES),
}


@pytest.mark.parametrize("name", PLANS)
def test_each_plan_is_the_one_on_record(name):
    golden_plan(f"plan_{name}", PLANS[name])


@pytest.mark.parametrize("kinds", [kinds for kinds in CLASSES if kinds])
def test_a_plan_of_every_class_asks_for_all_that_the_class_answers(kinds):
    plan = plan_hf(with_heads(*kinds), HuggingFace(), PROBES)
    answers = [answer.output for kind in kinds for answer in HEADS[kind].answers]
    assert plan.step("reference").params["output"].split(",") == ["sequence", *answers]


def test_a_model_without_heads_answers_by_its_encoder():
    assert plan_hf(CHECKPOINT, HuggingFace(), PROBES).step("reference").params["output"] == "pooled,sequence"
    bare = replace(CHECKPOINT, pooler=False)
    assert plan_hf(bare, HuggingFace(), PROBES).step("reference").params["output"] == "sequence"


def test_of_several_heads_that_of_the_task_is_taken():
    assert heads_of(with_heads("masked-lm", "next-sentence", "classifier")) == (found("classifier"),)
    assert len(heads_of(PRETRAINED)) == 2


def test_what_the_proof_has_no_class_for_is_refused():
    untied = replace(CHECKPOINT, heads=(found("masked-lm")._replace(weights=UNTIED_WEIGHTS),))
    with pytest.raises(UsageError, match="has a table of its own"):
        plan_hf(untied, HuggingFace(), PROBES)
    with pytest.raises(UsageError, match="Only a checkpoint can be converted"):
        plan_hf(replace(CHECKPOINT, kind="frozen"), HuggingFace(), PROBES)


def test_what_is_known_of_the_text_is_told_to_the_stage_which_writes_the_tokenizer():
    """The host adds none of its own files to such a folder."""
    plan = plan_hf(with_heads("classifier"), HuggingFace(), PROBES)
    text = Text(labels=("no", "yes"), do_lower_case=True, vocab_reading="lines")
    made = with_text(plan, text, VOCAB).step("hf")
    how = {"do-lower-case": "true", "vocab-reading": "lines"}
    assert made.inputs == {**plan.step("hf").inputs, "words": VOCAB}
    assert made.params == {**plan.step("hf").params, "labels": '["no", "yes"]', **how}


def test_its_tokenizer_is_held_to_upstreams_by_the_step_that_all_kinds_share():
    """In which special tokens in a text are such, as they are to transformers."""
    plan = with_text(plan_hf(CHECKPOINT, HuggingFace(), PROBES), Text(do_lower_case=False), VOCAB)
    (target,) = plan.targets
    assert plan.step(target.tokenizer) == Step(
        id="tokenizer-special",
        stage="tokenizer",
        inputs={"words": VOCAB},
        params={"do-lower-case": "false", "special-tokens-in-text": "true"},
    )


def test_what_a_request_says_of_text_is_told():
    assert KIND.how_read(HuggingFace()) == HowRead()
    assert KIND.how_read(HuggingFace(do_lower_case=False, vocab_reading="lines")) == HowRead(False, "lines")
