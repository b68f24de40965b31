"""The loss of a training over its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from bertbuild.report.html.run import number
from bertbuild.report.html.svg import picture, round_ticks, tag

WIDTH, HEIGHT = 620.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 12.0, 12.0, 36.0
MOST_POINTS = 600


def losses(events: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """(step, loss) of each event that has both, both finite."""
    pairs = ((number(event.get("step")), number(event.get("loss"))) for event in events)
    return [(step, loss) for step, loss in pairs if step is not None and loss is not None]


def loss_plot(events: Sequence[Mapping[str, Any]], job: str) -> Markup | None:
    """The curve; None where fewer than two losses were told."""
    course = losses(events)
    if len(course) < 2:
        return None
    shown = course[:: -(-len(course) // MOST_POINTS)]
    first, last = min(step for step, _ in course), max(step for step, _ in course)
    highest = max(loss for _, loss in course)

    def x(step: float) -> float:
        return LEFT + (step - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT)

    def y(loss: float) -> float:
        return HEIGHT - BOTTOM - max(0.0, loss) / (highest or 1) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for loss in round_ticks(highest, 4):
        parts.append(tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y(loss), y2=y(loss)))
        parts.append(tag("text", f"{loss:g}", class_="tick", x=LEFT - 6, y=y(loss) + 4, text_anchor="end"))
    parts += [
        tag("text", f"{step:g}", class_="tick", x=x(step), y=HEIGHT - 20, text_anchor="middle")
        for step in round_ticks(last, 6)
        if step >= first
    ]
    parts.append(tag("text", "step", class_="tick", x=(LEFT + WIDTH) / 2, y=HEIGHT - 4, text_anchor="middle"))
    points = " ".join(f"{x(step):.1f},{y(loss):.1f}" for step, loss in shown)
    title = f"Loss of {job}: {course[0][1]:.3g} at step {course[0][0]:g}, {course[-1][1]:.3g} at step {course[-1][0]:g}"
    return picture(WIDTH, HEIGHT, title, *parts, tag("polyline", class_="course", points=points), class_="plot")
