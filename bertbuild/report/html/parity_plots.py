"""How far a target's answers are from its source's, drawn on logarithmic scales with the limit as a line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from bertbuild.gate.parity import Row, Verdict
from bertbuild.plural import number_of
from bertbuild.report.html.run import number
from bertbuild.report.html.svg import decades, picture, tag

LAYER = re.compile(r"layer_(\d+)_output")
LOWEST, HIGHEST = -3.0, 1.0
"""Decades of error ÷ limit that the small plots show, all of them the same, so that they can be compared."""
SMALL = (112.0, 30.0)
STRIP = (150.0, 16.0)
LARGE = (620.0, 250.0)
LEFT, RIGHT, TOP, BOTTOM = 56.0, 168.0, 14.0, 34.0
MARKS = ("circle", "square", "triangle", "diamond", "plus", "cross")


def readable_verdict(event: Mapping[str, Any] | None) -> Verdict | None:
    """The verdict in an event or a record; None where there is none, or none that this version can read."""
    if event is None:
        return None
    try:
        verdict = Verdict.from_json(event)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    sound = all(number(row.limit) and row.limit > 0 and isinstance(row.max_abs, (int, float)) for row in verdict.rows)
    return verdict if verdict.rows and sound else None


def ratio(row: Row) -> float:
    """Error ÷ limit: above 1 it fails."""
    return row.max_abs / row.limit


def layer_of(row: Row) -> int | None:
    """Which layer's output a row compares, None where it is not a layer's."""
    found = LAYER.fullmatch(row.output)
    return int(found[1]) if found else None


def probe_plot(verdict: Verdict) -> Markup:
    """A dot for each probe: its worst error ÷ limit."""
    worst: dict[str, Row] = {}
    for row in verdict.rows:
        if row.probe not in worst or _rank(row) > _rank(worst[row.probe]):
            worst[row.probe] = row
    words = "; ".join(f"{probe} {_times(row)}" for probe, row in worst.items())
    return _small(f"Worst error of each probe as a part of its limit: {words}", list(worst.values()), line=False)


def layer_plot(verdict: Verdict) -> Markup | None:
    """A line over the layers: the worst error ÷ limit of each; None where no layers were compared."""
    worst: dict[int, Row] = {}
    for row in verdict.rows:
        layer = layer_of(row)
        if layer is not None and (layer not in worst or _rank(row) > _rank(worst[layer])):
            worst[layer] = row
    if len(worst) < 2:
        return None
    words = "; ".join(f"layer {layer} {_times(row)}" for layer, row in sorted(worst.items()))
    rows = [row for _, row in sorted(worst.items())]
    return _small(f"Worst error of each layer as a part of its limit: {words}", rows, line=True)


def row_strip(row: Row) -> Markup:
    """One row's error ÷ limit as a dot on the scale that all rows share."""
    width, height = STRIP
    x = 4 + _share(row) * (width - 8)
    return tag(
        "svg",
        tag("use", href="#strip"),
        _mark("circle" if row.passed else "cross", x, height / 2, row),
        class_="strip",
        viewBox=f"0 0 {width:g} {height:g}",
        aria_hidden="true",
    )


def strip_scale() -> Markup:
    """What all strips show and the page has once: the line that a dot is on, and the limit."""
    width, height = STRIP
    limit = 4 + -LOWEST / (HIGHEST - LOWEST) * (width - 8)
    line = tag("line", class_="grid", x1=4, x2=width - 4, y1=height / 2, y2=height / 2)
    lines = tag("g", line, tag("line", class_="limit", x1=limit, x2=limit, y1=0, y2=height), id="strip")
    return tag("svg", tag("defs", lines), class_="hidden", width=0, height=0, aria_hidden="true")


def layers_plot(verdict: Verdict) -> Markup | None:
    """The error of each layer, a series for each probe, in absolute figures; None where no layers were compared."""
    series: dict[str, list[tuple[int, Row]]] = {}
    for row in verdict.rows:
        layer = layer_of(row)
        if layer is not None:
            series.setdefault(row.probe, []).append((layer, row))
    rows = [row for pairs in series.values() for _, row in pairs]
    layers = sorted({layer for pairs in series.values() for layer, _ in pairs})
    if len(layers) < 2:
        return None
    scale = _Absolute(rows, layers)
    lines = [
        _series(index, probe, sorted(pairs, key=lambda pair: pair[0]), scale)
        for index, (probe, pairs) in enumerate(series.items())
    ]
    title = (
        f"Largest absolute error of layers {layers[0]} to {layers[-1]}, one series for each of "
        f"{number_of(len(series), 'probe')}"
    )
    return picture(*LARGE, title, *scale.frame(), *lines, class_="plot")


