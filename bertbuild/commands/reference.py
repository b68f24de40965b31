"""Which TensorFlow runs a source's graph: as asked, as its targets were proved before, else 1.15 where that is here."""

from __future__ import annotations

from bertbuild.commands.session import Session
from bertbuild.errors import InterpreterMissingError, UsageError
from bertbuild.gate.judges import judges
from bertbuild.kinds import KINDS
from bertbuild.plans.folder_reference import by_folder
from bertbuild.plans.placing import OF_2, TF1, backend_of, bound_to_1, can_move, placed, reference_of
from bertbuild.plans.plan import Plan, Source, Step, Target
from bertbuild.store.records import read_judged

WHY = {
    **{kind.stage: kind.only_1_15 for kind in KINDS.values() if kind.only_1_15},
    "finetune": "finetune runs Google's run_classifier and run_squad, which were written for TensorFlow 1.15",
}
"""What wants TensorFlow 1.15 and nothing else, by stage."""
TF1_INFER = "tf1-infer"
"""The stage that answers for a source by google-research/bert's graph, or by its own."""


def with_folder(session: Session, plan: Plan, source: Source, own: str = "") -> Plan:
    """A plan of targets whose source, where it was imported, is answered for by the Hugging Face folder itself.

    Not where a TensorFlow is asked for that is to run google-research/bert's graph, or where the targets on record were
    proved by one, unless --replace begins again.

    Args:
        session: of the command.
        plan: as it was planned.
        source: what it was planned of.
        own: what the build file says of its target, "" where it says nothing.
    """
    if source.origin is None or session.reference or own:
        return plan
    names = [] if session.replace else [target.name for target in plan.targets]
    records = [record for name in names for record in read_judged(session.store, plan.model, name)]
    if any(before.step(target.reference).stage == TF1_INFER for before, target in records):
        return plan
    return by_folder(plan, source)


def with_reference(session: Session, plan: Plan, own: str = "") -> Plan:
    """A plan of targets, with its reference in the TensorFlow that is meant.

    That is, in this order: what the command line says; what the build file says; what the targets on record were proved
    by, unless --replace begins again; TensorFlow 1.15, where this machine can have it; else TensorFlow 2.

    Args:
        session: of the command.
        plan: as it was planned.
        own: what the build file says of its target, "" where it says nothing.

    Raises:
        UsageError: the plan needs 1.15 and something else was asked for; or its targets were proved by different ones.
        InterpreterMissingError: TensorFlow 1.15 is meant and cannot be had here.
    """
    there = presumed(session, plan, own or _on_record(session, plan))
    require_1(session, there)
    return there


def presumed(session: Session, plan: Plan, said: str = "") -> Plan:
    """The same where nothing is known of what was built before; TensorFlow 1.15 need not be there.

    Raises:
        UsageError: the plan needs 1.15 and something else was asked for.
    """
    chosen = session.reference or said
    if not chosen and bound_to_1(plan) is None and any(can_move(step) for step in plan.steps):
        chosen = session.usual_reference
    return placed(plan, chosen) if chosen else plan


def require_1(session: Session, plan: Plan) -> None:
    """Make sure that TensorFlow 1.15 can be had, if a plan has a step that is to run in it.

    Raises:
        InterpreterMissingError: it cannot; the sentence says what wants it, and what would do.
    """
    if session.only_looks or not any(backend_of(step) == TF1 for step in plan.steps) or session.has_tensorflow_1:
        return
    bound = bound_to_1(plan)
    why = WHY[bound.stage] if bound else f"{plan.model} is to be judged by TensorFlow 1.15"
    way = _way_without(plan, bound)
    raise InterpreterMissingError(
        f"{why}; TensorFlow 1.15 needs Python 3.7 or Docker, and this machine has neither.",
        next_step="Install Python 3.7 (pyenv install 3.7), name one in BERTBUILD_PYTHON37, or use --isolation docker"
        + (f"; or {way}." if way else "."),
        details=session.isolation.why_not(TF1),
    )


def _way_without(plan: Plan, bound: Step | None) -> str:
    """What does without TensorFlow 1.15, "" where nothing does."""
    if bound is None:
        return f"let TensorFlow 2 run its graph: --reference {OF_2}"
    if bound.stage == "finetune":
        return "fine-tune with TensorFlow 2: invoke train"
    return "" if plan.targets else "leave neuron-ready out of --target"  # evaluate has others beside it


def _on_record(session: Session, plan: Plan) -> str:
    """What the plan's targets, or where it has none all of the model's, were proved by before; "" where none was.

    Raises:
        UsageError: some by one TensorFlow, some by another.
    """
    if session.reference or session.replace or bound_to_1(plan) is not None:
        return ""
    names = [target.name for target in plan.targets] or [""]
    records = [record for name in names for record in read_judged(session.store, plan.model, name)]
    by = {reference_of(*record): record for record in records}
    by.pop("", None)
    if len(by) > 1:
        one, other = ((target.name, _judges(asked, target)) for asked, target in list(by.values())[:2])
        raise UsageError(
            f"{plan.model}/{one[0]} was proved by {one[1]}, {other[0]} by {other[1]}.",
            next_step="Say which is meant for both: --reference 1.15, 2.20 or both.",
        )
    return next(iter(by), "")


def _judges(plan: Plan, target: Target) -> str:
    return " and ".join(judges(plan, target))
