"""The commands about provenance as Invoke tasks."""

from __future__ import annotations

from bertbuild.cli.flags import COMMON_HELP
from bertbuild.cli.frame import running
from bertbuild.cli.task import task


@task(help=COMMON_HELP | {"backend": "only these backends, with commas (default: all)"})
def sbom(backend: str = "", json: bool = False) -> None:
    """Write a CycloneDX bill of materials of each backend, from its lock file."""
    from bertbuild.commands import provenance

    with running(json=json) as session:
        provenance.sbom(session, tuple(filter(None, backend.split(","))))


@task(
    help=COMMON_HELP
    | {
        "path": "an artifact's folder: in the store, its name in out/, or a copy elsewhere",
    },
)
def verify_provenance(names: tuple[str, ...] = (), path: str = "", json: bool = False) -> None:
    """Compare what is built with the statements of how it was made.

    Names are models, targets, MODEL/TARGET, or a shell's patterns of these; default: all.
    """
    from bertbuild.commands import provenance

    with running(json=json) as session:
        provenance.verify_provenance(session, names, path=path)
