"""From what is wanted of a fine-tuned TensorFlow 1 model to the stage that makes it. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bertbuild.checkpoint.vocabulary import READINGS
from bertbuild.errors import UsageError
from bertbuild.parameters import as_declared, check, parameter
from bertbuild.plans.family_reference import check_trained
from bertbuild.plans.plan import File, Plan, Source, Step
from bertbuild.plans.prepare_data import OWN, TASKS, VOCAB_READING_ABOUT, Records, check_own
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
    """What the user named to train on; empty where not given. What is said of own data `Records` declares.

    Raises:
        UsageError: something is said of own data, and there are none.
    """

    task: str = parameter(
        Choice((*TASKS, OWN.lower())),
        "",
        "what to train on, prepared first; this or `prepared` is given",
        written="TASK",
    )
    data: str = parameter(
        Location(),
        "",
        "folder with the task's files, a SQuAD file (.json), or files of your own; default: what fetch-data brings",
        written="FOLDER|FILE",
    )
    prepared: str = parameter(
        Location(), "", "folder of prepare-data to train on, in the place of `task`", written="FOLDER"
    )
    squad: str = parameter(
        Location(), "", "SQuAD's JSON with the questions to answer after training, as dev-v1.1.json", written="FILE"
    )
    vocab_reading: str = parameter(Choice(READINGS), "", VOCAB_READING_ABOUT)
    do_lower_case: bool | None = parameter(
        Truth(), None, "make letters small; default: as the catalogue says of the model, else true"
    )
    text_column: str = as_declared(Records, "text_column")
    text_pair_column: str = as_declared(Records, "text_pair_column")
    label_column: str = as_declared(Records, "label_column")
    label_separator: str = as_declared(Records, "label_separator")
    labels: str = as_declared(Records, "labels")
    regression: str = as_declared(Records, "regression")
    multi_label: bool = as_declared(Records, "multi_label")
    dev_share: str = as_declared(Records, "dev_share")

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, before anything is fetched."""
        check_own(self, self.task.upper())
        if self.task.upper() == OWN and not self.data:
            raise UsageError("--task own has no files to fetch.", next_step="Name yours: --data FOLDER or --data FILE.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneRequest:
    """How to fine-tune: the flags of run_classifier and run_squad under their own names; None leaves it to the stage.

    `seed` upstream has not.
    """

    max_seq_length: int | None = parameter(
        Whole(1), None, "pieces of a sequence; default: 128, or the prepared data's; another than theirs is refused"
    )
    train_batch_size: int = parameter(Whole(1), 32, "examples of a training step")
    eval_batch_size: int = parameter(Whole(1), 8, "examples at once when the dev set is evaluated")
    predict_batch_size: int = parameter(Whole(1), 8, "examples at once when the test set or SQuAD is predicted")
    learning_rate: float = parameter(Real(above=0), 5e-5, "learning rate at its highest")
    num_train_epochs: float = parameter(Real(above=0), 3.0, "how often the training data are gone through")
    warmup_proportion: float = parameter(
        Real(least=0, below=1), 0.1, "share of the steps in which the learning rate rises", written="SHARE"
    )
    save_checkpoints_steps: int = parameter(
        Whole(1), 1000, "save after so many steps, and by time; a kill costs what came after"
    )
    do_train: bool = parameter(Truth(), True, "train; false: only evaluate and predict")
    do_eval: bool | None = parameter(
        Truth(), None, "write eval_results.txt from eval.tf_record; default: where there is one"
    )
    do_predict: bool | None = parameter(
        Truth(),
        None,
        "write test_results.tsv from test.tf_record; SQuAD: predictions.json; default: SQuAD's, where `squad` is given",
    )
    pad_to_max: bool = parameter(
        Truth(),
        False,
        "compute rows as long as the data have them, as upstream does; default: batches end with their rows",
    )
    bucket_by_length: bool = parameter(
        Truth(), False, "train on batches of rows of like length, in another order than upstream's; not SQuAD"
    )
    doc_stride: int = parameter(Whole(1), 128, "SQuAD: words between two windows over a text")
    max_query_length: int = parameter(Whole(1), 64, "SQuAD: words of a question")
    n_best_size: int = parameter(Whole(1), 20, "SQuAD: answers kept of each question")
    max_answer_length: int = parameter(Whole(1), 30, "SQuAD: pieces of an answer at most")
    null_score_diff_threshold: float = parameter(Real(), 0.0, "SQuAD 2.0: how much better no answer must be")
    version_2_with_negative: bool | None = parameter(
        Truth(), None, "SQuAD 2.0: there may be no answer; default: as the data have it"
    )
    seed: int = parameter(Whole(), 1, "seed of new weights, dropout and the order of examples")

    def __post_init__(self) -> None:
        """Refuse what no data could make sense of, before anything is fetched."""
        check(self)
        if not self.do_train and self.do_eval is False and self.do_predict is False:
            raise UsageError(
                "With neither --do_train nor --do_eval nor --do_predict there is nothing to do.",
                next_step="Leave one of them out, or say true.",
            )
        if self.pad_to_max and self.bucket_by_length:
            raise UsageError(
                "--bucket-by-length is of no use where every row is padded.", next_step="Leave --pad-to-max out."
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
        UsageError: the source is not a checkpoint.
    """
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be fine-tuned.", next_step="Give --model or --checkpoint.")
    check_trained(source, "fine-tuning")
    inputs: dict[str, File | str] = {"checkpoint": source.file, "data": data}
    if questions is not None:
        inputs["squad"] = questions
    params = request.params(squad=questions is not None)
    limits = {name: params.pop(name) for name in LIMITS}
    params["prefix"] = source.prefix
    if source.gelu:
        params["gelu"] = source.gelu
    if source.heads and not any(head.assumed for head in source.heads):
        params["source_heads"] = ",".join(head.kind for head in source.heads)
    step = Step(id=STEP, stage="finetune", inputs=inputs, params=params, limits=limits)
    return Plan(model=source.model, steps=(*before, step))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
