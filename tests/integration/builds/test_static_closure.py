"""The code that stages really load, against the code that their keys tell of.

Every stage of every integration test runs in a folder that holds the code of its key and no other of ours, so one that
needs more fails. Here all the other code is there too, and what a stage loads is written down.
"""

from __future__ import annotations

import json
import shutil

import pytest
from program import ROOT, Bertbuild

from bertbuild.stages import STAGES, stage_code

pytestmark = pytest.mark.integration

RECORDER = """
import json as _json
import os as _os
import sys as _sys
import threading as _threading

_root = "ROOT"
_end = _os._exit

def _record(code):
    if not _os.path.exists("run_stage.py"):  # what forks stages
        _end(code)
    files = (getattr(module, "__file__", None) for module in list(_sys.modules.values()))
    files = {_os.path.realpath(file) for file in files if file}
    stage = _os.path.realpath(_sys.modules["__main__"].__file__)
    folders = (_root + "/docker/", _root + "/bertbuild/")
    ours = sorted(_os.path.relpath(file, _root) for file in files | {stage} if file.startswith(folders))
    with open(_os.path.join("LOADED", str(_os.getpid()) + ".json"), "w") as file:
        _json.dump({"stage": _os.path.relpath(stage, _root), "ours": ours}, file)
    _end(code)

if _threading.current_thread() is _threading.main_thread():
    _os._exit = _record
    _sys.path += [_os.path.join(_root, "docker", "common"), _root]
"""
"""Begins each Python of a stage: at its end, says which files of the checkout at ROOT it has loaded."""

SITE = "bertbuild/isolation/site/sitecustomize.py"
HOST = {SITE, "bertbuild/isolation/fork_server.py", "bertbuild/__init__.py"}
"""Where byte-code is kept, and what forks stages, in virtual environments; what a
stage finds only where it can find the host's code too."""

COMMANDS = {
    "build-ir --route reshapeable": ("freeze", "tf1-infer", "ir", "openvino-infer"),
    "build-ir": ("ir-direct",),
    "convert-tf2": ("convert-tf2", "tf2-infer"),
}


@pytest.fixture
def recorded(bertbuild, tmp_path):
    """The program of a copy of the checkout whose stages say what they loaded, and the folder in which they do."""
    assert bertbuild.artifacts.is_dir()
    loaded = tmp_path / "loaded"
    loaded.mkdir()
    for folder in ("bertbuild", "docker"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "compose.yaml", tmp_path / "compose.yaml")
    site = tmp_path / SITE
    site.write_text(site.read_text() + RECORDER.replace("LOADED", str(loaded)).replace("ROOT", str(tmp_path.resolve())))
    return Bertbuild(tmp_path / "artifacts", root=tmp_path), loaded


def test_stages_load_no_code_of_ours_that_their_keys_do_not_tell_of(recorded, tiny):
    program, loaded = recorded
    for command in COMMANDS:
        program.ok(*command.split(), "--checkpoint", tiny)
    told = {
        f"docker/{spec.backend}/stages/{spec.command.replace('-', '_')}.py": {
            str(path.relative_to(ROOT)) for path in stage_code(spec).values()
        }
        for spec in STAGES.values()
    }
    seen = {}
    for path in loaded.iterdir():
        run = json.loads(path.read_text())
        seen.setdefault(run["stage"], set()).update(run["ours"])
    names = [STAGES[stage] for stages in COMMANDS.values() for stage in stages]
    assert {f"docker/{spec.backend}/stages/{spec.command.replace('-', '_')}.py" for spec in names} <= set(seen)
    for stage, files in seen.items():
        assert files - HOST <= told[stage], stage
        assert any(name.startswith("docker/common/") for name in files), "what is loaded was written down"
