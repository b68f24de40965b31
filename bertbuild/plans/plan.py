"""From what is wanted to the stages that make it. Pure: nothing is read, run or asked here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bertbuild.errors import UsageError
from bertbuild.names import did_you_mean
from bertbuild.plans.parts import Part

OUTPUTS = ("pooled", "sequence", "all-layers", "probabilities")
INT8 = "int8"
PRECISIONS = ("fp32", "fp16", INT8)
ROUTES = ("reshapeable", "static", "savedmodel")
CONVERTERS = ("ovc", "mo")
GELU_FORMS = ("auto", "erf", "tanh")
MO_SHAPE = (1, 128)
"""Batch and sequence length on the OpenVINO page's command lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An input that lies on disk: a file or folder, and the digest of what the stage reads of it.

    Attributes:
        path: where it lies.
        digest: of the file; of a folder, of the files in `files`.
        files: what is read of a folder: paths below it. Empty for a file.
    """

    path: Path
    digest: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage to run: its inputs are files, or the results of other steps, named by their id.

    Attributes:
        id: its name in the plan.
        stage: which stage.
        inputs: by flag.
        params: flags that decide what the result is; part of its key.
        limits: flags that decide only whether there is one (time, memory); no part of its key.
        backend: whose environment it runs in, where that is not its stage's own (`placing.backend_of`).
    """

    id: str
    stage: str
    inputs: dict[str, File | str]
    params: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    backend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A result people asked for, and the two steps whose answers must agree before it counts as built.

    Attributes:
        name: its name in out/.
        step: the step that makes it.
        reference: the step with its source's answers.
        answers: the step with its own.
        precision: the row of the table of tolerances.
        told: answers that are compared too, for people to know and not for the gate: words → step.
        second: a second comparison that must pass too: "reference" and "answers" → step. Empty where there is none.
    """

    name: str
    step: str
    reference: str
    answers: str
    precision: str
    told: dict[str, str] = field(default_factory=dict)
    second: dict[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> tuple[str, ...]:
        """The steps whose answers its gate compares: the source's, its own, and those of a second comparison."""
        return tuple(dict.fromkeys((self.reference, self.answers, *self.second.values())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in an order in which each finds its inputs made, and the targets they serve."""

    model: str
    steps: tuple[Step, ...]
    targets: tuple[Target, ...] = ()

    def step(self, step_id: str) -> Step:
        """A step by its id."""
        return next(step for step in self.steps if step.id == step_id)

    def needed(self, *step_ids: str) -> tuple[Step, ...]:
        """These steps and all that they are made from, in the plan's order."""
        wanted = set(step_ids)
        for step in reversed(self.steps):
            if step.id in wanted:
                wanted |= {source for source in step.inputs.values() if isinstance(source, str)}
        return tuple(step for step in self.steps if step.id in wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model to build from, as far as planning needs to know it.

    Attributes:
        model: its name, which the results get.
        kind: "checkpoint" (a folder), "frozen" (a .pb) or "saved-model" (a folder): the flag it is given to stages by.
        file: where it lies.
        gelu: the form its own graph computes, None where the model has no gelu.
        published: whether its .meta is of the published form, so that it can be converted as it is.
        prefix: the checkpoint's name in its folder.
        labels: classes of its classifier head, 0 where it has none.
        pooler: whether it has a pooler, which pooled output and the classifier need.
        batch: the only batch size that a frozen graph takes, or None.
        seq_len: the only sequence length that a SavedModel or a frozen graph takes, or None.
        outputs: what a SavedModel gives: some of "probabilities", "pooled", "sequence".
        tensors: of a frozen graph, the outputs that are taken, as the stages take them: "NODE:port:name,…".
        chosen: their names joined by "+" where they were chosen by --outputs, so that targets are called by them.
        half: whether a frozen graph computes in float16, so that its own answers are no nearer than that.
        max_positions: the longest sequence.
        parts: what it has besides its encoder.
    """

    model: str
    kind: str
    file: File
    gelu: str | None = None
    published: bool = False
    prefix: str = "bert_model.ckpt"
    labels: int = 0
    pooler: bool = True
    batch: int | None = None
    seq_len: int | None = None
    outputs: tuple[str, ...] = ()
    tensors: str = ""
    chosen: str = ""
    half: bool = False
    max_positions: int = 512
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeRequest:
    """What a frozen graph is to be like."""

    output: str = "pooled"
    gelu: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check_choice("output", tuple(self.output.split(",")), OUTPUTS)
        check_choice("gelu", (self.gelu,), GELU_FORMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class IrRequest:
    """What an IR is to be like; 0 leaves a size free, an empty route is the converter's usual one."""

    precisions: tuple[str, ...] = ("fp32",)
    route: str = ""
    converter: str = "ovc"
    batch: int = 0
    seq_len: int = 0
    freeze: FreezeRequest = field(default_factory=FreezeRequest)

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check_choice("precision", self.precisions, PRECISIONS)
        check_choice("route", (self.route,), ("", *ROUTES))
        check_choice("converter", (self.converter,), CONVERTERS)
        if self.batch < 0 or self.seq_len < 0:
            raise UsageError(
                "A batch size or sequence length below 0 means nothing.", next_step="Give 1 or more; 0 is free."
            )


def plan_import(model: str, folder: File) -> Plan:
    """Hugging Face folder → checkpoint."""
    return Plan(model=model, steps=(Step(id="import", stage="import", inputs={"huggingface": folder}),))


def plan_freeze(source: Source, request: FreezeRequest, probes: File) -> Plan:
    """Checkpoint (or a foreign frozen graph) → frozen graph over placeholders with our names, which answers like it."""
    frozen, reference = _frozen_step(source, request), _reference(source, request, probes)
    answers = Step(id="frozen-infer", stage="tf1-infer", inputs={"frozen": frozen.id, "probes": probes})
    name = "frozen" if request == FreezeRequest() else f"frozen-{request.output.replace(',', '+')}-{request.gelu}"
    target = Target(name=name, step=frozen.id, reference=reference.id, answers=answers.id, precision="fp32")
    return Plan(model=source.model, steps=(frozen, reference, answers), targets=(target,))


def plan_ir(source: Source, request: IrRequest, probes: File) -> Plan:
    """Source → IR of each precision, each with the answers that its parity gate compares.

    Raises:
        UsageError: the request contradicts itself or the source.
    """
    route = _route(source, request)
    _check(source, request, route)
    steps: dict[str, Step] = {}

    def add(step: Step) -> str:
        steps[step.id] = step
        return step.id

    base = _base(source, request, route, add)
    reference = add(_reference(source, request.freeze, probes))
    targets = []
    for precision in request.precisions:
        name = _target_name(source, request, route, precision)
        params = {"precision": precision, "model": source.model, **_converter_params(source, request, route)}
        stage = "mo" if request.converter == "mo" else "ir"
        made = add(Step(id=name, stage=stage, inputs=base, params=params))
        answers = add(Step(id=f"{name}-infer", stage="openvino-infer", inputs={"ir": made, "probes": probes}))
        judged = "float16" if source.half else precision
        targets.append(Target(name=name, step=made, reference=reference, answers=answers, precision=judged))
    return Plan(model=source.model, steps=tuple(steps.values()), targets=tuple(targets))


def _base(source: Source, request: IrRequest, route: str, add: Callable[[Step], str]) -> dict[str, File | str]:
    """The inputs of the converting stage."""
    if route == "savedmodel":
        return {"saved-model": _saved_model(source, request.freeze, add)}
    if route == "reshapeable":
        if source.kind == "frozen" and request.converter == "mo":
            return {"graph": source.file}
        return {"frozen": add(_frozen_step(source, request.freeze))}
    inputs: dict[str, File | str] = {"checkpoint": source.file}
    if not source.published or _gelu(source, request.freeze) != source.gelu:
        inputs["metagraph"] = add(
            Step(
                id="metagraph",
                stage="metagraph",
                inputs={"checkpoint": source.file},
                params=_source_params(source, request.freeze),
            )
        )
    return inputs


def _saved_model(source: Source, request: FreezeRequest, add: Callable[[Step], str]) -> str:
    """The steps from a checkpoint to a TensorFlow 2 SavedModel; the id of the last."""
    gelu = _gelu(source, request)
    computed = {"gelu": gelu} if gelu else {}
    format_ = "keras-bert" if request.output == "probabilities" else "encoder"
    params = {"format": format_, "prefix": source.prefix, **computed}
    converted = add(Step(id="convert-tf2", stage="convert-tf2", inputs={"checkpoint": source.file}, params=params))
    params = {"kind": "savedmodel", **computed}
    return add(Step(id="savedmodel", stage="tf2-saved-model", inputs={"converted": converted}, params=params))


def _frozen_step(source: Source, request: FreezeRequest) -> Step:
    if source.kind == "frozen":
        return Step(id="extract", stage="extract", inputs={"frozen": source.file}, params=_tensors(source))
    check_output(source, request.output)
    params = {"output": request.output, **_source_params(source, request)}
    return Step(id="freeze", stage="freeze", inputs={"checkpoint": source.file}, params=params)


def _reference(source: Source, request: FreezeRequest, probes: File) -> Step:
    if source.kind == "frozen":
        asked: dict[str, File | str] = {"frozen": source.file, "probes": probes}
        return Step(id="reference", stage="tf1-infer", inputs=asked, params=_tensors(source))
    params = {"output": request.output, **_source_params(source, request)}
    return Step(id="reference", stage="tf1-infer", inputs={"checkpoint": source.file, "probes": probes}, params=params)


def _tensors(source: Source) -> dict[str, str]:
    return {"outputs": source.tensors}


def _source_params(source: Source, request: FreezeRequest) -> dict[str, str]:
    gelu = _gelu(source, request)
    return {"prefix": source.prefix, **({"gelu": gelu} if gelu else {})}


def _gelu(source: Source, request: FreezeRequest) -> str | None:
    return source.gelu if request.gelu == "auto" or source.gelu is None else request.gelu


def _route(source: Source, request: IrRequest) -> str:
    if request.route:
        return request.route
    return "static" if request.converter == "mo" and source.kind == "checkpoint" else "reshapeable"


def _target_name(source: Source, request: IrRequest, route: str, precision: str) -> str:
    parts = ["ir"]
    if request.converter == "mo":
        parts.append("mo")
    if route != "reshapeable":
        parts.append(route)
    parts += [f"{letter}{size}" for letter, size in (("b", request.batch), ("s", request.seq_len)) if size]
    if request.freeze.output != "pooled":
        parts.append(request.freeze.output.replace(",", "+"))
    if request.freeze.gelu != "auto":
        parts.append(request.freeze.gelu)
    if source.chosen:
        parts.append(source.chosen)
    return "-".join([*parts, precision])


def _converter_params(source: Source, request: IrRequest, route: str) -> dict[str, str]:
    if route == "static":
        return {"prefix": source.prefix}
    output = {"output": request.freeze.output} if route == "savedmodel" else {}
    batch, seq_len = request.batch, request.seq_len
    if request.converter == "mo":  # the page's command fixes both
        batch = batch or source.batch or MO_SHAPE[0]
        seq_len = seq_len or source.seq_len or min(MO_SHAPE[1], source.max_positions)
        output = _tensors(source) if source.kind == "frozen" else output
    return {name: str(size) for name, size in (("batch", batch), ("seq-len", seq_len)) if size} | output


def _check(source: Source, request: IrRequest, route: str) -> None:
    if source.kind == "frozen":
        if route != "reshapeable":
            raise UsageError(
                f"The {route} route starts from a checkpoint; a frozen graph is none.",
                next_step="Leave --route out, or give --checkpoint.",
            )
        if request.freeze != FreezeRequest():
            raise UsageError(
                "A frozen graph's outputs and gelu are built in; --output and --gelu cannot change them.",
                next_step="Leave them out, name nodes of the graph with --outputs, or build from the checkpoint.",
            )
        _check_built_in("batch", request.batch, source.batch)
        _check_built_in("seq-len", request.seq_len, source.seq_len)
    else:
        check_output(source, request.freeze.output)
    if route == "static" and (request.batch or request.seq_len or request.freeze.output != "pooled"):
        raise UsageError(
            "The static route keeps the .meta's shape and pooled output; --batch, --seq-len and --output do not apply.",
            next_step="Use the reshapeable route (leave --route out) for other shapes and outputs.",
        )
    if route == "savedmodel":
        check_garden(source)
    if route == "savedmodel" and request.converter == "mo":
        raise UsageError(
            "The Model Optimizer's command lines know no TensorFlow 2 SavedModel.",
            next_step="Leave --converter out, or choose another route.",
        )
    together = set(request.freeze.output.split(","))
    if route == "savedmodel" and ("all-layers" in together or (len(together) > 1 and "probabilities" in together)):
        raise UsageError(
            "A TensorFlow 2 SavedModel gives pooled and sequence output, or probabilities alone.",
            next_step="Use the reshapeable route (leave --route out) for other outputs.",
        )
    check_seq_len(source, request.seq_len)


def _check_built_in(flag: str, wanted: int, built_in: int | None) -> None:
    if wanted and built_in is not None and wanted != built_in:
        raise UsageError(
            f"--{flag} {wanted}, but the graph is frozen for {built_in}: that is built into its inputs.",
            next_step=f"Leave --{flag} out, or freeze it again from the checkpoint (--checkpoint), which fixes none.",
        )


def check_seq_len(source: Source, seq_len: int) -> None:
    """Refuse a sequence that is longer than the model can take."""
    if seq_len > source.max_positions:
        raise UsageError(
            f"--seq-len {seq_len} is longer than the model's position table of {source.max_positions}.",
            next_step=f"Give {source.max_positions} or less.",
        )


def check_output(source: Source, output: str) -> None:
    """Refuse probabilities of a model without a head, and what needs a pooler of a model without one."""
    if not source.pooler and set(output.split(",")) & {"pooled", "probabilities"}:
        raise UsageError(
            f"{source.model} has no pooler (bert/pooler/dense), so it gives no pooled output and no probabilities.",
            next_step="Use --output sequence or --output all-layers.",
        )
    if "probabilities" in output.split(",") and not source.labels:
        raise UsageError(
            f"{source.model} has no classifier head (output_weights), so it gives no probabilities.",
            next_step="Use --output pooled, or a fine-tuned checkpoint.",
        )


def check_garden(source: Source) -> None:
    """Refuse to make the Model Garden's BERT, which always has a pooler, of a model without one."""
    if not source.pooler:
        raise UsageError(
            f"{source.model} has no pooler (bert/pooler/dense), and every BERT of the Model Garden has one.",
            next_step="Build what needs none: freeze or build-ir with --output sequence.",
        )


def check_choice(flag: str, values: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    """Refuse a flag's value that is none of the allowed ones."""
    for value in values:
        if value not in allowed:
            known = ", ".join(filter(None, allowed))
            raise UsageError(
                f"--{flag} {value!r} is none of {known}{did_you_mean(value, allowed)}",
                next_step=f"--help explains --{flag}.",
            )
