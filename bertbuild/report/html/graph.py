"""A model's jobs as a graph from left to right, each with its state; what was up to date from the start is one node."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from bertbuild.plural import number_of
from bertbuild.report.html import words
from bertbuild.report.html.layers import Grid, Layout, Point, layout, reduced
from bertbuild.report.html.run import CACHED, Job, Run
from bertbuild.report.html.svg import fitted, picture, tag

GRID = Grid()
INSET, LABEL_SIZE, SECOND_SIZE = 8.0, 12.0, 11.0
"""Pixels: from a box to its words, and the sizes of these (page.css)."""
MARGIN = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A job, several that are folded into one, or one of another model that this one needs."""

    label: str
    second: str
    title: str
    style: str


def model_graph(run: Run, model: str) -> Markup | None:
    """The drawing of one model's jobs; None where all of them were up to date."""
    nodes, needs = folded(run, model)
    if all(node.style.endswith("folded") for node in nodes.values()):
        return None
    placed = layout(reduced(needs), GRID)
    title = f"The jobs of {model}, from left to right: {number_of(len(nodes), 'node')}"
    edges = [_edge(points) for points in placed.edges.values()]
    boxes = [_box(nodes[node], corner) for node, corner in placed.nodes.items()]
    return _framed(placed, title, [*edges, *boxes])


def folded(run: Run, model: str) -> tuple[dict[str, Node], dict[str, list[str]]]:
    """The nodes to draw, and what each needs.

    Jobs that were up to date, and all they came of too, are one node: nothing that ran leads to them, so that no circle
    can come of it. Environments are drawn where they stood in the way; jobs of other models where these need them.
    """
    own = {job.id: job for job in run.jobs.values() if job.model == model}
    settled = _settled(run, own.values())
    drawn = dict(own)
    for job in own.values():
        for other in (run.jobs[need] for need in job.needs if need in run.jobs and job.id not in settled):
            if other.kind != "environment" or other.state not in ("done", CACHED):
                drawn[other.id] = other
    name = {job_id: "\0folded" if job_id in settled else job_id for job_id in drawn}
    needs: dict[str, list[str]] = {name[job_id]: [] for job_id in drawn}
    for job in own.values():
        needs[name[job.id]] += [name[need] for need in job.needs if need in name and name[need] != name[job.id]]
    nodes = {job_id: _node(job, model) for job_id, job in drawn.items() if job_id not in settled}
    if settled:
        names = ", ".join(sorted(own[job_id].name for job_id in settled))
        nodes["\0folded"] = Node(
            label=f"{number_of(len(settled), 'job')}",
            second="= up to date",
            title=f"up to date: {names}",
            style="cached folded",
        )
    return nodes, needs


def _settled(run: Run, jobs: Iterable[Job]) -> set[str]:
    """Ids of the jobs that were up to date together with all they need."""
    known: dict[str, bool] = {}

    def settled(job: Job) -> bool:
        if job.id not in known:
            needs = [run.jobs[need] for need in job.needs if need in run.jobs]
            before = [need for need in needs if need.model == job.model]
            known[job.id] = job.state == CACHED and all(map(settled, before))
        return known[job.id]

    return {job.id for job in jobs if settled(job)}


def _node(job: Job, model: str) -> Node:
    foreign = "" if job.model == model else " foreign"
    name = job.name if job.model == model else job.id
    took = f" {words.seconds(job.seconds)}" if job.ran else ""
    state = "up to date" if job.state == CACHED else job.state
    because = f", because of {job.because}" if job.because else ""
    return Node(
        label=name,
        second=f"{words.sign(job.state)} {state}{took}",
        title=f"{job.id}: {state}{took}{because}",
        style=f"{words.css(job.state)}{foreign}",
    )


def _framed(placed: Layout, title: str, children: list[Markup]) -> Markup:
    inner = tag("g", *children, transform=f"translate({MARGIN:g} {MARGIN:g})")
    return picture(placed.width + 2 * MARGIN, placed.height + 2 * MARGIN, title, inner, class_="graph")


def _box(node: Node, corner: Point) -> Markup:
    x, y = corner
    return tag(
        "g",
        tag("title", node.title),
        tag("rect", x=x, y=y, width=GRID.width, height=GRID.height, rx=4),
        tag("text", fitted(node.label, GRID.width - 2 * INSET, LABEL_SIZE), x=x + INSET, y=y + 17),
        tag("text", fitted(node.second, GRID.width - 2 * INSET, SECOND_SIZE), class_="second", x=x + INSET, y=y + 32),
        class_=f"node {node.style}",
    )


def _edge(points: list[Point]) -> Markup:
    """A line through its points: curved between two layers, straight where it passes one."""
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for index, ((x1, y1), (x2, y2)) in enumerate(itertools.pairwise(points)):
        if index % 2 == 1 or y1 == y2:
            path.append(f"L{x2:.1f} {y2:.1f}")
        else:
            middle = (x1 + x2) / 2
            path.append(f"C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}")
    return tag("path", class_="edge", d="".join(path))
