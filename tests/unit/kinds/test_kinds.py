"""The table of kinds: what each declares holds in its plans, and each thing is named in one place."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.cli.upstream import upstream_flags
from bertbuild.errors import UsageError
from bertbuild.heads.classifier import found as classifier_of
from bertbuild.kinds import KINDS, kind_of, limits, tolerances
from bertbuild.kinds.evaluation import GROUPS, TARGETS, USUAL
from bertbuild.kinds.hub import Hub
from bertbuild.kinds.ir_request import INT8, Ir
from bertbuild.kinds.neuron import Neuron
from bertbuild.kinds.neuron_ready import NeuronReady
from bertbuild.kinds.saved_model import SavedModel
from bertbuild.parameters import parameters_of
from bertbuild.plans.plan import File, Source
from bertbuild.plans.wanted import Wanted
from bertbuild.stages import STAGES, host_code
from bertbuild.toml.values import LARGEST, Choice, Choices, Number, Text, Truth, Whole

BY_NAME = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
FOLDER = File(path=PurePosixPath("/c"), digest="d-checkpoint")
PROBES = File(path=PurePosixPath("/probes.json"), digest="d-probes")
BARE = Source(model="bert", kind="checkpoint", file=FOLDER, gelu="erf", published=True)
FROZEN = Source(model="frozen", kind="frozen", file=FOLDER, tensors="bert/pooler/dense/Tanh:0:pooled_output")
SAVED = replace(BARE, kind="saved-model", heads=(classifier_of(2),), seq_len=128, outputs=("probabilities",))
SOURCES = st.sampled_from(
    (
        BARE,
        replace(BARE, heads=(classifier_of(3),), gelu="tanh"),
        replace(BARE, gelu=None),
        FROZEN,
        replace(FROZEN, half=True),
        SAVED,
    )
)


def value_of(parameter):
    """Any value that a parameter's type allows; of those that go only with others, the one that stands for none."""
    type_ = parameter.type
    if parameter.only_for:
        return st.just(parameter.unset)
    if isinstance(type_, Choice):
        return st.sampled_from([option for option in type_.options if option != INT8])
    if isinstance(type_, Choices):
        return st.lists(st.sampled_from(type_.options), min_size=1, unique=True).map(",".join)
    if isinstance(type_, Whole):
        return st.integers(type_.least, 600)
    if isinstance(type_, Number):
        return st.sampled_from(["0.5", "0"])
    assert isinstance(type_, Truth | Text)
    return st.booleans() if isinstance(type_, Truth) else st.just("--topdown")


@st.composite
def requests(draw):
    kind = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    declared = parameters_of(kind.request).values()
    given_ = draw(st.fixed_dictionaries({}, optional={one.name: value_of(one) for one in declared}))
    try:
        return kind, kind.request(**given_)
    except UsageError:
        return kind, kind.request()


@given(SOURCES, requests())
def test_a_plan_keeps_to_what_its_kind_declares(source: Source, asked):
    kind, request = asked
    try:
        plan = kind.plan(source, request, PROBES)
    except UsageError:
        return
    target = plan.targets[-1]
    assert target.precision in kind.tolerances
    assert plan.step(target.answers).stage == kind.asked.stage
    if source.kind == "checkpoint":  # a graph that is frozen is made ours by TensorFlow
        assert STAGES[kind.stage].backend in {STAGES[step.stage].backend for step in plan.steps}


@given(SOURCES, requests())
def test_the_source_is_asked_from_the_first_second(source: Source, asked):
    """Of the steps that wait for no other, in the order in which they are begun, it is one of the first two."""
    kind, request = asked
    try:
        plan = kind.plan(source, request, PROBES)
    except UsageError:
        return
    target = plan.targets[0]
    begun = [
        step.id
        for step in plan.needed(target.step, *target.asked)
        if all(isinstance(given_, File) for given_ in step.inputs.values())
    ]
    reference = plan.step(target.reference)
    assert target.reference in begun[:2] or any(isinstance(made, str) for made in reference.inputs.values())


@BY_NAME
def test_every_field_of_a_request_is_a_parameter_that_is_told(kind):
    declared = parameters_of(kind.request)
    assert list(declared) == [field.name for field in fields(kind.request)]
    assert all(one.about and not one.about.endswith(".") for one in declared.values())
    assert kind_of(kind.request()) is kind if kind.request is not Ir else True


