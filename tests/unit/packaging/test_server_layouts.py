"""Each layout against what its server defines: OpenVINO Model Server's schema, Triton's and TensorFlow's messages."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from packed_target import KINDS, signature, target_files, text_facts, verdict

from bertbuild.graph.node import parsed_fields
from bertbuild.kinds import KINDS as ALL
from bertbuild.packaging.layouts import LAYOUTS
from bertbuild.packaging.packed import Packed
from bertbuild.packaging.tensorflow_serving import MOST
from bertbuild.project import ROOT

NAME, CONFIG = {"type": "string"}, {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
OVMS = {
    "type": "object",
    "required": ["model_config_list"],
    "additionalProperties": False,
    "properties": {
        "model_config_list": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["config"],
                "additionalProperties": False,
                "properties": {
                    "config": {
                        "type": "object",
                        "required": ["name", "base_path"],
                        "additionalProperties": False,
                        "properties": {"name": NAME, "base_path": NAME, "plugin_config": CONFIG},
                    }
                },
            },
        }
    },
}
"""Of what the server's own schema allows (openvinotoolkit/model_server, src/schema.cpp, 2025) the part that is used."""


@pytest.fixture
def packed(tmp_path):
    """Make a target of a kind, with what is known of it."""

    def make(kind="ir", head="classifier", *, files=(), labels=("no", "yes"), examples=(), **more):
        for name, text in target_files(kind, head, labels=labels, **more).items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        for name in files:
            (tmp_path / name).write_text(name)
        return Packed(
            model="mine",
            target="target",
            kind=kind,
            folder=tmp_path,
            text=text_facts(head, labels),
            signature=signature(kind, head, **more),
            verdict=verdict(),
            examples=examples,
        )

    return make


def test_every_layout_takes_kinds_that_there_are():
    assert {kind for layout in LAYOUTS.values() for kind in layout.takes} <= ALL.keys()
    assert set(KINDS) <= ALL.keys()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_the_pieces_of_sentencepiece_in_the_place_of_words(packed, tmp_path, layout):
    target = packed(LAYOUTS[layout].takes[0], files=["spiece.model"])
    (tmp_path / "vocab.txt").unlink()
    files = LAYOUTS[layout].files(target)
    assert {"spiece.model", "tokenizer.json", "text.json", "labels.txt"} <= files.keys()
    assert "vocab.txt" not in files


def test_the_model_servers_config_is_as_its_schema_has_it(packed):
    files = LAYOUTS["openvino-model-server"].files(packed())
    config = json.loads(files["config.json"])
    assert not list(Draft202012Validator(OVMS).iter_errors(config))
    (entry,) = config["model_config_list"]
    assert entry["config"]["name"] == "mine"
    assert {name for name in files if name.startswith(f"{entry['config']['base_path']}/")} == {
        "model/1/model.xml",
        "model/1/model.bin",
    }


def test_models_that_read_text_are_served_too(packed):
    named = [f"{name}.{end}" for name in ("text_model", "text_pair_model") for end in ("xml", "bin")]
    target = packed(files=named)
    files = LAYOUTS["openvino-model-server"].files(target)
    served = {
        entry["config"]["name"]: entry["config"]["base_path"]
        for entry in json.loads(files["config.json"])["model_config_list"]
    }
    assert served == {"mine": "model", "mine-text": "text", "mine-text-pair": "text-pair"}
    assert {"text/1/text_model.xml", "text-pair/1/text_pair_model.bin"} <= files.keys()
    assert "take strings" in LAYOUTS["openvino-model-server"].use(target)


