"""sbom and verify-provenance."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import JSON, NAMES_ARE, backends
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Location

BACKEND = backends("all")
PATH = Parameter(
    name="path",
    type=Location(),
    written="FOLDER",
    about="an artifact's folder (in the store, its name in out/, or a copy elsewhere), or a package's",
)


def _sbom(session: Session, values: Values) -> None:
    from bertbuild.commands import provenance

    provenance.sbom(session, tuple(filter(None, values.get(BACKEND.name, "").split(","))))


def _verify_provenance(session: Session, values: Values) -> None:
    from bertbuild.commands import provenance

    provenance.verify_provenance(session, values.get("names", ()), path=values.get(PATH.name, ""))


sbom = declared(
    "sbom",
    "Write a CycloneDX bill of materials of each backend, from its lock file.",
    lambda: (BACKEND,),
    (JSON,),
    _sbom,
    example="--backend openvino",
)
verify_provenance = declared(
    "verify-provenance",
    "Compare what is built with the statements of how it was made.",
    lambda: (PATH,),
    (JSON,),
    _verify_provenance,
    example="--path copy/of/ir-fp32",
    names=f"{NAMES_ARE}; default: all.",
)
