"""The stage `text` refuses a tokenizer's file that it cannot make a graph of, before it loads OpenVINO."""

from __future__ import annotations

import pytest
from piece_models import PIECES, model_bytes
from stage_by_hand import run_by_hand


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"good\n", "has no [CLS] and no [SEP] and no [UNK]; give the model's vocab.txt"),
        (model_bytes()[:-3], "is damaged: it is no whole model of SentencePiece"),
        (
            model_bytes([one for one in PIECES if "," not in one[0]]),
            "cannot be read within a graph: it has no piece for a comma, which is cut off behind a digit",
        ),
    ],
    ids=["words", "damaged", "comma"],
)
def test_it_is_told_in_a_sentence(tmp_path, content, what):
    words = tmp_path / "words"
    words.write_bytes(content)
    (tmp_path / "out").mkdir()
    told = [f"--ir={tmp_path}", f"--words={words}", "--max-seq-length=16", f"--out={tmp_path / 'out'}"]
    done = run_by_hand("openvino", "text", *told)
    said = done.stdout + done.stderr
    assert done.returncode == 2
    assert f"{words} {what}" in said
    assert "Traceback" not in said
