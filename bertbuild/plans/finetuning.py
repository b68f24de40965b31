"""From what is wanted of a fine-tuned TensorFlow 1 model to the stage that makes it. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bertbuild.checkpoint.vocabulary import READINGS
from bertbuild.errors import UsageError
from bertbuild.parameters import check, parameter
from bertbuild.plans.plan import File, Plan, Source, Step
from bertbuild.plans.prepare_data import TASKS, VOCAB_READING_ABOUT
from bertbuild.toml.values import Choice, Location, Real, Truth, Whole

STEP = "finetune"
LIMITS = ("save_checkpoints_steps",)
"""Flags that decide how much a kill loses, and not what the result is."""

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
    """What the user named to train on; empty where not given. `lower_case` None: as the model's vocabulary is."""

    task: str = parameter(Choice(TASKS), "", "what to train on, prepared first; this or `prepared` is given")
    data: str = parameter(Location(), "", "the task's files, or a SQuAD file; default: what fetch-data brings")
    prepared: str = parameter(Location(), "", "folder of prepare-data to train on, in the place of `task`")
    squad: str = parameter(Location(), "", "SQuAD's JSON with the questions to answer after training")
    vocab_reading: str = parameter(Choice(READINGS), "", VOCAB_READING_ABOUT)
    lower_case: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneRequest:
    """How to fine-tune: the flags of run_classifier and run_squad under their own names; None leaves it to the stage.

    `seed` upstream has not.
    """

    max_seq_length: int | None = parameter(
        Whole(1), None, "pieces of a sequence; default: 128, or the prepared data's; another than theirs is refused"
    )
    train_batch_size: int = parameter(Whole(1), 32, "examples of a step")
    eval_batch_size: int = parameter(Whole(1), 8, "examples at once when it evaluates")
    predict_batch_size: int = parameter(Whole(1), 8, "examples at once when it predicts")
    learning_rate: float = parameter(Real(above=0), 5e-5, "at its highest")
    num_train_epochs: float = parameter(Real(above=0), 3.0, "times that all examples are seen")
    warmup_proportion: float = parameter(Real(least=0, below=1), 0.1, "of the steps, in which the rate rises")
    save_checkpoints_steps: int = parameter(
        Whole(1), 1000, "steps that a kill may lose; it is saved by time in between too"
    )
    do_train: bool = parameter(Truth(), True, "false: only evaluate and predict")
    do_eval: bool | None = parameter(Truth(), None, "figures on the dev set; default: where there is one")
    do_predict: bool | None = parameter(Truth(), None, "predictions for the test set; default: where there is one")
    doc_stride: int = parameter(Whole(1), 128, "SQuAD: words between two windows over a text")
    max_query_length: int = parameter(Whole(1), 64, "SQuAD: words of a question")
    n_best_size: int = parameter(Whole(1), 20, "SQuAD: answers kept")
    max_answer_length: int = parameter(Whole(1), 30, "SQuAD: words of an answer")
    null_score_diff_threshold: float = parameter(Real(), 0.0, "SQuAD 2.0: how much better no answer must be")
    version_2_with_negative: bool | None = parameter(
        Truth(), None, "SQuAD 2.0: questions may have no answer; default: as the data have it"
    )
    seed: int = parameter(Whole(), 1, "of new weights, dropout and the order of examples")

    def __post_init__(self) -> None:
        """Refuse what no data could make sense of, before anything is fetched."""
        check(self)
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
