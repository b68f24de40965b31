from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import PurePosixPath

import pytest
from host_doubles import golden_plan
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.errors import UsageError
from bertbuild.heads.answers import OUTPUTS
from bertbuild.heads.classifier import found as classifier_of
from bertbuild.heads.found import FoundHead
from bertbuild.kinds.neuron import Neuron, plan_neuron_compile
from bertbuild.kinds.neuron_ready import APPROXIMATIONS, COMPUTES, NeuronReady, plan_neuron_ready
from bertbuild.kinds.saved_model import SavedModel, plan_export
from bertbuild.plans.plan import File, Source
from bertbuild.stages import STAGES

BARE = Source(
    model="bert",
    kind="checkpoint",
    file=File(path=PurePosixPath("/c"), digest="d-checkpoint"),
    gelu="erf",
    published=True,
)
TRAINED = replace(
    BARE, model="trained", published=False, prefix="model.ckpt-20", heads=(classifier_of(3),), gelu="tanh"
)
RELU = replace(BARE, model="relu", gelu=None)
SAVED = Source(
    model="saved",
    kind="saved-model",
    file=File(path=PurePosixPath("/s"), digest="d-saved"),
    gelu="erf",
    heads=(classifier_of(2),),
    seq_len=128,
    outputs=("probabilities",),
    tensors="loss/Softmax:0:probabilities",
)
FREE = replace(
    SAVED,
    model="free",
    seq_len=None,
    heads=(),
    outputs=("pooled", "sequence"),
    tensors="bert/pooler/dense/Tanh:0:pooled_output,bert/encoder/Reshape_3:0:sequence_output",
)
SPAN = FoundHead(kind="span", weights="cls/squad/output_weights", bias="cls/squad/output_bias", labels=2)
WORDS = FoundHead(
    kind="masked-lm", weights="bert/embeddings/word_embeddings", bias="cls/predictions/output_bias", labels=30522
)
SQUAD = replace(TRAINED, model="squad", heads=(SPAN, WORDS))
TAGGER = replace(
    SAVED,
    model="tagger",
    heads=(FoundHead(kind="tokens", weights="hidden2tag/kernel", bias="hidden2tag/bias", labels=9),),
    outputs=("logits", "probabilities"),
    tensors="hidden2tag/BiasAdd:0:logits,Softmax:0:probabilities",
)
SAVED_WORDS = replace(
    SAVED, model="words", heads=(WORDS,), outputs=("masked-lm-logits",), tensors="x:0:masked_lm_logits"
)
FROZEN = Source(model="frozen", kind="frozen", file=File(path=PurePosixPath("/f.pb"), digest="d-frozen"))
PROBES = File(path=PurePosixPath("/probes.json"), digest="d-probes")


PLANS = {
    "export": plan_export(BARE, SavedModel(), PROBES),
    "export_trained": plan_export(TRAINED, SavedModel(), PROBES),
    "export_sized_outputs": plan_export(TRAINED, SavedModel(seq_len=64, output="pooled,sequence"), PROBES),
    "export_short": plan_export(replace(RELU, max_positions=48), SavedModel(), PROBES),
    "export_span": plan_export(SQUAD, SavedModel(), PROBES),
    "export_heads": plan_export(
        SQUAD, SavedModel(output="start_logits,end_logits,masked-lm-logits,pooled,all-layers"), PROBES
    ),
    "neuron_ready": plan_neuron_ready(BARE, NeuronReady(), PROBES),
    "neuron_ready_span": plan_neuron_ready(SQUAD, NeuronReady(), PROBES),
    "neuron_ready_saved_model_tokens": plan_neuron_ready(TAGGER, NeuronReady(), PROBES),
    "neuron_ready_saved_model_words": plan_neuron_ready(SAVED_WORDS, NeuronReady(output="logits"), PROBES),
    "neuron_ready_trained_sigmoid": plan_neuron_ready(
        TRAINED,
        NeuronReady(seq_len=64, output="sequence", compute="float32", gelu_approximation="sigmoid", batch_size=8),
        PROBES,
    ),
    "neuron_ready_saved_model": plan_neuron_ready(SAVED, NeuronReady(gelu_approximation="tanh"), PROBES),
    "neuron_ready_saved_model_free": plan_neuron_ready(FREE, NeuronReady(seq_len=96, output="pooled"), PROBES),
    "neuron_compile": plan_neuron_compile(BARE, Neuron(), PROBES),
    "neuron_compile_span": plan_neuron_compile(SQUAD, Neuron(), PROBES),
    "neuron_compile_all_flags": plan_neuron_compile(
        TRAINED,
        Neuron(
            compute="float32",
            gelu_approximation="sigmoid",
            batch_size=8,
            seq_len=64,
            neuroncore_pipeline_cores=4,
            compiler_args="-O2 --verbose=1",
            timeout=60,
            min_on_neuron="0.9",
            min_memory="0",
        ),
        PROBES,
    ),
    "neuron_compile_saved_model": plan_neuron_compile(SAVED, Neuron(), PROBES),
    "neuron_compile_standard": plan_neuron_compile(TRAINED, Neuron(standard=True), PROBES),
    "neuron_compile_standard_saved_model": plan_neuron_compile(SAVED, Neuron(standard=True), PROBES),
}


