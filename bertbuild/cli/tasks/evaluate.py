"""evaluate as an Invoke task."""

from __future__ import annotations

from bertbuild.cli.flags import (
    COMMON_HELP,
    INT8_FOR_HELP,
    ISOLATION_HELP,
    REFERENCE_HELP,
    SOURCE_HELP,
    VOCAB_READING,
    whole_number,
)
from bertbuild.cli.frame import running
from bertbuild.cli.task import task
from bertbuild.errors import UsageError
from bertbuild.kinds.ir_request import ANY
from bertbuild.source.resolve import Wanted

ALL = "tf1,frozen,ir-fp32,ir-fp16,neuron-ready,tf2"


@task(
    help=COMMON_HELP
    | REFERENCE_HELP
    | ISOLATION_HELP
    | SOURCE_HELP
    | {
        "task": "CoLA, MNLI, MRPC, QNLI, QQP, RTE, SST-2, STS-B, WNLI; default: what the checkpoint was fine-tuned on",
        "prepared": "folder of prepare-data, whose dev set is taken; default: the task's data are prepared first",
        "target": f"targets, with commas; default: {ALL}; also ir-int8. The checkpoint itself is always asked",
        "max-drop": "how far a target's first metric may be below tf1's (default: 0.01); beyond it, exit code 22",
        "batch-size": "examples at a time (default: 8)",
        "int8-for": INT8_FOR_HELP,
        "predictions": "judge this file instead: test_results.tsv, or predictions.json of SQuAD",
        "data": "folder of the task's files; default: what fetch-data brings",
        "vocab-reading": VOCAB_READING,
        "squad-data-file": "with --predictions: dev-v1.1.json or dev-v2.0.json",
        "null-odds": "with SQuAD 2.0: null_odds.json, for which the best thresholds are searched",
        "version-2-with-negative": "the data are SQuAD 2.0's",
    },
)
def evaluate(
    task: str = "",
    model: str = "",
    checkpoint: str = "",
    config: str = "",
    vocab: str = "",
    name: str = "",
    scope: str = "",
    ema: bool = False,
    target: str = ALL,
    prepared: str = "",
    max_drop: str = "0.01",
    batch_size: str = "8",
    int8_for: str = ANY,
    predictions: str = "",
    data: str = "",
    vocab_reading: str = "",
    squad_data_file: str = "",
    null_odds: str = "",
    version_2_with_negative: bool = False,
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    reference: str = "",
    offline: bool = False,
    json: bool = False,
) -> None:
    """Measure accuracy, agreement and latency of a model's targets, or judge a file of predictions."""
    from bertbuild.commands import evaluate as command
    from bertbuild.kinds.evaluation import EvaluateRequest

    with running(
        json=json, reference=reference, isolation=isolation, offline=offline, local=from_, mirror=mirror
    ) as session:
        wanted = Wanted(model=model, checkpoint=checkpoint, name=name, scope=scope, ema=ema, config=config, vocab=vocab)
        named = command.Data(task=task, folder=data, prepared=prepared, vocab_reading=vocab_reading)
        if predictions and (wanted != Wanted() or prepared):
            raise UsageError(
                "--predictions judges a file; no model and no prepared data have a part in it.",
                next_step="Leave --model, --checkpoint, --name and --prepared out, or leave --predictions out.",
            )
        if not predictions and (squad_data_file or null_odds or version_2_with_negative):
            raise UsageError(
                "SQuAD's flags go with a file of predictions.", next_step="Add --predictions predictions.json."
            )
        if squad_data_file:
            command.squad(session, predictions, squad_data_file, null_odds, with_negative=version_2_with_negative)
        elif predictions:
            command.predictions(session, named, predictions)
        else:
            request = EvaluateRequest(
                targets=tuple(filter(None, target.split(","))),
                batch_size=whole_number("batch-size", batch_size),
                int8_for=int8_for,
            )
            command.targets(session, wanted, named, request, max_drop)
