"""Which files of a folder are read, and what is said of those that are missing or no files of a model."""

from __future__ import annotations

import json

import pytest
from huggingface_folders import theirs, write

from bertbuild.errors import CheckpointError
from bertbuild.huggingface.folder import find_files, is_huggingface

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n"


def refusal(folder):
    with pytest.raises(CheckpointError) as raised:
        find_files(folder)
    assert raised.value.next_step
    return str(raised.value)


@pytest.mark.parametrize(
    ("form", "weights"),
    [
        ("safetensors", ["model.safetensors"]),
        ("bin", ["pytorch_model.bin"]),
        (
            "sharded safetensors",
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"],
        ),
        (
            "sharded bin",
            ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin", "pytorch_model.bin.index.json"],
        ),
    ],
)
def test_all_that_is_read_is_named(tmp_path, form, weights):
    folder = write(tmp_path / "hf", theirs(), form=form)
    (folder / "tokenizer_config.json").write_text("{}")
    for name in ("README.md", "tokenizer.json", "special_tokens_map.json"):
        (folder / name).write_text("{}")
    assert is_huggingface(folder)
    assert list(find_files(folder).names) == ["config.json", *weights, "tokenizer_config.json", "vocab.txt"]


def test_safetensors_come_before_pytorchs_own_file(tmp_path):
    folder = write(tmp_path / "hf", theirs(), form="bin")
    write(folder, theirs())
    assert [path.name for path in find_files(folder).weights] == ["model.safetensors"]


def test_a_tokenizer_json_stands_in_for_the_vocabulary(tmp_path):
    folder = write(tmp_path / "hf", theirs(), vocab=False)
    assert "no vocab.txt and no tokenizer.json" in refusal(folder)
    (folder / "tokenizer.json").write_text("{}")
    assert "tokenizer.json" in find_files(folder).names


def test_a_folder_with_a_tensorflow_checkpoint_is_that(tmp_path):
    folder = write(tmp_path / "hf", theirs())
    (folder / "bert_model.ckpt.index").touch()
    assert not is_huggingface(folder)
    assert not is_huggingface(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "model.safetensors"])
def test_a_git_lfs_pointer_is_named(tmp_path, name):
    folder = write(tmp_path / "hf", theirs())
    (folder / name).write_text(POINTER)
    assert refusal(folder) == f"{folder / name} is a git-lfs pointer, not the file itself."


def test_a_git_lfs_pointer_in_the_place_of_an_index_or_a_shard_is_named(tmp_path):
    folder = write(tmp_path / "hf", theirs(), form="sharded safetensors")
    (folder / "model-00002-of-00002.safetensors").write_text(POINTER)
    assert "model-00002-of-00002.safetensors is a git-lfs pointer" in refusal(folder)
    (folder / "model.safetensors.index.json").write_text(POINTER)
    assert "model.safetensors.index.json is a git-lfs pointer" in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "model.safetensors", "tokenizer_config.json"])
def test_a_link_of_a_cache_that_leads_nowhere_is_named(tmp_path, name):
    folder = write(tmp_path / "hf", theirs())
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "blobs" / "gone")
    assert is_huggingface(folder)
    assert refusal(folder) == f"{folder / name} is a link to a file that is not there."


def test_the_name_that_pytorch_pretrained_bert_had_for_config_json_is_known(tmp_path):
    folder = write(tmp_path / "hf", theirs(), form="older")
    (folder / "config.json").rename(folder / "bert_config.json")
    assert list(find_files(folder).names) == ["bert_config.json", "pytorch_model.bin", "vocab.txt"]
    (folder / "bert_config.json").unlink()
    assert "has a pytorch_model.bin but no config.json" in refusal(folder)


def test_a_shard_that_is_missing_is_named(tmp_path):
    folder = write(tmp_path / "hf", theirs(), form="sharded bin")
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    assert "has no pytorch_model-00002-of-00002.bin, one of the 2 files" in refusal(folder)


@pytest.mark.parametrize(
    "index",
    [
        "",
        "[]",
        "{}",
        '{"weight_map": []}',
        '{"weight_map": {}}',
        '{"weight_map": {"x": 5}}',
        '{"weight_map": {"x": "../x.bin"}}',
        '{"weight_map": {"x": "/etc/hosts"}}',
        '{"weight_map": {"x": ".."}}',
        '{"weight_map": {"x": ""}}',
    ],
)
def test_a_broken_index_is_refused(tmp_path, index):
    folder = write(tmp_path / "hf", theirs(), form="sharded bin")
    (folder / "pytorch_model.bin.index.json").write_text(index)
    assert "pytorch_model.bin.index.json" in refusal(folder)


def test_an_index_of_many_files_names_each_once(tmp_path):
    folder = write(tmp_path / "hf", theirs(), form="sharded safetensors")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert len(find_files(folder).weights) == len(set(index["weight_map"].values())) == 2
