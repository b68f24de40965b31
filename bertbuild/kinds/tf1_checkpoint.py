"""A Google-format checkpoint of TensorFlow 1, made of a TensorFlow 2 model: its parameters. Pure, as `plans` are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bertbuild.errors import UsageError
from bertbuild.kinds.frozen import gelu_form
from bertbuild.kinds.kind import Asked, Command, Kind, Request
from bertbuild.kinds.tf2 import CONVERT_TF2
from bertbuild.parameters import check, parameter
from bertbuild.plans.convert_tf1 import FLAGS, plan_convert_tf1
from bertbuild.plans.plan import GELU_FORMS, File, Plan, Source
from bertbuild.plans.tolerance import FLOAT32
from bertbuild.toml.values import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Tf1Checkpoint(Request):
    """What a checkpoint of TensorFlow 1 is to be like: the form of gelu that its model computes."""

    gelu: str = parameter(
        Choice(GELU_FORMS), "auto", "form of gelu; auto: as recorded beside the model, else tanh, the Model Garden's"
    )

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check(self)


def _plan(source: Source, request: Tf1Checkpoint, probes: File) -> Plan:
    """TensorFlow 2 model → checkpoint of TensorFlow 1.

    Raises:
        UsageError: the source is no model of TensorFlow 2.
    """
    if source.kind not in FLAGS:
        raise UsageError(
            f"{source.model} is no TensorFlow 2 model, and only such a one is converted to TensorFlow 1.",
            next_step="Give the folder of a TensorFlow 2 checkpoint, SavedModel or hub module: --tf2 FOLDER.",
        )
    return plan_convert_tf1(replace(source, gelu=gelu_form(source, request.gelu)), probes)


KIND = Kind(
    name="tf1-checkpoint",
    about="a checkpoint of TensorFlow 1 with .meta, of a TensorFlow 2 model",
    command=Command(
        name="convert-tf1",
        sources=("tf2", "root", "config", "vocab", "head"),
        example="--tf2 path/to/model",
        about="Convert a TensorFlow 2 BERT back to a Google-format checkpoint with .meta.",
        copied=CONVERT_TF2.copied,
    ),
    request=Tf1Checkpoint,
    plan=_plan,
    stage="convert-tf1",
    asked=Asked(stage="tf1-infer", flag="checkpoint"),
    tolerances={"fp32": FLOAT32},
    taken=lambda source, _request: {part.kind for part in source.parts},
    main_file="bert_model.ckpt",
    is_prefix=True,
    mapping=("TensorFlow 2", "TensorFlow 1"),
)
