"""Images are built of what .dockerignore lets through, and a wheel has no more: all that stages can run is among it."""

from __future__ import annotations

import pytest

from bertbuild.backends import BACKENDS, backend_folder
from bertbuild.project import ROOT
from bertbuild.stages import STAGES, code_of


def passed():
    """The files and folders that .dockerignore lets through."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    return tuple(line[1:] for line in lines if line.startswith("!") and f"{line[1:]}/*" not in lines)


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_that_a_stage_runs_is_in_the_build_context(backend):
    assert backend_folder(backend).is_relative_to(ROOT / "docker")
    for spec in STAGES.values():
        if spec.backend == backend:
            for path in code_of(backend, spec.command).values():
                name = str(path.relative_to(ROOT))
                assert any(name == one or name.startswith(one + "/") for one in passed()), name
