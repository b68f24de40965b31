"""The stage import, run as the program it is, with NumPy alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from huggingface_folders import theirs, tokenizer, write

from bertbuild.project import ROOT

WORDS = [f"w{number}" for number in range(60)]


@pytest.fixture
def stage(tmp_path):
    """Runs it on a folder: exit code, files written by name, the events."""
    code = ":".join(map(str, (ROOT / "docker" / "data", ROOT / "docker" / "common", ROOT)))

    def run(folder, out="out"):
        command = [sys.executable, "-m", "stages.import", f"--huggingface={folder}", f"--out={tmp_path / out}"]
        environment = {**os.environ, "PYTHONPATH": code, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        files = {path.name: path.read_bytes() for path in (tmp_path / out).iterdir()}
        return done, files

    return run


def test_every_form_of_the_same_weights_gives_the_same_bytes(stage, tmp_path):
    found = []
    for number, form in enumerate(("safetensors", "bin", "sharded older")):
        folder = write(tmp_path / f"hf{number}", theirs(prefix="bert.", labels=2), form=form)
        done, files = stage(folder, f"out{number}")
        assert done.returncode == 0, done.stderr
        facts = json.loads(files.pop("stage.json"))["facts"]
        assert (facts["tensors"], facts["gelu"], facts["left_out"]) == (41, "erf", {})
        found.append(files)
    assert found[0] == found[1] == found[2]
    assert set(found[0]) == {
        "bert_config.json",
        "bert_model.ckpt.data-00000-of-00001",
        "bert_model.ckpt.index",
        "vocab.txt",
    }


def test_vocabulary_and_lower_casing_of_a_tokenizer_json_are_kept(stage, tmp_path):
    folder = write(tmp_path / "hf", theirs(), vocab=False)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(WORDS)))
    done, files = stage(folder)
    assert done.returncode == 0, done.stderr
    assert files["vocab.txt"].decode() == "".join(f"{word}\n" for word in WORDS)
    assert json.loads(files["tokenizer_config.json"]) == {"do_lower_case": False}


def test_a_refusal_is_one_sentence_with_the_way_out(stage, tmp_path):
    folder = write(tmp_path / "hf", theirs())
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    done, files = stage(folder)
    assert done.returncode == 2
    assert files == {}
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"import: {path} cannot be read: it ends before ")
    assert line.endswith("; download or copy the file again")


MODEL = b"\n\x0e\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02\n\x0c\n\x05[CLS]"
"""How a model of SentencePiece begins."""


def test_a_model_of_sentencepiece_is_kept_as_it_is_and_not_read(stage, tmp_path):
    folder = write(tmp_path / "hf", theirs(), vocab=False)
    (folder / "spiece.model").write_bytes(MODEL)
    done, files = stage(folder)
    assert done.returncode == 0, done.stderr
    assert files["spiece.model"] == MODEL
    assert "vocab.txt" not in files
    assert "the vocabulary is a model of SentencePiece, and is kept as it is" in done.stdout


def test_words_that_are_called_a_model_of_sentencepiece_are_refused(stage, tmp_path):
    folder = write(tmp_path / "hf", theirs(), vocab=False)
    (folder / "spiece.model").write_text("\n".join(WORDS))
    done, _ = stage(folder)
    assert done.returncode == 2
    assert (
        "spiece.model is no model of SentencePiece; if it lists the words of WordPiece, call it vocab.txt"
        in done.stdout
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (MODEL, "is a model of SentencePiece, not a list of WordPiece's words"),
        (b"<unk>\t0\n<s>\t0\n</s>\t0\n\xe2\x96\x81the\t-3.5\n", "is SentencePiece's list of pieces with their scores"),
    ],
)
def test_what_is_sentencepieces_and_called_a_vocabulary_is_refused(stage, tmp_path, content, why):
    folder = write(tmp_path / "hf", theirs())
    (folder / "vocab.txt").write_bytes(content)
    done, _ = stage(folder)
    assert done.returncode == 2
    assert f"vocab.txt {why}" in done.stdout
    assert "its model of SentencePiece as spiece.model in place of vocab.txt" in done.stdout


def test_a_folder_with_words_and_a_model_of_sentencepiece_is_refused(stage, tmp_path):
    """transformers takes one or the other by its class."""
    folder = write(tmp_path / "hf", theirs())
    (folder / "spiece.model").write_bytes(MODEL)
    done, _ = stage(folder)
    assert done.returncode == 2
    assert "has a vocab.txt and a spiece.model, and nothing tells which of them reads the model's text" in done.stdout
