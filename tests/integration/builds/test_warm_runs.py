"""A run that is forked from what has imported the program (`warm_runs.py`) is a run as users start it."""

from __future__ import annotations

import pytest
from program import Bertbuild


@pytest.mark.parametrize(("what", "code"), [("checkpoint", 0), ("nothing", 4)])
def test_a_forked_run_says_what_one_that_starts_by_itself_says(bertbuild, tiny, tmp_path, what, code):
    words = ("inspect", "--checkpoint", tiny if what == "checkpoint" else tmp_path / "none")
    program = bertbuild.having(BERTBUILD_ARTIFACTS=tmp_path)
    forked, started = program(*words), program.finish(program.start(*words))
    assert (forked.code, forked.events, forked.stderr) == (started.code, started.events, started.stderr)
    assert forked.code == code


def test_stages_of_a_forked_run_make_what_those_of_one_that_starts_by_itself_make(bertbuild, tiny, tmp_path):
    assert bertbuild.artifacts.is_dir()
    programs = [Bertbuild(tmp_path / name / "artifacts") for name in ("forked", "started")]
    for program in programs:
        program.artifacts.mkdir(parents=True)
    forked, started = programs
    forked.ok("freeze", "--checkpoint", tiny)
    assert started.finish(started.start("freeze", "--checkpoint", tiny)).code == 0
    assert forked.digests() == started.digests()
