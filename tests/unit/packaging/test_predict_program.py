"""predict.py of a plain package: at most 25 lines, and what it prints, by stand-ins for OpenVINO and for tokenizers."""

from __future__ import annotations

import runpy
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from packed_target import OUTPUTS, WORDS, signature, target_files, text_facts, verdict

from bertbuild.graph.wire import encode_bytes, encode_number, encode_varint
from bertbuild.packaging import ir_tables, onnx_tables, plain
from bertbuild.packaging.licences import PACKAGES
from bertbuild.packaging.packed import Packed
from bertbuild.packaging.program import program, reads_text
from bertbuild.project import ROOT

MOST = 25


class Port(str):
    """The name of an output."""

    __slots__ = ()
    any_name = property(str)


class Core:
    """A stand-in for openvino.Core: its model gives `given`, and keeps what it was asked."""

    given: ClassVar[dict] = {}
    asked: ClassVar[dict] = {}

    def compile_model(self, path, *_):
        assert path.is_file(), path
        if "tokenizer" in path.name:
            return lambda texts: {Port("input_ids"): [list(texts.values())]}

        def model(asked):
            Core.asked = {name: np.array(value).tolist() for name, value in asked.items()}
            return {Port(name): np.array(value, np.float32) for name, value in Core.given.items()}

        return model


class InferenceSession:
    """A stand-in for onnxruntime's: likewise."""

    def __init__(self, path, providers):
        assert path.is_file(), path
        assert providers == ["CPUExecutionProvider"]

    def get_outputs(self):
        return [SimpleNamespace(name=name) for name in Core.given]

    def run(self, names, asked):
        assert names is None
        Core.asked = {name: value.tolist() for name, value in asked.items()}
        return [np.array(value, np.float32) for value in Core.given.values()]


class Tokenizer:
    """A stand-in for tokenizers.Tokenizer: a word of the vocabulary is a piece."""

    length = 0
    before = 0
    """Characters that a piece begins with in front of its word."""

    @classmethod
    def from_file(cls, _path):
        return cls()

    def enable_truncation(self, *_, **_more):
        pass

    def enable_padding(self, length):
        self.length = length

    def add_special_tokens(self, _words):
        pass

    def id_to_token(self, number):
        return WORDS[number]

    def encode(self, text, pair=None, *, is_pretokenized=False):
        words = text if is_pretokenized else text.split()
        more = pair.split() if pair else []
        self.tokens = ["[CLS]", *words, "[SEP]", *more]
        self.tokens += ["[PAD]"] * (self.length - len(self.tokens))
        self.ids = [WORDS.index(word) for word in self.tokens]
        self.attention_mask = [int(word != "[PAD]") for word in self.tokens]
        self.type_ids = [0] * len(self.ids)
        self.word_ids = [None, *range(len(words)), None]
        self.sequence_ids = [None] + [0] * len(words) + [None] + [1] * len(more)
        ends = [len(" ".join(more[: n + 1])) for n in range(len(more))]
        spans = [(max(end - len(word) - self.before, 0), end) for word, end in zip(more, ends, strict=True)]
        self.offsets = [(0, 0)] * (len(words) + 2) + spans
        return self


@pytest.fixture(params=["ir", "onnx"])
def kind(request):
    return request.param


