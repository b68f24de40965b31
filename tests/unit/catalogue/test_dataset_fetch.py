from __future__ import annotations

import dataclasses
import json

import pytest
from catalogue_doubles import cut_after, replaced_by, sha, status, zip_of

from bertbuild.catalogue import contents
from bertbuild.catalogue.datasets import DataFile, Dataset, Part, find_dataset
from bertbuild.catalogue.fetch import fetch
from bertbuild.catalogue.sources import Sources
from bertbuild.errors import ArchiveError, DownloadError, IntegrityError

TABLES = {
    "train.tsv": "index\ttext\n0\tÜber\x85all\n1\tb\n".encode(),
    "dev.tsv": b"c\t1\n",
    "LICENSE.txt": b"as you like",
}
ZIP = zip_of(TABLES | {"original/raw.tsv": b"more"}, top="TOY/")
FILES = (DataFile(name="train.tsv", rows=2, header=True), DataFile(name="dev.tsv", rows=1))
PUBLISHED = {"bytes": len(ZIP), "sha256": sha(ZIP), "source": "us"}
HTML = b"<!DOCTYPE html><title>Log in</title>"


@pytest.fixture
def toy(server):
    """A data set as GLUE's are: a zip on record, behind two addresses, whose files are not."""
    server.content = ZIP
    return Dataset(
        name="Toy",
        title="Toy",
        group="GLUE",
        licence="Only for play.",
        aliases=("plaything",),
        parts=(Part(file="Toy.zip", urls=(f"{server.url}/a/Toy.zip", f"{server.url}/b/Toy.zip"), **PUBLISHED),),
        files=(*FILES, DataFile(name="LICENSE.txt", optional=True)),
    )


@pytest.fixture
def get(toy, tmp_path, patience):
    def run(dataset=toy, *, mirror=None, local=None, **options):
        sources = Sources(mirror=mirror, local=local)
        lock = tmp_path / "models.lock.json"
        return fetch(dataset, downloads=tmp_path / "datasets", sources=sources, lock=lock, patience=patience, **options)

    return run


@pytest.fixture
def mine(tmp_path):
    """A folder of the user's."""
    folder = tmp_path / "mine"
    folder.mkdir()
    return folder


def put(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "fetched.json"}


def test_a_data_set_arrives_licensed_checked_and_recorded(get, server, tmp_path):
    said = []
    got = get(note=said.append)
    assert said == ["Toy, licence: Only for play."]
    assert got.folder == tmp_path / "datasets" / "Toy"
    assert tree(got.folder) == TABLES
    assert {path.stat().st_mode & 0o222 for path in got.folder.iterdir()} == {0}
    assert got.recorded == ("Toy/LICENSE.txt", "Toy/dev.tsv", "Toy/train.tsv")
    assert json.loads((got.folder / "fetched.json").read_text())["kind"] == "dataset"
    assert server.paths == ["/a/Toy.zip"]
    assert [path.name for path in (tmp_path / "datasets" / ".zips" / "Toy").iterdir()] == ["Toy.zip.lock"]


def test_a_second_fetch_needs_neither_network_nor_hashing_and_repeats_no_licence(get, server, monkeypatch):
    get()
    monkeypatch.setattr(contents, "sha256_file", None)
    said = []
    get(note=said.append)
    assert said == []
    assert len(server.requests) == 1


def test_a_damaged_file_is_reported_and_the_data_set_fetched_anew(get):
    path = get().folder / "dev.tsv"
    path.chmod(0o644)
    path.write_bytes(b"c\t0\n")
    said = []
    assert get(note=said.append).repaired == ("dev.tsv was changed",)
    assert said[0] == "Toy is damaged: dev.tsv was changed. Fetching it again."
    assert path.read_bytes() == TABLES["dev.tsv"]


def test_an_interrupted_download_goes_on_at_the_next_call(get, toy, server):
    one = dataclasses.replace(toy, parts=(dataclasses.replace(toy.parts[0], urls=toy.parts[0].urls[:1]),))
    server.steps = [cut_after(50), *[status(503)] * 3]
    with pytest.raises(DownloadError, match="HTTP 503"):
        get(one)
    assert tree(get(one).folder) == TABLES
    assert server.ranges()[-1] == "bytes=50-"


# --- addresses


@pytest.mark.parametrize(
    "first", [status(404), replaced_by(b"x" * len(ZIP), '"other"'), replaced_by(b"short", '"other"')]
)
def test_the_next_address_is_tried_when_one_does_not_give_the_bytes_on_record(get, server, first):
    server.steps = [first, replaced_by(ZIP, '"v1"')]
    said = []
    assert tree(get(note=said.append).folder) == TABLES
    assert server.paths == ["/a/Toy.zip", "/b/Toy.zip"]
    assert said[-1].endswith("Trying the next address.")


