"""The SavedModel that google-research/bert exports: its parameters, and its plan. Pure, as `plans` are."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.errors import UsageError
from bertbuild.heads.answers import OUTPUT_OF_PART, OUTPUTS, chosen
from bertbuild.kinds.frozen import OUTPUT_ABOUT
from bertbuild.kinds.kind import Asked, Command, Kind, Request
from bertbuild.parameters import check, parameter
from bertbuild.plans.outputs import output_params, output_word, outputs_of, taken_parts
from bertbuild.plans.plan import TOGETHER, File, Plan, Source, Step, Target, check_seq_len
from bertbuild.plans.tolerance import FLOAT32
from bertbuild.toml.values import Choices, Whole

SEQ_LEN = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedModel(Request):
    """What an exported SavedModel is to be like."""

    seq_len: int = parameter(Whole(), 0, "sequence length; 0: 128, or all the model can take, or the SavedModel's own")
    output: str = parameter(Choices(OUTPUTS), "", OUTPUT_ABOUT)

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check(self)


ASKED = Asked(stage="tf1-infer", flag="saved-model")


def plan_export(source: Source, request: SavedModel, probes: File) -> Plan:
    """Checkpoint → SavedModel of modeling.py's own graph, which answers like the checkpoint.

    Raises:
        UsageError: the request contradicts the source, or the source is not a checkpoint.
    """
    check_source(source, request)
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be exported.", next_step="Give --model or --checkpoint.")
    export, reference = _export_step(source, request), reference_step(source, request, probes)
    answers = ASKED.step("export-infer", export.id, probes)
    target = Target(
        name=target_name("saved-model", source, request),
        step=export.id,
        reference=reference.id,
        answers=answers.id,
        precision="fp32",
    )
    return Plan(model=source.model, steps=(export, reference, answers), targets=(target,))


def _export_step(source: Source, request: SavedModel) -> Step:
    params = {"seq-len": str(length(source, request)), "prefix": source.prefix, **told_outputs(source, request)}
    if source.gelu:
        params["gelu"] = source.gelu
    return Step(id="export", stage="export", inputs={"checkpoint": source.file}, params=params)


def reference_step(source: Source, request: SavedModel, probes: File) -> Step:
    """The step that answers for a checkpoint or a SavedModel."""
    params = {**told_outputs(source, request), **TOGETHER}
    if source.kind == "saved-model":
        params["outputs"] = source.tensors
    else:
        params["prefix"] = source.prefix
        if source.gelu:
            params["gelu"] = source.gelu
    return Step(id="reference", stage="tf1-infer", inputs={source.kind: source.file, "probes": probes}, params=params)


def told_outputs(source: Source, request: SavedModel) -> dict[str, str]:
    """The parameters that tell a stage what to give: what was asked for, else what the source is made for.

    The heads of a SavedModel are the stage's to find: its own graph tells them.
    """
    if source.kind == "checkpoint":
        return output_params(source, outputs_of(source, request.output))
    return {"output": ",".join(_outputs_of_saved_model(source, request))}


def _outputs_of_saved_model(source: Source, request: SavedModel) -> tuple[str, ...]:
    """What was asked for of a SavedModel, else all that it gives and that is known."""
    return chosen(request.output, source.heads, pooler=source.pooler) if request.output else source.outputs


def length(source: Source, request: SavedModel) -> int:
    """The sequence length that the target has."""
    return request.seq_len or source.seq_len or min(SEQ_LEN, source.max_positions)


def target_name(kind: str, source: Source, request: SavedModel, *parts: str) -> str:
    """The target's name: its kind, what of the request is not usual, and `parts`."""
    names = [kind]
    if length(source, request) != SEQ_LEN:
        names.append(f"s{length(source, request)}")
    word = output_word(source, request.output) if source.kind == "checkpoint" else request.output.replace(",", "+")
    return "-".join([*names, *([word] if word else []), *parts])


def check_source(source: Source, request: SavedModel) -> None:
    """Refuse a source that no SavedModel can be made of, or not such a one.

    Raises:
        UsageError: it is a frozen graph, or the request contradicts it.
    """
    if source.kind == "frozen":
        raise UsageError(
            "A frozen graph cannot be made ready for Neuron.",
            next_step="Give its checkpoint (--checkpoint) or a SavedModel (--saved-model).",
        )
    if source.kind == "checkpoint":
        outputs_of(source, request.output)
    check_seq_len(source, request.seq_len)
    if source.kind == "saved-model":
        if request.seq_len and source.seq_len and request.seq_len != source.seq_len:
            raise UsageError(
                f"--seq-len {request.seq_len}, but the SavedModel is exported for {source.seq_len}.",
                next_step="Leave --seq-len out, or export it again with the other length.",
            )
        missing = sorted(set(_outputs_of_saved_model(source, request)) - set(source.outputs))
        if missing:
            raise UsageError(
                f"The SavedModel gives {', '.join(source.outputs)}, so {missing[0]} cannot be compared with it.",
                next_step="Leave --output out, or build from the checkpoint.",
            )


def taken(source: Source, request: SavedModel) -> set[str]:
    """The parts of a source that the target has; of a SavedModel its outputs are parts too."""
    if source.kind == "checkpoint":
        return taken_parts(source, request.output)
    return set(_outputs_of_saved_model(source, request))


TAKEN_BY = {**OUTPUT_OF_PART, **{output: f"--output {output}" for output in OUTPUTS}}

KIND = Kind(
    name="saved-model",
    about="the SavedModel that google-research/bert exports",
    command=Command(
        name="export",
        about="Make the SavedModel that run_classifier exports, proved to answer like its source.",
        example="--checkpoint path/to/finetuned",
    ),
    request=SavedModel,
    plan=plan_export,
    stage="export",
    asked=ASKED,
    tolerances={"fp32": FLOAT32},
    taken=taken,
    taken_by=TAKEN_BY,
    seq_len=lambda request: request.seq_len,
)
