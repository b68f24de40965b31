"""What `invoke build NAMES…` means of a build file."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import replace

from bertbuild.buildfile.entries import BuildFile, ModelEntry, Recipe, TargetEntry
from bertbuild.errors import UsageError
from bertbuild.names import did_you_mean
from bertbuild.toml.document import shown


def select(build_file: BuildFile, names: Sequence[str]) -> BuildFile:
    """The models and targets that are named; no names are all.

    A name is a model, `model/target`, a target of any model, or a shell's pattern of these; the name of a target with a
    matrix is all of its combinations. What a recipe begins with comes along, without targets if it is not named.

    Raises:
        UsageError: a name is nothing's.
    """
    if not names:
        return build_file
    for name in names:
        if not means_something(build_file, name):
            raise _unknown(build_file, name)
    kept = {
        model.name: replace(
            model,
            targets=tuple(target for target in model.targets if _any_means(names, model, target)),
            evaluate=model.evaluate if _any_means(names, model, None) else None,
        )
        for model in build_file.models
        if any(_any_means(names, model, target) for target in (None, *model.targets))
    }
    waiting = list(kept.values())
    while waiting:
        source = waiting.pop().source
        if isinstance(source, Recipe) and source.base not in kept:
            kept[source.base] = replace(build_file.model(source.base), targets=(), evaluate=None)
            waiting.append(kept[source.base])
    return replace(build_file, models=tuple(kept[model.name] for model in build_file.models if model.name in kept))


def means_something(build_file: BuildFile, name: str) -> bool:
    """Whether a name is that of something in the build file."""
    return any(_means(name, model, target) for model in build_file.models for target in (None, *model.targets))


def names_in(build_file: BuildFile) -> list[str]:
    """All that can be named without a pattern: models, targets, and both."""
    of_both = [(model.name, target) for model in build_file.models for target in model.targets]
    names = [model.name for model in build_file.models]
    names += [name for _, target in of_both for name in (target.table, target.name)]
    return list(dict.fromkeys((*names, *(f"{model}/{target.name}" for model, target in of_both))))


def _any_means(names: Sequence[str], model: ModelEntry, target: TargetEntry | None) -> bool:
    return any(_means(name, model, target) for name in names)


def _means(name: str, model: ModelEntry, target: TargetEntry | None) -> bool:
    """Whether a name means a target of a model; None is the model itself."""
    of_model, slash, of_target = name.partition("/")
    if not slash:
        return fnmatch.fnmatchcase(model.name, name) or (target is not None and _is_named(target, name))
    return target is not None and fnmatch.fnmatchcase(model.name, of_model) and _is_named(target, of_target)


def _is_named(target: TargetEntry, name: str) -> bool:
    return fnmatch.fnmatchcase(target.name, name) or fnmatch.fnmatchcase(target.table, name)


def _unknown(build_file: BuildFile, name: str) -> UsageError:
    models = [model.name for model in build_file.models]
    targets = {
        of: None for model in build_file.models for target in model.targets for of in (target.table, target.name)
    }
    what = "model/target" if "/" in name else "model or target"
    near = did_you_mean(name, names_in(build_file))
    return UsageError(
        f"{build_file.path} has no {what} {shown(name)}{near}",
        next_step=f"Models: {', '.join(models)}. Targets: {', '.join(targets) or 'none'}.",
    )
