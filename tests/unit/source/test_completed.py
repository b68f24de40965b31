"""A checkpoint whose bert_config.json and vocab.txt lie elsewhere."""

from __future__ import annotations

import shutil

import pytest
from family_models import ALBERT_CONFIG, albert_shapes, values, write_family
from piece_models import model_bytes
from small_fleet import write_tiny

from bertbuild.commands.entry_jobs import find
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.plans.wanted import Wanted
from bertbuild.source.completed import completed
from bertbuild.store.store import Store

FILES = ("bert_config.json", "vocab.txt")


@pytest.fixture
def base(tmp_path):
    """A published model's folder."""
    write_tiny(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def trained(tmp_path, base):
    """What run_classifier leaves: a checkpoint with its step, neither config nor vocabulary."""
    folder = tmp_path / "mrpc_output"
    shutil.copytree(base, folder)
    for name in FILES:
        (folder / name).unlink()
    for path in folder.glob("bert_model.ckpt.*"):
        path.rename(path.with_name(path.name.replace("bert_model.ckpt", "model.ckpt-343")))
    return folder


@pytest.fixture
def store(root):
    return Store(root)


def named(folder):
    return [str(folder / name) for name in FILES]


def test_one_folder_of_all_files_is_made_and_found_again(trained, base, store):
    made = completed(trained / "model.ckpt-343", *named(base), store)
    assert made.is_relative_to(store.root)
    assert sorted(path.name for path in made.iterdir()) == [
        "bert_config.json",
        "model.ckpt-343.data-00000-of-00001",
        "model.ckpt-343.index",
        "vocab.txt",
    ]
    for path in made.iterdir():
        where = base if path.name in FILES else trained
        assert path.read_bytes() == (where / path.name).read_bytes()
    assert completed(trained, *named(base), store) == made


def test_another_vocabulary_is_another_folder_and_the_old_one_stays(trained, base, store):
    made = completed(trained, *named(base), store)
    text = (made / "vocab.txt").read_text()
    (base / "vocab.txt").unlink()
    (base / "vocab.txt").write_text("others\n")
    other = completed(trained, *named(base), store)
    assert other != made
    assert (other / "vocab.txt").read_text() == "others\n"
    assert (made / "vocab.txt").read_text() == text


def test_files_that_the_folder_has_make_no_other(base, store, tmp_path):
    assert completed(base / "bert_model.ckpt", *named(base), store) == base / "bert_model.ckpt"
    for name in FILES:
        shutil.copyfile(base / name, tmp_path / name)
    assert completed(base, *named(tmp_path), store) == base
    assert not (store.root / "downloads" / ".unpacked").exists()


def test_where_no_link_can_be_made_the_files_are_copied(trained, base, store, monkeypatch):
    def refuse(*_paths):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    made = completed(trained, *named(base), store)
    assert (made / "model.ckpt-343.index").read_bytes() == (trained / "model.ckpt-343.index").read_bytes()


@pytest.fixture
def session(root, isolation, events, monkeypatch):
    monkeypatch.setattr(Session, "isolation", isolation)
    return Session(settings=Settings(artifacts=root), report=events)


def test_a_checkpoint_completed_is_a_source_like_any_other(trained, base, session):
    config, vocab = named(base)
    found = find(session, Wanted(checkpoint=str(trained), config=config, vocab=vocab))
    assert (found.source.model, found.source.prefix) == ("mrpc_output", "model.ckpt-343")
    assert found.vocab_size == 20
    with pytest.raises(CheckpointError, match=r"no bert_config\.json") as raised:
        find(session, Wanted(checkpoint=str(trained)))
    assert "--config" in raised.value.next_step


def test_the_same_files_in_and_beside_the_folder_are_the_same_input(trained, base, session):
    config, vocab = named(base)
    beside = find(session, Wanted(checkpoint=str(trained), config=config, vocab=vocab))
    for name in FILES:
        shutil.copyfile(base / name, trained / name)
    inside = find(session, Wanted(checkpoint=str(trained)))
    assert beside.source.file.digest == inside.source.file.digest


REFUSED = {
    "no such file": ({"config": "/nowhere"}, UsageError, "--config /nowhere is not a file"),
    "of a model": ({"checkpoint": "", "model": "minilm-l6"}, UsageError, "--config goes with a checkpoint"),
    "of a frozen graph": ({"checkpoint": "", "frozen": "x.pb"}, UsageError, "--config goes with a checkpoint"),
    "of nothing": ({"checkpoint": "/nowhere"}, CheckpointError, "/nowhere"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_completed_is_refused(trained, base, session, name):
    flags, error, sentence = REFUSED[name]
    wanted = {"checkpoint": str(trained), "config": str(base / "bert_config.json")} | flags
    with pytest.raises(error, match=sentence) as raised:
        find(session, Wanted(**wanted))
    assert raised.value.next_step


@pytest.mark.parametrize("key", ["num_hidden_groups", "inner_group_num"])
def test_an_alberts_configuration_is_refused_under_its_own_name(store, tmp_path, key):
    folder = write_family(tmp_path / "model", values(albert_shapes()), {**ALBERT_CONFIG, key: 2})
    with pytest.raises(CheckpointError) as raised:
        completed(folder, "", "", store)
    assert str(raised.value) == f"{folder / 'albert_config.json'} has {key} 2, and what is computed here is 1."
    assert raised.value.next_step == "Give an ALBERT without it; nothing is made of this one."
    assert not (store.root / "downloads").exists()


def test_a_hugging_face_folder_has_its_own(base, store, tmp_path):
    folder = tmp_path / "hf"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").touch()
    with pytest.raises(UsageError, match="is a Hugging Face folder"):
        completed(folder, "", str(base / "vocab.txt"), store)


def test_a_folder_whose_links_were_written_over_is_made_again(trained, base, store):
    index = trained / "model.ckpt-343.index"
    first = index.read_bytes()
    made = completed(trained, *named(base), store)
    index.write_bytes(b"another training")  # as cp over it: the same inode
    assert completed(trained, *named(base), store) != made
    index.unlink()
    index.write_bytes(first)
    assert completed(trained, *named(base), store) == made
    assert (made / index.name).read_bytes() == first


def test_a_checkpoint_that_was_completed_is_told_of_by_the_name_that_it_was_given(tmp_path, root, events):
    config = {**ALBERT_CONFIG, "intermediate_size": 48}
    folder = write_family(tmp_path / "albert", values(albert_shapes()), config)
    session = Session(settings=Settings(artifacts=root), report=events)
    with pytest.raises(CheckpointError) as raised:
        find(session, Wanted(checkpoint=str(folder)))
    assert str(raised.value).startswith(f"The checkpoint {folder}/model.ckpt-best cannot be used: ")
    assert raised.value.next_step == "Give the configuration that it was trained with: --config FILE."


def test_of_an_albert_with_groups_the_next_step_is_none_that_a_copy_would_help(tmp_path, root, events):
    tensors = values(albert_shapes())
    groups = {name.replace("group_0/", "group_1/"): value for name, value in tensors.items()}
    folder = write_family(tmp_path / "albert", tensors | groups, ALBERT_CONFIG)
    with pytest.raises(CheckpointError, match=r"variables that ALBERT does not have: .*group_1") as raised:
        find(Session(settings=Settings(artifacts=root), report=events), Wanted(checkpoint=str(folder)))
    assert raised.value.next_step.startswith("Nothing is made of an encoder with such parts")


def test_of_two_tokenizers_in_a_folder_the_named_one_is_its_own(base, store):
    assert completed(base, "", str(base / "vocab.txt"), store) == base
    (base / "spiece.model").write_bytes(model_bytes())
    for name, other in (("vocab.txt", "spiece.model"), ("spiece.model", "vocab.txt")):
        made = completed(base, "", str(base / name), store)
        assert (made / name).read_bytes() == (base / name).read_bytes()
        assert not (made / other).exists()
