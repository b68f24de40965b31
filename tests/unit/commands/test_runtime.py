"""verify --runtime: which records another backend can ask, and how it is asked."""

from __future__ import annotations

import pytest

from bertbuild.commands.runtime import asked_by
from bertbuild.errors import UsageError
from bertbuild.kinds.hf import HuggingFace, plan_hf
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.plans.placing import backend_of
from bertbuild.store.records import Record


@pytest.fixture
def records(source, probes):
    """Of a Hugging Face folder, and of an IR."""
    plans = (plan_hf(source, HuggingFace(), probes), plan_ir(source, Ir(), probes))
    return [
        Record(model="m", plan=plan, target=target, results={}, verdict=None)
        for plan in plans
        for target in plan.targets
    ]


def answering(record):
    return record.plan.step(record.target.answers)


def test_pytorch_asks_hugging_face_folders_by_a_stage_of_its_own(records):
    (asked,) = asked_by(records, "hf-torch", named=False)
    before = answering(records[0])
    step = answering(asked)
    assert (step.stage, backend_of(step)) == ("hf-torch-infer", "hf-torch")
    assert (step.inputs, step.params) == (before.inputs, before.params)
    assert [one for one in asked.plan.steps if one != step] == [one for one in records[0].plan.steps if one != before]


def test_a_version_asks_by_the_same_stage(records):
    (asked,) = asked_by(records, "openvino@2024.6", named=False)
    assert (answering(asked).stage, backend_of(answering(asked))) == ("openvino-infer", "openvino@2024.6")


def test_what_a_backend_cannot_ask_is_refused_where_it_is_named(records):
    with pytest.raises(UsageError, match="is asked by openvino; --runtime hf-torch cannot ask it") as refused:
        asked_by(records, "hf-torch", named=True)
    assert refused.value.next_step.startswith("Name targets that a version of hf-tf asks")


def test_without_one_records_are_as_they_are(records):
    assert asked_by(records, "", named=True) == records
