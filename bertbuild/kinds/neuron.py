"""A SavedModel compiled for AWS Inferentia: its parameters, and its plan. Pure, as `plans` are."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.errors import UsageError
from bertbuild.keys import digest
from bertbuild.kinds.kind import FROM_SAVED_MODEL, Asked, Command, Kind
from bertbuild.kinds.neuron_ready import EXACT, OF_FLOAT16, NeuronReady, gelu_suffix, plan_neuron_ready
from bertbuild.kinds.saved_model import (
    TAKEN_BY,
    SavedModel,
    check_source,
    plan_export,
    reference_step,
    taken,
    target_name,
)
from bertbuild.parameters import Parameter, check, parameter
from bertbuild.plans.plan import File, Plan, Source, Step, Target
from bertbuild.toml.values import Location, Number, Text, Truth, Whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Neuron(NeuronReady):
    """What is to be compiled, and how; the rest is the compiler's."""

    standard: bool = parameter(
        Truth(),
        False,
        "compile the exported SavedModel as it is, encoder and pooler forced on the device; fixed batch",
    )
    neuroncore_pipeline_cores: int = parameter(Whole(1), 1, "NeuronCores that one model is spread over")
    compiler_args: str = parameter(Text(), "", "more arguments for neuron-cc, in one string", written="ARGUMENTS")
    timeout: int = parameter(Whole(1), 36000, "seconds that the compiler may take", written="SECONDS")
    min_on_neuron: str = parameter(Number(least=0, most=1), "0.5", "smallest share of operators on the device, 0 to 1")
    min_memory: str = parameter(
        Number(least=0),
        "",
        "GB that must be free to start; default: by the model's size, 32 for BERT-Large; 0: start anyway",
        written="GB",
    )

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check(self)
        if self.standard and (self.compute, self.gelu_approximation) != ("float16", EXACT):
            raise UsageError(
                "--standard compiles the exported SavedModel as it is; --compute and --gelu-approximation do not "
                "apply.",
                next_step="Leave them out, or leave --standard out.",
            )


ASKED = Asked(stage="neuron-infer", flag="compiled")


def plan_neuron_compile(source: Source, request: Neuron, probes: File) -> Plan:
    """Checkpoint or SavedModel → SavedModel compiled for Inferentia.

    What is compiled has a gate of its own on the CPU, in front of the compiler; the compiled model's needs a device.

    Raises:
        UsageError: the request contradicts the source.
    """
    params = {
        "batch-size": str(request.batch_size),
        "neuroncore-pipeline-cores": str(request.neuroncore_pipeline_cores),
        "min-on-neuron": request.min_on_neuron,
    }
    if request.compiler_args:
        params["compiler-args"] = request.compiler_args
    if request.standard:
        base = _standard_base(source, request, probes)
        inputs: dict[str, File | str] = {"saved-model": base.targets[0].step if base.targets else source.file}
        parts: tuple[str, ...] = ("standard",)
        precision = "float16"
    else:
        # The batch is the compiler's: one Neuron-ready model serves every batch that is tried.
        ready = NeuronReady(
            seq_len=request.seq_len,
            output=request.output,
            compute=request.compute,
            gelu_approximation=request.gelu_approximation,
        )
        base = plan_neuron_ready(source, ready, probes)
        inputs = {"neuron-ready": base.targets[0].step}
        suffix = gelu_suffix(source, request)
        parts = (*suffix, request.compute)
        precision = "-".join(["float16", *suffix])  # products are cast for the device, whatever the weights are
    limits = {"timeout": str(request.timeout), **({"min-memory": request.min_memory} if request.min_memory else {})}
    compiled = Step(id="neuron-compile", stage="neuron-compile", inputs=inputs, params=params, limits=limits)
    answers = ASKED.step("neuron-infer", compiled.id, probes)
    target = Target(
        name=target_name("neuron", source, request, *parts, *_suffix(request)),
        step=compiled.id,
        reference="reference",
        answers=answers.id,
        precision=precision,
    )
    return Plan(model=source.model, steps=(*base.steps, compiled, answers), targets=(*base.targets, target))


def _standard_base(source: Source, request: Neuron, probes: File) -> Plan:
    """What the standard way compiles: the exported SavedModel, or the given one as it is."""
    if source.kind == "checkpoint":
        return plan_export(source, SavedModel(seq_len=request.seq_len, output=request.output), probes)
    check_source(source, request)
    return Plan(model=source.model, steps=(reference_step(source, request, probes),))


def _suffix(request: Neuron) -> tuple[str, ...]:
    suffix = [f"b{request.batch_size}"]
    if request.neuroncore_pipeline_cores > 1:
        suffix.append(f"c{request.neuroncore_pipeline_cores}")
    if request.compiler_args:
        suffix.append(f"args-{digest(request.compiler_args)[:8]}")
    return tuple(suffix)


KIND = Kind(
    name="neuron",
    about="a SavedModel compiled for AWS Inferentia",
    command=Command(
        name="neuron-compile",
        about="Compile a model for Inferentia with AWS Neuron, once it is proved on the CPU.",
        sources=FROM_SAVED_MODEL,
        example="--checkpoint path/to/finetuned --seq-len 128",
        copied=Parameter(
            name="output_dir",
            type=Location(),
            written="FOLDER",
            about="also copy the compiled SavedModel to this folder",
        ),
    ),
    request=Neuron,
    plan=plan_neuron_compile,
    stage="neuron-compile",
    asked=ASKED,
    tolerances=OF_FLOAT16,
    taken=taken,
    taken_by=TAKEN_BY,
    has_reference=False,
    seq_len=lambda request: request.seq_len,
)
