"""The SavedModel that the Neuron compiler takes: its parameters, and its plan. Pure, as `plans` are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bertbuild.kinds.kind import FROM_SAVED_MODEL, Asked, Command, Evaluated, Kind
from bertbuild.kinds.measured import Measured
from bertbuild.kinds.saved_model import (
    TAKEN_BY,
    SavedModel,
    check_source,
    length,
    reference_step,
    taken,
    target_name,
    told_outputs,
)
from bertbuild.parameters import check, parameter
from bertbuild.plans.plan import File, Plan, Source, Step, Target
from bertbuild.plans.tolerance import FLOAT16, FLOAT32, Tolerance, Tolerances
from bertbuild.toml.values import Choice, Whole

COMPUTES = ("float16", "float32")
EXACT = "exact"
APPROXIMATIONS = (EXACT, "tanh", "sigmoid")
BATCH_SIZE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronReady(SavedModel):
    """What a Neuron-ready SavedModel is to be like."""

    compute: str = parameter(Choice(COMPUTES), "float16", "what attention and dense layers compute in")
    gelu_approximation: str = parameter(
        Choice(APPROXIMATIONS), EXACT, "exact: gelu as the source computes it; tanh, sigmoid: cheaper, farther from it"
    )
    batch_size: int = parameter(Whole(1), BATCH_SIZE, "batch to compile for; the model takes any batch")

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check(self)


ASKED = Asked(stage="tf1-infer", flag="saved-model")


def plan_neuron_ready(source: Source, request: NeuronReady, probes: File) -> Plan:
    """Checkpoint or SavedModel → SavedModel in a host part and a device part, which answers like its source.

    Raises:
        UsageError: the request contradicts the source.
    """
    check_source(source, request)
    suffix = gelu_suffix(source, request)
    params = {"dtype": request.compute, "gelu": suffix[0] if suffix else EXACT, "batch-size": str(request.batch_size)}
    params |= told_outputs(source, request)
    if source.kind == "checkpoint":
        params |= {"seq-len": str(length(source, request)), "prefix": source.prefix}
    ready = Step(id="neuron-ready", stage="neuron-ready", inputs={source.kind: source.file}, params=params)
    reference = reference_step(source, request, probes)
    answers = ASKED.step("neuron-ready-infer", ready.id, probes)
    batch = (f"b{request.batch_size}",) if request.batch_size != BATCH_SIZE else ()
    target = Target(
        name=target_name("neuron-ready", source, request, *suffix, request.compute, *batch),
        step=ready.id,
        reference=reference.id,
        answers=answers.id,
        precision="-".join([request.compute, *suffix]),
    )
    return Plan(model=source.model, steps=(ready, reference, answers), targets=(target,))


def gelu_suffix(source: Source, request: NeuronReady) -> tuple[str, ...]:
    """The form of gelu where it is not the source's own: it has tolerances, and a name, of its own."""
    wanted = request.gelu_approximation
    return () if wanted in (EXACT, source.gelu) or source.gelu is None else (wanted,)


def _evaluated(compute: str) -> Callable[[Source, Measured, File, str], Plan]:
    return lambda source, data, probes, _int8_for: plan_neuron_ready(
        source, NeuronReady(seq_len=data.max_seq_length, compute=compute, output=data.output), probes
    )


# Gelu by sigmoid: each activation is up to 2.07e-2 off. Measured on MiniLM: 1.8e-2 on the pooled output, 0.34 and a
# cosine of 0.978 on the last layer. A classifier's answer survives that, the neighbours of an embedding may not.
_SIGMOID: Tolerances = {
    "pooled_output": Tolerance(max_abs=1e-1, cosine=0.99),
    "probabilities": Tolerance(max_abs=1e-1, argmax=1.0),
    "score": Tolerance(max_abs=5e-1),
    "logits": Tolerance(max_abs=1.0, cosine=0.95),
    "hidden": Tolerance(max_abs=1.0, cosine=0.95),
}
# Heads were measured in float16 on two layers of 16 units (docs/heads.md): 8e-4 on a score, 3e-3 on logits of a span,
# 6e-3 on those of words. With another gelu no head was measured: its logits, which are sums of what the last layer
# gives, are held to what that is, and a score to no more.
OF_FLOAT16: dict[str, Tolerances] = {
    "float16": FLOAT16,
    "float16-tanh": {
        "pooled_output": Tolerance(max_abs=2e-2),
        "probabilities": Tolerance(max_abs=2e-2, argmax=1.0),
        "score": Tolerance(max_abs=1e-1),
        "logits": Tolerance(max_abs=1.5e-1, cosine=0.999),
        "hidden": Tolerance(max_abs=1.5e-1, cosine=0.999),
    },
    "float16-sigmoid": _SIGMOID,
}
_OF_FLOAT32: dict[str, Tolerances] = {
    # float32 throughout, the operators arranged again. The same limits as for any float32 target.
    "float32": FLOAT32,
    # Another gelu than the source's. By tanh each activation is up to 4.7e-4 off, which Google itself took for the same
    # model when it went from one form to the other; measured: 2e-3 on the pooled output of 12 random layers.
    "float32-tanh": {
        "pooled_output": Tolerance(max_abs=1e-2),
        "probabilities": Tolerance(max_abs=1e-2, argmax=1.0),
        "score": Tolerance(max_abs=5e-2),
        "logits": Tolerance(max_abs=5e-2, cosine=0.999),
        "hidden": Tolerance(max_abs=5e-2, cosine=0.999),
    },
    "float32-sigmoid": _SIGMOID,
}
KIND = Kind(
    name="neuron-ready",
    about="the SavedModel that the Neuron compiler takes",
    command=Command(
        name="neuron-ready",
        about="Make the SavedModel that the Neuron compiler takes, proved on the CPU to answer like its source.",
        sources=FROM_SAVED_MODEL,
        example="--checkpoint path/to/finetuned --compute float32",
    ),
    request=NeuronReady,
    plan=plan_neuron_ready,
    stage="neuron-ready",
    asked=ASKED,
    tolerances=_OF_FLOAT32 | OF_FLOAT16,
    taken=taken,
    taken_by=TAKEN_BY,
    has_reference=False,
    only_1_15="A model for Neuron is proved in TensorFlow 1.15, because AWS runs it in TensorFlow 1.15",
    seq_len=lambda request: request.seq_len,
    evaluated=tuple(
        Evaluated(name=f"neuron-ready-{compute}", plan=_evaluated(compute), is_told=True, group="neuron-ready")
        for compute in ("float32", "float16")
    ),
)
