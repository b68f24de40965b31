"""The same models with stages that are forked, and with stages that each start by themselves: the same bytes."""

from __future__ import annotations

import shutil

import make_checkpoints
import pytest
from processes import left_after
from program import ROOT, Bertbuild

pytestmark = [pytest.mark.integration, pytest.mark.whole]

BY_THEMSELVES = "\n\nForkServers.fork_of = lambda *_args, **_more: None\n"


def test_every_result_is_the_same(bertbuild, tmp_path):
    assert bertbuild.artifacts.is_dir()
    for name in ("forked", "alone"):
        folder = tmp_path / name
        for part in ("bertbuild", "docker"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(ROOT / "compose.yaml", folder / "compose.yaml")
    forking = tmp_path / "alone" / "bertbuild" / "isolation" / "forking.py"
    forking.write_text(forking.read_text() + BY_THEMSELVES)
    shutil.copyfile(ROOT / "examples" / "fleet.toml", tmp_path / "fleet.toml")
    make_checkpoints.main(tmp_path / "checkpoints")
    words = ("build", "--file", tmp_path / "fleet.toml", "--jobs", 2, "classifier", "three-heads/frozen")
    made, seconds = {}, {}
    for name in ("forked", "alone"):
        program = Bertbuild(tmp_path / f"artifacts-{name}", root=tmp_path / name)
        built = program.ok(*words)
        assert left_after(1.0, program.artifacts) == []
        assert all(event["passed"] for event in built.of("verdict"))
        made[name] = program.digests()
        seconds[name] = built.seconds
    assert {stage for stage, _ in made["forked"]} >= {"tf1-infer", "neuron-ready", "ir-direct", "tf2-saved-model"}
    assert made["forked"] == made["alone"]
    assert seconds["forked"] < seconds["alone"]
