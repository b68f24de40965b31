"""transformers' PyTorch classes, which answer for Hugging Face folders where their environment is made."""

from __future__ import annotations

import pytest

from bertbuild.config import load_settings
from bertbuild.isolation.venv import VenvIsolation

BACKEND = "hf-torch"
needs_torch = pytest.mark.skipif(
    not VenvIsolation(load_settings().environments).is_ready(BACKEND),
    reason="the environment hf-torch, of 4.5 GB, is not made (invoke images --backend hf-torch)",
)


def require_like_source(bertbuild, name, built):
    """Require that a folder answers like its source in PyTorch too, all that it answered as it was built; all stays."""
    made = bertbuild.out(name, "hf").resolve()
    asked = bertbuild.ok("verify", f"{name}/hf", "--runtime", BACKEND)
    verdict = asked.verdict("hf")
    assert verdict["passed"]
    assert [(row["probe"], row["output"]) for row in verdict["rows"]] == [
        (row["probe"], row["output"]) for row in built.verdict("hf")["rows"]
    ]
    assert "hf-torch-infer" in {event["stage"] for event in asked.of("stage")}
    assert bertbuild.out(name, "hf").resolve() == made