def test_when_no_address_serves_each_is_accounted_for(get, server):
    server.steps = [status(404), status(410)]
    with pytest.raises(DownloadError, match=r"/b/Toy\.zip: HTTP 410") as caught:
        get()
    assert "/a/Toy.zip: HTTP 404" in caught.value.details
    assert "--from" in caught.value.next_step


def test_bytes_that_are_not_on_record_are_set_aside(get, server, tmp_path):
    server.content = b"x" * len(ZIP)
    with pytest.raises(IntegrityError, match=f"expected sha256 {sha(ZIP)}, got {sha(server.content)}") as caught:
        get()
    assert "On record from: us" in caught.value.details
    assert (tmp_path / "datasets" / ".zips" / "Toy" / "Toy.zip.bad").exists()
    assert not (tmp_path / "datasets" / "Toy").exists()
    server.content = ZIP
    assert tree(get().folder) == TABLES


def test_a_login_page_is_called_one(get, toy, server):
    server.content = HTML
    unknown = dataclasses.replace(toy.parts[0], bytes=None, sha256=None)
    with pytest.raises(DownloadError, match="gave a web page in place of the file"):
        get(dataclasses.replace(toy, parts=(unknown,)))
    with pytest.raises(IntegrityError, match=rf"has {len(HTML)} bytes on the server, but {len(ZIP)} on record"):
        get()


def test_a_mirror_has_the_files_side_by_side(get, server):
    assert tree(get(mirror=f"{server.url}/my mirror/".replace(" ", "%20")).folder) == TABLES
    assert server.paths == ["/my%20mirror/Toy.zip"]


def test_a_mirror_may_be_a_folder(get, server, mine):
    with pytest.raises(DownloadError, match=r"The mirror has no .*Toy\.zip"):
        get(mirror=mine.as_uri())
    put(mine, {"Toy.zip": ZIP})
    assert tree(get(mirror=mine.as_uri()).folder) == TABLES
    assert (mine / "Toy.zip").exists()
    assert server.requests == []


# --- from the user's own disk


@pytest.mark.parametrize("where", ["toy", "TOY", "Toy", "plaything", "glue_data/Toy", "."])
def test_an_unpacked_folder_is_found_however_it_is_spelt(get, server, mine, where):
    put(mine / where, TABLES | {"notes.txt": b"mine"})
    said = []
    assert tree(get(local=mine, note=said.append).folder) == TABLES
    assert server.requests == []
    assert said[-1] == f"Toy is taken from {mine / where}."


@pytest.mark.parametrize("name", ["Toy.zip", "toy.zip", "TOY.ZIP", "plaything.zip"])
def test_a_zip_is_found_however_it_is_spelt_and_kept(get, mine, name):
    put(mine, {name: ZIP})
    assert tree(get(local=mine).folder) == TABLES
    assert (mine / name).read_bytes() == ZIP


def test_files_may_be_spelt_otherwise(get, mine):
    put(mine, {"Train.TSV": TABLES["train.tsv"], "dev.tsv": TABLES["dev.tsv"]})
    assert set(tree(get(local=mine).folder)) == {"train.tsv", "dev.tsv"}


def test_a_folder_without_the_data_set_says_what_was_looked_for(get, mine):
    put(mine / "Toy", {"train.tsv": TABLES["train.tsv"]})
    with pytest.raises(DownloadError, match="has no Toy") as caught:
        get(local=mine)
    assert "train.tsv, dev.tsv, or Toy.zip, in" in caught.value.details
    assert str(mine / "Toy") in caught.value.details
    with pytest.raises(DownloadError, match="is not a folder"):
        get(local=mine / "nothing")


def test_data_that_may_be_missing_is_missed_aloud(get, toy, mine):
    put(mine, {"dev.tsv": TABLES["dev.tsv"]})
    dataset = dataclasses.replace(toy, files=(dataclasses.replace(FILES[0], optional=True), FILES[1]))
    said = []
    assert set(tree(get(dataset, local=mine, note=said.append).folder)) == {"dev.tsv"}
    assert f"Toy goes without train.tsv: {mine} has no such file." in said[-1]


def test_the_lock_file_knows_a_copy_from_another(get, mine, tmp_path):
    put(mine / "one", {"Toy.zip": ZIP})
    put(mine / "two", {"Toy.zip": zip_of(TABLES | {"dev.tsv": b"d\t0\n"})})
    get(local=mine / "one").folder.rename(tmp_path / "away")
    with pytest.raises(IntegrityError, match=r"Toy/dev\.tsv is not the file recorded in models\.lock\.json"):
        get(local=mine / "two")


