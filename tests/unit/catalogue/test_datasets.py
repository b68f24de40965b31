from __future__ import annotations

import re
from pathlib import Path

import pytest

from bertbuild.catalogue.datasets import find_dataset, load_datasets, select
from bertbuild.errors import UnknownDatasetError

HASHES = Path(__file__).parents[3].parent / "shared" / "data" / "hashes"
GLUE = ("AX", "CoLA", "MNLI", "MRPC", "QNLI", "QQP", "RTE", "SST-2", "STS-B", "WNLI")
SQUAD = ("SQuAD-1.1", "SQuAD-2.0")


def test_the_catalogue_has_glue_squad_and_xnli():
    assert tuple(load_datasets()) == (*GLUE, *SQUAD, "XNLI")


@pytest.mark.parametrize("dataset", load_datasets().values(), ids=lambda dataset: dataset.name)
def test_every_entry_is_well_formed(dataset):
    assert dataset.title
    assert dataset.licence.endswith(".")
    assert any(not file.optional for file in dataset.files)
    names = {file.name for file in dataset.files}
    assert len(names) == len(dataset.files)
    for part in dataset.parts:
        assert part.is_zip or part.gives in names or dataset.recipe
        assert all(url.startswith("https://") for url in part.urls)
    for row in (*dataset.parts, *dataset.files):
        assert row.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", row.sha256)
        assert (row.source is None) == (row.sha256 is None) == (row.bytes is None)
    for file in dataset.files:
        assert file.rows is None or file.rows > 0


@pytest.mark.skipif(not HASHES.is_dir(), reason="needs ../shared/data/hashes beside the repository")
def test_every_part_on_record_elsewhere_is_on_record_here():
    rows = [
        line.split("\t")
        for name in ("tfds_glue_url_checksums.tsv", "tfds_squad_url_checksums.tsv")
        for line in (HASHES / name).read_text().splitlines()
    ]
    assert len(rows) == 16
    ours = {part.urls[0]: part for dataset in load_datasets().values() for part in dataset.parts}
    for url, size, digest, _ in rows:
        assert (ours[url].bytes, ours[url].sha256) == (int(size), digest)
        assert "TensorFlow Datasets" in ours[url].source


def test_a_file_taken_as_it_is_has_the_hash_of_its_part():
    dev = next(file for file in find_dataset("squad-1.1").files if file.name == "dev-v1.1.json")
    assert dev.sha256 == "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9"
    assert (dev.bytes, dev.rows) == (4854279, 10570)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("MRPC", "MRPC"),
        ("cola", "CoLA"),
        ("COLA", "CoLA"),
        ("sst2", "SST-2"),
        (" STS-B ", "STS-B"),
        ("SQUADv2.0", SQUAD[1]),
    ],
)
def test_case_does_not_matter_and_aliases_work(typed, name):
    assert find_dataset(typed).name == name


@pytest.mark.parametrize(
    ("typed", "near"), [("MRCP", "MRPC"), ("squad", "SQuAD1 or SQuAD2"), ("stsb2", "STSB"), ("zebra", "")]
)
def test_an_unknown_name_suggests_the_nearest(typed, near):
    with pytest.raises(UnknownDatasetError, match=f"no data set named '{typed}'") as caught:
        find_dataset(typed)
    assert near in str(caught.value)
    assert ("Did you mean" in str(caught.value)) == bool(near)
    assert "fetch-data --list" in caught.value.next_step
    assert caught.value.exit_code == 3


def test_no_two_data_sets_answer_to_one_name():
    words = [word.casefold() for dataset in load_datasets().values() for word in (dataset.name, *dataset.aliases)]
    words += ["all", "glue", "squad"]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        (["glue"], GLUE),
        (["SQuAD"], SQUAD),
        (["all"], (*GLUE, *SQUAD, "XNLI")),
        (["rte", "mrpc", "RTE"], ("RTE", "MRPC")),
        (["QQP", "GLUE"], ("QQP", *(name for name in GLUE if name != "QQP"))),
    ],
)
def test_groups_mean_all_of_theirs_and_nothing_is_meant_twice(typed, names):
    assert tuple(dataset.name for dataset in select(typed)) == names


def test_one_unknown_name_among_many_is_refused_before_anything_is_fetched():
    with pytest.raises(UnknownDatasetError, match="Did you mean RTE"):
        select(["GLUE", "RET"])
