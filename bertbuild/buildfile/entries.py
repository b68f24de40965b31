"""What a build file says, checked and complete: models, where each comes from, and its targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bertbuild.kinds.evaluated_data import Data
from bertbuild.kinds.evaluation import EvaluateRequest
from bertbuild.kinds.kind import Request
from bertbuild.plans.finetuning import FinetuneRequest, Named
from bertbuild.plans.wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to fine-tune another model of the file.

    Attributes:
        base: that model's name.
        named: what to train on; paths are absolute.
        request: how.
    """

    base: str
    named: Named
    request: FinetuneRequest


ModelSource = Wanted | Recipe
"""What a model is: named, its paths being absolute; or trained from another one of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEntry:
    """A target of a model.

    Attributes:
        name: its name in out/<model>/.
        kind: one of `kinds.KINDS`.
        request: what it is to be like; of an IR, in one precision. Paths are absolute.
        reference: what it is judged by, one of `placing.REFERENCES`; "" where the file does not say.
        table: its name in [targets.*]: the one that a matrix's combinations share, else `name`.
    """

    name: str
    kind: str
    request: Request
    reference: str = ""
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateEntry:
    """What a model's targets are measured on once they are built, and how; paths are absolute.

    Attributes:
        data: on what; where it names none, what the model was trained on.
        request: which targets, and how.
        max_drop: how far the first metric may be below the source's, as it was typed.
    """

    data: Data
    request: EvaluateRequest
    max_drop: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """A model: its name, which is its folder's in out/, where it comes from, its targets as the file has them, and what
    they are measured on.
    """

    name: str
    source: ModelSource
    targets: tuple[TargetEntry, ...]
    evaluate: EvaluateEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFile:
    """A build file, or what was selected of it.

    Attributes:
        path: as it was named.
        models: in the order of the file.
        warnings: what its reader is told: old words that have new ones.
    """

    path: Path
    models: tuple[ModelEntry, ...]
    warnings: tuple[str, ...] = ()

    def model(self, name: str) -> ModelEntry:
        """A model by its name."""
        return next(model for model in self.models if model.name == name)
