"""From what is wanted of the Model Garden's run_classifier and run_squad to the stage that runs them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from bertbuild.errors import UsageError
from bertbuild.parameters import check_choice
from bertbuild.plans.plan import GELU_FORMS, File, Plan, Source, Step, check_garden

STEP = "train"
MODES = ("train_and_eval", "train_and_predict", "train", "eval", "predict", "export_only")
STRATEGIES = ("one_device", "mirrored", "multi_worker_mirrored", "tpu")
LIMITS = ("tpu", "save_checkpoints_steps")
"""Flags that decide where it runs and how much a kill loses, and not what the result is."""

OF_TRAINING = ("train_batch_size", "learning_rate", "num_train_epochs", "steps_per_loop", "seed")
POSITIVE = (
    "train_batch_size",
    "eval_batch_size",
    "predict_batch_size",
    "num_train_epochs",
    "steps_per_loop",
    "virtual_cpus",
    "workers",
    "save_checkpoints_steps",
)
TARGETS = {"train": "trained", "eval": "evaluated", "predict": "predicted", "export_only": "exported"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What to do and how: the Model Garden's flags under their own names, its defaults but for the devices.

    Attributes:
        gelu: the form to compute; "auto" is the one the model was made with.
        virtual_cpus: devices that `mirrored` makes of the CPU.
        workers: processes or containers that `multi_worker_mirrored` trains in.
        seed: of new weights, dropout and the order of examples; upstream has none.
        save_checkpoints_steps: what a kill costs at most.
    """

    mode: str = "train_and_eval"
    gelu: str = "auto"
    train_batch_size: int = 32
    eval_batch_size: int = 32
    predict_batch_size: int = 8
    learning_rate: float = 5e-5
    num_train_epochs: int = 3
    steps_per_loop: int = 1
    null_score_diff_threshold: float = 0.0
    distribution_strategy: str = "one_device"
    num_gpus: int = 0
    virtual_cpus: int = 1
    workers: int = 1
    tpu: str = ""
    seed: int = 0
    save_checkpoints_steps: int = 100

    def __post_init__(self) -> None:
        """Refuse what no data could make sense of, before anything is fetched."""
        check_choice("mode", (self.mode,), MODES)
        check_choice("distribution_strategy", (self.distribution_strategy,), STRATEGIES)
        check_choice("gelu", (self.gelu,), GELU_FORMS)
        for name in POSITIVE:
            if getattr(self, name) < 1:
                raise UsageError(f"--{name} {getattr(self, name)} means nothing.", next_step="Give 1 or more.")
        if self.learning_rate <= 0:
            raise UsageError("--learning_rate must be above 0.", next_step="5e-5 is upstream's.")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The model to begin with.

    Attributes:
        model: its name, which the result gets.
        flag: how the stage is given it: "init-checkpoint", "hub-module" or "model-dir".
        file: its folder.
        gelu: the form that was recorded with it, None where it has no gelu.
        config, vocab: bert_config.json and vocab.txt where they are not in that folder.
        prefix: the checkpoint's name where there are several.
        root: of several encoders in it the one below this object.
    """

    model: str
    flag: str
    file: File
    gelu: str | None
    config: File | None = None
    vocab: File | None = None
    prefix: str = ""
    root: str = ""


def plan_train(begun: Beginning | Source, data: Mapping[str, File], request: TrainRequest) -> Plan:
    """Model and prepared data → what the Model Garden's program makes of them.

    Args:
        begun: a TensorFlow 2 model, or a TensorFlow 1 checkpoint, which is converted first.
        data: by the stage's flags: "data", or the records and meta data one by one; "predict-file" of SQuAD.
        request: what to do and how.

    Raises:
        UsageError: there is nothing to train from, or nothing trained to predict with.
    """
    if isinstance(begun, Source):
        return _converted_first(begun, data, request)
    if request.training == (begun.flag == "model-dir"):
        needed = "--init-checkpoint, --hub-module-url, --model or --checkpoint" if request.training else "--model-dir"
        raise UsageError(
            f"--mode {request.mode} begins with {needed}.",
            next_step="invoke train --help explains the modes; so does docs/train.md.",
        )
    inputs: dict[str, File | str] = {begun.flag: begun.file}
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
    check_garden(source)
    converted = Step(id="convert-tf2", stage="convert-tf2", inputs={"checkpoint": source.file}, params=params)
    step = _step({"init-checkpoint": converted.id, **data}, request, source.gelu, {})
    return Plan(model=source.model, steps=(converted, step))


def _step(inputs: dict[str, File | str], request: TrainRequest, gelu: str | None, more: dict[str, str]) -> Step:
    values = {
        name.replace("_", "-"): value if isinstance(value, str) else repr(value)
        for name, value in asdict(request).items()
        if value != "" and (request.training or name not in OF_TRAINING)
    }
    form = gelu if request.gelu == "auto" or gelu is None else request.gelu
    del values["gelu"]
    limits = {name: values.pop(name) for flag in LIMITS if (name := flag.replace("_", "-")) in values}
    params = {**values, **more, **({"gelu": form} if form else {})}
    return Step(id=STEP, stage="tf2-train", inputs=inputs, params=params, limits=limits)
