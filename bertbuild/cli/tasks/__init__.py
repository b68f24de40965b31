"""The commands: flags in, one call out. `invoke TASK` and `bertbuild TASK` are the same."""

from __future__ import annotations

from bertbuild.backends import NAMES
from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import FROM, ISOLATION, JSON, MIRROR, NAMES_ARE, NO_NETWORK, OFFLINE, backends, switch
from bertbuild.cli.tasks.build import build
from bertbuild.cli.tasks.buildfile import init, schema
from bertbuild.cli.tasks.cluster import cluster
from bertbuild.cli.tasks.data import prepare_data
from bertbuild.cli.tasks.evaluate import evaluate
from bertbuild.cli.tasks.fetching import fetch, fetch_data
from bertbuild.cli.tasks.finetune import finetune
from bertbuild.cli.tasks.kind_commands import target_tasks
from bertbuild.cli.tasks.package import package
from bertbuild.cli.tasks.predict import predict
from bertbuild.cli.tasks.pretraining import prepare_pretraining_data
from bertbuild.cli.tasks.provenance import sbom, verify_provenance
from bertbuild.cli.tasks.remote import remote
from bertbuild.cli.tasks.report import report
from bertbuild.cli.tasks.store import gc, log, verify_store
from bertbuild.cli.tasks.train import train
from bertbuild.cli.tasks.why import graph, status, why
from bertbuild.cli.tasks.worker import worker
from bertbuild.commands.session import Session
from bertbuild.kinds.kind import FROM_CHECKPOINT
from bertbuild.parameters import Parameter, parameters_of
from bertbuild.plans.wanted import READ_BY, Wanted
from bertbuild.toml.values import Choice, Truth

BACKEND = backends("data, tf1, openvino, mo, tf2, onnx")
PULL = switch(
    "pull", "pull images from the registry of the remote store where a key in trust signed them; build others"
)
PUSH = switch("push", "sign images, and push those that the registry of the remote store lacks")
RUNTIME = Parameter(
    name="runtime",
    type=Choice(NAMES),
    written="BACKEND",
    about="what asks the targets in place of the backend on record: another version of it, as openvino@2024.6, or "
    "hf-torch for Hugging Face folders; its verdict is told, and kept nowhere",
)


def _doctor(session: Session, _values: Values) -> None:
    from bertbuild.commands import doctor as command

    command.doctor(session)


def _images(session: Session, values: Values) -> None:
    from bertbuild.commands import environments

    names = tuple(filter(None, values.get(BACKEND.name, "").split(",")))
    environments.images(session, names, push=bool(values.get(PUSH.name)), pull=bool(values.get(PULL.name)))


_ALL = Parameter(name="all", type=Truth(), unset=False, about="show every tensor, and not only their groups")


def _inspect_flags() -> list[Parameter]:
    return [*(parameters_of(Wanted)[name] for name in (*FROM_CHECKPOINT, *READ_BY)), _ALL]


def _inspect(session: Session, values: Values) -> None:
    from bertbuild.commands import models

    every = bool(values.pop(_ALL.name, False))
    models.inspect(session, Wanted(**values), every=every)


inspect = declared(
    "inspect",
    "Say what a checkpoint holds and what is wrong with it, without TensorFlow.",
    _inspect_flags,
    (FROM, MIRROR, ISOLATION, OFFLINE, JSON),
    _inspect,
    example="--checkpoint path/to/uncased_L-12_H-768_A-12",
)


def _verify(session: Session, values: Values) -> None:
    from bertbuild.commands import verify as command

    command.verify(session, values.get("names", ()), values.get(RUNTIME.name, ""))


doctor = declared(
    "doctor", "Look at this machine: what builds need, what is missing, what to do.", tuple, NO_NETWORK, _doctor
)
images = declared(
    "images",
    "Build what stages run in: Docker images, or virtual environments with --isolation venv.",
    lambda: (BACKEND, PULL, PUSH),
    NO_NETWORK,
    _images,
    example="--isolation docker --backend tf1,openvino",
)
verify = declared(
    "verify",
    "Hash every byte of what is built, and compare its answers with its source's once more.",
    lambda: (RUNTIME,),
    NO_NETWORK,
    _verify,
    example="minilm-l6/ir-fp32",
    names=f"{NAMES_ARE}; default: all.",
)

TASKS = {
    command.name: command
    for command in (
        doctor,
        init,
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
        predict,
        package,
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
        remote,
        cluster,
        worker,
        report,
    )
}
"""All commands, by their names as they are typed; in a checkout `bertbuild.development.tasks` adds some."""
