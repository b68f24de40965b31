"""A checkpoint becomes a Hugging Face folder, and the same checkpoint again: every head, every number bit for bit."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest
from tiny_models import CONFIG, weights, write_vocab

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.errors import CheckpointError
from bertbuild.heads.found import FoundHead
from bertbuild.heads.rows import HEADS
from bertbuild.huggingface.classes import CLASSES
from bertbuild.huggingface.exporting import export
from bertbuild.huggingface.folder import find_files
from bertbuild.huggingface.importing import import_tensors
from bertbuild.huggingface.safetensors import read_safetensors
from bertbuild.huggingface.settings import read_settings
from bertbuild.huggingface.weights import read_weights
from bertbuild.huggingface.writing import write_weights

POOLER = ("bert/pooler/dense/kernel", "bert/pooler/dense/bias")
LABELS = {"classifier": 3, "multi-label": 4, "regression": 1, "tokens": 5, "span": 2, "next-sentence": 2}
HIDDEN, WORDS = CONFIG["hidden_size"], CONFIG["vocab_size"]


def model(kinds):
    """The variables of a tiny BERT with these heads, and the heads."""
    chance = np.random.default_rng(3)
    found = weights()
    for kind in kinds:
        shapes = HEADS[kind].variables(HIDDEN, WORDS, LABELS.get(kind, WORDS))
        found |= {name: chance.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return found, [FoundHead(kind, *HEADS[kind].last, labels=LABELS.get(kind, WORDS)) for kind in kinds]


@pytest.fixture
def exported(tmp_path):
    """Exports variables; gives the folder."""

    def run(variables, heads, config=CONFIG, gelu="erf", epsilon=1e-12, **options):
        prefix, out = tmp_path / "bert_model.ckpt", tmp_path / "hf"
        out.mkdir()
        write_checkpoint(prefix, variables)
        read = config_from(config, name="c")
        export(prefix, out, config=read, heads=heads, gelu=gelu, epsilon=epsilon, **options)
        write_vocab(out)
        return out

    return run


def settings_of(folder):
    return json.loads((folder / "config.json").read_text())


@pytest.mark.parametrize("kinds", CLASSES, ids=lambda kinds: "+".join(kinds) or "none")
def test_there_and_back_is_bit_for_bit_with_every_head(exported, kinds):
    variables, heads = model(kinds)
    folder = exported(variables, heads)
    assert settings_of(folder)["architectures"] == [CLASSES[kinds]]
    files = find_files(folder)
    back = import_tensors(read_settings(files.config), read_weights(files))
    assert back.left_out == {}
    assert back.numbers.keys() == variables.keys()
    for name, value in variables.items():
        assert back.numbers[name].tobytes() == np.ascontiguousarray(value).tobytes(), name
    if kinds and kinds[0] in ("classifier", "multi-label", "regression", "tokens"):
        assert back.head["kind"] == kinds[0]


@pytest.mark.parametrize("kinds", CLASSES, ids=lambda kinds: "+".join(kinds) or "none")
def test_what_training_leaves_is_left_out(exported, kinds):
    variables, heads = model(kinds)
    slots = {f"{name}/{slot}": value for name, value in variables.items() for slot in ("adam_m", "adam_v")}
    files = find_files(exported({**variables, **slots, "global_step": np.int64(3)}, heads))
    assert import_tensors(read_settings(files.config), read_weights(files)).numbers.keys() == variables.keys()


@pytest.mark.parametrize("form", ["erf", "tanh"])
def test_the_form_of_gelu_epsilon_and_sizes_come_back(exported, form):
    folder = exported(*model(()), config={**CONFIG, "type_vocab_size": 2}, gelu=form, epsilon=1e-5)
    read = read_settings(folder / "config.json")
    assert read.gelu == form
    assert read.bert_config["layer_norm_eps"] == 1e-5
    assert {key: read.bert_config[key] for key in CONFIG if key != "hidden_act"} == {
        key: value for key, value in CONFIG.items() if key != "hidden_act"
    }


def test_another_activation_keeps_its_name(exported):
    folder = exported(*model(()), config={**CONFIG, "hidden_act": "relu"}, gelu=None)
    assert settings_of(folder)["hidden_act"] == "relu"


def test_labels_have_the_names_of_the_training_or_none_of_their_own(exported):
    folder = exported(*model(("classifier",)), labels=("no", "maybe", "yes"))
    assert settings_of(folder)["id2label"] == {"0": "no", "1": "maybe", "2": "yes"}
    assert settings_of(folder)["label2id"] == {"no": 0, "maybe": 1, "yes": 2}
    assert settings_of(folder)["problem_type"] == "single_label_classification"


def test_labels_of_another_number_are_of_another_model(exported):
    folder = exported(*model(("multi-label",)), labels=("one",))
    assert settings_of(folder)["id2label"] == {str(number): f"LABEL_{number}" for number in range(4)}
    assert settings_of(folder)["problem_type"] == "multi_label_classification"


def test_a_model_without_a_pooler_and_one_with_buffers(exported):
    variables, heads = model(())
    for name in POOLER:
        del variables[name]
    folder = exported({**variables, "bert/embeddings/position_ids": np.arange(8, dtype=np.int64)}, heads)
    names = read_weights(find_files(folder))
    assert not any("pooler" in name or "position_ids" in name for name in names)


def test_heads_of_no_class_and_variables_that_are_not_there_are_refused(exported):
    variables, heads = model(("classifier", "next-sentence"))
    with pytest.raises(CheckpointError, match="no class with the heads classifier and next-sentence"):
        exported(variables, heads)


def test_a_head_without_its_variables_is_refused(exported):
    variables, heads = model(("classifier",))
    with pytest.raises(CheckpointError, match="has no output_weights, which a head of it is said to have"):
        exported({name: value for name, value in variables.items() if name != "output_weights"}, heads)


def test_shards_hold_what_the_index_says_and_come_back(exported):
    variables, heads = model(("classifier",))
    folder = exported(variables, heads, most=20_000)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    files = find_files(folder)
    assert len(files.weights) > 2
    assert sorted(path.name for path in files.weights) == sorted(set(index["weight_map"].values()))
    assert index["metadata"]["total_size"] == sum(value.nbytes for value in variables.values())
    back = import_tensors(read_settings(files.config), read_weights(files))
    assert all(back.numbers[name].tobytes() == value.tobytes() for name, value in variables.items())
    assert all(path.stat().st_size <= 20_000 + 8192 or len(header_of(path)) == 2 for path in files.weights)


def header_of(path):
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0
    return json.loads(content[8 : 8 + length])


def test_the_file_has_one_key_of_metadata_and_the_same_bytes_each_time(exported, tmp_path):
    """Several keys come in random order where the library writes them."""
    folder = exported(*model(("span",)))
    assert header_of(folder / "model.safetensors")["__metadata__"] == {"format": "pt"}
    before = (folder / "model.safetensors").read_bytes()
    export(
        tmp_path / "bert_model.ckpt",
        folder,
        config=config_from(CONFIG, name="c"),
        heads=model(("span",))[1],
        gelu="erf",
        epsilon=1e-12,
    )
    assert (folder / "model.safetensors").read_bytes() == before


def test_an_array_that_is_not_contiguous_is_written_as_it_is(tmp_path):
    """safetensors 0.8.0 writes wrong values of such an array."""
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    arrays = {"turned": whole.T, "sliced": whole[:, ::2], "fortran": np.asfortranarray(whole), "scalar": whole[0, 0:1]}
    write_weights(tmp_path, {name: value.shape for name, value in arrays.items()}, arrays.__getitem__)
    header = header_of(tmp_path / "model.safetensors")
    content = (tmp_path / "model.safetensors").read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    for name, value in arrays.items():
        begin, end = header[name]["data_offsets"]
        there = np.frombuffer(content[start + begin : start + end], "<f4").reshape(header[name]["shape"])
        np.testing.assert_array_equal(there, value)


def test_arrays_of_any_form_come_back_bit_for_bit(tmp_path):
    """Longer than what is read back at once, and of a width that is no multiple of what is turned at once."""
    chance = np.random.default_rng(3)
    arrays = {
        "long": chance.standard_normal(400_001).astype(np.float32),
        "turned": chance.standard_normal((83, 37)).astype(np.float32).T,
        "cube": chance.standard_normal((3, 4, 5)).astype(np.float32).transpose(2, 0, 1),
        "nan": np.array([[np.nan, -0.0], [np.inf, 0.0]], np.float32).T,
        "empty": np.empty((0, 3), np.float32),
    }
    write_weights(tmp_path, {name: value.shape for name, value in arrays.items()}, arrays.__getitem__)
    found = read_safetensors(tmp_path / "model.safetensors")
    for name, value in arrays.items():
        assert found[name].read().tobytes() == value.tobytes(), name


def test_what_is_read_back_otherwise_is_refused(tmp_path, monkeypatch):
    """A disk that has other bytes than were written."""
    kept = os.preadv

    def damaged(file, buffers, offset):
        count = kept(file, buffers, offset)
        buffers[0][-1] ^= 1
        return count

    monkeypatch.setattr("bertbuild.huggingface.writing.os.preadv", damaged)
    with pytest.raises(CheckpointError, match=r"model\.safetensors does not hold the a that was written"):
        write_weights(tmp_path, {"a": (2,)}, lambda _name: np.zeros(2, np.float32))
