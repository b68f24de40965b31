"""MRPC, both ways; against GLUE's own files where they are beside the repository."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from catalogue_doubles import honest, replaced_by, stall_after, zip_of

from bertbuild.catalogue.datasets import find_dataset
from bertbuild.catalogue.fetch import fetch
from bertbuild.catalogue.mrpc import DEV_IDS, TEST, TRAIN, build_mrpc
from bertbuild.catalogue.sources import Sources
from bertbuild.errors import IntegrityError
from bertbuild.project import ROOT

DATA = ROOT.parent / "shared" / "data" / "glue"
TABLES = ("train.tsv", "dev.tsv", "test.tsv")
SOURCES = (TRAIN, TEST, DEV_IDS)
HEADER = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data/glue beside the repository")


def written(folder, **texts):
    for name, lines in texts.items():
        (folder / name).write_bytes(lines)
    return [folder / name for name in texts]


def test_the_pairs_listed_go_to_dev_and_all_keep_their_order(tmp_path):
    train = f"{HEADER}\r\n1\t5\t6\ta b\tc\r\n0\t7\t8\td\te\x85f\r\n1\t6\t5\tg\th\r\n".encode()
    test = f"{HEADER}\n1\t1\t2\tx\ty\n0\t3\t4\tz\t\u00fc\n".encode()
    build_mrpc(*written(tmp_path, train=train, test=test, ids=b"7\t8\n9\t9\n"), tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_text(encoding="utf-8").split("\n") for name in TABLES} == {
        "train.tsv": [HEADER, "1\t5\t6\ta b\tc", "1\t6\t5\tg\th", ""],
        "dev.tsv": [HEADER, "0\t7\t8\td\te\x85f", ""],
        "test.tsv": [HEADER.replace("\ufeffQuality", "index"), "0\t1\t2\tx\ty", "1\t3\t4\tz\t\u00fc", ""],
    }


@pytest.mark.parametrize(
    ("train", "ids", "words"),
    [
        (f"{HEADER}\n1\t5\t6\tonly one\n".encode(), b"7\t8\n", r"msr_paraphrase_train\.txt, line 2: 4 columns, not 5"),
        (f"{HEADER}\n1\t5\t6\ta\tb\n".encode(), b"7 8\n", r"dev_ids\.tsv, line 1: 1 column, not 2"),
        (b"", b"7\t8\n", r"msr_paraphrase_train\.txt is empty"),
        (b"<html>", b"7\t8\n", r"msr_paraphrase_train\.txt is a web page"),
        (b"\xff\xfeQ\0", b"7\t8\n", r"msr_paraphrase_train\.txt is UTF-16"),
    ],
)
def test_a_broken_text_is_told_by_its_line(tmp_path, train, ids, words):
    with pytest.raises(IntegrityError, match=words) as caught:
        build_mrpc(*written(tmp_path, train=train, test=HEADER.encode(), ids=ids), tmp_path / "out")
    assert caught.value.next_step


@pytest.fixture
def get(tmp_path, patience):
    def run(**sources):
        lock = tmp_path / "models.lock.json"
        downloads = tmp_path / "datasets"
        return fetch(
            find_dataset("MRPC"), downloads=downloads, sources=Sources(**sources), lock=lock, patience=patience
        )

    return run


def put(folder, names):
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes((DATA / "MRPC" / name).read_bytes())


def put_zip(folder, names, top):
    folder.mkdir(parents=True)
    (folder / "MRPC.zip").write_bytes(zip_of({name: (DATA / "MRPC" / name).read_bytes() for name in names}, top=top))


WAYS = {
    "built of the texts": lambda folder: put(folder / "mrpc", SOURCES),
    "built of loose texts": lambda folder: put(folder, SOURCES),
    "a folder": lambda folder: put(folder / "MRPC", TABLES),
    "a zip": lambda folder: put_zip(folder, TABLES, "MRPC/"),
    "a zip of both": lambda folder: put_zip(folder, TABLES + SOURCES, ""),
}


@needs_data
@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_bytes_of_glue(get, tmp_path, way):
    WAYS[way](tmp_path / "mine")
    got = get(local=tmp_path / "mine")
    assert got.recorded == ()
    for name, rows in zip(TABLES, (3668, 408, 1725), strict=True):
        content = (got.folder / name).read_bytes()
        assert content == (DATA / "MRPC" / name).read_bytes()
        assert content.count(b"\n") == rows + 1


@needs_data
def test_a_changed_text_makes_another_corpus(get, tmp_path):
    for name in SOURCES:
        (tmp_path / name).write_bytes((DATA / "MRPC" / name).read_bytes().replace(b"Amrozi", b"Imrozi"))
    with pytest.raises(IntegrityError, match=r"MRPC/train\.tsv is not the file on record"):
        get(local=tmp_path)


@needs_data
def test_the_texts_are_downloaded_and_the_corpus_built(get, server):
    server.steps = [replaced_by((DATA / "MRPC" / name).read_bytes(), f'"{name}"') for name in SOURCES]
    got = get(mirror=server.url)
    assert server.paths == [f"/{name}" for name in SOURCES]
    assert {name: (got.folder / name).read_bytes() for name in TABLES} == {
        name: (DATA / "MRPC" / name).read_bytes() for name in TABLES
    }


@needs_data
@pytest.mark.parametrize("name", ["CoLA", "RTE", "STS-B", "WNLI", "SQuAD-1.1"])
def test_the_data_sets_beside_the_repository_pass(tmp_path, name):
    dataset = find_dataset(name)
    got = fetch(
        dataset,
        downloads=tmp_path / "datasets",
        sources=Sources(local=DATA.parent),
        lock=tmp_path / "models.lock.json",
    )
    assert {file.name for file in got.files} >= {file.name for file in dataset.files if not file.optional}


@pytest.fixture
def command(tmp_path, server):
    """Starts `bertbuild fetch-data --task MRPC` as a process, from the server."""

    def start():
        return subprocess.Popen(
            [sys.executable, "-m", "bertbuild", "fetch-data", "--task", "mrpc", "--mirror", server.url],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "BERTBUILD_ARTIFACTS": str(tmp_path / "artifacts")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def by_name(handler, server):
    server.content = (DATA / "MRPC" / Path(handler.path).name).read_bytes()
    server.etag = f'"{handler.path}"'


def served(step=honest):
    def serve(handler, server):
        by_name(handler, server)
        step(handler, server)

    return serve


@needs_data
def test_a_killed_fetch_is_gone_on_with_and_two_at_once_make_one_download(command, server, tmp_path):
    half = 500_000
    server.steps = [served(stall_after(half))]
    killed = command()
    part = tmp_path / "artifacts" / "datasets" / ".zips" / "MRPC" / f"{TRAIN}.part"
    while not (part.exists() and part.stat().st_size == half):
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    server.steps = [served() for _ in SOURCES]
    both = [command(), command()]
    told = [process.communicate(timeout=30) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert server.ranges() == [None, f"bytes={half}-", None, None]
    for name in TABLES:
        path = tmp_path / "artifacts" / "datasets" / "MRPC" / name
        assert path.read_bytes() == (DATA / "MRPC" / name).read_bytes()
