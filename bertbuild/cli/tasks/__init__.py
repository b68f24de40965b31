"""The commands: flags in, one call out. `invoke TASK` and `bertbuild TASK` are the same."""

from __future__ import annotations

from bertbuild.backends import BACKENDS
from bertbuild.cli.flags import (
    COMMON_HELP,
    FREEZE_HELP,
    INT8_FOR_HELP,
    ISOLATION_HELP,
    OFFLINE_HELP,
    REFERENCE_HELP,
    REPLACE_HELP,
    SOURCE_HELP,
    VOCAB_READING,
    whole_number,
)
from bertbuild.cli.frame import running
from bertbuild.cli.task import task
from bertbuild.cli.tasks.build import build
from bertbuild.cli.tasks.buildfile import schema
from bertbuild.cli.tasks.data import fetch_data, prepare_data
from bertbuild.cli.tasks.evaluate import evaluate
from bertbuild.cli.tasks.finetune import finetune
from bertbuild.cli.tasks.neuron import export, neuron_compile, neuron_ready
from bertbuild.cli.tasks.pretraining import prepare_pretraining_data
from bertbuild.cli.tasks.provenance import sbom, verify_provenance
from bertbuild.cli.tasks.report import report
from bertbuild.cli.tasks.store import gc, log, verify_store
from bertbuild.cli.tasks.tf2 import convert_tf1, convert_tf2
from bertbuild.cli.tasks.train import train
from bertbuild.cli.tasks.why import graph, status, why
from bertbuild.kinds.frozen import Frozen
from bertbuild.kinds.ir_request import ANY, Ir
from bertbuild.source.resolve import Wanted


@task(help=COMMON_HELP | ISOLATION_HELP)
def doctor(json: bool = False, isolation: str = "", offline: bool = False) -> None:
    """Look at this machine: what builds need, what is missing, what to do."""
    from bertbuild.commands import doctor as command

    with running(json=json, isolation=isolation, offline=offline) as session:
        command.doctor(session)


@task(
    help=COMMON_HELP
    | ISOLATION_HELP
    | {"backend": f"only these backends, with commas: {', '.join(BACKENDS)} (default: all but neuron)"},
)
def images(backend: str = "", json: bool = False, isolation: str = "", offline: bool = False) -> None:
    """Build what stages run in: Docker images, or virtual environments with --isolation venv."""
    from bertbuild.commands import environments

    with running(json=json, isolation=isolation, offline=offline) as session:
        environments.images(session, tuple(filter(None, backend.split(","))))


@task(
    iterable=["model"],
    help=COMMON_HELP
    | OFFLINE_HELP
    | {
        "model": "a model of the catalogue to fetch; may be given more than once",
        "list": "show all models and fetch nothing",
        "from": SOURCE_HELP["from"],
        "mirror": SOURCE_HELP["mirror"],
    },
)
def fetch(
    model: list[str],
    list: bool = False,  # noqa: A002 - the flag's name
    from_: str = "",
    mirror: str = "",
    offline: bool = False,
    json: bool = False,
) -> None:
    """Download models of the catalogue; every file is checked against the hash on record."""
    from bertbuild.commands import models

    with running(json=json, offline=offline, local=from_, mirror=mirror) as session:
        if list:
            models.list_models(session)
        else:
            models.fetch(session, tuple(model))


@task(
    help=COMMON_HELP | ISOLATION_HELP | {name: text for name, text in SOURCE_HELP.items() if name != "name"},
)
def inspect(
    checkpoint: str = "",
    config: str = "",
    vocab: str = "",
    model: str = "",
    scope: str = "",
    ema: bool = False,
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    offline: bool = False,
    json: bool = False,
) -> None:
    """Say what a checkpoint holds and what is wrong with it, without TensorFlow."""
    from bertbuild.commands import models

    with running(json=json, isolation=isolation, offline=offline, local=from_, mirror=mirror) as session:
        models.inspect(
            session, Wanted(model=model, checkpoint=checkpoint, scope=scope, ema=ema, config=config, vocab=vocab)
        )


@task(help=COMMON_HELP | REPLACE_HELP | REFERENCE_HELP | ISOLATION_HELP | SOURCE_HELP | FREEZE_HELP)
def freeze(
    model: str = "",
    checkpoint: str = "",
    config: str = "",
    vocab: str = "",
    name: str = "",
    scope: str = "",
    ema: bool = False,
    output: str = "pooled",
    gelu: str = "auto",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    offline: bool = False,
    replace: bool = False,
    reference: str = "",
    json: bool = False,
) -> None:
    """Make a frozen TensorFlow graph over free batch and sequence length."""
    from bertbuild.commands import target as command

    with running(
        json=json,
        reference=reference,
        replace=replace,
        isolation=isolation,
        offline=offline,
        local=from_,
        mirror=mirror,
    ) as session:
        command.build(
            session,
            Wanted(model=model, checkpoint=checkpoint, name=name, scope=scope, ema=ema, config=config, vocab=vocab),
            Frozen(output=output, gelu=gelu),
        )


