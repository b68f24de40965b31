"""A whole build in containers under every umask: by root, by a user of the engine's group, by hand with `--user`."""

import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pytest

from bertbuild.api import Checkpoint, Ir, Project
from bertbuild.isolation import docker_engine
from bertbuild.project import ROOT

sys.path.append(str(ROOT / "tests" / "integration"))

from tiny_models import weights, write_google

pytestmark = [
    pytest.mark.docker,
    pytest.mark.whole,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user"),
]

USER = 4321
"""A uid without a name."""
MADE = ("model.bin", "model.xml", "signature.json")


@pytest.fixture(scope="module")
def checkpoint(isolation):
    """One that all may read; built once, so that a process that becomes another user has all modules in memory."""
    assert isolation.is_ready("tf1")
    # Not in pytest's own folder, which every run of pytest closes to others.
    place = Path(tempfile.mkdtemp(prefix="bertbuild-umasks-"))
    place.chmod(0o755)
    folder = write_google(place / "tiny", weights())
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    build(place / "first", folder)
    yield folder
    shutil.rmtree(place)


def build(artifacts, checkpoint):
    """Build an IR, which is judged; gives its folder."""
    with_gate = Project(artifacts=artifacts, isolation="docker").build(Checkpoint(str(checkpoint)), Ir())
    (target,) = with_gate.targets
    return Path(target.path)


@pytest.fixture
def own(checkpoint):
    """A folder of one's own for the store, which others may enter."""
    folder = checkpoint.parent / "own"
    folder.mkdir()
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def become(uid, home):
    """Be another user, of the engine's group."""
    os.setgroups([])
    os.setgid(Path(docker_engine.endpoint().removeprefix("unix://")).stat().st_gid)
    os.setuid(uid)
    os.environ["HOME"] = str(home)


@pytest.mark.parametrize("uid", [0, USER], ids=["root", "a user of the engine's group"])
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077], ids=lambda umask: f"{umask:03o}")
def test_an_ir_is_built_and_judged(checkpoint, own, umask, uid):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if uid:
                become(uid, own)
            os.umask(umask)
            # A private copy for the user; root's own private files stay root's, and are refused by their names.
            source = shutil.copytree(checkpoint, own / "tiny", copy_function=shutil.copyfile) if uid else checkpoint
            folder = build(own / "artifacts", source)
            code = 0 if {path.name for path in folder.iterdir()} >= set(MADE) else 2
        except BaseException:  # noqa: BLE001 - the process ends here, whatever it was
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (made,) = (own / "artifacts" / "objects" / "ir-direct").glob("*/model.xml")
    assert made.stat().st_uid == uid


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077], ids=lambda umask: f"{umask:03o}")
def test_a_stage_by_hand_as_another_user(checkpoint, own, umask):
    before = os.umask(umask)
    try:
        artifacts = own / "artifacts"
        artifacts.mkdir()
        shutil.copytree(checkpoint, artifacts / "tiny", copy_function=shutil.copyfile)
        for path in (artifacts, *artifacts.rglob("*")):
            os.chown(path, USER, USER)
        command = ["docker", "compose", "run", "-T", "--rm", "--user", f"{USER}:{USER}"]
        command += ["openvino", "ir-direct", "--checkpoint=artifacts/tiny", "--out=artifacts/ir", "--output=pooled"]
        env = {**os.environ, "BERTBUILD_ARTIFACTS": str(artifacts)}
        subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=True)
    finally:
        os.umask(before)
    found = {path.name: path.stat().st_uid for path in (artifacts / "ir").iterdir()}
    assert found == dict.fromkeys((*MADE, "stage.json"), USER)
