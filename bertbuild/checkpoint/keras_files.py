"""Files of Keras and Hugging Face that hold a model's weights and are not read here: named, with the way out."""

from __future__ import annotations

import re
from pathlib import Path

from bertbuild.errors import CheckpointError

_HUGGING_FACE = re.compile(r"tf_model(-\d{5}-of-\d{5})?\.h5(\.index\.json)?")
_KERAS = (".keras", ".h5", ".hdf5")


def refuse_keras_files(path: Path) -> None:
    """Do nothing for what may be a checkpoint or a SavedModel: a file of another kind, a folder that has either.

    Raises:
        CheckpointError: it is a file of Keras or Hugging Face, or a folder that has one and nothing else to read.
    """
    if path.is_file():
        _refuse(path)
    elif path.is_dir():
        names = sorted(entry.name for entry in path.iterdir())
        if not any(name.endswith((".index", "saved_model.pb")) for name in names):
            for name in names:
                _refuse(path / name)


def _refuse(path: Path) -> None:
    if _HUGGING_FACE.fullmatch(path.name):
        raise CheckpointError(
            f"{path} holds Hugging Face's weights for TensorFlow in HDF5, which is not read here.",
            next_step="With transformers 4 and PyTorch, save the model again, its class as config.json names it: "
            f"transformers.BertModel.from_pretrained({str(path.parent)!r}, from_tf=True).save_pretrained('NEW'); then "
            "build from it with --checkpoint NEW.",
        )
    if path.name.endswith(_KERAS):
        kind = "a model in Keras 3's format" if path.suffix == ".keras" else "Keras weights in HDF5"
        raise CheckpointError(
            f"{path} holds {kind}, which is not read here.",
            next_step="Load it in the program that made the model, and write TensorFlow's own format: "
            "tf.train.Checkpoint(model=model).write('FOLDER/ckpt'); then, with bert_config.json in it, "
            "invoke convert-tf1 --tf2 FOLDER.",
        )
