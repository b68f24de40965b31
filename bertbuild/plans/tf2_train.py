"""From what is wanted of the Model Garden's run_classifier and run_squad to the stage that runs them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from bertbuild.errors import UsageError
from bertbuild.parameters import check, parameter
from bertbuild.plans.family_reference import check_trained
from bertbuild.plans.plan import (
    GELU_FORMS,
    TF2_CHECKPOINT,
    TF2_HUB,
    TF2_TRAINED,
    File,
    Plan,
    Source,
    Step,
    check_garden,
)
from bertbuild.toml.values import Choice, Real, Text, Truth, Whole

STEP = "train"
MODES = ("train_and_eval", "train_and_predict", "train", "eval", "predict", "export_only")
STRATEGIES = ("one_device", "mirrored", "multi_worker_mirrored", "tpu")
LIMITS = ("tpu", "save_checkpoints_steps")
"""Flags that decide where it runs and how much a kill loses, and not what the result is."""

OF_TRAINING = ("train_batch_size", "learning_rate", "num_train_epochs", "steps_per_loop", "bucket_by_length", "seed")
TARGETS = {"train": "trained", "eval": "evaluated", "predict": "predicted", "export_only": "exported"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What to do and how: the Model Garden's flags under their own names, its defaults but for the devices.

    `seed` and `save_checkpoints_steps` upstream has not.
    """

    mode: str = parameter(
        Choice(MODES), "train_and_eval", "what to do; train, train_and_predict and eval are of SQuAD alone"
    )
    gelu: str = parameter(Choice(GELU_FORMS), "auto", "form of gelu to compute; auto: the one the model was made with")
    train_batch_size: int = parameter(Whole(1), 32, "examples of a training step, over all devices")
    eval_batch_size: int = parameter(Whole(1), 32, "examples at once in evaluation and prediction")
    predict_batch_size: int = parameter(Whole(1), 8, "examples at once when SQuAD is predicted")
    learning_rate: float = parameter(Real(above=0), 5e-5, "learning rate at its highest, after a tenth of the steps")
    num_train_epochs: int = parameter(Whole(1), 3, "how often the training data are gone through")
    pad_to_max: bool = parameter(
        Truth(),
        False,
        "compute rows as long as the data have them, as upstream and TPUs do; else batches end with their rows",
    )
    bucket_by_length: bool = parameter(
        Truth(), False, "train on batches of rows of like length, in another order than upstream's; not SQuAD"
    )
    steps_per_loop: int = parameter(Whole(1), 1, "steps between two looks at the loss")
    null_score_diff_threshold: float = parameter(Real(), 0.0, "SQuAD 2.0: how much better no answer must be")
    distribution_strategy: str = parameter(Choice(STRATEGIES), "one_device", "devices that the steps are spread over")
    num_gpus: int = parameter(Whole(), 0, "GPUs of this machine to use")
    virtual_cpus: int = parameter(Whole(1), 1, "devices that mirrored makes of the CPU")
    workers: int = parameter(Whole(1), 1, "containers or processes of multi_worker_mirrored")
    tpu: str = parameter(
        Text(), "", "address of the TPU, grpc://HOST:8470; none is a TPU of this machine", written="ADDRESS"
    )
    seed: int = parameter(Whole(), 0, "seed of new weights, dropout and the order of examples")
    save_checkpoints_steps: int = parameter(Whole(1), 100, "steps that a kill costs at most")

    def __post_init__(self) -> None:
        """Refuse what no data could make sense of, before anything is fetched."""
        check(self)
        several = self.distribution_strategy == "multi_worker_mirrored"
        if several != (self.workers > 1):
            raise UsageError(
                f"--workers {self.workers} contradicts --distribution_strategy {self.distribution_strategy}.",
                next_step="multi_worker_mirrored takes --workers 2 or more; the others leave it out.",
            )
        if self.virtual_cpus > 1 and self.distribution_strategy != "mirrored":
            raise UsageError(
                f"--virtual_cpus {self.virtual_cpus} are devices of mirrored alone.",
                next_step="Add --distribution_strategy mirrored.",
            )
        if self.bucket_by_length and (self.pad_to_max or self.distribution_strategy != "one_device"):
            raise UsageError(
                "--bucket-by-length is for one device, whose batches may be of any length.",
                next_step="Leave it out, or both --pad-to-max and --distribution_strategy.",
            )
        if self.tpu and self.distribution_strategy != "tpu":
            raise UsageError(
                f"--tpu {self.tpu} is not used by {self.distribution_strategy}.",
                next_step="Add --distribution_strategy tpu.",
            )

    @property
    def training(self) -> bool:
        """Whether it trains, and so begins with a model that need not have a head."""
        return self.mode.startswith("train")

    @property
    def target(self) -> str:
        """What the result is called, before the task: tf2-trained."""
        return "tf2-" + TARGETS["train" if self.training else self.mode]


