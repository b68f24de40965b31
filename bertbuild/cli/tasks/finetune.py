"""Fine-tuning under TensorFlow 1."""

from __future__ import annotations

from dataclasses import replace

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import FROM, ISOLATION, JSON, MIRROR, OFFLINE, REPLACE
from bertbuild.commands.session import Session
from bertbuild.kinds.kind import FROM_CHECKPOINT
from bertbuild.parameters import Parameter, parameters_of, picked
from bertbuild.plans.finetuning import FinetuneRequest, Named
from bertbuild.plans.wanted import NAMING, Wanted
from bertbuild.toml.values import Location

MODES = ("do_train", "do_eval", "do_predict")
SOURCE = (*FROM_CHECKPOINT, *NAMING)
"""The fields of `Wanted` that it takes."""
OUTPUT_DIR = Parameter(
    name="output_dir", type=Location(), written="FOLDER", about="also copy the result to this folder"
)


def with_modes(values: Values) -> Values:
    """The values with what is asked of --do_train, --do_eval, --do_predict: as upstream, one true makes others false.

    Where none is true it is left to what there are data for.
    """
    asked = [values.get(name) for name in MODES]
    return values | {name: bool(values.get(name)) for name in MODES} if any(asked) else values


def _run(session: Session, values: Values) -> None:
    from bertbuild.commands import finetune as commands

    request = FinetuneRequest(**picked(FinetuneRequest, with_modes(values)))
    of_source = {name: values[name] for name in SOURCE if name in values}  # `labels` are those of own data here
    wanted, named = Wanted(**of_source), Named(**picked(Named, values))
    commands.finetune(session, wanted, named, request, str(values.get(OUTPUT_DIR.name, "")))


def _flags() -> list[Parameter]:
    sources = parameters_of(Wanted)
    request = dict(parameters_of(FinetuneRequest))
    train = request["do_train"]
    request["do_train"] = replace(
        train, about="train; where one of --do-train, --do-eval, --do-predict is true, those not given are false"
    )
    return [
        *(sources[name] for name in SOURCE),
        *parameters_of(Named).values(),
        OUTPUT_DIR,
        *request.values(),
    ]


finetune = declared(
    "finetune",
    "Fine-tune a checkpoint with google-research/bert's run_classifier or run_squad (TensorFlow 1).",
    _flags,
    (FROM, MIRROR, ISOLATION, OFFLINE, REPLACE, JSON),
    _run,
    example="--model minilm-l6 --task MRPC --train-batch-size 16",
)
