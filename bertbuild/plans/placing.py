"""Where a step runs: in its stage's own backend, or in another one that can run the same code. Pure."""

from __future__ import annotations

from bertbuild.plans.plan import Step
from bertbuild.stages import STAGES


def backend_of(step: Step) -> str:
    """The backend whose environment a step runs in. All who ask, ask here."""
    return step.backend or STAGES[step.stage].backend
