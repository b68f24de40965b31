"""The keys of a build file that no target's request declares: where a model comes from, and how it is trained."""

from __future__ import annotations

from bertbuild.kinds import KINDS
from bertbuild.kinds.evaluated_data import Data
from bertbuild.kinds.evaluation import MAX_DROP, TARGET, EvaluateRequest
from bertbuild.parameters import Parameter, by_name, parameters_of
from bertbuild.plans.finetuning import FinetuneRequest, Named
from bertbuild.plans.wanted import READ_BY, Wanted
from bertbuild.toml.values import Choice, Location, Name

KIND = "kind"
"""The key that says what a target is; it must be given."""


def kind_type() -> Choice:
    """What its value may be."""
    return Choice(tuple(KINDS))


SOURCES = by_name(
    Parameter(name="model", type=Name(), about="a model of the catalogue; `invoke fetch --list` shows all"),
    Parameter(name="checkpoint", type=Location(), about="a checkpoint of your own: its folder, prefix, zip or tar"),
    Parameter(
        name="huggingface", type=Location(), about="a Hugging Face folder: config.json, a vocabulary, PyTorch's weights"
    ),
    *(parameters_of(Wanted)[name] for name in ("tf2", "frozen", "saved_model")),
)
"""Where a model may come from, besides a recipe; a model has just one."""

READING = {name: parameters_of(Wanted)[name] for name in (*READ_BY, "labels", "outputs")}
"""How a source is read where it can be read in several ways, and what its head's rows are called."""
READ_SO = {name: "frozen" if name == "outputs" else "checkpoint" for name in READING}
"""The source that each of them is said of."""

FROM = Parameter(name="from", type=Name(), about="another model of this file, to begin with; must be given")
EVALUATE = {
    **parameters_of(Data),
    **by_name(TARGET),
    **parameters_of(EvaluateRequest),
    **by_name(MAX_DROP),
}
"""What a model's targets are measured on, and how."""
TRAINED_ON = parameters_of(Named)
FINETUNE = parameters_of(FinetuneRequest)
