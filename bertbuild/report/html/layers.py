"""A graph laid out from left to right: layers, an order with few crossings, straight lines where they can be. Pure.

The steps are Sugiyama's: layers by the longest path, stand-ins where an edge passes a layer, barycentres for the order,
and heights that are as near to the neighbours' as the order allows.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

Graph = Mapping[str, Sequence[str]]
"""What each node needs."""
Point = tuple[float, float]

SWEEPS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Sizes in pixels: nodes, and what is free between two of a layer and between two layers."""

    width: float = 146
    height: float = 40
    above: float = 14
    beside: float = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where all is: nodes by their upper left corner, edges by the points they pass from the left to the right."""

    width: float
    height: float
    nodes: dict[str, Point]
    edges: dict[tuple[str, str], list[Point]]


def reduced(graph: Graph) -> dict[str, list[str]]:
    """The same graph without needs that others imply, and without nodes that it does not have."""
    needs = {node: [need for need in dict.fromkeys(graph[node]) if need in graph] for node in graph}
    above: dict[str, set[str]] = {}
    for node in TopologicalSorter(needs).static_order():
        above[node] = set(needs[node]).union(*(above[need] for need in needs[node]))
    return {
        node: [need for need in found if not any(need in above[other] for other in found)]
        for node, found in needs.items()
    }


def layout(graph: Graph, grid: Grid) -> Layout:
    """Lay out a reduced graph."""
    if not graph:
        return Layout(width=0, height=0, nodes={}, edges={})
    layer: dict[str, int] = {}
    for node in TopologicalSorter(graph).static_order():
        layer[node] = 1 + max((layer[need] for need in graph[node]), default=-1)
    paths = {(need, node): _path(need, node, layer) for node in graph for need in graph[node]}
    columns: list[list[str]] = [[] for _ in range(1 + max(layer.values()))]
    for name in layer:
        columns[layer[name]].append(name)
    left, right = _neighbours(paths)
    _order(columns, left, right)
    middles = _heights(columns, left, right, graph, grid)
    halves = {name: grid.height / 2 if name in graph else 0.0 for name in layer}
    top = min(middles[name] - halves[name] for name in layer)
    across = grid.width + grid.beside

    def place(name: str) -> Point:
        return layer[name] * across, middles[name] - top

    nodes = {node: (place(node)[0], place(node)[1] - grid.height / 2) for node in graph}
    edges = {}
    for (need, node), between in paths.items():
        start = (place(need)[0] + grid.width, place(need)[1])
        inner = [point for name in between for point in _through(place(name), grid)]
        edges[need, node] = [start, *inner, place(node)]
    return Layout(
        width=len(columns) * across - grid.beside,
        height=max(middles[name] + halves[name] for name in layer) - top,
        nodes=nodes,
        edges=edges,
    )


def _path(need: str, node: str, layer: dict[str, int]) -> list[str]:
    """Stand-ins of an edge in the layers that it passes; they are added to `layer`."""
    names = []
    for between in range(layer[need] + 1, layer[node]):
        names.append(f"{need}\0{node}\0{between}")
        layer[names[-1]] = between
    return names


def _through(point: Point, grid: Grid) -> list[Point]:
    return [point, (point[0] + grid.width, point[1])]


def _neighbours(paths: Mapping[tuple[str, str], list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    left: dict[str, list[str]] = {}
    right: dict[str, list[str]] = {}
    for (need, node), between in paths.items():
        chain = [need, *between, node]
        for one, next_ in itertools.pairwise(chain):
            right.setdefault(one, []).append(next_)
            left.setdefault(next_, []).append(one)
    return left, right


def _order(columns: list[list[str]], left: dict[str, list[str]], right: dict[str, list[str]]) -> None:
    """Sort each layer by the mean place of its neighbours, from the left and from the right in turn."""
    for sweep in range(SWEEPS):
        beside = left if sweep % 2 == 0 else right
        ordered = columns if sweep % 2 == 0 else columns[::-1]
        for before, column in itertools.pairwise(ordered):
            place = {name: index for index, name in enumerate(before)}
            mean = {
                name: sum(place[other] for other in beside[name]) / len(beside[name]) if name in beside else index
                for index, name in enumerate(column)
            }
            column.sort(key=lambda name: mean[name])


def _heights(
    columns: list[list[str]], left: dict[str, list[str]], right: dict[str, list[str]], graph: Graph, grid: Grid
) -> dict[str, float]:
    """The middle of each node: near those of its neighbours, in the layer's order, and apart from the next."""
    size = {name: grid.height if name in graph else 0.0 for column in columns for name in column}
    middles = {name: index * (grid.height + grid.above) for column in columns for index, name in enumerate(column)}
    for sweep in range(SWEEPS):
        beside = left if sweep % 2 == 0 else right
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            wanted = []
            for name in column:
                near = beside.get(name) or [name]
                wanted.append(sum(middles[other] for other in near) / len(near))
            gaps = [(size[one] + size[next_]) / 2 + grid.above for one, next_ in itertools.pairwise(column)]
            middles.update(zip(column, _apart(wanted, gaps), strict=True))
    return middles


def _apart(wanted: list[float], gaps: list[float]) -> list[float]:
    """Values as near to the wanted ones as can be (least squares), each above the one before by at least its gap.

    Pool adjacent violators: what would overlap is moved as one block to its mean.
    """
    offsets = [sum(gaps[:index]) for index in range(len(wanted))]
    blocks: list[tuple[float, int]] = []
    for value, offset in zip(wanted, offsets, strict=True):
        total, count = value - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            total, count = total + blocks[-1][0], count + blocks[-1][1]
            blocks.pop()
        blocks.append((total, count))
    levels = [total / count for total, count in blocks for _ in range(count)]
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]
