from __future__ import annotations

import errno
import pathlib
import random
import re

import pytest

from bertbuild.checkpoint.folder import choose_checkpoint, find_checkpoint
from bertbuild.errors import CheckpointError


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def one(prefix):
    return [f"{prefix}.index", f"{prefix}.data-00000-of-00001"]


@pytest.fixture
def model(tmp_path):
    return touch(tmp_path / "model", *one("bert_model.ckpt"), "bert_model.ckpt.meta", "bert_config.json", "vocab.txt")


def test_a_folder(model):
    files = find_checkpoint(model)
    assert files.folder == model
    assert files.prefix == model / "bert_model.ckpt"
    assert files.index == model / "bert_model.ckpt.index"
    assert files.data == (model / "bert_model.ckpt.data-00000-of-00001",)
    assert files.meta == model / "bert_model.ckpt.meta"
    assert files.config == model / "bert_config.json"
    assert files.vocab == model / "vocab.txt"


def test_a_prefix_and_a_string(model):
    assert find_checkpoint(str(model / "bert_model.ckpt")) == find_checkpoint(model)


def test_what_a_zip_unpacks_to(model, tmp_path):
    touch(tmp_path / "__MACOSX", "x")
    (tmp_path / ".DS_Store").write_bytes(b"")
    assert find_checkpoint(tmp_path) == find_checkpoint(model)


def test_optional_files_may_lack(tmp_path):
    files = find_checkpoint(touch(tmp_path / "m", *one("bert_model.ckpt"), "bert_config.json"))
    assert files.meta is None
    assert files.vocab is None


def test_config_and_vocabulary_from_elsewhere(tmp_path, model):
    tuned = touch(tmp_path / "tuned", *one("model.ckpt-343"))
    with pytest.raises(CheckpointError, match=r"no bert_config\.json"):
        find_checkpoint(tuned)
    files = find_checkpoint(tuned, config=model / "bert_config.json", vocab=model / "vocab.txt")
    assert files.prefix == tuned / "model.ckpt-343"
    assert files.config == model / "bert_config.json"
    assert files.vocab == model / "vocab.txt"


def test_several_data_files_in_order(tmp_path):
    names = [f"m.ckpt.data-0000{i}-of-00003" for i in (2, 0, 1)]
    files = find_checkpoint(
        touch(tmp_path / "m", "m.ckpt.index", "bert_config.json", "m.ckpt-9.data-00000-of-00001", *names)
    )
    assert [path.name for path in files.data] == sorted(names)


@pytest.mark.parametrize(
    ("state", "chosen"),
    [
        (None, "model.ckpt-1000"),
        ('model_checkpoint_path: "model.ckpt-343"\nall_model_checkpoint_paths: "model.ckpt-1000"\n', "model.ckpt-343"),
        ('model_checkpoint_path: "/some/other/machine/model.ckpt-343"\n', "model.ckpt-343"),
        ('model_checkpoint_path: "C:\\\\out\\\\model.ckpt-343"\n', "model.ckpt-343"),
        ('model_checkpoint_path: "C:\\out\\model.ckpt-343"\n', "model.ckpt-343"),
        ('model_checkpoint_path: "\\\\\\\\server\\\\m\\303\\274ll\\\\model.ckpt-343"\n', "model.ckpt-343"),
        ('model_checkpoint_path: "model.ckpt-7"\n', "model.ckpt-1000"),
        ("gibberish", "model.ckpt-1000"),
    ],
)
def test_of_several_the_state_file_decides_else_the_highest_step(tmp_path, state, chosen):
    folder = touch(
        tmp_path / "m", *one("model.ckpt-343"), *one("model.ckpt-1000"), *one("model.ckpt-0"), "bert_config.json"
    )
    if state is not None:
        (folder / "checkpoint").write_text(state)
    files = find_checkpoint(folder)
    assert files.prefix.name == chosen
    told = {
        None: "No file says which is meant",
        "gibberish": "The file checkpoint names no checkpoint",
        'model_checkpoint_path: "model.ckpt-7"\n': "The file checkpoint names model.ckpt-7, which is not here",
    }
    taken = "model.ckpt-1000, of the highest step, is taken, and not model.ckpt-0, model.ckpt-343."
    assert files.notes == ((f"{told[state]}: {taken}",) if state in told else ())


