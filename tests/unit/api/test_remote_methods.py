"""Two machines, a build file and a shared folder, from Python."""

from __future__ import annotations

import pytest

pytest.importorskip("securesystemslib")

from remote_doubles import keys_in
from small_fleet import MODELS, TARGETS, write_tiny

from bertbuild.api import Project
from bertbuild.backends import BACKENDS
from bertbuild.commands.session import Session


@pytest.fixture
def project(isolation, monkeypatch, tmp_path):
    """A machine, by its name: its store is its own, build file, checkpoints and remote store are shared."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    for seed, name in enumerate(("one", "two")):
        write_tiny(tmp_path / "checkpoints" / name, seed)
    (tmp_path / "shared").mkdir()
    key, public = keys_in(tmp_path / "keys")
    monkeypatch.setenv("BERTBUILD_REMOTE_KEY", str(key))
    remote = f'[remote]\nurl = "file://{tmp_path}/shared"\ntrust = ["{public}"]\nwrite = true\n'
    (tmp_path / "bertbuild.toml").write_text(remote + TARGETS + MODELS)
    return lambda name, **more: Project(artifacts=name, **more)


def test_what_one_machine_built_another_has_without_running_a_stage(project, isolation):
    assert {target.state for target in project("first").build_file().targets} == {"built"}
    isolation.runs.clear()
    second = project("second")
    assert {target.state for target in second.status().targets} == {"in the remote store"}
    assert set(second.dry_run().counts["targets"]) == {"in the remote store"}
    assert {target["state"] for target in second.why("one").targets} == {"in the remote store"}
    assert {target.state for target in second.build_file().targets} == {"up to date"}
    assert isolation.runs == []
    assert second.dry_run().plan == ()
    assert {target.state for target in second.status().targets} == {"built"}
    assert second.verify_store().problems == ()
    assert len(second.verify("one/ir-fp32").verified) == 1  # which brings what it compares


def test_all_results_are_pulled_and_a_build_needs_the_remote_store_no_more(project, isolation, tmp_path):
    project("first").build_file()
    isolation.runs.clear()
    second = project("second")
    dry = second.remote_pull(dry_run=True)
    assert (len(dry.results) > 0, dry.lacking) == (True, 0)
    assert not list((tmp_path / "second" / "objects").glob("*/*-*"))
    pulled = second.remote_pull()
    assert pulled.results == dry.results
    (tmp_path / "shared").rename(tmp_path / "gone")
    assert {target.state for target in project("second", offline=True).build_file().targets} == {"up to date"}
    assert isolation.runs == []


def test_what_nobody_put_there_is_told(project):
    pulled = project("second").remote_pull("one")
    assert pulled.results == ()
    assert pulled.lacking > 0
