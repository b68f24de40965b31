"""What the user names as a source: one declaration for the flags of commands, build files and Python."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.checkpoint import reading
from bertbuild.checkpoint.head_evidence import KINDS
from bertbuild.parameters import check, parameter
from bertbuild.toml.values import Choice, Location, Name, Text, Truth

READ_BY = ("scope", "ema", "head")
"""The fields of `Wanted` that say how a checkpoint is read where it can be read in several ways."""

SOURCES = {
    "model": "a model",
    "checkpoint": "a checkpoint",
    "frozen": "a frozen graph",
    "saved_model": "a SavedModel",
    "tf2": "a TensorFlow 2 model",
    "init_checkpoint": "a checkpoint to begin with",
    "hub_module_url": "a hub module",
    "model_dir": "a folder that train made",
}
"""Its fields that name a source, just one of which is given, and what each is."""

NAMING = ("name", *READ_BY)
"""Its fields that go with any source: what results are called, and how it is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user named: one of `SOURCES`, and what is said of it.

    A checkpoint is named by its folder, its prefix or its archive, or is a Hugging Face folder. `name` is what the
    results are called; left empty, the model's or the folder's own name. `outputs` are the frozen graph's that are
    wanted, "NODE[:name],…"; left empty, those that it tells. `scope`, `ema` and `head` are as in `Choice`.
    `labels` are words for the rows of its head.
    `config` and `vocab` are a checkpoint's bert_config.json and vocab.txt where they are not in its folder.
    `tf2` is a model of TensorFlow 2; what `train` begins with it calls `init_checkpoint`, `hub_module_url` or
    `model_dir`. Of several encoders in such a checkpoint the one below the object `root` is meant.

    Raises:
        UsageError: there is no such kind of head.
    """

    model: str = parameter(
        Name(),
        "",
        "a model of the catalogue, e.g. minilm-l6 or uncased_L-12_H-768_A-12 (invoke fetch --list shows all)",
    )
    checkpoint: str = parameter(
        Location(), "", "a checkpoint of your own: its folder, prefix, zip or tar, or a Hugging Face folder"
    )
    frozen: str = parameter(
        Location(),
        "",
        "a graph frozen earlier (.pb), also one fed by an input pipeline (IteratorGetNext)",
        written="FILE",
    )
    saved_model: str = parameter(
        Location(),
        "",
        "a SavedModel that run_classifier, an Estimator or `export` wrote, with variables or frozen",
        written="FOLDER",
    )
    tf2: str = parameter(
        Location(),
        "",
        "folder of a TensorFlow 2 checkpoint, SavedModel or hub module, of convert-tf2 or the Model Garden",
    )
    init_checkpoint: str = parameter(
        Location(), "", "checkpoint to begin with: of TensorFlow 2, or one of TensorFlow 1, which is converted first"
    )
    hub_module_url: str = parameter(
        Location(), "", "hub module to begin with: a folder of convert-tf2 --format hub", written="FOLDER"
    )
    model_dir: str = parameter(
        Location(),
        "",
        "folder that train made: what eval, predict and export_only take; when training, a copy's place",
        written="FOLDER",
    )
    root: str = parameter(
        Name(), "", "of several encoders in a TensorFlow 2 checkpoint the one below this object, as query"
    )
    name: str = parameter(Name(), "", "what to call the results; default: the model's or the folder's name")
    outputs: str = parameter(
        Name(),
        "",
        "outputs of --frozen, NODE[:name] with commas; default: as the graph tells (an error lists all)",
        written="NODE[:NAME][,…]",
    )
    scope: str = parameter(
        Text(),
        "",
        "of several encoders in the checkpoint the one of this variable scope, e.g. module/bert; . for none",
        written="SCOPE",
    )
    ema: bool = parameter(Truth(), False, "take the variables' moving averages (…/ExponentialMovingAverage)")
    labels: str = parameter(
        Text(),
        "",
        "words for the head's classes or tags, in the order of its rows; default: as its training or config.json says",
        written="LABEL,…",
    )
    head: str = parameter(Choice(KINDS), "", "of what kind the checkpoint's head is, where its files do not tell")
    config: str = parameter(
        Location(), "", "the checkpoint's bert_config.json, where it is not in its folder", written="FILE"
    )
    vocab: str = parameter(
        Location(),
        "",
        "the checkpoint's vocab.txt or model of SentencePiece, where it is not in its folder",
        written="FILE",
    )

    def __post_init__(self) -> None:
        check(self)

    @property
    def of_tf2(self) -> str:
        """The model of TensorFlow 2 that is named, empty where it is another source."""
        return self.tf2 or self.init_checkpoint or self.hub_module_url or self.model_dir

    @property
    def choice(self) -> reading.Choice:
        """What was said of a checkpoint that can be read in several ways."""
        return reading.Choice(scope=self.scope, ema=self.ema, head=self.head)
