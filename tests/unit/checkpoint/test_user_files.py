"""What lies in place of a user's file and is none: pipes and sockets, text in another encoding, no text at all."""

from __future__ import annotations

import json
import os
import signal
import socket

import pytest
from conftest import TINY
from first_format import write_v1

from bertbuild.checkpoint.folder import find_checkpoint
from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.vocabulary import chosen_reading, require_words
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.files.digests import TreeDigestCache

DATA = "bert_model.ckpt.data-00000-of-00001"
UTF_8_MARK = b"\xef\xbb\xbf"


@pytest.fixture(autouse=True)
def seconds():
    """What waits for a pipe's writer is ended."""

    def end(*_):
        raise AssertionError("a pipe was opened")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pipe_in_place_of(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


@pytest.mark.parametrize("name", ["vocab.txt", "bert_config.json", "bert_model.ckpt.meta", DATA])
def test_a_named_pipe_in_place_of_a_file_is_a_problem(tiny, name):
    pipe_in_place_of(tiny / name)
    (problem,) = inspect_checkpoint(tiny).problems
    assert problem.endswith(f"{name} is a named pipe, not a regular file.")


@pytest.mark.parametrize("name", ["bert_model.ckpt.index", "checkpoint"])
def test_a_named_pipe_that_tells_which_checkpoint_is_meant_is_refused(make, tensors, name):
    make(tensors, prefix="model.ckpt-2")
    folder = make(tensors)
    pipe_in_place_of(folder / name)
    with pytest.raises(CheckpointError, match=rf"{name} is a named pipe, not a regular file\.$") as refused:
        find_checkpoint(folder / "bert_model.ckpt" if name.endswith("index") else folder)
    assert refused.value.next_step


def test_a_named_pipe_beside_a_checkpoint_of_the_first_format_is_none(tmp_path, tensors):
    write_v1(tmp_path / "bert_model.ckpt", tensors)
    (tmp_path / "bert_config.json").write_text(json.dumps(TINY))
    pipe_in_place_of(tmp_path / "other.ckpt")
    assert inspect_checkpoint(tmp_path).sound


def test_a_socket_and_a_folder_are_named(tiny, monkeypatch):
    (tiny / "bert_config.json").unlink()
    (tiny / "vocab.txt").unlink()
    (tiny / "bert_config.json").mkdir()
    monkeypatch.chdir(tiny)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("vocab.txt")
        assert [problem.split("/")[-1] for problem in inspect_checkpoint(tiny).problems] == [
            "bert_config.json is a folder, not a regular file.",
            "vocab.txt is a socket, not a regular file.",
        ]


def test_a_link_to_a_regular_file_is_one(tiny, tmp_path):
    for name in ("vocab.txt", "bert_config.json", DATA):
        (tiny / name).rename(tmp_path / name)
        (tiny / name).symlink_to(tmp_path / name)
    inspection = inspect_checkpoint(tiny)
    assert inspection.sound
    assert inspection.warnings == ()


def test_no_pipe_is_hashed(tmp_path):
    pipe_in_place_of(tmp_path / "train.tsv")
    with pytest.raises(UsageError, match=r"train\.tsv is a named pipe, not a regular file\.$"):
        TreeDigestCache(tmp_path / "digests.json").of(tmp_path / "train.tsv")


FOREIGN = {
    "UTF-16 with a mark": ("utf-16", "is UTF-16; save it as UTF-8."),
    "UTF-16 of big-endian machines": ("utf-16-be", "is UTF-16; save it as UTF-8."),
    "UTF-16 without a mark": ("utf-16-le", "is UTF-16; save it as UTF-8."),
    "UTF-32": ("utf-32", "is UTF-32; save it as UTF-8."),
}


@pytest.mark.parametrize("name", ["vocab.txt", "bert_config.json"])
@pytest.mark.parametrize("case", FOREIGN)
def test_text_in_another_encoding_is_named(tiny, name, case):
    encoding, clause = FOREIGN[case]
    (tiny / name).write_bytes((tiny / name).read_text().encode(encoding))
    (problem,) = inspect_checkpoint(tiny).problems
    assert problem.endswith(f"{name} {clause}")


@pytest.mark.parametrize("name", ["vocab.txt", "bert_config.json"])
@pytest.mark.parametrize("content", [bytes(range(256)) * 8, b"\x7fELF\2\1\1\0\0\0", b"\xff\xfe\0"])
def test_what_is_no_text_is_told(tiny, name, content):
    (tiny / name).write_bytes(content)
    (problem,) = inspect_checkpoint(tiny).problems
    assert problem.endswith(f"{name} is not text.")


@pytest.mark.parametrize("name", ["vocab.txt", "bert_config.json"])
def test_a_byte_order_mark_is_a_warning(tiny, name):
    (tiny / name).write_bytes(UTF_8_MARK + (tiny / name).read_bytes())
    inspection = inspect_checkpoint(tiny)
    assert inspection.sound
    (warning,) = inspection.warnings
    assert warning.startswith(f"{name} begins with a byte order mark")


def test_a_line_that_is_not_utf_8_matters_where_words_are_read(tiny):
    path = tiny / "vocab.txt"
    path.write_bytes(path.read_bytes().replace(b"w7\n", b"w\xe9\n"))
    inspection = inspect_checkpoint(tiny)
    assert inspection.sound
    assert inspection.warnings == ("vocab.txt is not UTF-8 in line 8; save it as UTF-8.",)
    for read in (lambda: require_words(path, 20), lambda: chosen_reading(path, 20, "")):
        with pytest.raises(CheckpointError, match=r"is not UTF-8 in line 8; save it as UTF-8\.$"):
            read()