FLAGS = {TF2_CHECKPOINT: "init-checkpoint", TF2_HUB: "hub-module", TF2_TRAINED: "model-dir"}
"""How the stage is given a source of TensorFlow 2."""


def plan_train(begun: Source, data: Mapping[str, File], request: TrainRequest) -> Plan:
    """Model and prepared data → what the Model Garden's program makes of them.

    Args:
        begun: a TensorFlow 2 model, or a TensorFlow 1 checkpoint, which is converted first.
        data: by the stage's flags: "data", or the records and meta data one by one; "predict-file" of SQuAD.
        request: what to do and how.

    Raises:
        UsageError: there is nothing to train from, or nothing trained to predict with.
    """
    if begun.kind not in FLAGS:
        return _converted_first(begun, data, request)
    if request.training == (begun.kind == TF2_TRAINED):
        needed = "--init-checkpoint, --hub-module-url, --model or --checkpoint" if request.training else "--model-dir"
        raise UsageError(
            f"--mode {request.mode} begins with {needed}.",
            next_step="invoke train --help explains the modes; so does docs/train.md.",
        )
    inputs: dict[str, File | str] = {FLAGS[begun.kind]: begun.file}
    inputs |= {name: file for name, file in (("config", begun.config), ("vocab", begun.vocab)) if file is not None}
    chosen = {name: value for name, value in (("prefix", begun.prefix), ("root", begun.root)) if value}
    step = _step({**inputs, **data}, request, begun.gelu, chosen)
    return Plan(model=begun.model, steps=(step,))


def _converted_first(source: Source, data: Mapping[str, File], request: TrainRequest) -> Plan:
    if not request.training:
        raise UsageError(
            f"--mode {request.mode} takes a model that train made.", next_step="Name its folder: --model-dir FOLDER."
        )
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be trained.", next_step="Give --model or --checkpoint.")
    params = {"format": "encoder", "prefix": source.prefix} | ({"gelu": source.gelu} if source.gelu else {})
    check_trained(source, "training in TensorFlow 2")
    check_garden(source)
    converted = Step(id="convert-tf2", stage="convert-tf2", inputs={"checkpoint": source.file}, params=params)
    step = _step({"init-checkpoint": converted.id, **data}, request, source.gelu, {})
    return Plan(model=source.model, steps=(converted, step))


def _step(inputs: dict[str, File | str], request: TrainRequest, gelu: str | None, more: dict[str, str]) -> Step:
    values = {
        name.replace("_", "-"): value if isinstance(value, str) else repr(value).lower()
        for name, value in asdict(request).items()
        if value != "" and (request.training or name not in OF_TRAINING)
    }
    form = gelu if request.gelu == "auto" or gelu is None else request.gelu
    del values["gelu"]
    limits = {name: values.pop(name) for flag in LIMITS if (name := flag.replace("_", "-")) in values}
    params = {**values, **more, **({"gelu": form} if form else {})}
    return Step(id=STEP, stage="tf2-train", inputs=inputs, params=params, limits=limits)