@task(
    help=COMMON_HELP
    | REPLACE_HELP
    | REFERENCE_HELP
    | ISOLATION_HELP
    | SOURCE_HELP
    | FREEZE_HELP
    | {
        "frozen": "a graph frozen earlier (.pb), also one fed by an input pipeline (IteratorGetNext)",
        "outputs": "outputs of --frozen, NODE[:name] with commas; default: as the graph tells (an error lists all)",
        "precision": "what weights are stored in: fp32 (default), fp16, int8 (which also computes in it); with commas",
        "route": "reshapeable (default): shapes free; static: from the .meta as it is; savedmodel: through TF 2",
        "converter": "ovc (default), or mo: the Model Optimizer with the flags of OpenVINO's page (slow; to match it)",
        "batch": "fix the batch size",
        "seq-len": "fix the sequence length",
        "calibration": "for int8: folder of prepare-data; how large activations get is found on its training examples",
        "calibration-text": "for int8, without prepared data: a text file, an example a line, tab between its parts",
        "vocab-reading": f"for --calibration-text: {VOCAB_READING}",
        "calibration-size": "for int8: how many examples to calibrate on (default: 300)",
        "max-drop": "for int8: how far the accuracy on the folder's dev set may fall, e.g. 0.01 (needs a classifier)",
        "int8-for": INT8_FOR_HELP,
    },
)
def build_ir(
    model: str = "",
    checkpoint: str = "",
    config: str = "",
    vocab: str = "",
    frozen: str = "",
    outputs: str = "",
    name: str = "",
    scope: str = "",
    ema: bool = False,
    precision: str = "fp32",
    output: str = "pooled",
    gelu: str = "auto",
    route: str = "",
    converter: str = "ovc",
    batch: str = "0",
    seq_len: str = "0",
    calibration: str = "",
    calibration_text: str = "",
    calibration_size: str = "300",
    vocab_reading: str = "",
    max_drop: str = "",
    int8_for: str = ANY,
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    offline: bool = False,
    replace: bool = False,
    reference: str = "",
    json: bool = False,
) -> None:
    """Make an OpenVINO IR that is proved to answer like its source."""
    from bertbuild.commands import target as command

    with running(
        json=json,
        reference=reference,
        replace=replace,
        isolation=isolation,
        offline=offline,
        local=from_,
        mirror=mirror,
    ) as session:
        command.build(
            session,
            Wanted(
                model=model,
                checkpoint=checkpoint,
                frozen=frozen,
                outputs=outputs,
                name=name,
                scope=scope,
                ema=ema,
                config=config,
                vocab=vocab,
            ),
            Ir(
                precision=precision,
                output=output,
                gelu=gelu,
                route=route,
                converter=converter,
                batch=whole_number("batch", batch),
                seq_len=whole_number("seq-len", seq_len),
                calibration=calibration,
                calibration_text=calibration_text,
                calibration_size=whole_number("calibration-size", calibration_size),
                vocab_reading=vocab_reading,
                max_drop=max_drop,
                int8_for=int8_for,
            ),
        )


@task(
    help=COMMON_HELP | ISOLATION_HELP | {"model": "only this model", "target": "only this target, e.g. ir-fp32"},
)
def verify(model: str = "", target: str = "", isolation: str = "", offline: bool = False, json: bool = False) -> None:
    """Hash every byte of what is built, and compare its answers with its source's once more."""
    from bertbuild.commands import verify as command

    with running(json=json, isolation=isolation, offline=offline) as session:
        command.verify(session, model, target)


TASKS = {
    command.name: command
    for command in (
        doctor,
        build,
        images,
        fetch,
        inspect,
        fetch_data,
        prepare_data,
        prepare_pretraining_data,
        finetune,
        train,
        freeze,
        build_ir,
        export,
        neuron_ready,
        neuron_compile,
        convert_tf2,
        convert_tf1,
        evaluate,
        verify,
        verify_provenance,
        sbom,
        status,
        why,
        graph,
        schema,
        log,
        gc,
        verify_store,
        report,
    )
}
"""All commands, by their names as they are typed; in a checkout `bertbuild.development.tasks` adds some."""
