"""The kinds of targets: a module declares each, and all that knows kinds by name is made from this table."""

from __future__ import annotations

from bertbuild.errors import UsageError
from bertbuild.kinds import (
    frozen,
    hf,
    hub,
    ir,
    neuron,
    neuron_ready,
    onnx,
    saved_model,
    tf1_checkpoint,
    tf2,
    tf2_savedmodel,
)
from bertbuild.kinds.kind import Kind, Request
from bertbuild.plans.tolerance import Limits, Tolerances

KINDS: dict[str, Kind] = {
    module.KIND.name: module.KIND
    for module in (frozen, ir, onnx, saved_model, neuron_ready, neuron, tf2, tf2_savedmodel, hub, tf1_checkpoint, hf)
}


def kind_of(request: Request) -> Kind:
    """The kind that a request is of.

    Raises:
        UsageError: it is not a request.
    """
    for kind in KINDS.values():
        if kind.request is type(request):
            return kind
    known = ", ".join(kind.request.__name__ for kind in KINDS.values())
    raise UsageError(f"{request!r} is not a request.", next_step=f"Give one of {known}, for instance Ir().")


def kinds_with(name: str) -> list[Kind]:
    """The kinds that take a parameter, by its name or by its old one."""
    return [kind for kind in KINDS.values() if kind.parameter_called(name)]


def limits(row: str) -> Limits:
    """What a target is held to whose plan names a row of tolerances."""
    # Weights of fp16 are computed with in float32.
    arithmetic = "float16" if row.startswith("float16") else row if row == "int8" else "fp32"
    return Limits(target=tolerances(row), alone=tolerances(arithmetic))


def tolerances(row: str) -> Tolerances:
    """A row of the kinds' tolerances, by its name."""
    return next(kind.tolerances[row] for kind in KINDS.values() if row in kind.tolerances)
