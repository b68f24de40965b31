"""From what is wanted of TensorFlow 2 to the stages that make it. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.errors import UsageError
from bertbuild.plans.plan import GELU_FORMS, File, Plan, Source, Step, Target, check_choice, check_garden

CHECKPOINT_FORMATS = ("encoder", "keras-bert", "keras-names", "pretrainer")
MODEL_FORMATS = ("savedmodel", "hub")
OTHER_GELU = {"erf": "tanh", "tanh": "erf"}
FORMATS = (*CHECKPOINT_FORMATS, *MODEL_FORMATS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tf2Request:
    """What a TensorFlow 2 model is to be like.

    Attributes:
        format: one of `FORMATS`.
        gelu: the form to record, or to build a SavedModel or hub module with.
    """

    format: str = "encoder"
    gelu: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check_choice("format", (self.format,), FORMATS)
        check_choice("gelu", (self.gelu,), GELU_FORMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tf2Source:
    """A TensorFlow 2 model to build from.

    Attributes:
        model: its name, which the results get.
        kind: "converted" (a checkpoint), "saved-model" or "hub" (one of ours): the flag it is given to infer by.
        file: the folder.
        gelu: the form it computes, None where it has no gelu.
        config: bert_config.json where it is not in the folder.
        vocab: vocab.txt likewise.
        prefix: the checkpoint's name where there are several.
        root: of several encoders in it the one below this object.
        labels: classes of its classifier head, 0 where it has none.
    """

    model: str
    kind: str
    file: File
    gelu: str | None
    config: File | None = None
    vocab: File | None = None
    prefix: str = ""
    root: str = ""
    labels: int = 0


def plan_convert_tf2(source: Source, request: Tf2Request, probes: File) -> Plan:
    """Checkpoint → TensorFlow 2 checkpoint, SavedModel or hub module, restored whole and answering like its source.

    Raises:
        UsageError: the source is no checkpoint.
    """
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be converted.", next_step="Give --model or --checkpoint.")
    check_garden(source)
    chosen = source.gelu if request.gelu == "auto" or source.gelu is None else request.gelu
    gelu = {"gelu": chosen} if chosen else {}
    with_head = bool(source.labels) and request.format in ("keras-bert", "savedmodel")
    converted = Step(
        id="convert-tf2",
        stage="convert-tf2",
        inputs={"checkpoint": source.file},
        params={"format": _checkpoint_format(request, with_head=with_head), "prefix": source.prefix, **gelu},
    )
    steps = [converted]
    made, kind, asked = converted.id, "converted", gelu
    if request.format in MODEL_FORMATS:
        built = {"kind": request.format, **gelu}
        steps.append(Step(id=request.format, stage="tf2-saved-model", inputs={"converted": converted.id}, params=built))
        made, kind, asked = request.format, "hub" if request.format == "hub" else "saved-model", {}
    output = "probabilities" if with_head else "pooled,sequence"
    reference = Step(
        id="reference",
        stage="tf1-infer",
        inputs={"checkpoint": source.file, "probes": probes},
        params={"output": output, "prefix": source.prefix, **gelu},
    )
    answers = Step(id="tf2-infer", stage="tf2-infer", inputs={kind: made, "probes": probes}, params=asked)
    told = {}
    if chosen and request.format in CHECKPOINT_FORMATS:
        # No checkpoint says which gelu it wants, and the Model Garden's classes compute theirs unless they are told.
        other = OTHER_GELU[chosen]
        restored: dict[str, File | str] = {"converted": made, "probes": probes}
        steps.append(Step(id=f"tf2-infer-{other}", stage="tf2-infer", inputs=restored, params={"gelu": other}))
        told = {f"restored into the same model with gelu by {other}": f"tf2-infer-{other}"}
    name = "-".join(["tf2", request.format, *([request.gelu] if request.gelu != "auto" else [])])
    target = Target(name=name, step=made, reference=reference.id, answers=answers.id, precision="fp32", told=told)
    return Plan(model=source.model, steps=(*steps, reference, answers), targets=(target,))


def _checkpoint_format(request: Tf2Request, *, with_head: bool) -> str:
    if request.format in CHECKPOINT_FORMATS:
        return request.format
    return "keras-bert" if with_head else "encoder"


def plan_convert_tf1(source: Tf2Source, probes: File) -> Plan:
    """TensorFlow 2 model → Google-format checkpoint with .meta, which answers like its source."""
    inputs: dict[str, File | str] = {"tf2": source.file}
    inputs |= {name: file for name, file in (("config", source.config), ("vocab", source.vocab)) if file is not None}
    prefix = {name: value for name, value in (("prefix", source.prefix), ("root", source.root)) if value}
    gelu = {"gelu": source.gelu} if source.gelu else {}
    converted = Step(id="convert-tf1", stage="convert-tf1", inputs=inputs, params=prefix)
    complete = Step(id="complete", stage="complete", inputs={"checkpoint": converted.id}, params=gelu)
    asked: dict[str, File | str] = {source.kind: source.file, "probes": probes}
    if source.kind != "hub" and source.config is not None:
        asked["config"] = source.config
    output = "probabilities" if source.labels else "pooled,sequence"
    params = {"converted": {**gelu, **prefix}, "saved-model": {"output": output}, "hub": {}}[source.kind]
    reference = Step(id="reference", stage="tf2-infer", inputs=asked, params=params)
    answers = Step(
        id="tf1-infer",
        stage="tf1-infer",
        inputs={"checkpoint": complete.id, "probes": probes},
        params={"output": output, **gelu},
    )
    target = Target(
        name="tf1-checkpoint", step=complete.id, reference=reference.id, answers=answers.id, precision="fp32"
    )
    return Plan(model=source.model, steps=(converted, complete, reference, answers), targets=(target,))
