"""How many rows the tables of an IR have: a model.xml read, so that a program refuses what the runtime would not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

IDS, SEGMENTS = "input_ids", "segment_ids"
PASSING = ("Convert", "Reshape", "Unsqueeze", "Squeeze")
"""Layers behind which ids are still ids."""


def rows(path: Path) -> Mapping[str, int]:
    """Input → rows of the table that it picks from, of `IDS` and `SEGMENTS`; without those where that is not found.

    Args:
        path: of a model.xml.
    """
    root = ET.parse(path).getroot()  # noqa: S314 - of a stage of ours, hashed
    layers = {layer.get("id", ""): layer for layer in root.iterfind("layers/layer")}
    readers: dict[str, list[tuple[str, str]]] = {}
    for edge in root.iterfind("edges/edge"):
        readers.setdefault(edge.get("from-layer", ""), []).append((edge.get("to-layer", ""), edge.get("to-port", "")))
    inputs = {layer.get("name"): number for number, layer in layers.items() if layer.get("type") == "Parameter"}
    found = {role: next(_sizes(inputs[role], layers, readers), 0) for role in (IDS, SEGMENTS) if role in inputs}
    return {role: size for role, size in found.items() if size}


def _sizes(
    number: str, layers: Mapping[str, ET.Element], readers: Mapping[str, list[tuple[str, str]]]
) -> Iterator[int]:
    for reader, port in readers.get(number, ()):
        layer = layers[reader]
        kind = layer.get("type")
        if kind == "Gather" and port == "1":
            yield _dims(layer, "input")[0]
        elif kind == "OneHot" and port == "0":
            yield _dims(layer, "output")[-1]
        elif kind in PASSING and port == "0":
            yield from _sizes(reader, layers, readers)


def _dims(layer: ET.Element, side: str) -> list[int]:
    return [int(dim.text or 0) for dim in layer.iterfind(f"{side}/port[1]/dim")]
