"""The stage tokenizer, run as a program, with a stand-in for the package tokenizers that is wrong where it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from bertbuild.project import ROOT
from bertbuild.text import corpus
from bertbuild.text.wordpiece import SPECIAL

STAND_IN = '''
"""A stand-in for the package tokenizers: reads as google-research/bert, but for texts with WRONG in them."""
import json, os
from types import SimpleNamespace

from bertbuild.text.wordpiece import FullTokenizer, sequence

WRONG = os.environ.get("WRONG", "")


class Tokenizer:
    def __init__(self, content):
        value = json.loads(content)
        special = [added["content"] for added in value["added_tokens"]]
        lower_case = value["normalizer"]["lowercase"]
        self.read = FullTokenizer(value["model"]["vocab"], lower_case=lower_case, special=special)
        self.length = value["truncation"]["max_length"]

    from_str = classmethod(lambda cls, content: cls(content))

    def no_padding(self):
        pass

    def no_truncation(self):
        self.length = 10**6

    def enable_truncation(self, length):
        self.length = length

    def encode(self, text, add_special_tokens=True):
        first, second = text if isinstance(text, tuple) else (text, None)
        ids = self.read.ids(first)
        if not add_special_tokens:
            return SimpleNamespace(ids=ids)
        found = sequence(self.read, ids, None if second is None else self.read.ids(second), self.length)
        wrong = bool(WRONG) and WRONG in first
        made = [*found.ids, 1] if wrong else found.ids
        return SimpleNamespace(ids=made, type_ids=found.segments, attention_mask=[1] * len(found.ids))

    def encode_batch_fast(self, texts):
        return [self.encode(text) for text in texts]
'''
WORDS = [*SPECIAL, *dict.fromkeys(word.lower() for word in corpus.PLAIN), *"abc", *(f"##{one}" for one in "abc")]


@pytest.fixture
def stage(tmp_path):
    """Runs it on words: exit code, its events by name, and text_gate.json where there is one."""
    package = tmp_path / "packages"
    (package / "tokenizers-0.0.dist-info").mkdir(parents=True)
    (package / "tokenizers-0.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tokenizers\nVersion: 0.0\n"
    )
    (package / "tokenizers.py").write_text(STAND_IN)
    code = ":".join(map(str, (ROOT / "docker" / "data", ROOT / "docker" / "common", ROOT, package)))

    def run(words, *flags, wrong=""):
        (tmp_path / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
        out = tmp_path / "out"
        command = [
            sys.executable,
            "-m",
            "stages.tokenizer",
            f"--words={tmp_path / 'vocab.txt'}",
            f"--out={out}",
            *flags,
        ]
        environment = {**os.environ, "PYTHONPATH": code, "PYTHONDONTWRITEBYTECODE": "1", "WRONG": wrong}
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        events = {event["event"]: event for event in map(json.loads, done.stdout.splitlines())}
        written = out / "text_gate.json"
        return done.returncode, events, json.loads(written.read_text()) if written.is_file() else None

    return run


@pytest.mark.parametrize("flags", [(), ("--special-tokens-in-text=true",), ("--do-lower-case=false",)])
def test_a_tokenizer_that_reads_as_upstream_passes(stage, flags):
    code, events, found = stage(WORDS, *flags)
    assert (code, found["differences"]) == (0, {})
    assert found["texts"] >= 5000
    assert found.get("special_tokens_in_text", False) is any("special" in flag for flag in flags)
    assert events["note"]["text"].startswith(f"tokenizer.json reads all of {found['texts']:,} texts as google-research")


def test_differences_of_a_listed_class_are_told_with_their_count(stage):
    code, events, found = stage(WORDS, wrong="\ue000")
    assert (code, list(found["differences"])) == (0, ["private-use characters"])
    number = found["differences"]["private-use characters"]
    assert 0 < number <= corpus.EACH
    assert events["note"]["text"].endswith(f"as google-research/bert does; not: private-use characters {number}")


def test_a_difference_of_no_listed_class_is_refused_in_a_sentence(stage):
    code, events, found = stage(WORDS, wrong="fox")
    assert (code, found) == (2, None)
    assert "\n" not in events["refused"]["text"]
    assert events["refused"]["text"].startswith("tokenizer.json reads ")
    assert "otherwise than google-research/bert, for no known reason; the first: " in events["refused"]["text"]


def test_of_a_vocabulary_that_has_no_tokenizer_json_nothing_is_compared(stage):
    code, events, found = stage([word for word in WORDS if word != "[CLS]"])
    assert (code, found) == (0, {"texts": 0, "differences": {}})
    assert "note" not in events
