"""Docker that was asked for and does not answer: told first, before anything is fetched for it."""

from __future__ import annotations

import json
import signal
import urllib.request

import pytest

from bertbuild.catalogue import wheel
from bertbuild.cli.call import run as run_line

SMALL = "uncased_L-2_H-128_A-2"
FILE = """
[targets.ir]
kind = "ir"

[models.small]
model = "uncased_L-2_H-128_A-2"
"""


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """A command on a machine whose engine is dead: its error, with exit code 9; a use of the network fails."""
    handler = signal.getsignal(signal.SIGTERM)

    def never(*_args, **_more):
        raise AssertionError("something was fetched")

    monkeypatch.setattr(urllib.request, "urlopen", never)
    monkeypatch.setattr(wheel, "download_wheel", never)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BERTBUILD_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    (tmp_path / "bertbuild.toml").write_text(FILE)

    def run(*words):
        typed = ["bertbuild", *words, "--isolation", "docker", "--json"]
        with pytest.raises(SystemExit) as ended:
            run_line(typed)
        error = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (ended.value.code, error["error"]) == (9, "EngineError"), error
        return error

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    "words",
    [
        ("build-ir", "--model", SMALL),
        ("build-ir", "--model", "minilm-l6"),
        ("inspect", "--model", "minilm-l6"),
        ("freeze", "--model", SMALL),
        ("export", "--model", SMALL),
        ("neuron-ready", "--model", SMALL),
        ("neuron-compile", "--model", SMALL),
        ("convert-tf2", "--model", SMALL),
        ("finetune", "--model", SMALL, "--task", "MRPC"),
        ("train", "--model", SMALL, "--task", "MRPC"),
        ("evaluate", "--model", SMALL, "--task", "MRPC"),
        ("prepare-data", "--model", SMALL, "--task", "MRPC"),
        ("build",),
    ],
    ids=" ".join,
)
def test_a_dead_engine_is_told_before_anything_is_fetched(refused, words, tmp_path):
    error = refused(*words)
    assert "--isolation venv" in error["next_step"]
    downloads = (tmp_path / "artifacts" / name for name in ("downloads", "datasets"))
    assert not [path for folder in downloads for path in folder.rglob("*")]
