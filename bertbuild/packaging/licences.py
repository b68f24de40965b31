"""Under which licences a package's parts are, and which of them forbid to publish it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bertbuild.packaging.lineage import Lineage

PACKAGES: Final = {
    "flatbuffers": "Apache-2.0",
    "numpy": "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
    "onnxruntime": "MIT",
    "openvino": "Apache-2.0",
    "openvino-telemetry": "Apache-2.0",
    "openvino-tokenizers": "Apache-2.0",
    "packaging": "Apache-2.0 OR BSD-2-Clause",
    "protobuf": "BSD-3-Clause",
    "tokenizers": "Apache-2.0",
}
"""What predict.py can need → the SPDX identifier that its metadata names; a test of the packages compares them."""
WEIGHTS, DATA, PACKAGE = "weights", "data", "package"


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """The licence of a part.

    Attributes:
        part: `WEIGHTS`, `DATA` or `PACKAGE`.
        name: of the model, the data set or the package.
        spdx: its SPDX identifier, LicenseRef-… for terms that SPDX does not list; "" where it is not known.
        terms: a sentence on it, "" where the identifier says all.
        restricted: whether it forbids to publish the part, or commercial use.
    """

    part: str
    name: str
    spdx: str
    terms: str = ""
    restricted: bool = False

    def as_json(self) -> dict[str, Any]:
        """As licences.json has it: null for what is not known."""
        return {"part": self.part, "name": self.name, "spdx": self.spdx or None, "terms": self.terms}


def licences(model: str, found: Lineage, packages: Iterable[str]) -> tuple[Licence, ...]:
    """The licences of a target's weights, of what they were trained on, and of the packages that run it."""
    return (*_weights(model, found), *_data(found), *(_package(name) for name in packages))


def _weights(model: str, found: Lineage) -> Iterator[Licence]:
    for known in found.models:
        yield Licence(part=WEIGHTS, name=known.name, spdx=known.licence)
    if not found.models:
        terms = "The weights come from files that the catalogue does not know: their owner says what their licence is."
        yield Licence(part=WEIGHTS, name=model, spdx="", terms=terms)


def _data(found: Lineage) -> Iterator[Licence]:
    for data in found.datasets:
        yield Licence(part=DATA, name=data.name, spdx=data.spdx, terms=data.licence, restricted=data.restricted)
    for name in found.own_tasks:
        terms = "Trained on files of the user's own: their owner says what their licence is."
        yield Licence(part=DATA, name=name, spdx="", terms=terms)


def _package(name: str) -> Licence:
    return Licence(part=PACKAGE, name=name, spdx=PACKAGES[name])


def forbidding(found: Sequence[Licence], allowed: Iterable[str]) -> list[Licence]:
    """Those that forbid to publish, and were not allowed by their identifier."""
    allowed = set(allowed)
    return [one for one in found if one.restricted and one.spdx not in allowed]