@BY_NAME
def test_what_a_kind_names_is_there(kind):
    assert kind.stage in STAGES
    assert kind.asked.stage in STAGES
    assert set(kind.command.sources) <= {field.name for field in fields(Wanted)}
    if kind.main_file:
        made = [file for spec in STAGES.values() for file in spec.outputs]
        assert any(file.startswith(kind.main_file) for file in made)


def test_a_kind_is_no_part_of_the_gates_code_and_its_limits_are_a_part_of_the_verdicts_key():
    assert not [name for name in host_code("bertbuild.gate.parity") if "/kinds/" in name]
    said = str(limits("float16-tanh"))
    assert said.count(" | ") == 1
    assert "pooled_output 0.02 None None" in said
    assert said != str(limits("float16"))


def test_a_row_of_tolerances_is_named_once():
    for kind in KINDS.values():
        for name, row in kind.tolerances.items():
            assert row is tolerances(name)
            assert "hidden" in row


@BY_NAME
def test_values_that_are_none_are_refused_by_their_flag(kind):
    for one in parameters_of(kind.request).values():
        wrong = {Choice: "nonsense", Choices: "nonsense", Whole: -1, Number: "much"}.get(type(one.type))
        if wrong is None:
            continue
        with pytest.raises(UsageError, match=f"^--{one.flag} ") as raised:
            kind.request(**{one.name: wrong})
        assert raised.value.next_step
        assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Neuron(timeout=-1), "--timeout must be at least 1 (got -1)."),
        (lambda: NeuronReady(batch_size=LARGEST + 1), f"--batch-size must be at most {LARGEST} (got {LARGEST + 1})."),
        (lambda: Neuron(min_on_neuron="inf"), "--min-on-neuron must be a number from 0 to 1 (got inf)."),
        (lambda: Hub(gelu="ref"), "--gelu must be one of auto, erf, tanh (got 'ref'); did you mean \"erf\"?"),
        (lambda: SavedModel(output="sequence,poled"), "--output must be one of pooled, sequence, all-layers"),
        (
            lambda: Ir(precision="fp61"),
            "--precision must be one of fp32, fp16, int8, int8-weights, int4-weights (got 'fp61'); did you mean",
        ),
    ],
)
def test_what_is_refused_is_told_with_the_value_and_what_is_nearest(make, sentence):
    with pytest.raises(UsageError) as raised:
        make()
    assert str(raised.value).startswith(sentence)


def test_what_can_be_evaluated_is_what_kinds_say():
    assert list(TARGETS) == [
        *("frozen", "ir-fp32", "ir-fp16", "ir-int8", "onnx-fp32", "onnx-fp16", "onnx-int8"),
        *("neuron-ready-float32", "neuron-ready-float16", "tf2"),
    ]
    assert GROUPS == {"neuron-ready": ("neuron-ready-float32", "neuron-ready-float16")}
    assert ",".join(USUAL) == "tf1,frozen,ir-fp32,ir-fp16,neuron-ready,tf2"


def test_flags_of_upstream_are_of_commands_that_there_are():
    assert all(upstream_flags(kind.command.name) for kind in KINDS.values())


def test_what_no_source_could_have_made_is_refused_with_the_request():
    with pytest.raises(UsageError, match=r"--converter mo is the Model Optimizer of OpenVINO 2024\.6"):
        Ir(converter="mo", openvino="2026.4")
    with pytest.raises(UsageError, match=r"The static route keeps the \.meta's shape"):
        Ir(route="static", seq_len=64)
    with pytest.raises(UsageError, match="know no TensorFlow 2 SavedModel"):
        Ir(route="savedmodel", converter="mo")


MEASURED = {
    "int8-weights": {"pooled_output": 8.9e-3, "probabilities": 0.10, "score": 2.3e-2, "logits": 0.42, "hidden": 0.12},
    "int4-weights": {"pooled_output": 0.14, "probabilities": 0.44, "score": 0.20, "logits": 3.9, "hidden": 1.0},
}
"""The largest differences from float32 of sound models (docs/int8.md)."""


@pytest.mark.parametrize(
    ("precision", "column", "seen"),
    [(precision, column, seen) for precision, row in MEASURED.items() for column, seen in row.items()],
)
def test_weights_alone_may_be_as_far_off_as_sound_ones_were_and_not_much_farther(precision, column, seen):
    assert 1.5 * seen <= tolerances(precision)[column].max_abs <= 6 * seen
