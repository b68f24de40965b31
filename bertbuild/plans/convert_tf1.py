"""From a TensorFlow 2 model to the stages that make a Google-format checkpoint of it. Pure, as `plan` is."""

from __future__ import annotations

from bertbuild.heads.answers import answered
from bertbuild.heads.found import as_parameter
from bertbuild.plans.plan import TF2_CHECKPOINT, TF2_HUB, TF2_SAVED_MODEL, TOGETHER, File, Plan, Source, Step, Target

FLAGS = {TF2_CHECKPOINT: "converted", TF2_SAVED_MODEL: "saved-model", TF2_HUB: "hub"}
"""What a source of TensorFlow 2 is given to infer by."""


def plan_convert_tf1(source: Source, probes: File) -> Plan:
    """TensorFlow 2 model → Google-format checkpoint with .meta, which answers like its source."""
    inputs: dict[str, File | str] = {"tf2": source.file}
    inputs |= {name: file for name, file in (("config", source.config), ("vocab", source.vocab)) if file is not None}
    prefix = {name: value for name, value in (("prefix", source.prefix), ("root", source.root)) if value}
    gelu = {"gelu": source.gelu} if source.gelu else {}
    heads = {"heads": as_parameter(source.heads)} if source.heads else {}
    converted = Step(id="convert-tf1", stage="convert-tf1", inputs=inputs, params=prefix | heads)
    complete = Step(id="complete", stage="complete", inputs={"checkpoint": converted.id}, params=gelu)
    asked: dict[str, File | str] = {FLAGS[source.kind]: source.file, "probes": probes}
    if source.kind != TF2_HUB and source.config is not None:
        asked["config"] = source.config
    output = {"output": ",".join(answered(source.heads))}
    params = {TF2_CHECKPOINT: {**gelu, **prefix, **heads}, TF2_SAVED_MODEL: heads or output, TF2_HUB: {}}[source.kind]
    reference = Step(id="reference", stage="tf2-infer", inputs=asked, params={**params, **TOGETHER})
    answers = Step(
        id="tf1-infer",
        stage="tf1-infer",
        inputs={"checkpoint": complete.id, "probes": probes},
        params={**output, **gelu, **heads},
    )
    target = Target(
        name="tf1-checkpoint", step=complete.id, reference=reference.id, answers=answers.id, precision="fp32"
    )
    return Plan(model=source.model, steps=(converted, complete, reference, answers), targets=(target,))
