"""A kind of target that is not part of bertbuild, declared as one would be: a toy, for tests alone.

It is frozen graphs by another name, so that it needs no stage of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bertbuild.kinds.frozen import Frozen, plan_freeze
from bertbuild.kinds.kind import Asked, Command, Evaluated, Kind, Request
from bertbuild.parameters import check, parameter
from bertbuild.plans.plan import File, Plan, Source
from bertbuild.plans.tolerance import Tolerance
from bertbuild.toml.values import Choice, Truth, Whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Toy(Request):
    """What a toy is to be like."""

    wheels: int = parameter(Whole(1), 4, "wheels under it")
    colour: str = parameter(Choice(("red", "green")), "red", "what it is painted in")
    sings: bool = parameter(Truth(), False, "let it sing")

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of."""
        check(self)


def plan_toy(source: Source, request: Toy, probes: File) -> Plan:
    """Checkpoint → toy."""
    plan = plan_freeze(source, Frozen(), probes)
    name = f"toy-{request.colour}-{request.wheels}{'-sings' if request.sings else ''}"
    return replace(plan, targets=(replace(plan.targets[0], name=name, precision="toy"),))


KIND = Kind(
    name="toy",
    about="a toy on wheels",
    command=Command(name="make-toy", about="Make a toy, proved to answer like its source."),
    request=Toy,
    plan=plan_toy,
    stage="freeze",
    asked=Asked(stage="tf1-infer", flag="frozen"),
    tolerances={"toy": {"hidden": Tolerance(max_abs=0.25)}},
    taken=lambda _source, _request: {"pooler"},
    main_file="inference_graph.pb",
    evaluated=(Evaluated(name="toy", plan=lambda source, _data, probes, _for: plan_toy(source, Toy(), probes)),),
)
