import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import containers

from bertbuild.errors import EngineError, StageError, StageKilledForMemoryError
from bertbuild.isolation import compose, docker_engine, mounts
from bertbuild.isolation.base import StageRun
from bertbuild.isolation.compose import ComposeIsolation
from bertbuild.project import ROOT

pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def nothing_left_behind():
    before = containers()
    yield
    assert containers() == before


def test_a_stage_has_no_network_no_rights_and_nothing_to_write_but_its_own(probe, tmp_path):
    out, events = probe("look")
    seen = json.loads((out / "look.json").read_text())
    assert seen["interfaces"] == ["lo"]
    assert not seen["reaches"]
    assert seen["uid"] == (os.getuid() or mounts.NOBODY)
    assert seen["gid"] == (os.getgid() if os.getuid() else mounts.NOBODY)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(seen["status"][name], 16) == 0, name
    assert seen["status"]["NoNewPrivs"] == "1"
    assert seen["status"]["Seccomp"] == "2"
    assert seen["writable"] == ["/tmp", "/bertbuild/artifacts/out"]  # noqa: S108
    assert seen["data"] == {"file": "of the caller's"}
    assert seen["artifacts"] == ["out"]
    assert seen["tmp_bytes"] == 2**30
    assert "init" in seen["init"] or "tini" in seen["init"]
    assert seen["modules_without_bytecode"] == []
    assert events == [{"event": "probe", "act": "look"}]
    log = (tmp_path / "log").read_text()
    assert "a line on stderr" in log
    assert "a line on stdout that is not an event" in log


def test_what_a_stage_writes_is_the_callers(probe):
    out, _events = probe("look")
    for path in (out.parent, out, *out.iterdir()):
        assert (path.stat().st_uid, path.stat().st_gid) == (os.getuid(), os.getgid()), path


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another uid")
def test_a_foreign_uid_works(probe, monkeypatch, tmp_path):
    for path in (tmp_path / "work", tmp_path / "work" / "out"):
        os.chown(path, 12345, 23456)
    monkeypatch.setattr(compose.os, "getuid", lambda: 12345)
    monkeypatch.setattr(compose.os, "getgid", lambda: 23456)
    out, _events = probe("look")
    seen = json.loads((out / "look.json").read_text())
    assert (seen["uid"], seen["gid"]) == (12345, 23456)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in out.iterdir()} == {(12345, 23456)}


def test_links_out_of_a_folder_are_followed(probe, tmp_path):
    blob = tmp_path / "blobs" / "1234"
    blob.parent.mkdir()
    blob.write_text("far away")
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    (snapshot / "linked").symlink_to("../blobs/1234")
    (snapshot / "plain").write_text("near")
    out, _events = probe("look", inputs={"data": snapshot})
    seen = json.loads((out / "look.json").read_text())
    assert seen["data"] == {"linked": "far away", "plain": "near"}
    assert "/in/data" not in seen["writable"]


def test_a_stage_over_its_memory_limit_is_told_apart(probe, monkeypatch):
    monkeypatch.setenv("BERTBUILD_MEMORY", "64m")
    with pytest.raises(StageKilledForMemoryError, match="64 MiB") as caught:
        probe("eat")
    assert "BERTBUILD_MEMORY" in caught.value.next_step


def test_a_stage_killed_from_outside_is_no_memory_error(probe):
    with pytest.raises(StageError, match="killed from outside") as caught:
        probe("die")
    assert not isinstance(caught.value, StageKilledForMemoryError)


def test_a_failing_stage_keeps_the_backends_own_words(probe):
    with pytest.raises(StageError, match="exit code 1") as caught:
        probe("fail")
    assert "RuntimeError: the backend's own words" in caught.value.details


def test_ctrl_c_leaves_no_container(probe):
    def interrupt(_event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe("sleep", on_event=interrupt)


def test_compose_down_in_the_checkout_ends_no_stage(probe):
    left = []

    def down(_event):
        command = ["docker", "compose", "down", "--remove-orphans"]
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        left.extend(containers())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe("sleep", on_event=down)
    assert len(left) == 1


def test_an_image_that_is_missing_has_no_facts(isolation, monkeypatch):
    monkeypatch.setenv("BERTBUILD_IMAGE_TAG", "never-built")
    with pytest.raises(EngineError, match="is not built") as caught:
        isolation.environment("openvino")
    assert "docker compose build openvino" in caught.value.next_step


def test_a_container_that_cannot_start_is_no_failed_stage(probe, monkeypatch):
    monkeypatch.setenv("BERTBUILD_MEMORY", "1k")  # less than any engine allows
    with pytest.raises(EngineError, match="could not be started") as caught:
        probe("look")
    assert "memory limit" in caught.value.details.lower()


@pytest.mark.usefixtures("probe")
def test_by_hand_with_the_same_relative_paths_as_on_the_host(tmp_path):
    artifacts = tmp_path / "artifacts"
    (artifacts / "model").mkdir(parents=True)
    artifacts.chmod(0o777)
    uid = os.getuid() or mounts.NOBODY
    env = {**os.environ, "BERTBUILD_ARTIFACTS": str(artifacts), "BERTBUILD_UID": str(uid), "BERTBUILD_GID": str(uid)}
    command = [
        "docker",
        "compose",
        "run",
        "-T",
        "--rm",
        "openvino",
        "probe",
        "--data=artifacts/model",
        "--out=artifacts/new",
    ]
    subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=True)
    assert sorted(path.name for path in (artifacts / "new").iterdir()) == ["look.json", "stage.json", "written"]
    assert (artifacts / "new" / "look.json").stat().st_uid == uid


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("uid", [0, 4321], ids=["root", "a uid without a name, in the engine's group"])
@pytest.mark.parametrize("umask", [0o027, 0o077, *(pytest.param(one, marks=pytest.mark.whole) for one in (0, 0o022))])
def test_whatever_the_umask_a_stage_reads_what_bertbuild_wrote(derived, tmp_path_factory, monkeypatch, umask, uid):
    """A process of its own writes a store, and runs a stage on what is in it, as root or as another user."""
    tag = derived("openvino", "probe", ["COPY --chown=0:0 probe.py /opt/bertbuild/stages/probe.py"])
    monkeypatch.setenv("BERTBUILD_IMAGE_TAG", tag)
    shared = tmp_path_factory.mktemp("users")
    for folder in (shared.parent.parent, shared.parent, shared):
        folder.chmod(0o777 if folder == shared else 0o755)
    store = shared / "store"
    child = os.fork()
    if child == 0:
        _as(uid, umask, shared, lambda: _run_on_a_store(store))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    out = store / "work" / "out" / "look.json"
    assert json.loads(out.read_text())["data"] == {"file": "ours"}
    assert out.stat().st_uid == uid


def _as(uid, umask, home, act):
    """Become another user, act, and end this process."""
    code = 1
    try:
        if uid:
            group = Path(docker_engine.endpoint().removeprefix("unix://")).stat().st_gid
            os.setgroups([])
            os.setgid(group)
            os.setuid(uid)
            os.environ["HOME"] = str(home)
        os.umask(umask)
        act()
        code = 0
    finally:
        os._exit(code)


def _run_on_a_store(store):
    (store / "work" / "out").mkdir(parents=True)
    (store / "probes").mkdir()
    (store / "probes" / "file").write_text("ours")
    stage_run = StageRun(
        backend="openvino",
        stage="probe",
        inputs={"data": store / "probes"},
        params={"act": "look"},
        work=store / "work",
        log=store / "log",
    )
    ComposeIsolation(store=store).run(stage_run, lambda _event: None)
