"""From the values a target has in the end to the request that a plan is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bertbuild.buildfile.entries import Recipe
from bertbuild.buildfile.parameters import FINETUNE, PRECISION, TRAINED_ON, Parameter
from bertbuild.plans.finetune import FinetuneRequest, Named
from bertbuild.plans.int8 import CalibrationRequest, check_request
from bertbuild.plans.neuron import CompileRequest, ExportRequest, NeuronRequest
from bertbuild.plans.plan import INT8, FreezeRequest, IrRequest
from bertbuild.plans.planning import Request
from bertbuild.plans.tf2 import Tf2Request
from bertbuild.toml.values import Location, Number, Value

Values = Mapping[str, Value]

CALIBRATION = {
    "folder": "calibration",
    "text": "calibration_text",
    "size": "calibration_size",
    "max_drop": "max_drop",
    "int8_for": "int8_for",
    "vocab_reading": "vocab_reading",
}
"""A field of CalibrationRequest → the key that says it."""


def make_request(kind: str, values: Values) -> Request:
    """The request of a target.

    Raises:
        UsageError: the values contradict each other.
    """
    return _MAKERS[kind](values)


def make_calibration(request: Request, values: Values, *, tolerant: bool) -> CalibrationRequest | None:
    """What an int8 IR is calibrated on, None for other targets.

    Args:
        request: of the target.
        values: likewise; paths are absolute.
        tolerant: whether what is said of calibration may be meant for other targets, and so be of no use here.

    Raises:
        UsageError: the values contradict each other, or nothing is said for int8.
    """
    if not isinstance(request, IrRequest):
        return None
    int8 = INT8 in request.precisions
    if tolerant and not int8:
        return None
    calibrated = CalibrationRequest(**_picked(values, **CALIBRATION))
    check_request(request, calibrated)
    return calibrated if int8 else None


def make_recipe(base: str, values: Values) -> Recipe:
    """The recipe that fine-tunes a model.

    Raises:
        UsageError: the values contradict each other.
    """
    flags = {
        name: float(value) if isinstance(FINETUNE[name].type, Number) else value
        for name, value in values.items()
        if name in FINETUNE
    }
    named = Named(**_picked(values, **{name: name for name in TRAINED_ON}))
    return Recipe(base=base, named=named, request=FinetuneRequest(**flags))  # type: ignore[arg-type]


def located(values: Values, parameters: Mapping[str, Parameter], folder: Path) -> dict[str, Value]:
    """The values with every path made absolute; `folder` is the build file's."""
    return {
        name: str(absolute(str(value), folder)) if isinstance(parameters[name].type, Location) else value
        for name, value in values.items()
    }


def absolute(path: str, folder: Path) -> Path:
    """A path of a build file; `~` is the user's folder where there is one."""
    try:
        return folder / Path(path).expanduser()
    except RuntimeError:  # ~name of nobody
        return folder / path


def _picked(values: Values, **fields: str) -> dict[str, Any]:
    """The fields of a request that are given, from field → key."""
    return {field: values[name] for field, name in fields.items() if name in values}


def _freeze(values: Values) -> FreezeRequest:
    return FreezeRequest(**_picked(values, output="output", gelu="gelu"))


def _ir(values: Values) -> IrRequest:
    precision = str(values.get("precision", PRECISION))
    sizes = _picked(values, route="route", converter="converter", batch="batch", seq_len="seq_len")
    return IrRequest(precisions=(precision,), freeze=_freeze(values), **sizes)


def _export(values: Values) -> ExportRequest:
    return ExportRequest(**_picked(values, seq_len="seq_len", output="output"))


def _ready(values: Values) -> NeuronRequest:
    return NeuronRequest(export=_export(values), **_picked(values, dtype="dtype", gelu="gelu", batch_size="batch_size"))


def _compile(values: Values) -> CompileRequest:
    rest = _picked(
        values,
        standard="standard",
        cores="neuroncore_pipeline_cores",
        compiler_args="compiler_args",
        timeout="timeout",
        min_on_neuron="min_on_neuron",
        min_memory="min_memory",
    )
    return CompileRequest(ready=_ready(values), **rest)


def _tf2(values: Values) -> Tf2Request:
    return Tf2Request(**_picked(values, format="format", gelu="gelu"))


_MAKERS: dict[str, Callable[[Values], Request]] = {
    "frozen": _freeze,
    "ir": _ir,
    "saved-model": _export,
    "neuron-ready": _ready,
    "neuron": _compile,
    "tf2": _tf2,
    "tf2-savedmodel": lambda values: _tf2({**values, "format": "savedmodel"}),
    "hub": lambda values: _tf2({**values, "format": "hub"}),
}
