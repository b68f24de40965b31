"""Graphs with an operator that may not run: built where no output needs it, refused by name where one does."""

from __future__ import annotations

from pathlib import Path

import pytest
from graph_builder import node_message
from hostile_graphs import edited
from test_routes import published

from bertbuild.graph.wire import encode_bytes, fields

pytestmark = [pytest.mark.integration, pytest.mark.whole]

ASIDE = node_message("aside", "PyFunc")
NEEDED = {"bert/pooler/dense/Tanh": "PyFunc"}
"""It takes the place of what the output is computed by."""


def inner(meta_graph):
    """The GraphDef of a MetaGraphDef."""
    return next(meta_graph[part.start : part.end] for part in fields(meta_graph) if part.number == 2)


@pytest.mark.parametrize("converter", ["", "mo"])
def test_of_a_frozen_graph(bertbuild, tiny, tmp_path, converter):
    frozen = bertbuild.ok("freeze", "--checkpoint", tiny, "--output", "pooled").last["targets"][0]["path"]
    sound = (Path(frozen) / "inference_graph.pb").read_bytes()
    more = ("--converter", converter) if converter else ()
    (tmp_path / "aside.pb").write_bytes(sound + ASIDE)
    name = f"aside{converter}"
    built = bertbuild.ok("build-ir", "--frozen", tmp_path / "aside.pb", "--name", name, *more)
    assert built.verdict(f"ir-{converter}-fp32" if converter else "ir-fp32")["passed"]
    (tmp_path / "needed.pb").write_bytes(inner(edited(encode_bytes(2, sound), NEEDED)))
    outputs = ("--outputs", "bert/pooler/dense/Tanh:pooled_output", "--name", f"needed{converter}")
    error = bertbuild("build-ir", "--frozen", tmp_path / "needed.pb", *outputs, *more).last
    assert "PyFunc, which runs Python" in error["message"]
    assert "Traceback" not in error["details"]


@pytest.mark.parametrize("converter", ["", "mo"])
def test_of_the_meta_beside_a_checkpoint(bertbuild, tmp_path, tiny_weights, converter):
    folder = published(bertbuild, tmp_path, tiny_weights)
    meta = folder / "bert_model.ckpt.meta"
    sound = meta.read_bytes()
    more = ("--converter", converter) if converter else ()
    words = (
        "build-ir",
        "--checkpoint",
        folder,
        "--route",
        "static",
        "--output",
        "pooled",
        "--name",
        f"meta{converter}",
        *more,
    )
    meta.write_bytes(edited(sound, {}, ASIDE))
    built = bertbuild.ok(*words)
    assert built.verdict(f"ir-{converter}-static-fp32" if converter else "ir-static-fp32")["passed"]