@pytest.mark.parametrize(
    ("kind", "backend", "file"), [("ir", "openvino", "model.bin"), ("onnx", "onnxruntime", "model.onnx")]
)
def test_tritons_config_names_the_backend_and_every_tensor(packed, kind, backend, file):
    files = LAYOUTS["triton"].files(packed(kind))
    config = files["model_repository/mine/config.pbtxt"].decode()
    assert f'name: "mine"\nbackend: "{backend}"\nmax_batch_size: 0\n' in config
    assert config.count("data_type: TYPE_INT32\n    dims: [ -1, -1 ]") == 3
    assert 'name: "probabilities"\n    data_type: TYPE_FP32\n    dims: [ -1, 2 ]\n    label_filename: "lab' in config
    assert f"model_repository/mine/1/{file}" in files
    assert files["model_repository/mine/labels.txt"] == b"no\nyes\n"


@pytest.mark.parametrize(("head", "labels"), [("tokens", ("B", "O")), ("classifier", ()), ("span", ())])
def test_triton_is_told_of_labels_only_where_a_row_is_a_text_and_they_have_words(packed, head, labels):
    files = LAYOUTS["triton"].files(packed("ir", head, labels=labels))
    assert "label_filename" not in files["model_repository/mine/config.pbtxt"].decode()


def example(*ids):
    row = np.array([ids], np.int32)
    return {"input_ids": row, "input_mask": np.ones_like(row), "segment_ids": np.zeros_like(row)}


def only(message, number):
    (payload,) = [payload for field, _, payload in parsed_fields(message) if field == number]
    return payload


def tensor(message):
    shape = [next(value for _, value, _ in parsed_fields(dim)) for _, _, dim in parsed_fields(only(message, 2))]
    (dtype,) = [value for field, value, _ in parsed_fields(message) if field == 1]
    return np.frombuffer(only(message, 4), {3: np.int32, 9: np.int64}[dtype]).reshape(shape)


def requests_of(files, folder, monkeypatch):
    """The name of the model, of the signature, and the tensors of each request, its records' checksums compared."""
    monkeypatch.syspath_prepend(str(ROOT / "docker" / "common"))
    path = folder / "requests"
    path.write_bytes(files["model/1/assets.extra/tf_serving_warmup_requests"])
    for record in importlib.import_module("tfrecords").read_records(str(path)):
        request = only(only(record, 6), 1)
        spec = only(request, 1)
        entries = [payload for field, _, payload in parsed_fields(request) if field == 2]
        named = {only(entry, 1).decode(): tensor(only(entry, 2)) for entry in entries}
        yield only(spec, 1).decode(), only(spec, 3).decode(), named


def test_tensorflows_server_is_warmed_up_with_each_example_as_the_model_takes_it(packed, tmp_path, monkeypatch):
    target = packed("saved-model", shape=(-1, 6), examples=(example(2, 5, 7, 3), example(2, 6, 3)))
    files = LAYOUTS["tensorflow-serving"].files(target)
    first, second = requests_of(files, tmp_path, monkeypatch)
    assert first[:2] == ("mine", "serving_default")
    assert first[2]["input_ids"].tolist() == [[2, 5, 7, 3, 0, 0]]
    assert first[2]["input_mask"].tolist() == [[1, 1, 1, 1, 0, 0]]
    assert first[2]["label_ids"].tolist() == [0]
    assert second[2]["input_ids"].tolist() == [[2, 6, 3, 0, 0, 0]]
    assert {"model/1/saved_model.pb", "model/1/variables/variables.index"} <= files.keys()


def test_a_model_of_tensorflow_2_takes_examples_as_long_as_they_are(packed, tmp_path, monkeypatch):
    files = LAYOUTS["tensorflow-serving"].files(packed("tf2-savedmodel", examples=(example(2, 5, 3),)))
    ((_, _, tensors),) = requests_of(files, tmp_path, monkeypatch)
    assert {name: values.shape for name, values in tensors.items()} == dict.fromkeys(example(1), (1, 3))
    assert "model/1/fingerprint.pb" in files


def test_a_server_gets_no_more_requests_than_it_takes(packed, tmp_path, monkeypatch):
    files = LAYOUTS["tensorflow-serving"].files(packed("tf2-savedmodel", examples=(example(2, 3),) * (MOST + 1)))
    assert len(list(requests_of(files, tmp_path, monkeypatch))) == MOST
