"""What `inspect` shows people: the facts of a checkpoint, then what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bertbuild.plural import are, number_of


def inspection_tables(facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Table events for `Inspection.to_json()`: the summary, the tensors, the problems and warnings if there are any."""
    yield {"event": "table", "title": facts["prefix"], "columns": ["", ""], "rows": list(_summary(facts))}
    yield {
        "event": "table",
        "title": number_of(len(facts["tensors"]), "tensor"),
        "columns": ["name", "dtype", "shape", "crc32c"],
        "rows": [
            [tensor["name"], tensor["dtype"], "×".join(map(str, tensor["shape"])) or "scalar", tensor["crc32c"]]
            for tensor in facts["tensors"]
        ],
    }
    for kind in ("problems", "warnings"):
        if facts[kind]:
            yield {"event": "table", "title": kind, "columns": [""], "rows": [[text] for text in facts[kind]]}


def _summary(facts: Mapping[str, Any]) -> Iterator[list[str]]:
    encoder, graph = facts["encoder"], facts["graph"]
    yield ["files", ", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in facts["files"].items())]
    sizes = ("layers", "hidden", "attention_heads", "intermediate", "vocab", "positions", "token_types")
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
    return (
        "erf, as Hugging Face's gelu is" if facts["imported"] else "not known; taken as erf, the published graphs' form"
    )


def _heads(heads: Mapping[str, Any]) -> Iterator[str]:
    """Each head with its kind and what tells it; those of no known kind with the reason."""
    for head in heads["found"]:
        labels = f" of {number_of(head['labels'], 'column')}"
        assumed = ", which is assumed" if head["assumed"] else ""
        yield f"{head['kind']}{labels} ({head['weights']}{assumed}): {head['why']}"
    for head in heads["refused"]:
        yield f"none of {head['weights']}: {head['why'].rstrip('.')}"
