from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.integration

SPY = """
import json
import os

from openvino_telemetry.utils.opt_in_checker import OptInChecker
from stage import emit

with open("/proc/self/stat") as _file:
    _group = int(_file.read().rpartition(")")[2].split()[2])
_seen = {
    "usage_data": OptInChecker().check(False, True).name,
    "home": os.environ["HOME"],
    "temporary": os.environ["TMPDIR"],
    "names": sorted(os.environ),
    "own_group": _group == os.getpid(),
}
emit("note", text="seen " + json.dumps(_seen))
"""
"""Asks OpenVINO's own package what it asks before it sends usage data, which `import openvino` does unless told."""


@pytest.fixture
def seen(altered, tiny, tiny_built, monkeypatch):
    """What a stage of the openvino environment finds around it."""
    assert tiny_built.code == 0
    monkeypatch.setenv("SECRET_OF_THE_USER", "hidden")
    monkeypatch.delenv("CI", raising=False)
    built = altered("openvino", "ir_direct", SPY).ok("build-ir", "--checkpoint", tiny, "--name", "spied")
    (told,) = [text for text in built.notes if text.startswith("seen ")]
    return json.loads(told.removeprefix("seen "))


def test_a_stage_sends_no_usage_data_and_sees_nothing_of_the_users_own(seen, bertbuild):
    assert seen["usage_data"] == "DECLINED"
    work = str(bertbuild.artifacts / "work")
    assert seen["home"].startswith(work)
    assert seen["temporary"].startswith(work)
    assert "SECRET_OF_THE_USER" not in seen["names"]
    assert seen["own_group"], "so that Ctrl-C and a kill reach all it started"
