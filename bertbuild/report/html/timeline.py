"""The run's jobs as bars over time, a lane for each running slot, in as many strips as it takes to read them."""

from __future__ import annotations

import math

from markupsafe import Markup

from bertbuild.report.html import words
from bertbuild.report.html.run import Run
from bertbuild.report.html.schedule import WAIT, Passage
from bertbuild.report.html.svg import join, picture, round_ticks, tag, text_width

WIDTH, LEFT, LANE, BAR, AXIS = 1000.0, 46.0, 30.0, 24.0, 20.0
NEAT = 30
"""Pixels that a bar gets in the mean."""
MOST_STRIPS = 12
MOST_LINKED = 40
"""Bars up to which lines from need to job help more than they hide."""
LONGEST_NAME = 7
"""Letters of a lane's name that there is room for."""
LETTER_SIZE = 11.0
"""Pixels: of the letters of a bar's name (page.css)."""


def timeline(run: Run, ran: list[Passage]) -> list[Markup]:
    """Strips of the run, one after the other; none where nothing ran."""
    if not ran or run.wall <= 0:
        return []
    lanes = 1 + max(passage.lane for passage in ran)
    strips = min(MOST_STRIPS, max(1, math.ceil(len(ran) / lanes * NEAT / WIDTH)))
    span = run.wall / strips
    return [_strip(run, ran, lanes, number, span) for number in range(strips)]


def told(passage: Passage) -> str:
    """One bar in words, as the line below the picture says them."""
    job = passage.job
    ran = f"ran {words.seconds(job.seconds)} from {words.seconds(job.began)} in {passage.slot}"
    since = f"when {passage.last_need} ended" if passage.last_need else "needing nothing before it"
    parts = [f"{passage.number}. {job.id}: {job.state}, {ran}", f"ready at {words.seconds(passage.ready)}, {since}"]
    if passage.freed_by:
        reason = {"slot": " for a slot", "memory": " for memory"}.get(passage.reason, "")
        parts.append(f"waited {words.seconds(passage.waited)}{reason}, until {passage.freed_by} ended")
    elif passage.waited > WAIT:
        parts.append(f"waited {words.seconds(passage.waited)}")
    if passage.critical:
        parts.append("on the critical path")
    return "; ".join(parts) + "."


class _Scale:
    """Seconds to pixels, within one strip."""

    def __init__(self, start: float, span: float) -> None:
        self.start, self.end = start, start + span
        self._pixels = (WIDTH - LEFT - 8) / span

    def at(self, second: float) -> float:
        return LEFT + (min(max(second, self.start), self.end) - self.start) * self._pixels


def _strip(run: Run, ran: list[Passage], lanes: int, number: int, span: float) -> Markup:
    scale = _Scale(number * span, span)
    shown = [
        passage
        for passage in ran
        if (passage.job.began or 0.0) <= scale.end and (passage.job.ended or 0.0) >= scale.start
    ]
    bottom = lanes * LANE
    ticks = [second for second in round_ticks(run.wall, 8 * math.ceil(run.wall / span)) if _within(second, scale)]
    axis = [
        tag("line", class_="grid", x1=scale.at(second), x2=scale.at(second), y1=0, y2=bottom) for second in ticks
    ] + [
        tag("text", f"{second:g} s", class_="tick", x=scale.at(second), y=bottom + 14, text_anchor="middle")
        for second in ticks
    ]
    called = {passage.lane: passage.slot for passage in ran}
    names = [_slot(called.get(lane, f"slot {lane + 1}"), lane) for lane in range(lanes)]
    links = _links(ran, scale) if span >= run.wall and len(ran) <= MOST_LINKED else []
    title = f"Jobs from {words.seconds(scale.start)} to {words.seconds(scale.end)}; the table below says the same"
    bars = [_bar(passage, scale) for passage in shown]
    return picture(WIDTH, bottom + AXIS, title, *axis, *names, *links, *bars, role="group", class_="timeline")


def _within(second: float, scale: _Scale) -> bool:
    return scale.start <= second < scale.end - (scale.end - scale.start) * 0.02


def _slot(called: str, lane: int) -> Markup:
    """The name of a lane; that of a worker's slot, shortened to the worker's, has its whole name as a title."""
    short = called.partition(" of ")[2] or called
    shown = short if len(short) <= LONGEST_NAME else f"{short[: LONGEST_NAME - 1]}…"
    return tag("text", tag("title", called), shown, class_="tick", x=0, y=lane * LANE + 19)


def _bar(passage: Passage, scale: _Scale) -> Markup:
    job = passage.job
    x = scale.at(job.began or 0.0)
    width = max(1.5, scale.at(job.ended or 0.0) - x)
    y = passage.lane * LANE + (LANE - BAR) / 2
    parts = [tag("rect", x=x, y=y, width=width, height=BAR, rx=2)]
    label = _label(passage, width)
    if label:
        parts.append(tag("text", label, x=x + 4, y=y + 16))
    if passage.critical:
        parts.append(tag("line", class_="critical", x1=x, x2=x + width, y1=y + BAR + 1.5, y2=y + BAR + 1.5))
    return tag(
        "a",
        tag("title", told(passage)),
        *parts,
        class_=f"bar {job.kind} {words.css(job.state)}",
        href=f"#job-{passage.number}",
        data_need=passage.last_need or None,
        data_freed=passage.freed_by or None,
        data_job=job.id,
    )


def _label(passage: Passage, width: float) -> str:
    """The longest of its names that fits into the bar."""
    sign = "" if passage.job.state == "done" else f"{words.sign(passage.job.state)} "
    for name in (passage.job.id, passage.job.name.removeprefix("environment "), str(passage.number)):
        if text_width(sign + name, LETTER_SIZE) + 6 <= width:
            return sign + name
    return ""


def _links(ran: list[Passage], scale: _Scale) -> list[Markup]:
    """A line from the end of the need that each job waited for last to its beginning."""
    by_id = {passage.job.id: passage for passage in ran}
    drawn = []
    for passage in ran:
        need = by_id.get(passage.last_need)
        if need is None or need.lane == passage.lane:
            continue
        x1, y1 = scale.at(need.job.ended or 0.0), need.lane * LANE + LANE / 2
        x2, y2 = scale.at(passage.job.began or 0.0), passage.lane * LANE + LANE / 2
        bend = (x2 - x1) / 2
        drawn.append(
            tag(
                "path",
                class_="link",
                d=f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}",
            )
        )
    return [join(drawn)] if drawn else []
