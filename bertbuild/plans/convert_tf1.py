"""From a TensorFlow 2 model to the stages that make a Google-format checkpoint of it. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.heads.answers import ENCODER, usual
from bertbuild.heads.found import FoundHead, as_parameter
from bertbuild.plans.plan import File, Plan, Step, Target


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
        heads: the heads that it answers with.
    """

    model: str
    kind: str
    file: File
    gelu: str | None
    config: File | None = None
    vocab: File | None = None
    prefix: str = ""
    root: str = ""
    heads: tuple[FoundHead, ...] = ()


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
    output = ",".join(usual(source.heads, pooler=True) if source.heads else ENCODER)
    heads = {"heads": as_parameter(source.heads)} if source.heads else {}
    params = {"converted": {**gelu, **prefix}, "saved-model": {"output": output}, "hub": {}}[source.kind]
    reference = Step(id="reference", stage="tf2-infer", inputs=asked, params=params)
    answers = Step(
        id="tf1-infer",
        stage="tf1-infer",
        inputs={"checkpoint": complete.id, "probes": probes},
        params={"output": output, **heads, **gelu},
    )
    target = Target(
        name="tf1-checkpoint", step=complete.id, reference=reference.id, answers=answers.id, precision="fp32"
    )
    return Plan(model=source.model, steps=(converted, complete, reference, answers), targets=(target,))