@pytest.fixture
def packed(tmp_path, kind):
    def make(head="classifier", *, labels=("no", "yes"), files=(), kind=kind, **more):
        for name, text in target_files(kind, head, labels=labels, **more).items():
            (tmp_path / name).write_text(text)
        if kind == "onnx":
            (tmp_path / "model.onnx").write_bytes(onnx_model(len(WORDS)))
        for name in files:
            (tmp_path / name).write_text(name)
        known = {"text": text_facts(head, labels), "signature": signature(kind, head, **more)}
        return Packed(model="mine", target="t", kind=kind, folder=tmp_path, verdict=verdict(), **known)

    return make


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the program of a target over stand-ins; what it prints, and what the model was asked."""

    def told(target, answers, *texts):
        stand_ins = {"openvino": {"Core": Core}, "openvino_tokenizers": {}, "tokenizers": {"Tokenizer": Tokenizer}}
        stand_ins["onnxruntime"] = {"InferenceSession": InferenceSession}
        for name, content in stand_ins.items():
            monkeypatch.setitem(sys.modules, name, SimpleNamespace(**content))
        monkeypatch.setattr(sys, "argv", ["predict.py", *texts])
        monkeypatch.setattr(Core, "given", answers)
        (tmp_path / "predict.py").write_text(program(target))
        runpy.run_path(str(tmp_path / "predict.py"))
        return capsys.readouterr().out.splitlines(), Core.asked

    return told


@pytest.mark.parametrize(
    ("head", "answers", "texts", "lines"),
    [
        ("classifier", {"probabilities": [[0.25, 0.75]]}, ("good film",), ["yes 0.7500"]),
        ("multi-label", {"probabilities": [[0.75, 0.25]]}, ("good film",), ["no 0.7500"]),
        ("regression", {"score": [2.5]}, ("good film",), ["2.5000"]),
        ("tokens", {"probabilities": [[[1, 0], [0, 1], [1, 0], [0, 1]]]}, ("good film",), ["good yes", "film no"]),
        (
            "span",
            {"start_logits": [[9, 9, 9, 0, 1, 0]], "end_logits": [[9, 9, 9, 0, 0, 1]]},
            ("good", "bad film film"),
            ["film film"],
        ),
        (
            "masked-lm",
            {"masked_lm_logits": [[[0] * 8, [*range(8)], [0] * 8]]},
            ("[MASK]",),
            ["film bad good [MASK] [SEP]"],
        ),
        ("next-sentence", {"next_sentence_logits": [[0, 100]]}, ("good", "bad"), ["does not follow 1.0000"]),
        ("", {"pooled_output": [[0.5, 1]]}, ("good",), ["pooled_output [0.5, 1.0]"]),
    ],
)
def test_it_tells_the_answer_of_each_kind_of_head(packed, run, head, answers, texts, lines):
    target = packed(head)
    said, asked = run(target, answers, *texts)
    assert said == lines
    assert asked["input_ids"][0][0] == WORDS.index("[CLS]")
    assert len(program(target).splitlines()) <= MOST


@pytest.mark.parametrize("head", OUTPUTS)
@pytest.mark.parametrize("shape", [(-1, -1), (1, 12), (4, 12)])
def test_it_has_at_most_25_lines(packed, head, shape):
    assert len(program(packed(head, shape=shape)).splitlines()) <= MOST


def test_an_answer_is_told_without_the_space_that_its_first_piece_begins_with(packed, run, monkeypatch):
    monkeypatch.setattr(Tokenizer, "before", 1)
    answers = {"start_logits": [[0, 0, 0, 0, 9, 0]], "end_logits": [[0, 0, 0, 0, 9, 0]]}
    assert run(packed("span"), answers, "good", "bad film bad")[0] == ["film"]


def test_logits_become_shares(packed, run):
    target = packed(outputs={"logits": [-1, 2]})
    assert run(target, {"logits": [[0, 1.0986123]]}, "good")[0] == ["yes 0.7500"]
    target = packed("multi-label", outputs={"logits": [-1, 2]})
    assert run(target, {"logits": [[-1, 1.0986123]]}, "good")[0] == ["yes 0.7500"]
    assert len(program(target).splitlines()) <= MOST


def test_without_labels_a_class_has_its_number(packed, run):
    assert run(packed(labels=()), {"probabilities": [[0.25, 0.75]]}, "good")[0] == ["1 0.7500"]


def test_a_model_of_one_shape_is_asked_in_it(packed, run):
    _, asked = run(packed(shape=(2, 6)), {"probabilities": [[0.25, 0.75]] * 2}, "good film")
    assert asked["input_ids"] == [[2, 5, 7, 3, 0, 0]] * 2
    assert asked["input_mask"] == [[1, 1, 1, 1, 0, 0]] * 2


def test_models_that_read_text_are_asked_for_it(packed, run, tmp_path, monkeypatch):
    readers = ("text_model.xml", *plain.READERS)
    target = packed(files=readers, kind="ir")
    assert reads_text(target)
    said, asked = run(target, {"probabilities": [[0.25, 0.75]]}, "good", "bad")
    assert said == ["yes 0.7500"]
    assert asked == {"input_ids": [[["good"], ["bad"]]]}
    lock = tmp_path / "lock.txt"
    packages = {"numpy": "2.0", "openvino": "2026.4.1", "openvino-telemetry": "2025.2.0"}
    packages["openvino-tokenizers"] = "2026.4.1.0"
    lock.write_text("".join(f"{name}=={version} \\\n" for name, version in packages.items()))
    monkeypatch.setattr(plain, "lock_file", lambda _backend: lock)
    assert plain.requirements(target) == packages
    assert set(plain.READERS) <= plain.files(target).keys()


NET = """<net><layers>
<layer id="0" name="input_ids" type="Parameter"><output><port id="0"><dim>-1</dim></port></output></layer>
<layer id="1" name="segment_ids" type="Parameter"><output><port id="0"><dim>-1</dim></port></output></layer>
<layer id="2" name="c" type="Convert"><input><port id="0"/></input><output><port id="1"/></output></layer>
<layer id="3" name="g" type="Gather"><input><port id="0"><dim>7</dim><dim>4</dim></port><port id="1"/></input></layer>
<layer id="4" name="o" type="OneHot"><input><port id="0"/></input>
<output><port id="4"><dim>-1</dim><dim>2</dim></port></output></layer>
<layer id="5" name="s" type="ShapeOf"><input><port id="0"/></input></layer>
</layers><edges>
<edge from-layer="0" from-port="0" to-layer="5" to-port="0"/>
<edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>
<edge from-layer="2" from-port="1" to-layer="3" to-port="1"/>
<edge from-layer="1" from-port="0" to-layer="4" to-port="0"/>
</edges></net>"""
"""An IR with a table of seven words, one fewer than the vocabulary has, and one of two segments."""


def onnx_model(rows=7, *, stored=()):
    """An ONNX model with such tables; `stored`: operators that the table of words goes through first."""
    nodes, words = [], "words"
    for operator in stored:
        nodes.append((operator, [words, "scale"], [f"{words}'"]))
        words += "'"
    nodes.append(("Shape", ["input_ids"], ["sizes"]))
    nodes.append(("Gather", [words, "input_ids"], ["picked"]))
    nodes.append(("Gather", ["sizes", "input_mask"], ["other"]))
    nodes.append(("OneHot", ["segment_ids", "depth", "values"], ["marked"]))
    nodes.append(("MatMul", ["marked", "types"], ["added"]))
    graph = [encode_bytes(1, node_of(*node)) for node in nodes]
    graph += [encode_bytes(5, constant(*one)) for one in (("words", rows, 4), ("types", 2, 4), ("scale",))]
    return encode_number(1, 9) + encode_bytes(7, b"".join(graph))


def node_of(operator, inputs, outputs):
    given = [encode_bytes(1, name.encode()) for name in inputs]
    made = [encode_bytes(2, name.encode()) for name in outputs]
    return b"".join([*given, *made, encode_bytes(4, operator.encode())])


def constant(name, *dims, packed_dims=False):
    """A TensorProto of float32 zeros."""
    sizes = b"".join(encode_number(1, size) for size in dims)
    if packed_dims:
        sizes = encode_bytes(1, b"".join(map(encode_varint, dims)))
    return sizes + encode_number(2, 1) + encode_bytes(8, name.encode()) + encode_bytes(9, b"\0" * 4)


@pytest.mark.parametrize("stored", [(), ("DequantizeLinear",), ("DequantizeLinear", "Cast")])
def test_the_tables_of_an_onnx_model_are_found(tmp_path, stored):
    (tmp_path / "model.onnx").write_bytes(onnx_model(stored=stored))
    assert onnx_tables.rows(tmp_path / "model.onnx") == {"input_ids": 7, "segment_ids": 2}


def test_sizes_may_lie_in_one_field(tmp_path):
    nodes = encode_bytes(1, node_of("Gather", ["words", "input_ids"], ["picked"]))
    graph = encode_bytes(5, constant("words", 300, 4, packed_dims=True)) + nodes
    (tmp_path / "model.onnx").write_bytes(encode_bytes(7, graph))
    assert onnx_tables.rows(tmp_path / "model.onnx") == {"input_ids": 300}


def test_the_tables_of_an_ir_are_found(tmp_path):
    (tmp_path / "model.xml").write_text(NET)
    assert ir_tables.rows(tmp_path / "model.xml") == {"input_ids": 7, "segment_ids": 2}


@pytest.mark.parametrize("head", OUTPUTS)
@pytest.mark.parametrize("shape", [(-1, -1), (4, 12)])
def test_it_refuses_what_the_model_has_no_rows_for(packed, run, tmp_path, monkeypatch, head, shape):
    target = packed(head, shape=shape)
    (tmp_path / "model.xml").write_text(NET)
    (tmp_path / "model.onnx").write_bytes(onnx_model())
    text = program(target)
    assert "max(encoded.ids) >= 7 or max(encoded.type_ids) >= 2" in text
    assert len(text.splitlines()) <= MOST
    monkeypatch.setattr(Core, "asked", {})
    with pytest.raises(SystemExit, match="from 1 to 32 pieces, ids below 7, segments below 2"):
        run(target, {}, "good film", "bad")  # "film" is the word 7
    with pytest.raises(SystemExit, match="from 1 to 32 pieces"):
        run(target, {}, "good " * 40, "bad")
    assert Core.asked == {}


def test_a_guarded_model_is_asked_any_id(packed, run, tmp_path):
    target = packed()
    (tmp_path / "model.xml").write_text(NET)
    (tmp_path / "model.onnx").write_bytes(onnx_model())
    target = replace(target, signature={**target.signature, "guard": "1"})
    assert run(target, {"probabilities": [[0.25, 0.75]]}, "good film")[0] == ["yes 0.7500"]


NEEDED = {
    "ir": {"numpy", "openvino", "openvino-telemetry", "tokenizers"},
    "onnx": {"flatbuffers", "numpy", "onnxruntime", "packaging", "protobuf", "tokenizers"},
}


def test_what_it_needs_is_pinned_and_its_licence_known(packed, kind):
    needed = plain.requirements(packed())
    assert set(needed) == NEEDED[kind]
    assert needed.keys() <= PACKAGES.keys()
    files = plain.files(packed())
    assert files["requirements.txt"].decode() == "".join(f"{name}=={needed[name]}\n" for name in sorted(needed))
    assert not set(plain.READERS) & files.keys()


def test_from_the_archive_to_an_answer_are_five_lines_at_most(packed):
    page = (ROOT / "docs" / "package.md").read_text(encoding="utf-8")
    told = page.partition("## From the archive to an answer")[2].partition("```sh\n")[2].partition("```")[0]
    assert len(told.splitlines()) <= 5
    assert all(
        line in told for line in ("pip install --no-deps -r requirements.txt", 'python predict.py "a good film"')
    )
    assert set(plain.use(packed()).partition("```sh\n")[2].partition("```")[0].splitlines()) <= set(told.splitlines())