@pytest.mark.parametrize(
    ("state", "notes"),
    [
        (None, ()),
        ("gibberish", ()),
        ('model_checkpoint_path: "/out/model.ckpt-100"\n', ()),
        (
            'model_checkpoint_path: "/out/model.ckpt-200"\n',
            ("The file checkpoint names model.ckpt-200, which is not here: model.ckpt-100, the only one, is taken.",),
        ),
    ],
)
@pytest.mark.parametrize("around", [False, True])
def test_that_the_only_one_is_not_what_the_state_file_names_is_told(tmp_path, state, notes, around):
    folder = touch(tmp_path / "m", *one("model.ckpt-100"), "bert_config.json")
    if state is not None:
        (folder / "checkpoint").write_text(state)
    files = find_checkpoint(tmp_path if around else folder)
    assert (files.prefix, files.notes) == (folder / "model.ckpt-100", notes)
    assert choose_checkpoint(folder) == ("model.ckpt-100", notes)
    assert find_checkpoint(folder / "model.ckpt-100").notes == ()


WEIGHT_FILES = {
    "m.h5": ("holds Keras weights in HDF5", "invoke convert-tf1 --tf2 FOLDER"),
    "m.weights.h5": ("holds Keras weights in HDF5", "invoke convert-tf1 --tf2 FOLDER"),
    "m.keras": ("holds a model in Keras 3's format", "invoke convert-tf1 --tf2 FOLDER"),
    "tf_model.h5": ("Hugging Face's weights for TensorFlow in HDF5", "save_pretrained"),
    "model.safetensors": ("its weights in safetensors", "in it: --checkpoint {folder}."),
    "model-00001-of-00002.safetensors": ("its weights in safetensors", "in it: --checkpoint {folder}."),
    "model.safetensors.index.json": ("its weights in safetensors", "in it: --checkpoint {folder}."),
    "pytorch_model.bin": ("its weights in PyTorch's format", "in it: --checkpoint {folder}."),
    "flax_model.msgpack": ("holds weights of Flax", "save_pretrained"),
}


@pytest.mark.parametrize("name", WEIGHT_FILES)
def test_a_file_of_weights_is_named_by_its_format(tmp_path, name):
    what, step = WEIGHT_FILES[name]
    folder = touch(tmp_path / "m", name)
    with pytest.raises(CheckpointError, match=re.escape(what)) as told:
        find_checkpoint(folder / name)
    assert str(folder / name) in str(told.value)
    assert step.format(folder=folder) in told.value.next_step


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_folder_of_keras_files_is_told(tmp_path, name):
    with pytest.raises(CheckpointError, match="which is not read here"):
        find_checkpoint(touch(tmp_path / "m", name, "bert_config.json"))


def test_each_of_several_is_named_by_its_prefix(tmp_path):
    folder = touch(tmp_path / "m", *one("a.ckpt"), *one("b.ckpt"), "b.ckpt.meta", "bert_config.json")
    files = find_checkpoint(folder / "b.ckpt")
    assert (files.prefix, files.meta) == (folder / "b.ckpt", folder / "b.ckpt.meta")
    assert find_checkpoint(folder / "a.ckpt").meta is None


@pytest.mark.parametrize(
    "names",
    [
        ("a.ckpt", "b.ckpt"),
        ("bert_model.ckpt", "model.ckpt-100"),
        ("a.ckpt-100", "b.ckpt-200"),
        ("model.ckpt", "model.ckpt-100"),
    ],
)
def test_what_is_not_the_steps_of_one_training_is_ambiguous(tmp_path, names):
    first, second = names
    folder = touch(tmp_path / "m", *one(first), *one(second), "bert_config.json")
    for find in (find_checkpoint, choose_checkpoint):
        with pytest.raises(
            CheckpointError, match=re.escape(f"{folder} holds 2 checkpoints: {first}, {second}.")
        ) as told:
            find(folder)
        assert told.value.next_step == f"Name one by its prefix, for example {folder / first}."
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{second}"')
    assert find_checkpoint(folder).prefix.name == second
    assert choose_checkpoint(folder) == (second, ())


