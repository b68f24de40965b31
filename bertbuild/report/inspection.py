"""What `inspect` shows people: whether a checkpoint is sound and what is wrong with it, then its facts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bertbuild.families.table import FAMILIES
from bertbuild.plural import are, number_of

_LAYER = re.compile(r"(?<=layer_)\d+")


def inspection_tables(facts: Mapping[str, Any], *, every: bool = False) -> Iterator[dict[str, Any]]:
    """Table events for `Inspection.to_json()`: verdict and summary, then the tensors by group, or every one of them."""
    summary = [*_verdict(facts), *_summary(facts)]
    yield {"event": "table", "title": facts["prefix"], "columns": ["", ""], "rows": summary}
    title = number_of(len(facts["tensors"]), "tensor")
    if every:
        columns = ["name", "dtype", "shape", "crc32c"]
        rows = [[tensor["name"], tensor["dtype"], _shape(tensor), tensor["crc32c"]] for tensor in facts["tensors"]]
    else:
        columns, rows = ["group", "tensors", "numbers", "dtypes"], list(_groups(facts))
        title += "; --all shows each"
    yield {"event": "table", "title": title, "columns": columns, "rows": rows}


def verdict(facts: Mapping[str, Any]) -> str:
    """Whether it is sound, in a few words."""
    warned = f", with {number_of(len(facts['warnings']), 'warning')}" if facts["warnings"] else ""
    return (number_of(len(facts["problems"]), "problem") if facts["problems"] else "sound") + warned


def _verdict(facts: Mapping[str, Any]) -> Iterator[list[str]]:
    yield ["verdict", verdict(facts)]
    for kind in ("problem", "warning"):
        yield from ([kind, text] for text in facts[f"{kind}s"])


def _shape(tensor: Mapping[str, Any]) -> str:
    return "×".join(map(str, tensor["shape"])) or "scalar"


def _groups(facts: Mapping[str, Any]) -> Iterator[list[str]]:
    """Tensors that belong together: the layers of the encoder as one, others by their scope; an optimizer's apart."""
    slots, groups = set(facts["optimizer_slots"]), dict[str, list[Mapping[str, Any]]]()
    for tensor in facts["tensors"]:
        groups.setdefault(_group(tensor["name"], slots), []).append(tensor)
    for name, tensors in groups.items():
        layers = sorted({int(found[0]) for tensor in tensors if (found := _LAYER.search(tensor["name"]))})
        ends = " to ".join(f"layer_{number}" for number in sorted({layers[0], layers[-1]})) if layers else ""
        told = name.replace("layer_*", ends)
        numbers = sum(math.prod(tensor["shape"]) for tensor in tensors)
        dtypes = ", ".join(sorted({tensor["dtype"] for tensor in tensors}))
        yield [told, str(len(tensors)), f"{numbers:,}", dtypes]


def _group(name: str, slots: set[str]) -> str:
    *scope, last = _LAYER.sub("*", name).split("/")
    slot = f" ({last})" if last in slots else ""
    depth = 3 if any("layer_*" in part for part in scope) else 2
    return ("/".join(scope[:depth] if scope else [last]) or last) + slot


def _summary(facts: Mapping[str, Any]) -> Iterator[list[str]]:
    encoder, graph = facts["encoder"], facts["graph"]
    yield ["files", ", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in facts["files"].items())]
    sizes = ("layers", "hidden", "embedding", "attention_heads", "intermediate", "vocab", "positions", "token_types")
    yield ["family", FAMILIES[facts["family"]].what]
    yield ["encoder", ", ".join(f"{name.replace('_', ' ')} {encoder[name]}" for name in sizes if encoder[name])]
    yield ["parameters", f"{facts['parameters']:,} ({facts['encoder_parameters']:,} of the encoder)"]
    yield ["heads", "; ".join(_heads(facts["heads"])) or "none"]
    slots = ", ".join(f"{name} of {number_of(count, 'variable')}" for name, count in facts["optimizer_slots"].items())
    yield ["optimizer slots", slots or "none"]
    yield ["global step", "yes" if facts["global_step"] else "none"]
    yield ["gelu", _gelu(facts)]
    if graph["inputs"]:
        yield ["inputs", ", ".join(f"{role} = {tensor}" for role, tensor in graph["inputs"].items())]
    form = graph["published_form"]
    shape = f"yes: batch {form['batch']}, sequence length {form['seq_len']}" if form else "no"
    yield ["published form", shape]
    if graph["notes"]:
        yield ["of the .meta", " ".join(graph["notes"])]
    intact, count = facts["intact_tensors"], len(facts["tensors"])
    yield [
        "checksums",
        "not taken" if intact is None else f"{intact} of {number_of(count, 'tensor')} {are(intact)} intact (CRC32C)",
    ]


def _gelu(facts: Mapping[str, Any]) -> str:
    """The form of gelu: computed by the graph, named by the configuration, or as it is taken; or why there is none."""
    config = facts["config"] or {}
    known = facts["graph"]["gelu"] or config.get("gelu")
    activation = config.get("hidden_act")
    if known or activation is None:
        return known or "not known"
    if activation != "gelu":
        return f"none, hidden_act is {activation}"
    family = FAMILIES[facts["family"]]
    if facts["imported"]:
        return "erf, as Hugging Face's gelu is"
    return f"not known; taken as {family.gelu}, {family.why}"


def _heads(heads: Mapping[str, Any]) -> Iterator[str]:
    """Each head with its kind and what tells it; those of no known kind with the reason."""
    for head in heads["found"]:
        labels = f" of {number_of(head['labels'], 'column')}"
        assumed = ", which is assumed" if head["assumed"] else ""
        yield f"{head['kind']}{labels} ({head['weights']}{assumed}): {head['why']}"
    for head in heads["refused"]:
        yield f"none of {head['weights']}: {head['why'].rstrip('.')}"
