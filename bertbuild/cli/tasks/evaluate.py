"""evaluate."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import FROM, ISOLATION, JSON, MIRROR, OFFLINE
from bertbuild.commands.session import Session
from bertbuild.errors import UsageError
from bertbuild.kinds.kind import FROM_CHECKPOINT, REFERENCE
from bertbuild.parameters import Parameter, parameters_of, picked
from bertbuild.plans.wanted import NAMING, Wanted
from bertbuild.toml.values import Location, Text, Truth

PREDICTIONS = Parameter(
    name="predictions",
    type=Location(),
    written="FILE",
    about="judge this file instead: test_results.tsv, or predictions.json of SQuAD",
)
NULL_ODDS = Parameter(
    name="null_odds",
    type=Location(),
    written="FILE",
    about="with SQuAD 2.0: null_odds.json, for which the best thresholds are searched",
)
NEGATIVES = Parameter(name="version_2_with_negative", type=Truth(), unset=False, about="the data are SQuAD 2.0's")


def _flags() -> list[Parameter]:
    from bertbuild.kinds.evaluated_data import Data
    from bertbuild.kinds.evaluation import MAX_DROP, TARGETS, USUAL, EvaluateRequest

    sources = parameters_of(Wanted)
    others = [name for name, (_, one) in TARGETS.items() if not one.usual]
    also = f"; also {', '.join(others)}" if others else ""
    target = Parameter(
        name="target",
        type=Text(),
        written="TARGET[,TARGET…]",
        about=f"targets, with commas; default: {','.join(USUAL)}{also}. The checkpoint itself is always asked",
    )
    return [
        *(sources[name] for name in (*FROM_CHECKPOINT, *NAMING)),
        *parameters_of(Data).values(),
        target,
        *parameters_of(EvaluateRequest).values(),
        *(MAX_DROP, PREDICTIONS, NULL_ODDS, NEGATIVES),
    ]


def _run(session: Session, values: Values) -> None:
    from bertbuild.commands import evaluate as command
    from bertbuild.commands import evaluate_files as files
    from bertbuild.kinds.evaluated_data import Data
    from bertbuild.kinds.evaluation import MAX_DROP, USUAL, EvaluateRequest

    wanted, data = Wanted(**picked(Wanted, values)), Data(**picked(Data, values))
    predictions, odds = (str(values.get(one.name, "")) for one in (PREDICTIONS, NULL_ODDS))
    with_negative = bool(values.get(NEGATIVES.name))
    if predictions and (wanted != Wanted() or data.prepared or data.text):
        raise UsageError(
            "--predictions judges a file; no model and no prepared data have a part in it.",
            next_step="Leave --model, --checkpoint, --name, --prepared and --text out, or leave --predictions out.",
        )
    if not predictions and (odds or with_negative):
        raise UsageError(
            "--null-odds and --version-2-with-negative go with a file of predictions; targets are asked for both.",
            next_step="Add --predictions predictions.json, or leave them out.",
        )
    if predictions and data.squad_data_file:
        files.squad(session, predictions, data.squad_data_file, odds, with_negative=with_negative)
    elif predictions:
        files.predictions(session, data, predictions)
    else:
        targets = tuple(filter(None, str(values.get("target", ",".join(USUAL))).split(",")))
        request = EvaluateRequest(targets=targets, **picked(EvaluateRequest, values))
        command.targets(session, wanted, data, request, str(values.get(MAX_DROP.name, MAX_DROP.default)))


evaluate = declared(
    "evaluate",
    "Measure accuracy, agreement and latency of a model's targets, or judge a file of predictions.",
    _flags,
    (FROM, MIRROR, ISOLATION, REFERENCE, OFFLINE, JSON),
    _run,
    example="--checkpoint path/to/finetuned --task MRPC",
)
