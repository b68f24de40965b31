"""docker/onnx's stages without their packages: the bytes of a model, read field by field; packages that do not fit."""

from __future__ import annotations

import importlib.util
import sys
import types

import numpy as np
import pytest

from bertbuild.graph.wire import encode_bytes, encode_number, fields
from bertbuild.project import ROOT

HEAD, GRAPH = encode_number(1, 9), encode_bytes(2, b"bert")
ARRAYS = {
    "large": np.arange(600, dtype=np.float32).reshape(20, 30),
    "half": np.arange(1000, dtype=np.float16),
    "axes": np.array([0, 0, 4, 8], np.int64),
    "one": np.array(1, np.float32),
}


def loaded(name):
    path = ROOT / "docker" / "onnx" / "stages" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"onnx_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model_file():
    return loaded("_model_file")


def parsed(message):
    """Number → values of the fields of a message: bytes, or whole numbers."""
    found = {}
    for field in fields(message):
        value = message[field.start : field.end] if field.wire_type == 2 else field.value
        found.setdefault(field.number, []).append(value)
    return found


def constants(path):
    """Name → dtype, shape, and the bytes in the model, or where they are."""
    model = parsed(path.read_bytes())
    assert model[1] == [9]
    (graph,) = map(parsed, model[7])
    assert graph[2] == [b"bert"]
    found = {}
    for tensor in map(parsed, graph[5]):
        places = {entry[1][0].decode(): entry[2][0].decode() for entry in map(parsed, tensor.get(13, []))}
        assert tensor.get(14, [0]) == [int(bool(places))]
        found[tensor[8][0].decode()] = tensor[2][0], tensor.get(1, []), places or tensor[9][0]
    return found


def test_constants_are_in_the_model(model_file, tmp_path):
    path = tmp_path / "model.onnx"
    assert model_file.write_model(str(path), HEAD, GRAPH, ARRAYS) == ["model.onnx"]
    assert constants(path) == {
        name: ({"f4": 1, "f2": 10, "i8": 7}[array.dtype.str[1:]], list(array.shape), array.tobytes())
        for name, array in ARRAYS.items()
    }


def test_of_a_large_model_they_lie_beside_it_each_at_the_beginning_of_a_page(model_file, tmp_path):
    path = tmp_path / "model.onnx"
    assert model_file.write_model(str(path), HEAD, GRAPH, ARRAYS, largest=4000) == ["model.onnx", "model.onnx.data"]
    content, found = (tmp_path / "model.onnx.data").read_bytes(), constants(path)
    for name in ("large", "half"):
        place = found[name][2]
        start, length = int(place["offset"]), int(place["length"])
        assert place["location"] == "model.onnx.data"
        assert start % 4096 == 0
        assert content[start : start + length] == ARRAYS[name].tobytes()
    assert found["axes"][2] == ARRAYS["axes"].tobytes(), "shape inference reads small ones in the model"


def test_two_gigabytes_are_too_many_for_one_message(model_file):
    assert model_file.LARGEST < 2**31 - 10**6


@pytest.fixture
def direct(monkeypatch):
    """The stage; of our modules that it imports nothing stays."""
    before = dict(sys.modules)
    monkeypatch.syspath_prepend(ROOT / "docker" / "common")
    yield loaded("direct")
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


@pytest.mark.usefixtures("direct")
def test_onnx_and_protobuf_that_do_not_fit_are_named_in_a_sentence(monkeypatch, tmp_path):
    """As onnx 1.23 ends with protobuf 5."""
    (tmp_path / "onnx.py").write_text(
        "class VersionError(Exception): pass\nraise VersionError('gencode 6.31.1 runtime 5.29.5.')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("importlib.metadata.version", {"onnx": "1.23.2", "protobuf": "5.29.5"}.get)
    package = loaded("_onnx_package")
    with pytest.raises(package.StageInputError) as raised:
        package.load_onnx()
    assert str(raised.value) == (
        "onnx 1.23.2 does not work with protobuf 5.29.5, which is installed beside it: gencode 6.31.1 runtime 5.29.5."
    )


@pytest.mark.parametrize(
    ("opset", "ir_version", "told"),
    [
        (19, 0, "--opset must be from 20, the first that has Gelu, to 26, the newest of onnx 1.23.2 (got 19)"),
        (27, 0, "--opset must be from 20, the first that has Gelu, to 26, the newest of onnx 1.23.2 (got 27)"),
        (20, 8, "--ir-version must be from 9, the first that has opset 20, to 13, the newest of onnx 1.23.2 (got 8)"),
        (20, 14, "--ir-version must be from 9, the first that has opset 20, to 13, the newest of onnx 1.23.2 (got 14)"),
    ],
)
def test_versions_that_cannot_be_written_are_refused_with_those_that_can(direct, opset, ir_version, told):
    helper = types.SimpleNamespace(find_min_ir_version_for=lambda _opsets: 9, make_opsetid=lambda *names: names)
    defs = types.SimpleNamespace(onnx_opset_version=lambda: 26)
    onnx = types.SimpleNamespace(defs=defs, helper=helper, IR_VERSION=13, __version__="1.23.2")
    with pytest.raises(direct.StageInputError) as raised:
        direct.check_versions(types.SimpleNamespace(opset=opset, ir_version=ir_version), onnx)
    assert str(raised.value) == told
    assert direct.check_versions(types.SimpleNamespace(opset=20, ir_version=0), onnx) == 9
    assert direct.check_versions(types.SimpleNamespace(opset=20, ir_version=10), onnx) == 10
