"""Training under TensorFlow 2."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import FROM, ISOLATION, JSON, MIRROR, OFFLINE, REPLACE
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter, parameters_of, picked
from bertbuild.plans.wanted import NAMING, Wanted

OF_WANTED = ("model", "checkpoint", *NAMING)
"""Of the flags that name a source: a catalogue model, or a checkpoint of TensorFlow 1."""


def _flags() -> list[Parameter]:
    from bertbuild.commands.train import Begin, Data
    from bertbuild.plans.tf2_train import TrainRequest

    sources = parameters_of(Wanted)
    own = [one for request in (Begin, Data, TrainRequest) for one in parameters_of(request).values()]
    return [*(sources[name] for name in OF_WANTED), *own]


def _run(session: Session, values: Values) -> None:
    from bertbuild.commands import train as command
    from bertbuild.plans.tf2_train import TrainRequest

    command.train(
        session,
        command.Begin(**picked(command.Begin, values)),
        Wanted(**{name: values[name] for name in OF_WANTED if name in values}),
        command.Data(**picked(command.Data, values)),
        TrainRequest(**picked(TrainRequest, values)),
    )


train = declared(
    "train",
    "Fine-tune, predict, export with the Model Garden's run_classifier or run_squad (TensorFlow 2).",
    _flags,
    (FROM, MIRROR, ISOLATION, OFFLINE, REPLACE, JSON),
    _run,
    example="--model minilm-l6 --task MRPC",
)
