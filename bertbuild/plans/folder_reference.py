"""Who answers for a checkpoint that was imported: transformers' own classes, over the Hugging Face folder itself. Pure.

So what a target is proved by begins at that folder, and not at what the import made of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bertbuild.heads import masked_lm
from bertbuild.heads.found import FoundHead, from_parameter
from bertbuild.huggingface.classes import class_for, kinds_of
from bertbuild.plans.family_reference import INFER
from bertbuild.plans.plan import TOGETHER, Plan, Source, Step

LABELLED = ("classifier", "multi-label", "regression", "tokens")
"""The kinds of heads that a class makes with as many columns as config.json has labels."""


def by_folder(plan: Plan, source: Source) -> Plan:
    """The plan with its source's answers given by the folder that the source was imported from.

    A reference stays as it was planned where no class of transformers gives what is asked for: the folder's own class
    lacks a head or makes one of another number of labels, the masked LM has a table of its own, or another gelu than
    the folder's is asked for.
    """
    asked = {target.reference for target in plan.targets}
    steps = tuple(_of_folder(plan, step, source) if step.id in asked else step for step in plan.steps)
    if steps == plan.steps:
        return plan
    changed = replace(plan, steps=steps)
    ends = [step_id for target in plan.targets for step_id in (target.step, *target.asked)]
    return replace(changed, steps=changed.needed(*ends))


def _of_folder(plan: Plan, reference: Step, source: Source) -> Step:
    """The step that asks the folder in the place of one that asks what was made of it; else that one."""
    told: dict[str, str] = {}
    for step in (reference, *reversed(plan.needed(reference.id))):
        told = {**step.params, **told}
    heads = _as_found(from_parameter(told.get("heads", "")), source.heads)
    class_ = _class(source, heads)
    if source.origin is None or not class_ or told.get("gelu") not in (None, source.gelu) or "output" not in told:
        return reference
    inputs = {"huggingface": source.origin.file, "probes": reference.inputs["probes"]}
    params = {"class": class_, "output": told["output"], **TOGETHER}
    return Step(id=reference.id, stage=INFER, inputs=inputs, params=params)


def _as_found(named: Iterable[FoundHead], found: Iterable[FoundHead]) -> tuple[FoundHead, ...]:
    weights = {head.weights for head in named}
    return tuple(head for head in found if head.weights in weights)


def _class(source: Source, heads: tuple[FoundHead, ...]) -> str:
    """The class that answers: the folder's own where heads are asked for; "" where there is none that has them."""
    if source.origin is None:
        return ""
    if not heads:
        return class_for((), source.family)
    kinds = {head.kind for head in heads}
    untied = any(head.kind == masked_lm.PART and head.weights != masked_lm.TIED_WEIGHTS for head in heads)
    own = source.origin.architecture
    labelled = all(head.labels == source.origin.labels for head in heads if head.kind in LABELLED)
    return own if labelled and not untied and kinds <= kinds_of(own, source.family) else ""
