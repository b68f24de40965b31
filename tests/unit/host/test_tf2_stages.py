"""The helpers of docker/tf2's stages that need no TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bertbuild.config import ROOT

MARKS = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
VOCABULARIES = {
    "uncased": (MARKS + "[unused1]\nthe\n##ing\né\n1\n", True),
    "cased": (MARKS + "the\nThe\n", False),
    "cased, in the middle": (MARKS + "mcDonald\n", False),
    "Chinese, with its marks": (MARKS + "<S>\n<T>\n的\n##的\nthe\n", True),
}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_vocabulary_tells_whether_its_words_are_lower_cased(tmp_path, name):
    words, expected = VOCABULARIES[name]
    (tmp_path / "vocab.txt").write_text(words, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", "from stages.saved_model import lower_cases; print(lower_cases('vocab.txt'))"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(ROOT / "docker" / part) for part in ("tf2", "common")),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.strip() == str(expected), done.stderr
