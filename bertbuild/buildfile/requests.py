"""From the values a target has in the end to the request that a plan is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bertbuild.buildfile.entries import EvaluateEntry, Recipe, TargetEntry
from bertbuild.kinds.evaluated_data import Data
from bertbuild.kinds.evaluation import MAX_DROP, REFERENCE, TARGET, TARGETS, EvaluateRequest
from bertbuild.kinds.ir_request import OF_RECIPE, Ir
from bertbuild.kinds.kind import Kind, Request
from bertbuild.kinds.onnx import Onnx
from bertbuild.parameters import Parameter, picked
from bertbuild.plans.finetuning import FinetuneRequest, Named
from bertbuild.toml.values import Location, Value

Values = Mapping[str, Value]


def make_request(kind: Kind, values: Values, *, tolerant: bool) -> Request:
    """The request of a target.

    Args:
        kind: of the target.
        values: of its parameters; paths are absolute.
        tolerant: whether parameters that are only for another value of another one (`Parameter.only_for`) may be meant
            for other targets, and are passed over.

    Raises:
        UsageError: the values contradict each other.
    """
    return kind.request(**picked(kind.request, _of_use(kind, values) if tolerant else values))


def _of_use(kind: Kind, values: Values) -> Values:
    """The values but for those that are of no use beside the others."""

    def holds(name: str) -> object:
        return values.get(name, kind.parameters[name].default)

    used = {name: kind.parameters[name].only_for for name in values}
    return {name: values[name] for name, only in used.items() if only is None or holds(only[0]) == only[1]}


def make_recipe(base: str, values: Values) -> Recipe:
    """The recipe that fine-tunes a model.

    Raises:
        UsageError: the values contradict each other.
    """
    named, request = Named(**picked(Named, values)), FinetuneRequest(**picked(FinetuneRequest, values))
    return Recipe(base=base, named=named, request=request)


def make_evaluate(values: Values, targets: Sequence[TargetEntry]) -> EvaluateEntry:
    """What a model's targets are measured on.

    Args:
        values: of its keys; paths are absolute.
        targets: the model's; kinds of theirs are what is measured where no target is named.

    Raises:
        UsageError: the values contradict each other.
    """
    named = str(values.get(TARGET.name, ""))
    names = tuple(named.split(",")) if named else (REFERENCE, *_measurable(targets))
    return EvaluateEntry(
        data=Data(**picked(Data, values)),
        request=EvaluateRequest(targets=names, **picked(EvaluateRequest, values)),
        max_drop=str(values.get(MAX_DROP.name, MAX_DROP.default)),
    )


def _measurable(targets: Sequence[TargetEntry]) -> list[str]:
    """What can be measured of the kinds of some targets, of IRs and ONNX models in their precisions."""
    built = {(target.kind, str(getattr(target.request, "precision", ""))) for target in targets}
    return [
        name
        for name, (kind, _) in TARGETS.items()
        if any(kind.name == of and (not precision or name.endswith(f"-{precision}")) for of, precision in built)
    ]


def of_recipe(request: Request) -> bool:
    """Whether it is calibrated on what its model's recipe trained it on."""
    return isinstance(request, Ir | Onnx) and request.calibration == OF_RECIPE


def calibrated(request: Request, prepared: Callable[[], Path]) -> Request:
    """The request, calibrated on what `prepared` gives if that is what it says."""
    if isinstance(request, Ir | Onnx) and of_recipe(request):
        return replace(request, calibration=str(prepared()))
    return request


def located(values: Values, parameters: Mapping[str, Parameter], folder: Path) -> dict[str, Value]:
    """The values with every path made absolute; `folder` is the build file's. One word for `calibration` is none."""
    return {
        name: str(absolute(str(value), folder))
        if isinstance(parameters[name].type, Location) and (name, value) != ("calibration", OF_RECIPE)
        else value
        for name, value in values.items()
    }


def absolute(path: str, folder: Path) -> Path:
    """A path of a build file; `~` is the user's folder where there is one."""
    try:
        return folder / Path(path).expanduser()
    except RuntimeError:  # ~name of nobody
        return folder / path
