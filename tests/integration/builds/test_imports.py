from __future__ import annotations

import pytest
from backends import run as run_script
from program import ROOT

pytestmark = pytest.mark.integration


def test_of_contrib_only_what_the_layer_norm_needs_is_loaded():
    """Whole it is 700 modules, a third of a second of every stage of TensorFlow 1."""
    found = run_script("tf1", "contrib_loaded", path=[ROOT / "docker" / "tf1", ROOT / "docker" / "common"])
    assert "tensorflow.contrib.layers" in found["loaded"]
    assert not {f"tensorflow.contrib.{name}" for name in ("distributions", "learn", "tpu")} & set(found["loaded"])
    assert (found["normed"], found["same"], found["later"]) == ("AddV2", True, True)