# --- what is not a data set


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Toy/train.tsv is empty"),
        (HTML, "Toy/train.tsv is a web page"),
        (b"index\ttext\n", "Toy/train.tsv has 0 rows; 2 were published"),
        (b"index\ttext\n0\ta\n", "Toy/train.tsv has 1 row; 2 were published"),
        (b"index\ttext\n0\tcaf\xe9\n1\tb\n", "Toy/train.tsv is not UTF-8 text: line 2 cannot be read"),
        ("index\ttext\n0\ta\n1\tb\n".encode("utf-16"), "Toy/train.tsv is UTF-16; it must be UTF-8"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "train.tsv is a Git LFS pointer"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_with_a_next_step(get, mine, tmp_path, content, words):
    put(mine, TABLES | {"train.tsv": content})
    with pytest.raises(IntegrityError, match=words) as caught:
        get(local=mine)
    assert caught.value.next_step
    assert not (tmp_path / "datasets" / "Toy").exists()
    assert not (tmp_path / "models.lock.json").exists()


def test_a_last_line_without_an_end_is_a_row(get, mine):
    put(mine, TABLES | {"dev.tsv": b"c\t1"})
    assert tree(get(local=mine).folder)["dev.tsv"] == b"c\t1"


def test_the_files_of_another_task_are_called_by_their_name(get, mine):
    put(mine, {"train.tsv": b"x\n" * 8551, "dev.tsv": b"x\n" * 1043, "test.tsv": b"x\n" * 1064})
    with pytest.raises(IntegrityError, match=r"RTE/train\.tsv has 8,550 rows; 2,490 were published") as caught:
        get(find_dataset("RTE"), local=mine)
    assert "CoLA" in caught.value.next_step


def test_a_table_of_unknown_length_needs_a_row(get, mine):
    put(mine, dict.fromkeys(("train.tsv", "dev.tsv", "test.tsv"), b"id\tquestion1\n"))
    with pytest.raises(IntegrityError, match=r"QQP/train\.tsv has 0 rows; a header is not enough"):
        get(find_dataset("QQP"), local=mine)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (zip_of({"cat.jpg": b""}), ArchiveError, r"Toy\.zip is not the zip of Toy: it holds cat\.jpg"),
        (zip_of({"train.tsv": TABLES["train.tsv"]}), ArchiveError, r"does not contain dev\.tsv"),
        (zip_of(TABLES | {"../../evil": b""}), ArchiveError, "climbs out"),
        (HTML, ArchiveError, "a web page, it seems"),
        (b"", ArchiveError, "it is empty"),
        (ZIP[:100], ArchiveError, "cut short"),
    ],
)
def test_a_zip_that_is_none_or_anothers_is_refused(get, mine, content, error, words):
    put(mine, {"Toy.zip": content})
    with pytest.raises(error, match=words) as caught:
        get(local=mine)
    assert caught.value.next_step


# --- questions


@pytest.fixture
def squad(server):
    """A SQuAD file that is taken as it is, under another name."""
    content = json.dumps({"data": [{"paragraphs": [{"qas": [{}, {}]}, {"qas": [{}]}]}]}).encode()
    server.content = content
    part = Part(file="d.json", urls=(f"{server.url}/d.json",), also=("other.json",), gives="dev.json")
    return Dataset(
        name="Squad",
        title="",
        group="SQuAD",
        licence="Free.",
        parts=(part,),
        files=(DataFile(name="dev.json", rows=3),),
    )


def test_a_file_may_be_taken_as_it_is(get, squad, server):
    assert tree(get(squad).folder) == {"dev.json": server.content}


def test_a_file_on_disk_may_have_another_name(get, squad, server, mine):
    put(mine, {"other.json": server.content})
    assert tree(get(squad, local=mine).folder) == {"dev.json": server.content}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (HTML, "is a web page"),
        (b'{"data": [{"para', "not complete JSON: it breaks off or goes wrong at line 1, column 12"),
        (b'{"data": [{"title": "x"}]}', "JSON, but not SQuAD's"),
        (b"[]", "JSON, but not SQuAD's"),
        (b'{"data": []}', "has 0 rows; 3 were published"),
        (b'\xef\xbb\xbf{"data": []}', "has 0 rows; 3 were published"),
        pytest.param(b"[" * 200_000, "is not readable JSON", id="nested without end"),
        (b'{"data": "\xff"}', "is not UTF-8 text"),
    ],
)
def test_questions_that_cannot_be_right_are_refused(get, squad, mine, content, words):
    put(mine, {"dev.json": content})
    with pytest.raises(IntegrityError, match=words) as caught:
        get(squad, local=mine)
    assert caught.value.next_step


def test_a_data_set_of_two_zips_is_one_folder(get, mine):
    train = "multinli/multinli.train.zh.tsv"
    tables = {"xnli.dev.tsv": b"language\nzh\n", "xnli.test.tsv": b"language\nzh\n"}
    put(mine, {"XNLI-1.0.zip": zip_of(tables, top="XNLI-1.0/")})
    put(mine, {"XNLI-MT-1.0.zip": zip_of({train: b"premise\nx\n", "xnli/other.tsv": b""}, top="XNLI-MT-1.0/")})
    folder = get(find_dataset("XNLI"), local=mine).folder
    assert (folder / train).read_bytes() == b"premise\nx\n"
    assert {name: (folder / name).read_bytes() for name in tables} == tables
    assert get(find_dataset("XNLI")).repaired == ()
