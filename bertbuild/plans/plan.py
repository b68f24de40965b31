"""From what is wanted to the stages that make it. Pure: nothing is read, run or asked here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bertbuild.checkpoint.head_judging import RefusedHead
from bertbuild.errors import UsageError
from bertbuild.families.table import BERT
from bertbuild.heads.answers import task_head
from bertbuild.heads.found import FoundHead
from bertbuild.heads.pooled import DENSE as POOLER_DENSE
from bertbuild.plans.parts import Part

GELU_FORMS = ("auto", "erf", "tanh")
TOGETHER = {"alone": "false"}
"""Of a step that answers for a source: rows of a batch are not asked one by one. Whether each gets the answer that the
batch gets is asked of targets alone.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An input that lies on disk: a file or folder, and the digest of what the stage reads of it.

    Attributes:
        path: where it lies.
        digest: of the file; of a folder, of the files in `files`.
        files: what is read of a folder: paths below it. Empty for a file.
        stamps: what the system said of each file before its bytes were read for the digest, by its real path (size,
            times, inode); empty where nobody looked. It says nothing of the bytes, so inputs are equal without it.
    """

    path: Path
    digest: str
    files: tuple[str, ...] = ()
    stamps: tuple[tuple[Path, tuple[int, ...]], ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage to run: its inputs are files, or the results of other steps, named by their id.

    Attributes:
        id: its name in the plan.
        stage: which stage.
        inputs: by flag.
        params: flags that decide what the result is; part of its key.
        limits: flags that decide only whether there is one (time, memory); no part of its key.
        backend: whose environment it runs in, where that is not its stage's own (`placing.backend_of`).
    """

    id: str
    stage: str
    inputs: dict[str, File | str]
    params: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    backend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A result people asked for, and the two steps whose answers must agree before it counts as built.

    Attributes:
        name: its name in out/.
        step: the step that makes it.
        reference: the step with its source's answers.
        answers: the step with its own.
        precision: the row of the table of tolerances.
        told: answers that are compared too, for people to know and not for the gate: words → the prefix under which
            the step `answers` gives them.
        assumed: the kind of the head whose answers it gives, where nothing tells that it is of that kind; else empty.
        second: a second comparison that must pass too: "reference" and "answers" → step. Empty where there is none.
        tokenizer: the step that holds its tokenizer.json to google-research/bert; "" where it has none.
    """

    name: str
    step: str
    reference: str
    answers: str
    precision: str
    told: dict[str, str] = field(default_factory=dict)
    second: dict[str, str] = field(default_factory=dict)
    assumed: str = ""
    tokenizer: str = ""

    @property
    def asked(self) -> tuple[str, ...]:
        """The steps whose answers its gate compares: the source's, its own, and those of a second comparison."""
        return tuple(dict.fromkeys((self.reference, self.answers, *self.second.values())))

    def needed(self, *, is_asked: bool) -> tuple[str, ...]:
        """The steps whose results are there before it is named; `is_asked`: whether its gate asks it."""
        return tuple(filter(None, (self.step, *(self.asked if is_asked else ()), self.tokenizer)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in an order in which each finds its inputs made, and the targets they serve."""

    model: str
    steps: tuple[Step, ...]
    targets: tuple[Target, ...] = ()

    def step(self, step_id: str) -> Step:
        """A step by its id."""
        return next(step for step in self.steps if step.id == step_id)

    def needed(self, *step_ids: str) -> tuple[Step, ...]:
        """These steps and all that they are made from, in the plan's order."""
        wanted = set(step_ids)
        for step in reversed(self.steps):
            if step.id in wanted:
                wanted |= {source for source in step.inputs.values() if isinstance(source, str)}
        return tuple(step for step in self.steps if step.id in wanted)


TF2_CHECKPOINT, TF2_SAVED_MODEL, TF2_HUB, TF2_TRAINED = "tf2-checkpoint", "tf2-saved-model", "tf2-hub", "tf2-trained"
TF2 = (TF2_CHECKPOINT, TF2_SAVED_MODEL, TF2_HUB, TF2_TRAINED)
"""Kinds of sources of TensorFlow 2: a checkpoint, a SavedModel, a hub module, what `train` made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The Hugging Face folder that a checkpoint was imported from.

    Attributes:
        file: where it lies, and what the import reads of it.
        architecture: the class that its config.json names; "" where it names none.
        labels: how many a class gives its head by config.json.
    """

    file: File
    architecture: str = ""
    labels: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGraph:
    """A checkpoint whose own graph, in its .meta, answers for it.

    Attributes:
        file: where it lies, as it is: with the names that the graph has.
        prefix: its name in its folder.
        answers: the names of the answers that the graph gives.
    """

    file: File
    prefix: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model to build from, as far as planning needs to know it.

    Attributes:
        model: its name, which the results get.
        kind: "checkpoint" (a folder), "frozen" (a .pb) or "saved-model" (a folder): the flag it is given to stages by;
            or one of `TF2`, of TensorFlow 2.
        file: where it lies.
        gelu: the form its own graph computes, None where the model has no gelu.
        published: whether its .meta is of the published form and ends at the pooler: it can be converted as it is.
        prefix: the checkpoint's name in its folder.
        heads: the heads it was found to have, besides what its encoder gives.
        refused: its heads whose outputs cannot be had.
        pooler: whether it has a pooler, which pooled output and the classifier need.
        batch: the only batch size that a frozen graph takes, or None.
        seq_len: the only sequence length that a SavedModel or a frozen graph takes, or None.
        outputs: what a SavedModel gives, as --output calls it.
        tensors: of a frozen graph or a SavedModel, the outputs that are taken, as stages take them: "NODE:port:name,…".
        chosen: their names joined by "+" where they were chosen by --outputs, so that targets are called by them.
        half: whether a frozen graph computes in float16, so that its own answers are no nearer than that.
        max_positions: the longest sequence.
        parts: what it has besides its encoder.
        config, vocab: of TensorFlow 2, bert_config.json and vocab.txt where they are not in its folder.
        root: of several encoders in a checkpoint of TensorFlow 2 the one below this object.
        family: its name in the table of families.
        origin: the Hugging Face folder that it was imported from, where transformers' classes can read that; else None.
        own: of another family than BERT its own graph, where that can be asked; else None.
        unknown: the number of [UNK] in its vocabulary, where a request needs it.
    """

    model: str
    kind: str
    file: File
    gelu: str | None = None
    published: bool = False
    prefix: str = "bert_model.ckpt"
    heads: tuple[FoundHead, ...] = ()
    refused: tuple[RefusedHead, ...] = ()
    pooler: bool = True
    batch: int | None = None
    seq_len: int | None = None
    outputs: tuple[str, ...] = ()
    tensors: str = ""
    chosen: str = ""
    half: bool = False
    max_positions: int = 512
    parts: tuple[Part, ...] = ()
    config: File | None = None
    vocab: File | None = None
    root: str = ""
    family: str = BERT
    origin: Origin | None = None
    own: OwnGraph | None = None
    unknown: int | None = None

    @property
    def head(self) -> FoundHead | None:
        """The head for the task that it was trained on; None where it has none."""
        return task_head(self.heads)


def plan_import(model: str, folder: File) -> Plan:
    """Hugging Face folder → checkpoint."""
    return Plan(model=model, steps=(Step(id="import", stage="import", inputs={"huggingface": folder}),))


def check_seq_len(source: Source, seq_len: int) -> None:
    """Refuse a sequence that is longer than the model can take."""
    if seq_len > source.max_positions:
        raise UsageError(
            f"--seq-len {seq_len} is longer than the model's position table of {source.max_positions}.",
            next_step=f"Give {source.max_positions} or less.",
        )


def check_garden(source: Source) -> None:
    """Refuse to make the Model Garden's BERT, which always has a pooler, of a model without one."""
    if not source.pooler:
        raise UsageError(
            f"{source.model} has no pooler ({POOLER_DENSE}), and every BERT of the Model Garden has one.",
            next_step="Build what needs none: freeze or build-ir with --output sequence.",
        )
