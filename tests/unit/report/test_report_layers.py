"""Graphs laid out, and a model's jobs folded."""

from __future__ import annotations

import json
from graphlib import TopologicalSorter

import run_logs
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.report.html.graph import folded, model_graph
from bertbuild.report.html.layers import Grid, layout, reduced
from bertbuild.report.html.log import Log
from bertbuild.report.html.run import run_of

GRID = Grid()


@st.composite
def graphs(draw):
    """What each of some nodes needs: nodes before it."""
    nodes = [f"n{index}" for index in range(draw(st.integers(0, 14)))]
    return {
        node: draw(st.lists(st.sampled_from(nodes[:index]), max_size=4, unique=True)) if index else []
        for index, node in enumerate(nodes)
    }


def reachable(graph):
    above = {}
    for node in TopologicalSorter(graph).static_order():
        above[node] = set(graph[node]).union(*(above[need] for need in graph[node]))
    return above


@given(graphs())
def test_a_reduced_graph_says_the_same_with_fewer_edges(graph):
    less = reduced(graph)
    assert reachable(less) == reachable(graph)
    for node, needs in less.items():  # no edge is left that another path implies
        without = {**less, node: []}
        for need in needs:
            without[node] = [other for other in needs if other != need]
            assert need not in reachable(without)[node]


@given(graphs())
def test_nodes_stand_apart_and_edges_go_from_left_to_right(graph):
    graph = reduced(graph)
    placed = layout(graph, GRID)
    assert set(placed.nodes) == set(graph)
    assert set(placed.edges) == {(need, node) for node in graph for need in graph[node]}
    corners = list(placed.nodes.values())
    for x, y in corners:
        assert 0 <= x <= placed.width - GRID.width
        assert -0.01 <= y <= placed.height - GRID.height + 0.01
        others = [other for other in corners if other != (x, y) and other[0] == x]
        assert all(abs(y - other) >= GRID.height + GRID.above - 0.01 for _, other in others)
    assert len(set(corners)) == len(corners)
    for points in placed.edges.values():
        across = [x for x, _ in points]
        assert across == sorted(across)
        assert all(-0.01 <= y <= placed.height + 0.01 for _, y in points)
    for (need, node), points in placed.edges.items():
        assert points[0] == (placed.nodes[need][0] + GRID.width, placed.nodes[need][1] + GRID.height / 2)
        assert points[-1] == (placed.nodes[node][0], placed.nodes[node][1] + GRID.height / 2)


def played(jobs):
    return run_of("played", Log(events=tuple(map(json.loads, run_logs.play("played", jobs)))))


def test_only_what_was_up_to_date_from_the_start_is_folded():
    jobs = [run_logs.environment("tf1"), run_logs.environment("openvino")]
    jobs += run_logs.model_jobs("m", ("ir-fp32", "ir-fp16"))
    for job in jobs:
        # The answers of an IR that was made again may be up to date: it is the same, bit by bit.
        if job.job in {"m", "m/import", "m/freeze", "m/reference", "m/ir-fp16-infer"}:
            job.state = "cached"
    run = played(jobs)
    nodes, needs = folded(run, "m")
    assert nodes["\0folded"].label == "4 jobs"
    assert nodes["\0folded"].title == "up to date: freeze, import, m, reference"
    assert {name for name, node in nodes.items() if "cached" in node.style} == {"\0folded", "m/ir-fp16-infer"}
    list(TopologicalSorter(needs).static_order())  # no circle
    assert needs["m/ir-fp32"] == ["\0folded"]
    assert "environment tf1" not in nodes  # it was made, and stood in nobody's way


def test_a_model_that_is_up_to_date_is_not_drawn():
    jobs = run_logs.model_jobs("m", ("ir-fp32",))
    for job in jobs:
        job.state = "cached"
    assert model_graph(played(jobs), "m") is None


def test_jobs_of_other_models_and_environments_that_failed_are_drawn():
    broken = run_logs.environment("tf2")
    broken.state, broken.message = "failed", "no network"
    jobs = [run_logs.environment("tf1"), broken, run_logs.environment("openvino")]
    jobs += run_logs.model_jobs("base", ("ir-fp32",)) + run_logs.model_jobs("tuned", ("ir-fp32", "hub"), base="base")
    run = played(jobs)
    nodes, needs = folded(run, "tuned")
    assert nodes["base/import"].style == "done foreign"
    assert needs["tuned"] == ["base/import"]
    assert nodes["environment tf2"].style == "failed foreign"
    assert nodes["tuned/hub"].title == "tuned/hub: skipped, because of environment tf2"
