"""Training under TensorFlow 2."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import FROM, ISOLATION, JSON, MIRROR, OFFLINE, REPLACE
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter, parameters_of, picked
from bertbuild.plans.wanted import NAMING, Wanted
from bertbuild.toml.values import Location

BEGINS_WITH = ("model", "checkpoint", *NAMING, "init_checkpoint", "hub_module_url", "model_dir")
OWN_FILES = ("config", "vocab", "root")
MODEL_EXPORT_PATH = Parameter(
    name="model_export_path",
    type=Location(),
    written="FOLDER",
    about="export a SavedModel too, and copy it to this folder",
)


def _flags() -> list[Parameter]:
    from bertbuild.commands.train import Data
    from bertbuild.plans.tf2_train import TrainRequest

    sources = parameters_of(Wanted)
    return [
        *(sources[name] for name in BEGINS_WITH),
        MODEL_EXPORT_PATH,
        *(sources[name] for name in OWN_FILES),
        *parameters_of(Data).values(),
        *parameters_of(TrainRequest).values(),
    ]


def _run(session: Session, values: Values) -> None:
    from bertbuild.commands import train as command
    from bertbuild.plans.tf2_train import TrainRequest

    command.train(
        session,
        Wanted(**picked(Wanted, values)),
        command.Data(**picked(command.Data, values)),
        TrainRequest(**picked(TrainRequest, values)),
        model_export_path=str(values.get(MODEL_EXPORT_PATH.name, "")),
    )


train = declared(
    "train",
    "Fine-tune, predict, export with the Model Garden's run_classifier or run_squad (TensorFlow 2).",
    _flags,
    (FROM, MIRROR, ISOLATION, OFFLINE, REPLACE, JSON),
    _run,
    example="--model minilm-l6 --task MRPC",
)
