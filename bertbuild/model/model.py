"""A model described: its encoder, and of its heads what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bertbuild.heads.found import OF_ENCODER, FoundHead, tensor_name
from bertbuild.model import encoder, heads
from bertbuild.model.operators import Operators, Value

ROLES = ("input_ids", "input_mask", "segment_ids")
"""The inputs of every model, int32 [B, S] each."""


def describe(
    ops: Operators,
    sizes: encoder.Sizes,
    inputs: Mapping[str, Value],
    found: Sequence[FoundHead],
    outputs: Iterable[str],
) -> dict[str, Value]:
    """Write a model.

    Args:
        ops: the writer.
        sizes: of the model.
        inputs: by their roles.
        found: the heads of the model that the outputs need.
        outputs: what is asked for: "pooled", "sequence", "all-layers", and answers of the heads.

    Returns:
        what was asked for by the names of its tensors ("pooled_output", "layer_0_output", "probabilities"), in the
        order in which it was asked for.

    Raises:
        LookupError: an output that none of the heads gives.
    """
    wanted = list(dict.fromkeys(outputs))
    owners = {name: head for head in found for name in heads.ANSWERS[head.kind]}
    missing = [name for name in wanted if name not in owners and name not in OF_ENCODER]
    if missing:
        raise LookupError(missing[0])
    needed = [head for head in found if any(owners.get(name) is head for name in wanted)]
    of_all = {"sequence", "all-layers"} & set(wanted) or any(head.kind in heads.OF_SEQUENCE for head in needed)
    ids, mask, segments = (inputs[role] for role in ROLES)
    body = encoder.describe(ops, sizes, ids, mask, segments, first_alone=not of_all)
    of_first = "pooled" in wanted or any(head.kind not in heads.OF_SEQUENCE for head in needed)
    pooled = encoder.pooled(ops, sizes, body.first) if of_first else None
    given = {"pooled": pooled, "sequence": body.layers[-1]}
    for head in needed:
        read = body.layers[-1] if head.kind in heads.OF_SEQUENCE else pooled
        logits = heads.logits(ops, sizes, head, read)
        given.update((name, make(ops, logits)) for name, make in heads.ANSWERS[head.kind].items() if name in wanted)
    tensors: dict[str, Value] = {}
    for name in wanted:
        if name == "all-layers":
            tensors.update((tensor_name(name) % number, layer) for number, layer in enumerate(body.layers))
        else:
            tensors[tensor_name(name)] = given[name]
    return tensors
