"""From what is wanted of a fine-tuned TensorFlow 1 model to the stage that makes it. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bertbuild.errors import UsageError
from bertbuild.plans.plan import File, Plan, Source, Step

STEP = "finetune"
LIMITS = ("save_checkpoints_steps",)
"""Flags that decide how much a kill loses, and not what the result is."""

POSITIVE = (
    "max_seq_length",
    "train_batch_size",
    "eval_batch_size",
    "predict_batch_size",
    "save_checkpoints_steps",
    "doc_stride",
    "max_query_length",
    "n_best_size",
    "max_answer_length",
)
SQUAD_ONLY = (
    "doc_stride",
    "max_query_length",
    "n_best_size",
    "max_answer_length",
    "null_score_diff_threshold",
    "version_2_with_negative",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the user named to train on; empty where not given.

    Attributes:
        task: prepared first, with the model's vocabulary.
        data: folder with the task's files; empty: what fetch-data brings.
        prepared: folder of prepare-data.
        squad: SQuAD's JSON to answer after training.
        vocab_reading: how a vocab.txt with duplicate lines is numbered, where the rows of the word table do not tell.
        lower_case: None: as the model's vocabulary is.
    """

    task: str = ""
    data: str = ""
    prepared: str = ""
    squad: str = ""
    vocab_reading: str = ""
    lower_case: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneRequest:
    """How to fine-tune: the flags of run_classifier and run_squad under their own names; None leaves it to the stage.

    Attributes:
        seed: of new weights, dropout and the order of examples; upstream has none.
    """

    max_seq_length: int | None = None
    train_batch_size: int = 32
    eval_batch_size: int = 8
    predict_batch_size: int = 8
    learning_rate: float = 5e-5
    num_train_epochs: float = 3.0
    warmup_proportion: float = 0.1
    save_checkpoints_steps: int = 1000
    do_train: bool = True
    do_eval: bool | None = None
    do_predict: bool | None = None
    doc_stride: int = 128
    max_query_length: int = 64
    n_best_size: int = 20
    max_answer_length: int = 30
    null_score_diff_threshold: float = 0.0
    version_2_with_negative: bool | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse what no data could make sense of, before anything is fetched."""
        for name in POSITIVE:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name} {value} means nothing.", next_step="Give 1 or more.")
        if self.learning_rate <= 0 or self.num_train_epochs <= 0:
            raise UsageError(
                "--learning_rate and --num_train_epochs must be above 0.", next_step="5e-5 and 3 are upstream's."
            )
        if not 0 <= self.warmup_proportion < 1:
            raise UsageError(
                f"--warmup_proportion {self.warmup_proportion} is no part of the steps.",
                next_step="Give 0 or more and less than 1; upstream's is 0.1.",
            )
        if not self.do_train and self.do_eval is False and self.do_predict is False:
            raise UsageError(
                "With neither --do_train nor --do_eval nor --do_predict there is nothing to do.",
                next_step="Leave one of them out, or say true.",
            )

    def params(self, *, squad: bool) -> dict[str, str]:
        """The flags of the stage as texts; those of SQuAD only where it is SQuAD."""
        return {
            name: _text(value)
            for name, value in asdict(self).items()
            if value is not None and (squad or name not in SQUAD_ONLY)
        }


def plan_finetune(
    source: Source, data: File | str, questions: File | None, request: FinetuneRequest, *, before: tuple[Step, ...] = ()
) -> Plan:
    """Checkpoint and prepared data → checkpoint with a head for the task.

    Args:
        source: what to begin with.
        data: a prepared folder, or the id of the step of `before` that makes it.
        questions: SQuAD's JSON to answer, None for other tasks and where nothing is to be predicted.
        request: the flags.
        before: steps that make the data.

    Raises:
        UsageError: the source is no checkpoint.
    """
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be fine-tuned.", next_step="Give --model or --checkpoint.")
    inputs: dict[str, File | str] = {"checkpoint": source.file, "data": data}
    if questions is not None:
        inputs["squad"] = questions
    params = request.params(squad=questions is not None)
    limits = {name: params.pop(name) for name in LIMITS}
    params["prefix"] = source.prefix
    if source.gelu:
        params["gelu"] = source.gelu
    step = Step(id=STEP, stage="finetune", inputs=inputs, params=params, limits=limits)
    return Plan(model=source.model, steps=(*before, step))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