def _small(title: str, rows: Sequence[Row], *, line: bool) -> Markup:
    width, height = SMALL
    step = (width - 16) / max(1, len(rows) - 1)
    points = [
        (8 + index * step if len(rows) > 1 else width / 2, 4 + (1 - _share(row)) * (height - 8), row)
        for index, row in enumerate(rows)
    ]
    limit = 4 + (1 - -LOWEST / (HIGHEST - LOWEST)) * (height - 8)
    parts = [tag("line", class_="limit", x1=0, x2=width, y1=limit, y2=limit)]
    if line:
        parts.append(tag("polyline", class_="course", points=" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)))
    parts += [_mark("circle" if row.passed else "cross", x, y, row, size=2.5) for x, y, row in points]
    return picture(width, height, title, *parts, class_="small")


class _Absolute:
    """Absolute errors on a logarithmic axis; 0 has a line of its own below the lowest decade."""

    def __init__(self, rows: Sequence[Row], layers: Sequence[int]) -> None:
        known = [row.max_abs for row in rows if 0 < row.max_abs < math.inf]
        limits = {row.limit for row in rows}
        self._decades = decades(min([*known, *limits]), max([*known, *limits]))
        self._limits, self._layers = limits, layers
        self._zero = any(row.max_abs == 0 for row in rows)

    def y(self, value: float) -> float:
        """The pixel of an error; what is infinite is at the top."""
        low, high = self._decades[0] - int(self._zero), self._decades[-1]
        power = low if value == 0 else min(high, math.log10(value)) if value < math.inf else high
        return TOP + (high - power) / max(1, high - low) * (LARGE[1] - TOP - BOTTOM)

    def x(self, layer: int) -> float:
        first, last = self._layers[0], self._layers[-1]
        return LEFT + 8 + (layer - first) / (last - first) * (LARGE[0] - LEFT - RIGHT - 16)

    def frame(self) -> list[Markup]:
        """Grid, numbers, limit."""
        right = LARGE[0] - RIGHT
        ticks = [(f"1e{power:+03d}", self.y(10.0**power)) for power in self._decades]
        ticks += [("0", self.y(0))] if self._zero else []
        parts = [tag("line", class_="grid", x1=LEFT, x2=right, y1=y, y2=y) for _, y in ticks]
        parts += [tag("text", words, class_="tick", x=LEFT - 6, y=y + 4, text_anchor="end") for words, y in ticks]
        for limit in sorted(self._limits):
            parts.append(tag("line", class_="limit", x1=LEFT, x2=right, y1=self.y(limit), y2=self.y(limit)))
            words = f"limit {limit:.0e}"
            parts.append(tag("text", words, class_="tick", x=right - 4, y=self.y(limit) - 4, text_anchor="end"))
        bottom = LARGE[1] - BOTTOM
        every = max(1, len(self._layers) // 12)
        parts += [
            tag("text", str(layer), class_="tick", x=self.x(layer), y=bottom + 15, text_anchor="middle")
            for layer in self._layers[::every]
        ]
        middle = (LEFT + right) / 2
        return [*parts, tag("text", "layer", class_="tick", x=middle, y=LARGE[1] - 4, text_anchor="middle")]


def _series(index: int, probe: str, pairs: Sequence[tuple[int, Row]], scale: _Absolute) -> Markup:
    mark = MARKS[index % len(MARKS)]
    points = [(scale.x(layer), scale.y(row.max_abs), row) for layer, row in pairs]
    key_x, key_y = LARGE[0] - RIGHT + 14, TOP + 10 + index * 18
    return tag(
        "g",
        tag("title", probe),
        tag("polyline", class_="course", points=" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)),
        *(_mark(mark, x, y, row) for x, y, row in points),
        _mark(mark, key_x, key_y),
        tag("text", probe, class_="tick", x=key_x + 10, y=key_y + 4),
        class_=f"series s{index % len(MARKS)}",
    )


def _mark(shape: str, x: float, y: float, row: Row | None = None, size: float = 3.5) -> Markup:
    """A point of a row: hollow where nothing differs at all, since a logarithmic scale has no place for that."""
    style = "mark"
    if row is not None:
        style += " beyond" if not row.passed else " equal" if row.max_abs == 0 else ""
    if shape == "circle":
        return tag("circle", class_=style, cx=x, cy=y, r=size)
    s = size
    outlines = {
        "square": f"M{-s:g} {-s:g}h{2 * s:g}v{2 * s:g}h{-2 * s:g}z",
        "triangle": f"M0 {-s:g}L{s:g} {s:g}H{-s:g}z",
        "diamond": f"M0 {-s - 1:g}L{s + 1:g} 0L0 {s + 1:g}L{-s - 1:g} 0z",
        "plus": f"M{-s:g} 0H{s:g}M0 {-s:g}V{s:g}",
        "cross": f"M{-s:g} {-s:g}L{s:g} {s:g}M{-s:g} {s:g}L{s:g} {-s:g}",
    }
    return tag("path", class_=style, d=outlines[shape], transform=f"translate({x:.1f} {y:.1f})")


def _share(row: Row) -> float:
    """Where error ÷ limit lies on the common scale: 0 at its low end, 1 at its high end."""
    part = ratio(row)
    power = LOWEST if part <= 0 else math.log10(part) if part < math.inf else HIGHEST
    return (min(max(power, LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST)


def _rank(row: Row) -> tuple[bool, float]:
    return not row.passed, ratio(row)


def _times(row: Row) -> str:
    return row.reason or f"{ratio(row):.2g}{'' if row.passed else ' (fails)'}"