@pytest.mark.parametrize("name", PLANS)
def test_each_way_to_neuron_has_the_plan_on_record(name):
    golden_plan(f"plan_{name}", PLANS[name])


NO_HEAD = "bert has no classifier head (output_weights), so it gives no probabilities."
UNKNOWN_OUTPUT = f"--output must be one of {', '.join(OUTPUTS)} (got 'scores'); did you mean \"score\"?"
TOO_LONG = "--seq-len 513 is longer than the model's position table of 512."
BELOW_0 = "--seq-len must be at least 0 (got -1)."
REFUSED_EXPORTS = {
    "a length below 0": (BARE, lambda: SavedModel(seq_len=-1), BELOW_0),
    "a length beyond the model's": (BARE, lambda: SavedModel(seq_len=513), TOO_LONG),
    "an unknown output": (BARE, lambda: SavedModel(output="pooled,scores"), UNKNOWN_OUTPUT),
    "probabilities without a head": (BARE, lambda: SavedModel(output="probabilities"), NO_HEAD),
    "a SavedModel": (SAVED, SavedModel, "Only a checkpoint can be exported."),
    "a frozen graph": (FROZEN, SavedModel, "A frozen graph cannot be made ready for Neuron."),
}
REFUSED = {
    "a length below 0": (BARE, lambda: NeuronReady(seq_len=-1), BELOW_0),
    "a length beyond the model's": (BARE, lambda: NeuronReady(seq_len=513), TOO_LONG),
    "a length beyond the SavedModel's": (FREE, lambda: NeuronReady(seq_len=513), TOO_LONG),
    "an unknown output": (BARE, lambda: NeuronReady(output="scores"), UNKNOWN_OUTPUT),
    "probabilities without a head": (BARE, lambda: NeuronReady(output="probabilities"), NO_HEAD),
    "a frozen graph": (FROZEN, NeuronReady, "A frozen graph cannot be made ready for Neuron."),
    "an unknown type": (
        BARE,
        lambda: NeuronReady(compute="int8"),
        "--compute must be one of float16, float32 (got 'int8').",
    ),
    "an unknown gelu": (
        BARE,
        lambda: NeuronReady(gelu_approximation="erf"),
        "--gelu-approximation must be one of exact, tanh, sigmoid (got 'erf').",
    ),
    "no batch": (BARE, lambda: NeuronReady(batch_size=0), "--batch-size must be at least 1 (got 0)."),
    "another length than the SavedModel's": (
        SAVED,
        lambda: NeuronReady(seq_len=64),
        "--seq-len 64, but the SavedModel is exported for 128.",
    ),
    "an output that the SavedModel does not give": (
        SAVED,
        lambda: NeuronReady(output="probabilities,sequence"),
        "The SavedModel gives probabilities, so sequence cannot be compared with it.",
    ),
}
SHARE = "--min-on-neuron must be a number from 0 to 1 (got {})."
MEMORY = "--min-memory must be a number, 0 or more (got {})."
NO_CORE = "--neuroncore-pipeline-cores must be at least 1 (got 0)."
STANDARD = "--standard compiles the exported SavedModel as it is; --compute and --gelu-approximation do not apply."
REFUSED_COMPILES = {
    **{
        name: (source, lambda make=make: Neuron(**asdict(make())), told)
        for name, (source, make, told) in REFUSED.items()
    },
    "no core": (
        BARE,
        lambda: Neuron(neuroncore_pipeline_cores=0),
        NO_CORE,
    ),
    "no time": (BARE, lambda: Neuron(timeout=0), "--timeout must be at least 1 (got 0)."),
    "a share above 1": (
        BARE,
        lambda: Neuron(min_on_neuron="1.5"),
        SHARE.format("1.5"),
    ),
    "a share below 0": (
        BARE,
        lambda: Neuron(min_on_neuron="-0.1"),
        SHARE.format("-0.1"),
    ),
    "a share that is not a number": (
        BARE,
        lambda: Neuron(min_on_neuron="half"),
        SHARE.format("half"),
    ),
    "a share of NaN": (
        BARE,
        lambda: Neuron(min_on_neuron="nan"),
        SHARE.format("nan"),
    ),
    "memory that is not a number": (
        BARE,
        lambda: Neuron(min_memory="32GB"),
        MEMORY.format("32GB"),
    ),
    "memory below 0": (BARE, lambda: Neuron(min_memory="-1"), MEMORY.format("-1")),
    "the standard way with a type": (
        BARE,
        lambda: Neuron(standard=True, compute="float32"),
        STANDARD,
    ),
    "the standard way with a gelu": (BARE, lambda: Neuron(standard=True, gelu_approximation="tanh"), STANDARD),
    "the standard way with another length than the SavedModel's": (
        SAVED,
        lambda: Neuron(standard=True, seq_len=64),
        "--seq-len 64, but the SavedModel is exported for 128.",
    ),
}
CASES = [
    pytest.param(make_plan, *case, id=f"{make_plan.__name__}: {name}")
    for make_plan, cases in (
        (plan_export, REFUSED_EXPORTS),
        (plan_neuron_ready, REFUSED),
        (plan_neuron_compile, REFUSED_COMPILES),
    )
    for name, case in cases.items()
]


