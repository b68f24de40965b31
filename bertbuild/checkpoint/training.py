"""What training leaves in a checkpoint beside the model: optimizer slots, accumulated gradients, counters, averages.

A slot's name is made of its variable's: `bert/…/kernel/adam_m` (google-research/bert),
`OptimizeLoss/bert/…/kernel/Adam_1` (tf.contrib.layers.optimize_loss), `training/Adam/bert/…/kernel/m` (tf.keras),
`accum_grads/bert/…/kernel`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

GLOBAL_STEP: Final = "global_step"
AVERAGE: Final = "ExponentialMovingAverage"
"""The last part of the name that tf.train.ExponentialMovingAverage gives a variable's average."""

_COUNTERS: Final = re.compile(
    r"(beta[12]_power|beta_[12]|rho|momentum|epsilon|decay|iter|iterations|learning_rate|lr|global_step|local_step"
    r"|accum(ulation)?_steps?|(current_|dynamic_)?loss_scale|(num_)?(good|bad)_steps|steps_since_\w+|save_counter)(_\d+)?",
    re.IGNORECASE,
)
"""The last part of the names of single numbers that training keeps."""
_OPTIMIZER: Final = re.compile(
    r"(adam(w|ax)?(_[a-z0-9]{1,2})?|adamweightdecay\w*|lamb(_[a-z0-9]{1,2})?|lars|adafactor|adagrad|adadelta|rmsprop|ftrl"
    r"|(nesterov_?)?momentum|sgd|optimi[sz]e\w*|\w*optimi[sz]er|accum\w*|\w*grads?|\w*gradients?|\w*loss_scal\w+)(_\d+)?",
    re.IGNORECASE,
)
"""A part of a name that says that what lies below it is an optimizer's."""
_FLAT_SLOT: Final = re.compile(r"(?P<variable>.+)_slot_(?P<slot>v[rc]?|m)")  # mesh-tensorflow's Adafactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """A checkpoint's variables by purpose; every name is in exactly one of the groups."""

    model: tuple[str, ...]
    """The encoder (`bert/…`) and heads; where a variable has only a moving average, the average."""
    slots: Mapping[str, tuple[str, ...]]
    """What training keeps beside the variables: what the name adds to the variable's (`adam_m`) → names."""
    global_step: bool


def sort_variables(names: Mapping[str, object]) -> Sorted:
    """Sort a checkpoint's variables into those of the model and those of its training."""
    averages = {name: variable for name in names if (variable := averaged(name, names)) is not None}
    known = _Known(names.keys() | averages.values())
    slots: dict[str, list[str]] = {}
    model = []
    for name in names:
        slot = _slot(name, known) if name not in averages else AVERAGE if averages[name] in names else None
        if slot is not None:
            slots.setdefault(slot, []).append(name)
        elif name != GLOBAL_STEP:
            model.append(name)
    return Sorted(
        model=tuple(model),
        slots={slot: tuple(found) for slot, found in sorted(slots.items())},
        global_step=GLOBAL_STEP in names,
    )


def averaged(name: str, names: Container[str]) -> str | None:
    """The variable that a moving average is of; None for any other name.

    An average made inside a variable scope has that scope before the variable's own name. Where the variable itself is
    not among `names`, its name is what the average's begins with.
    """
    variable, _, last = name.rpartition("/")
    if last != AVERAGE or not variable:
        return None
    parts = variable.split("/")
    tails = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((tail for tail in tails if tail in names and (tail == variable or "/" in tail)), variable)


class _Known:
    """The names of variables, and how they begin and end: what no name can be made of is passed over quickly."""

    def __init__(self, names: AbstractSet[str]) -> None:
        self.names = names
        self.first = {name.partition("/")[0] for name in names}
        self.last = {name.rpartition("/")[2] for name in names}


def _slot(name: str, known: _Known) -> str | None:
    """What training keeps under a name (what the name adds to a variable's, or its last part); None for a model's."""
    if name == GLOBAL_STEP:
        return None
    parts = name.split("/")
    if _COUNTERS.fullmatch(parts[-1]):
        return parts[-1]
    flat = _FLAT_SLOT.fullmatch(name)
    if flat is not None and flat["variable"] in known.names:
        return flat["slot"]
    ends = [end for end in range(len(parts), 0, -1) if parts[end - 1] in known.last]
    for start in (start for start, part in enumerate(parts) if part in known.first):
        for end in (end for end in ends if end > start):
            if (start, end) != (0, len(parts)) and "/".join(parts[start:end]) in known.names:
                added = [*parts[:start], *parts[end:]]
                if start == 0 or (end < len(parts) and end - start > 1) or any(map(_OPTIMIZER.fullmatch, added)):
                    return "/".join(added)
    return "/".join(parts[:-1]) if any(map(_OPTIMIZER.fullmatch, parts[:-1])) else None
