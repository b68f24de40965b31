"""SVG elements as escaped text, and axes."""

from __future__ import annotations

import math
from collections.abc import Iterable

from markupsafe import Markup, escape

from bertbuild.report.clean import clean
from bertbuild.report.html.words import short

Value = str | float | None


def tag(name: str, *children: str, **attributes: Value) -> Markup:
    """An element. Children that are not Markup are escaped, as are attributes; one that is None is left out.

    `class_` is the attribute class, `stroke_width` is stroke-width; numbers are written with one decimal at most.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(child if isinstance(child, Markup) else escape(clean(child)) for child in children)
    return Markup(f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>")  # noqa: S704 - escaped above


def join(parts: Iterable[str]) -> Markup:
    """Several elements in a row."""
    return Markup("").join(parts)


def picture(width: float, height: float, title: str, *children: str, role: str = "img", class_: str = "") -> Markup:
    """An <svg> of that many pixels; its title is its name for who cannot see it."""
    return tag(
        "svg",
        tag("title", title),
        *children,
        class_=class_ or None,
        role=role,
        viewBox=f"0 0 {_plain(width)} {_plain(height)}",
        width=width,
        height=height,
    )


def text_width(text: str, size: float) -> float:
    """Pixels that a text takes at most, about, in a font of that size without serifs."""
    return size * sum(
        0.35 if letter in "iIjl|.,:;'! " else 0.95 if letter in "mwMW@%" else 0.75 if letter.isupper() else 0.62
        for letter in text
    )


def fitted(text: str, pixels: float, size: float) -> str:
    """The text, cut with an ellipsis in its middle where it takes more pixels."""
    lengths = range(len(text), 0, -1)
    return next((cut for cut in (short(text, length) for length in lengths) if text_width(cut, size) <= pixels), "")


def _plain(value: str | float) -> str:
    return clean(value) if isinstance(value, str) else f"{round(value, 1):g}"


def decades(low: float, high: float) -> range:
    """The powers of ten from at or below `low` to at or above `high`; both above 0."""
    return range(math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9) + 1)


def round_ticks(high: float, count: int) -> list[float]:
    """Round values from 0 to `high`, some `count` of them, in steps of 1, 2 or 5."""
    if high <= 0:
        return [0.0]
    rough = high / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    return [step * index for index in range(int(high / step + 1e-9) + 1)]
