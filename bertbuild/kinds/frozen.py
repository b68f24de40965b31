"""A frozen TensorFlow graph: its parameters, and its plan. Pure, as `plans` are."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.heads.answers import OUTPUT_OF_PART, OUTPUTS
from bertbuild.kinds.kind import Asked, Command, Evaluated, Kind, Request
from bertbuild.kinds.measured import Measured
from bertbuild.parameters import check, parameter
from bertbuild.plans import family_reference
from bertbuild.plans.outputs import output_params, output_word, outputs_of, taken_parts
from bertbuild.plans.plan import GELU_FORMS, TOGETHER, File, Plan, Source, Step, Target
from bertbuild.plans.tolerance import FLOAT32
from bertbuild.toml.values import Choice, Choices

OUTPUT_ABOUT = "what the model gives; default: what its head answers, else pooled"
GELU_ABOUT = "form of gelu; auto: as the checkpoint's .meta computes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen(Request):
    """What a frozen graph is to be like."""

    output: str = parameter(Choices(OUTPUTS), "", OUTPUT_ABOUT)
    gelu: str = parameter(Choice(GELU_FORMS), "auto", GELU_ABOUT)

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check(self)


ASKED = Asked(stage="tf1-infer", flag="frozen")


def plan_freeze(source: Source, request: Frozen, probes: File) -> Plan:
    """Checkpoint (or a foreign frozen graph) → frozen graph over placeholders with our names, which answers like it."""
    frozen = frozen_step(source, request.output, request.gelu)
    references = reference_steps(source, request.output, request.gelu, probes)
    answers = ASKED.step("frozen-infer", frozen.id, probes)
    target = Target(
        name=_target_name(source, request),
        step=frozen.id,
        reference=references[-1].id,
        answers=answers.id,
        precision="fp32",
    )
    return Plan(model=source.model, steps=(frozen, *references, answers), targets=(target,))


def _target_name(source: Source, request: Frozen) -> str:
    word = output_word(source, request.output)
    if source.kind != "checkpoint" or (not word and request.gelu == "auto"):
        return "frozen"
    return f"frozen-{word or '+'.join(outputs_of(source, request.output))}-{request.gelu}"


def frozen_step(source: Source, output: str, gelu: str) -> Step:
    """The step that makes a frozen graph over our placeholders."""
    if source.kind == "frozen":
        return Step(id="extract", stage="extract", inputs={"frozen": source.file}, params=tensors(source))
    params = {**output_params(source, outputs_of(source, output)), **source_params(source, gelu)}
    return Step(id="freeze", stage="freeze", inputs={"checkpoint": source.file}, params=params)


def reference_steps(source: Source, output: str, gelu: str, probes: File) -> tuple[Step, ...]:
    """The steps that answer for the source; the last gives the answers."""
    if source.kind == "frozen":
        asked: dict[str, File | str] = {"frozen": source.file, "probes": probes}
        return (Step(id="reference", stage="tf1-infer", inputs=asked, params={**tensors(source), **TOGETHER}),)
    outputs = outputs_of(source, output)
    if not family_reference.of_google(source):
        form = gelu_form(source, gelu)
        return family_reference.reference_steps(source, outputs, form, {"probes": probes}, TOGETHER)
    params = {**output_params(source, outputs), **source_params(source, gelu), **TOGETHER}
    inputs: dict[str, File | str] = {"checkpoint": source.file, "probes": probes}
    return (Step(id="reference", stage="tf1-infer", inputs=inputs, params=params),)


def tensors(source: Source) -> dict[str, str]:
    """The parameter that says which outputs of a frozen source are taken."""
    return {"outputs": source.tensors}


def source_params(source: Source, gelu: str) -> dict[str, str]:
    """The parameters of a stage that builds the source's graph."""
    form = gelu_form(source, gelu)
    return {"prefix": source.prefix, **({"gelu": form} if form else {})}


def gelu_form(source: Source, gelu: str) -> str | None:
    """The form that is computed, None where the model has no gelu."""
    return source.gelu if gelu == "auto" or source.gelu is None else gelu


def _evaluated(source: Source, data: Measured, probes: File, _int8_for: str) -> Plan:
    return plan_freeze(source, Frozen(output=data.output), probes)


KIND = Kind(
    name="frozen",
    about="a frozen graph",
    command=Command(
        name="freeze",
        about="Make a frozen TensorFlow graph over free batch and sequence length.",
        example="--checkpoint path/to/model --output pooled,sequence",
    ),
    request=Frozen,
    plan=plan_freeze,
    stage="freeze",
    asked=ASKED,
    tolerances={"fp32": FLOAT32},
    families=True,
    taken=lambda source, request: taken_parts(source, request.output),
    taken_by=OUTPUT_OF_PART,
    main_file="inference_graph.pb",
    evaluated=(Evaluated(name="frozen", plan=_evaluated),),
)
