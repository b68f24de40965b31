"""Drawings of jobs: as read by people, by Graphviz and by Mermaid, whatever the names are."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bertbuild.report.graphs import MODEL, STAGE, TARGET, Node, draw


def node(job, *needs, kind=STAGE, model="m", name="", state="up to date"):
    return Node(job=job, kind=kind, model=model, name=name or job.removeprefix("m/"), state=state, needs=needs)


TUNED = [
    node("m", kind=MODEL),
    node("m/a", "m"),
    node("m/b", "m/a", state="may run"),
    node("m/t parity", "m/a", "m/b", kind=TARGET, name="target t", state="would run"),
    node("n/train", "m", model="n", name="train"),
    node("n", "n/train", kind=MODEL, model="n", name="n", state="trained first"),
    node("n/t", "n", kind=TARGET, model="n", name="target t", state="unknown"),
]


def test_text_is_a_tree_for_each_model():
    assert draw(TUNED, "text") == [
        "m",
        "└─ target t  would run",
        "   ├─ a      up to date",
        "   └─ b      may run",
        "      └─ a   as above",
        "n            trained first",
        "├─ train     up to date",
        "└─ target t  unknown",
    ]


def test_a_job_that_two_models_share_is_told_with_its_model():
    shared = [
        node("m", kind=MODEL),
        node("m/a", "m"),
        node("m/t", "m/a", kind=TARGET, name="target t"),
        node("n", kind=MODEL, model="n", name="n"),
        node("n/t", "m/a", kind=TARGET, model="n", name="target t"),
    ]
    assert draw(shared, "text")[-1] == "   └─ m/a    as above"


def test_dot_has_a_cluster_for_each_model_and_an_edge_for_each_need():
    lines = draw(TUNED, "dot")
    assert [line.strip() for line in lines if "label=" in line and "[" not in line] == ['label="m";', 'label="n";']
    assert [line.strip() for line in lines if "->" in line] == [
        '"m" -> "m/a";',
        '"m/a" -> "m/b";',
        '"m/a" -> "m/t parity";',
        '"m/b" -> "m/t parity";',
        '"m" -> "n/train";',
        '"n/train" -> "n";',
        '"n" -> "n/t";',
    ]
    assert '"m/b" [label="b\\nmay run", fillcolor="#fff3c4"];' in [line.strip() for line in lines]


def test_mermaid_has_a_subgraph_for_each_model_and_an_edge_for_each_need():
    lines = [line.strip() for line in draw(TUNED, "mermaid")]
    assert lines[0] == "flowchart LR"
    assert 'subgraph m1["n"]' in lines
    assert 'n2["b<br/>may run"]' in lines
    assert sum("-->" in line for line in lines) == 7


def test_of_nothing_a_drawing_without_anything_is_made():
    assert draw([], "text") == []
    assert draw([], "mermaid") == ["flowchart LR"]
    assert [line for line in draw([], "dot") if "->" in line or "subgraph" in line] == []


NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from('"\\\n#;<>[]{}&'), min_size=1)
DOT_LINE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^"\\])*')
MERMAID_NODE = re.compile(r'n\d+(?:\[|\(\[|\[\()"[^"<>\n]*<br/>[^"<>\n]*"(?:\]|\]\)|\)\])')


@given(name=NAMES, state=NAMES)
def test_whatever_the_names_are_strings_end_where_they_should(name, state):
    nodes = [node("m", kind=MODEL), node(name + "x", "m", name=name, state=state)]
    dot = draw(nodes, "dot")
    assert all("\n" not in line and DOT_LINE.fullmatch(line) for line in dot)
    drawn = [line.strip() for line in draw(nodes, "mermaid")]
    assert MERMAID_NODE.fullmatch(drawn[3])
    assert all("\n" not in line for line in drawn)
