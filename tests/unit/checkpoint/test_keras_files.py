from __future__ import annotations

import pytest

from bertbuild.checkpoint.keras_files import refuse_keras_files
from bertbuild.errors import CheckpointError


@pytest.mark.parametrize(
    ("name", "told", "way_out"),
    [
        ("tf_model.h5", "Hugging Face's weights", "from_tf=True"),
        ("tf_model-00001-of-00002.h5", "Hugging Face's weights", "--checkpoint NEW"),
        ("tf_model.h5.index.json", "Hugging Face's weights", "from_tf=True"),
        ("model.weights.h5", "Keras weights in HDF5", "tf.train.Checkpoint(model=model).write"),
        ("best.hdf5", "Keras weights in HDF5", "--tf2 FOLDER"),
        ("model.keras", "a model in Keras 3's format", "tf.train.Checkpoint(model=model).write"),
    ],
)
def test_a_file_is_named_alone_and_in_its_folder(tmp_path, name, told, way_out):
    (tmp_path / "bert_config.json").write_text("{}")
    (tmp_path / name).write_bytes(b"\x89HDF")
    for path in (tmp_path / name, tmp_path):
        with pytest.raises(CheckpointError, match=told) as caught:
            refuse_keras_files(path)
        assert way_out in caught.value.next_step
        assert name in str(caught.value)


@pytest.mark.parametrize("other", ["ckpt-1.index", "saved_model.pb"])
def test_beside_what_can_be_read_such_a_file_stands_in_nobodys_way(tmp_path, other):
    for name in (other, "model.weights.h5"):
        (tmp_path / name).write_bytes(b"")
    refuse_keras_files(tmp_path)


def test_nothing_else_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("a\n")
    for path in (tmp_path, tmp_path / "vocab.txt", tmp_path / "absent"):
        refuse_keras_files(path)
