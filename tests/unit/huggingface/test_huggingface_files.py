"""What lies in place of a file of a Hugging Face folder and is none."""

from __future__ import annotations

import json
import os

import pytest
from huggingface_folders import theirs, tokenizer, write

from bertbuild.errors import CheckpointError
from bertbuild.huggingface.folder import find_files
from bertbuild.huggingface.settings import read_settings
from bertbuild.huggingface.vocabulary import vocabulary


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "hf", theirs(), form="sharded safetensors")


@pytest.mark.parametrize(
    "name", ["config.json", "vocab.txt", "model.safetensors.index.json", "model-00001-of-00002.safetensors"]
)
def test_a_link_to_a_named_pipe_is_refused_unopened(folder, tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    (folder / name).unlink()
    (folder / name).symlink_to(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match=rf"{name} is a named pipe, not a regular file\.$"):
        find_files(folder)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_files_in_another_encoding_are_refused_by_its_name(folder, encoding):
    for name in ("vocab.txt", "config.json"):
        (folder / name).write_bytes((folder / name).read_text().encode(encoding))
    files = find_files(folder)
    with pytest.raises(CheckpointError, match=r"config\.json is UTF-16; save it as UTF-8\.$"):
        read_settings(files.config)
    with pytest.raises(CheckpointError, match=r"vocab\.txt is UTF-16; save it as UTF-8\.$"):
        vocabulary(files)


def test_a_tokenizer_in_another_encoding_is_refused_by_its_name(folder):
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_bytes(json.dumps(tokenizer(["[PAD]"])).encode("utf-16"))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is UTF-16; save it as UTF-8\.$"):
        vocabulary(find_files(folder))
