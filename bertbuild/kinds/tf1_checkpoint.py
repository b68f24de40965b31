"""A Google-format checkpoint of TensorFlow 1, made of a TensorFlow 2 model: its parameters. Pure, as `plans` are."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.kinds.kind import Asked, Command, Kind
from bertbuild.kinds.tf2 import CONVERT_TF2, Converted
from bertbuild.plans.convert_tf1 import plan_convert_tf1
from bertbuild.plans.tolerance import FLOAT32


@dataclass(frozen=True, slots=True, kw_only=True)
class Tf1Checkpoint(Converted):
    """What a checkpoint of TensorFlow 1 is to be like."""


KIND = Kind(
    name="tf1-checkpoint",
    about="a checkpoint of TensorFlow 1 with .meta, of a TensorFlow 2 model",
    command=Command(
        name="convert-tf1",
        example="--tf2 path/to/model",
        about="Convert a TensorFlow 2 BERT back to a Google-format checkpoint with .meta.",
        copied=CONVERT_TF2.copied,
    ),
    request=Tf1Checkpoint,
    plan=plan_convert_tf1,
    stage="convert-tf1",
    asked=Asked(stage="tf1-infer", flag="checkpoint"),
    tolerances={"fp32": FLOAT32},
    taken=lambda source, _request: {part.kind for part in source.parts},
    main_file="bert_model.ckpt",
    is_prefix=True,
    mapping=("TensorFlow 2", "TensorFlow 1"),
)
