"""SavedModels of TensorFlow 2 that hold operators that may not run: refused where loading or the answer runs them."""

from __future__ import annotations

import pytest
from backends import run as run_script
from program import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.whole]


def test_only_what_would_run_is_refused(bertbuild, tmp_path):
    assert bertbuild.artifacts.is_dir()
    said = run_script("tf2", "saved_programs", root=ROOT, out=tmp_path)
    assert "its answer is computed by WriteFile, which reads or writes files" in said["answer"]
    assert "its loading runs InitializeTableFromTextFileV2, which reads or writes files" in said["loading"]
    assert "its loading may run ReadFile, which reads or writes files" in said["unasked"]
    assert said["elsewhere"] == ""
    assert said["written"] is False
