"""Whether stages may read what they are given, where root calls and they run as nobody."""

import os
import stat

import pytest

from bertbuild.errors import UsageError
from bertbuild.isolation import mounts
from bertbuild.isolation.mounts import let_read

UMASKS = (0o000, 0o022, 0o027, 0o077)


@pytest.fixture
def as_root(monkeypatch):
    monkeypatch.setattr(mounts.os, "getuid", lambda: 0)


@pytest.fixture(params=UMASKS, ids=lambda umask: f"umask {umask:03o}")
def written(request, tmp_path):
    """Writes a folder with a file, below one with a name, under a umask."""

    def write(name):
        before = os.umask(request.param)
        try:
            folder = tmp_path / name / "model"
            (folder / "deep").mkdir(parents=True)
            (folder / "deep" / "probes.json").write_text("{}")
        finally:
            os.umask(before)
        return folder

    return write


def others_read(path):
    bits = 0o5 if path.is_dir() else 0o4
    return stat.S_IMODE(path.stat().st_mode) & bits == bits


@pytest.mark.usefixtures("as_root")
def test_what_bertbuild_made_is_readable_to_stages_whatever_the_umask(written, tmp_path):
    folder = written("store")
    let_read([folder], tmp_path / "store")
    assert all(map(others_read, (folder, folder / "deep", folder / "deep" / "probes.json")))


def test_nothing_is_changed_for_a_caller_whose_own_stages_are(written, tmp_path, monkeypatch):
    monkeypatch.setattr(mounts.os, "getuid", lambda: 1000)
    folder = written("store")
    before = folder.stat().st_mode
    let_read([folder], tmp_path / "store")
    assert folder.stat().st_mode == before


@pytest.mark.usefixtures("as_root")
def test_a_private_file_of_the_users_is_named_by_its_path_here_and_stays_private(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755)
    file = folder / "vocab.txt"
    file.write_text("[PAD]\n")
    file.chmod(0o600)
    with pytest.raises(UsageError) as caught:
        let_read([folder], tmp_path / "store")
    assert str(caught.value) == f"{file} may not be read by uid 65534, which stages run as where root calls."
    assert caught.value.next_step == f"Let others read it (chmod -R a+rX {folder}), or build with --isolation venv."
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.usefixtures("as_root")
def test_a_link_to_nothing_hides_nothing(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "link").symlink_to("nowhere")
    let_read([tmp_path / "store"], tmp_path / "store")