@pytest.mark.parametrize(("make_plan", "source", "request_", "sentence"), CASES)
def test_what_cannot_be_meant_is_refused_with_a_sentence_and_a_next_step(make_plan, source, request_, sentence):
    with pytest.raises(UsageError) as raised:
        make_plan(source, request_(), PROBES)
    assert str(raised.value) == sentence
    assert raised.value.next_step
    assert raised.value.exit_code == 2


OF_EXPORTS = {
    "seq_len": st.sampled_from((0, 64, 128)),
    "output": st.sampled_from(("", "pooled", "sequence", "pooled,sequence", "probabilities", "logits", "start_logits")),
}
OF_READY = {**OF_EXPORTS, "compute": st.sampled_from(COMPUTES), "gelu_approximation": st.sampled_from(APPROXIMATIONS)}
BATCHES = {"batch_size": st.integers(1, 8)}
EXPORTS = st.builds(SavedModel, **OF_EXPORTS)
READY = st.builds(NeuronReady, **OF_READY, **BATCHES)
COMPILES = st.builds(
    Neuron, **OF_READY, **BATCHES, neuroncore_pipeline_cores=st.integers(1, 4), timeout=st.integers(1, 9)
)
STANDARDS = st.builds(Neuron, **OF_EXPORTS, standard=st.just(value=True), neuroncore_pipeline_cores=st.integers(1, 2))
SOURCES = st.sampled_from((BARE, TRAINED, RELU, SQUAD, SAVED, FREE, TAGGER, SAVED_WORDS))
ASKED = st.one_of(
    st.tuples(st.just(plan_export), EXPORTS),
    st.tuples(st.just(plan_neuron_ready), READY),
    st.tuples(st.just(plan_neuron_compile), st.one_of(COMPILES, STANDARDS)),
)


def planned(source, asked):
    make_plan, request = asked
    try:
        return make_plan(source, request, PROBES)
    except UsageError:
        return None


@given(SOURCES, ASKED)
def test_every_plan_can_be_run_in_its_order_and_has_no_step_in_vain(source, asked):
    plan = planned(source, asked)
    if plan is None:
        return
    made = set()
    for step in plan.steps:
        assert step.id not in made
        assert step.stage in STAGES
        assert all(isinstance(needed, File) or needed in made for needed in step.inputs.values())
        assert all(isinstance(value, str) for value in (*step.params.values(), *step.limits.values()))
        made.add(step.id)
    used = {needed for step in plan.steps for needed in step.inputs.values() if isinstance(needed, str)}
    used |= {name for target in plan.targets for name in (target.step, target.reference, target.answers)}
    assert used == made


@given(SOURCES, ASKED)
def test_what_needs_a_device_is_compiled_from_what_was_judged_on_the_cpu(source, asked):
    plan = planned(source, asked)
    if plan is None or asked[0] is not plan_neuron_compile or source.kind == "saved-model":
        return
    judged, target = plan.targets
    assert not STAGES[plan.step(judged.answers).stage].device
    assert STAGES[plan.step(target.answers).stage].device
    assert judged.step in plan.step(target.step).inputs.values()
    assert judged.reference == target.reference


def chain(plan, step_id):
    """A step with all that leads to it, but for limits."""
    step = plan.step(step_id)
    inputs = {name: chain(plan, needed) if isinstance(needed, str) else needed for name, needed in step.inputs.items()}
    return step.stage, step.params, inputs


def clash(source, one, other):
    """A name that stands for two different targets in two plans, or None."""
    plans_made = [plan for plan in (planned(source, one), planned(source, other)) if plan is not None]
    if len(plans_made) < 2:
        return None
    named = [{target.name: chain(plan, target.step) for target in plan.targets} for plan in plans_made]
    return next((name for name in named[0].keys() & named[1].keys() if named[0][name] != named[1][name]), None)


@given(SOURCES, ASKED, ASKED)
def test_two_targets_of_one_name_are_the_same_target(source, one, other):
    """Or a build would take the name from another build's result."""
    assert clash(source, one, other) is None


ALIKE = {
    "the gelu that the source has": (TRAINED, NeuronReady(), NeuronReady(gelu_approximation="tanh")),
    "a gelu for a model that has none": (RELU, NeuronReady(), NeuronReady(gelu_approximation="sigmoid")),
    "another batch": (BARE, NeuronReady(), NeuronReady(batch_size=8)),
}


@pytest.mark.parametrize("case", ALIKE)
def test_requests_of_one_name_are_one_target(case):
    source, one, other = ALIKE[case]
    assert clash(source, (plan_neuron_ready, one), (plan_neuron_ready, other)) is None
