"""docker/onnx/stages/_model_file.py: the bytes of a model, read field by field."""

from __future__ import annotations

import importlib.util

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


@pytest.fixture(scope="module")
def model_file():
    path = ROOT / "docker" / "onnx" / "stages" / "_model_file.py"
    spec = importlib.util.spec_from_file_location("onnx_model_file", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
