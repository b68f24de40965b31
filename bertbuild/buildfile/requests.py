"""From the values a target has in the end to the request that a plan is made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bertbuild.buildfile.entries import Recipe
from bertbuild.kinds.kind import Kind, Request
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
