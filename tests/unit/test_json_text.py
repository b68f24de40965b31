from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bertbuild.checkpoint.user_files import read_object
from bertbuild.errors import CheckpointError
from bertbuild.files.disk import read_json
from bertbuild.huggingface.safetensors import read_safetensors
from bertbuild.json_text import parse_json

DEEP = "[" * 100_000
PACKAGE = Path(__file__).resolve().parents[2] / "bertbuild"


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, null]}', b'{"a": [1, 2.5, null]}'])
def test_json_is_parsed(text):
    assert parse_json(text) == {"a": [1, 2.5, None]}


def test_whole_numbers_are_read_as_is_asked():
    assert parse_json("[12]", parse_int=str) == ["12"]


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000, "9" * 5000, "", b"\xff\xfe\xff", "[1"])
def test_whatever_is_wrong_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_nothing_else_parses_json():
    found = {path.name for path in PACKAGE.rglob("*.py") if "json.load" in path.read_text(encoding="utf-8")}
    alone = {"program.py", "fork_server.py"}  # a package's predict.py, and what forks stages, have nothing of ours
    assert found == {"json_text.py", *alone}


def test_deep_json_is_told_in_a_sentence_wherever_a_user_gives_it(tmp_path):
    path = tmp_path / "bert_config.json"
    path.write_text(DEEP)
    with pytest.raises(CheckpointError, match="is not JSON") as raised:
        read_object(path)
    assert "too deep" in raised.value.details
    with pytest.raises(ValueError, match="too deep"):
        read_json(path)
    header = DEEP.encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="its header is not JSON"):
        read_safetensors(path)


def test_a_deep_config_ends_a_command_with_a_sentence_and_its_exit_code(tmp_path):
    (tmp_path / "bert_config.json").write_text(DEEP)
    (tmp_path / "bert_model.ckpt.index").write_bytes(b"x")
    command = [sys.executable, "-m", "bertbuild", "inspect", "--checkpoint", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == CheckpointError.exit_code, ran.stderr
    assert "Traceback" not in ran.stderr
