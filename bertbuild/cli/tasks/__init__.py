"""The commands: flags in, one call out. `invoke TASK` and `bertbuild TASK` are the same."""

from __future__ import annotations

from bertbuild.backends import BACKENDS
from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import (
    COMMON_HELP,
    FROM,
    ISOLATION,
    ISOLATION_HELP,
    JSON,
    MIRROR,
    OFFLINE,
)
from bertbuild.cli.frame import running
from bertbuild.cli.task import task
from bertbuild.cli.tasks.build import build
from bertbuild.cli.tasks.buildfile import schema
from bertbuild.cli.tasks.data import prepare_data
from bertbuild.cli.tasks.evaluate import evaluate
from bertbuild.cli.tasks.fetching import fetch, fetch_data
from bertbuild.cli.tasks.finetune import finetune
from bertbuild.cli.tasks.kind_commands import target_tasks
from bertbuild.cli.tasks.pretraining import prepare_pretraining_data
from bertbuild.cli.tasks.provenance import sbom, verify_provenance
from bertbuild.cli.tasks.report import report
from bertbuild.cli.tasks.store import gc, log, verify_store
from bertbuild.cli.tasks.train import train
from bertbuild.cli.tasks.why import graph, status, why
from bertbuild.commands.session import Session
from bertbuild.kinds.kind import FROM_CHECKPOINT
from bertbuild.parameters import Parameter, parameters_of
from bertbuild.plans.wanted import READ_BY, Wanted


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


def _inspect_flags() -> list[Parameter]:
    return [parameters_of(Wanted)[name] for name in (*FROM_CHECKPOINT, *READ_BY)]


def _inspect(session: Session, values: Values) -> None:
    from bertbuild.commands import models

    models.inspect(session, Wanted(**values))


inspect = declared(
    "inspect",
    "Say what a checkpoint holds and what is wrong with it, without TensorFlow.",
    _inspect_flags,
    (FROM, MIRROR, ISOLATION, OFFLINE, JSON),
    _inspect,
    example="--checkpoint path/to/uncased_L-12_H-768_A-12",
)


@task(help=COMMON_HELP | ISOLATION_HELP)
def verify(names: tuple[str, ...] = (), isolation: str = "", offline: bool = False, json: bool = False) -> None:
    """Hash every byte of what is built, and compare its answers with its source's once more.

    Names are models, targets, MODEL/TARGET, or a shell's patterns of these; default: all.
    """
    from bertbuild.commands import verify as command

    with running(json=json, isolation=isolation, offline=offline) as session:
        command.verify(session, names)


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
        *target_tasks(),
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