@pytest.mark.parametrize(
    ("names", "why", "step"),
    [
        ([], "is empty", "Name a folder"),
        (["config.json", "model.safetensors", "vocab.txt"], "Hugging Face", "Name that folder itself"),
        (["config.json", "tf_model.h5"], "Hugging Face model as tf_model.h5, which is not read", "save_pretrained"),
        (["config.json", "flax_model.msgpack"], "as flax_model.msgpack", "from_flax"),
        (["saved_model.pb"], "SavedModel", "Name the folder"),
        (["m.data-00000-of-00001", "bert_config.json"], "data of a checkpoint but not its .index", "whole checkpoint"),
        (["m.index.LFS_POINTER", "bert_config.json"], "git-lfs pointer", "git lfs pull"),
        (["m.index", "bert_config.json"], "no m.data-00000-of-00001, the file with the weights", "whole checkpoint"),
        (
            ["m.index", "m.data-00000-of-00001.LFS_POINTER", "bert_config.json"],
            "only a git-lfs pointer",
            "git lfs pull",
        ),
        (["readme.txt"], "no checkpoint", "Name a folder"),
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path, names, why, step):
    folder = touch(tmp_path / "m", *names)
    for path in [folder] + [tmp_path] * bool(names):
        with pytest.raises(CheckpointError) as raised:
            find_checkpoint(path)
        assert why in str(raised.value)
        assert step in raised.value.next_step


def test_data_may_be_missing_when_asked(tmp_path):
    folder = touch(tmp_path / "m", "m.index", "bert_config.json")
    assert find_checkpoint(folder, require_data=False).data == ()


def test_a_missing_folder(tmp_path):
    with pytest.raises(CheckpointError, match="There is no folder or checkpoint"):
        find_checkpoint(tmp_path / "gone" / "m")


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("bert_model.ckpt.index", "bert_model.ckpt."),
        ("bert_model.ckpt.meta", "bert_model.ckpt."),
        ("bert_model.ckpt.data-00000-of-00001", "bert_model.ckpt."),
        ("vocab.txt", "Name the checkpoint's folder"),
        ("m.zip", "Unpack it"),
    ],
)
def test_a_file_in_place_of_a_folder(model, name, step):
    (model / name).touch()
    with pytest.raises(CheckpointError, match="file") as raised:
        find_checkpoint(model / name)
    assert step in raised.value.next_step


def test_an_object_based_checkpoint_is_refused(model):
    (model / "bert_model.ckpt.index").write_bytes(b"\0\0\x06header\0\x1b\x0a_CHECKPOINTABLE_OBJECT_GRAPH...")
    with pytest.raises(CheckpointError, match="object-based TensorFlow 2") as raised:
        find_checkpoint(model)
    assert f"invoke convert-tf1 --tf2 {model};" in raised.value.next_step


def test_of_several_object_based_checkpoints_the_advice_names_the_one_that_was_meant(model):
    (model / "bert_model.ckpt.index").rename(model / "ckpt-5.index")
    (model / "ckpt-10.index").write_bytes(b"\0\0\x06header\0\x1b\x0a_CHECKPOINTABLE_OBJECT_GRAPH...")
    with pytest.raises(CheckpointError, match="object-based TensorFlow 2") as raised:
        find_checkpoint(model / "ckpt-10")
    assert f"invoke convert-tf1 --tf2 {model / 'ckpt-10'};" in raised.value.next_step


@pytest.mark.parametrize(("code", "why"), [(errno.EACCES, "may not be read"), (errno.EIO, "cannot be read")])
def test_what_the_system_refuses_is_passed_on(model, monkeypatch, code, why):
    def refuse(self):
        raise OSError(code, "the system's words", str(self))

    monkeypatch.setattr(pathlib.Path, "iterdir", refuse)
    with pytest.raises(CheckpointError, match=why) as raised:
        find_checkpoint(model)
    assert "the system's words" in raised.value.details
    assert raised.value.next_step


def test_no_state_file_raises(tmp_path):
    folder = touch(tmp_path / "m", *one("model.ckpt-1"), *one("model.ckpt-20"), "bert_config.json")
    text = b'model_checkpoint_path: "C:\\\\out\\\\model.ckpt-1"\nall_model_checkpoint_paths: "x"\n'
    chance = random.Random(7)  # noqa: S311
    for _ in range(300):
        content = bytearray(text)
        for _ in range(chance.randint(1, 6)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        (folder / "checkpoint").write_bytes(content)
        assert find_checkpoint(folder).prefix.name in ("model.ckpt-1", "model.ckpt-20")


def test_a_folder_in_the_place_of_weights_is_told(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not a file\.$") as refused:
        find_checkpoint(tmp_path)
    assert refused.value.next_step == "Download the whole folder of the model."
