"""Which TensorFlow answered for a target's source, as a verdict names it."""

from __future__ import annotations

from bertbuild.backends import locked
from bertbuild.plans.placing import backend_of
from bertbuild.plans.plan import Plan, Step, Target
from bertbuild.stages import STAGES

PACKAGES = ("tensorflow", "tensorflow-cpu")


def tensorflow_of(step: Step) -> str:
    """The TensorFlow that a step runs in, as a verdict names it; "" where that is none, or no lock file tells."""
    backend = backend_of(step)
    version = next((locked(backend)[name] for name in PACKAGES if name in locked(backend)), "")
    v1_mode = " in v1 mode" if version and backend != STAGES[step.stage].backend else ""
    return f"TensorFlow {version}{v1_mode}" if version else ""


def judges(plan: Plan, target: Target) -> tuple[str, ...]:
    """The TensorFlows that answer for a target's source: one, or two."""
    asked = (target.reference, target.second.get("reference", target.reference))
    return tuple(dict.fromkeys(tensorflow_of(plan.step(step)) for step in asked))


def is_one_tensorflow(plan: Plan, target: Target) -> bool:
    """Whether source and target were run by the same TensorFlow, so that a fault of its own shows on neither side."""
    ran = {tensorflow_of(plan.step(step)).removesuffix(" in v1 mode") for step in target.asked}
    return len(ran) == 1 and "" not in ran
