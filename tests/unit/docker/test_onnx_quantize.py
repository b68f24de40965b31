"""docker/onnx's quantize: a bound on the metric, by stand-ins for a model and for ONNX's nodes."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace

import pytest

from bertbuild.project import ROOT

OURS = ("stage", "stages", "judges", "calibration", "metric", "guarded")


@pytest.fixture(scope="module")
def quantize():
    """The stage's module; nothing of it stays."""
    before = dict(sys.modules)
    paths = [str(ROOT / "docker" / part) for part in ("onnx", "common")]
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]
    sys.path[:0] = paths
    yield importlib.import_module("stages.quantize")
    del sys.path[: len(paths)]
    for name in set(sys.modules) - set(before):
        del sys.modules[name]
    sys.modules.update(before)


class Report:
    def __init__(self):
        self.facts, self.notes = {}, []

    def note(self, text):
        self.notes.append(text)


@pytest.mark.parametrize(("after", "is_refused"), [(0.8, False), (0.79, False), (0.75, True)])
def test_a_model_that_loses_more_than_it_may_is_refused(quantize, monkeypatch, after, is_refused):
    figures = {"fp32": 0.8, "int8": after}
    monkeypatch.setattr(quantize, "runner", lambda path: path)
    metric = SimpleNamespace(metric="accuracy", examples=range(100), of_run=figures.__getitem__)
    report = Report()
    if is_refused:
        with pytest.raises(Exception, match=r"0\.8000 in fp32, 0\.7500 in int8; it falls by more than 0\.01"):
            quantize.judge(metric, "fp32", "int8", 0.01, report)
    else:
        quantize.judge(metric, "fp32", "int8", 0.01, report)
    assert report.facts["accuracy"] == {
        "metric": "accuracy",
        "fp32": 0.8,
        "int8": after,
        "max_drop": 0.01,
        "examples": 100,
    }


def node(kind, inputs, output):
    return SimpleNamespace(op_type=kind, input=inputs, output=[output], name=output)


GRAPH = SimpleNamespace(
    initializer=[SimpleNamespace(name=name, dims=[7, 4]) for name in ("words", "types", "kernel", "head")],
    node=[
        node("Gather", ["words", "input_ids"], "embedded"),
        node("OneHot", ["segment_ids"], "hot"),
        node("MatMul", ["hot", "types"], "typed"),
        node("MatMul", ["embedded", "kernel"], "query"),
        node("MatMul", ["query", "typed"], "scores"),
        node("Gelu", ["query"], "grown"),
        node("MatMul", ["grown", "kernel"], "shrunk"),
        node("Transpose", ["head"], "turned"),
        node("MatMul", ["scores", "turned"], "last"),
        node("Identity", ["last"], "logits"),
    ],
    output=[SimpleNamespace(name="logits")],
)


@pytest.mark.parametrize(
    ("processors", "left"),
    [("any", ["last", "scores", "shrunk", "typed"]), ("vnni", ["last", "shrunk", "typed"])],
)
def test_what_stays_float32(quantize, processors, left):
    assert quantize.left_out(GRAPH, processors) == left
    assert quantize.vocab_size(GRAPH) == 7
