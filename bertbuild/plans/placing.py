"""Where a step runs: in its stage's own backend, or in another one that can run the same code. Pure.

TensorFlow 1's stages run in TensorFlow 1.15, or in TensorFlow 2 in v1 mode, and with them the reference: the answers of
the source that a target is judged by.
"""

from __future__ import annotations

from dataclasses import replace

from bertbuild.backends import canonical
from bertbuild.errors import UsageError
from bertbuild.parameters import check_choice
from bertbuild.plans.plan import Plan, Step, Target
from bertbuild.stages import STAGES

OF_1, OF_2, BOTH = "1.15", "2.20", "both"
REFERENCES = (OF_1, OF_2, BOTH)
"""What people call them: the version of TensorFlow that the source's graph is run by."""

TF1, V1_MODE = "tf1", "tf2"
"""The backends they are."""


def backend_of(step: Step) -> str:
    """The backend whose environment a step runs in. All who ask, ask here."""
    return canonical(step.backend) or STAGES[step.stage].backend


def placed(plan: Plan, reference: str) -> Plan:
    """A plan with its reference, and all steps that can, in a TensorFlow.

    Args:
        plan: as planned, every step in its stage's own backend.
        reference: "1.15"; "2.20"; or "both": made by 1.15, and judged by both.

    Raises:
        UsageError: no such reference, or a step that TensorFlow 2 cannot run.
    """
    check_choice("reference", (reference,), REFERENCES)
    if reference == OF_1:
        return plan
    bound = bound_to_1(plan)
    if bound is not None:
        raise UsageError(
            f"{bound.stage} runs in TensorFlow 1.15 alone, and so does its proof; --reference {reference} cannot be.",
            next_step="Leave --reference out, or what needs 1.15.",
        )
    if reference == OF_2:
        return replace(
            plan, steps=tuple(replace(step, backend=V1_MODE) if can_move(step) else step for step in plan.steps)
        )
    steps = list(plan.steps)
    targets = tuple(_judged_again(plan, target, steps) for target in plan.targets)
    return replace(plan, steps=tuple(steps), targets=targets)


def can_move(step: Step) -> bool:
    """Whether TensorFlow 2 in v1 mode runs a step of TensorFlow 1."""
    return V1_MODE in STAGES[step.stage].also


def bound_to_1(plan: Plan) -> Step | None:
    """The first step that needs TensorFlow 1.15, None where there is none."""
    return next((step for step in plan.steps if STAGES[step.stage].backend == TF1 and not can_move(step)), None)


def reference_of(plan: Plan, target: Target) -> str:
    """What a placed plan judges a target by, one of `REFERENCES`; "" where TensorFlow 1 has no part in that."""
    if _is_by_both(plan, target):
        return BOTH
    asked = [step for step in map(plan.step, (target.reference, target.answers)) if can_move(step)]
    if not asked:
        return ""
    return OF_2 if any(backend_of(step) == V1_MODE for step in asked) else OF_1


def _is_by_both(plan: Plan, target: Target) -> bool:
    """Whether one stage gave a target's answers, or its source's, in either TensorFlow."""
    pairs = [(plan.step(getattr(target, role)), plan.step(step)) for role, step in target.second.items()]
    return any(one.stage == other.stage and backend_of(one) != backend_of(other) for one, other in pairs)


def _judged_again(plan: Plan, target: Target, steps: list[Step]) -> Target:
    """The target with TensorFlow 1's side of its comparison asked a second time; that step is added, once."""
    if target.second:
        return target  # by its own graph, and by an implementation that TensorFlow 1 has no part in
    roles = {"reference": target.reference, "answers": target.answers}
    role = next((role for role in roles if can_move(plan.step(roles[role]))), "")
    if not role:
        return target
    asked = plan.step(roles[role])
    again = replace(asked, id=f"{asked.id}-{OF_2}", backend=V1_MODE)
    if again not in steps:
        steps.insert(steps.index(asked) + 1, again)
    return replace(target, second={**roles, role: again.id})
