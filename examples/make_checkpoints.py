"""Write the six small checkpoints that examples/fleet.toml builds from, into examples/checkpoints: random weights.

    python examples/make_checkpoints.py [FOLDER]

Each is a BERT of its own shape, and every run writes the same bytes. Nothing sensible comes out of these models: they
are there to see a build of many models in a minute or two.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.checkpoint.writer import write_checkpoint

Tensors = dict[str, npt.NDArray[np.float32]]
Config = dict[str, object]

BASE: Config = {
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 32,
    "initializer_range": 0.02,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
}
PLAIN: dict[str, Config] = {
    "two-layers": {},
    "four-layers": {"num_hidden_layers": 4, "hidden_size": 24, "intermediate_size": 96},
    "three-heads": {"num_attention_heads": 3, "hidden_size": 36, "num_hidden_layers": 1},
}
"""Google-format folders by name: what differs from `BASE`. The last has 3 heads of 12."""

DEVIATION = 0.25
"""Far from 0.02, so that two models, or two forms of gelu, are told apart by their answers."""

ZIP_TIME = (2020, 1, 1, 0, 0, 0)


def main(folder: Path) -> None:
    """Write all of them; what was there before is taken away."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, changes in PLAIN.items():
        write_google(folder / name, config(name, **changes))
    write_google(folder / "classifier", config("classifier", num_hidden_layers=3), labels=3)
    with tempfile.TemporaryDirectory() as work:
        write_google(Path(work) / "zipped", config("zipped", num_hidden_layers=1))
        write_zip(folder / "zipped.zip", Path(work) / "zipped")
    write_huggingface(folder / "huggingface", config("huggingface"))


def config(name: str, **changes: object) -> Config:
    """bert_config.json of a model; its vocabulary has a size of its own."""
    return {**BASE, "vocab_size": len(vocabulary(name)), **changes}


def vocabulary(name: str) -> list[str]:
    """Special tokens, letters, digits and marks, alone and as continuations, and words of the model's own."""
    characters = "abcdefghijklmnopqrstuvwxyz0123456789.,;:'\"-$%()&/?!"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return [*special, *characters, *("##" + letter for letter in characters), *name.split("-")]


def weights(name: str, values: Config, labels: int = 0) -> Tensors:
    """The variables of the encoder that a config describes, and of a classifier's head of so many classes."""
    shapes = dict(encoder_variables(config_from(values, name=name)))
    if labels:
        shapes |= {"output_weights": (labels, int(str(values["hidden_size"]))), "output_bias": (labels,)}
    chance = np.random.default_rng(zlib.crc32(name.encode()))
    return {
        variable: (chance.standard_normal(shape) * DEVIATION + variable.endswith("gamma")).astype(np.float32)
        for variable, shape in shapes.items()
    }


def write_google(folder: Path, values: Config, labels: int = 0) -> None:
    """bert_config.json, vocab.txt, bert_model.ckpt.{index,data-…}, as the small models of 2020 come: without .meta."""
    folder.mkdir(parents=True)
    write_checkpoint(folder / "bert_model.ckpt", weights(folder.name, values, labels))
    write_texts(folder, "bert_config.json", values)


def write_texts(folder: Path, config_name: str, values: Config) -> None:
    """The config under its name, and vocab.txt."""
    (folder / config_name).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(vocabulary(folder.name)) + "\n", encoding="utf-8")


def write_zip(path: Path, folder: Path) -> None:
    """The folder as a zip with the same bytes on every day."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.iterdir()):
            archive.writestr(zipfile.ZipInfo(f"{folder.name}/{file.name}", ZIP_TIME), file.read_bytes())


def write_huggingface(folder: Path, values: Config) -> None:
    """config.json, vocab.txt, model.safetensors, as transformers keeps a BertModel."""
    folder.mkdir(parents=True)
    tensors = {
        huggingface_name(variable): np.ascontiguousarray(value.T) if variable.endswith("/kernel") else value
        for variable, value in weights(folder.name, values).items()
    }
    write_safetensors(folder / "model.safetensors", tensors)
    theirs = {"model_type": "bert", "layer_norm_eps": 1e-12, "position_embedding_type": "absolute"}
    write_texts(folder, "config.json", {**values, **theirs})


def huggingface_name(variable: str) -> str:
    """`bert/encoder/layer_0/attention/self/query/kernel` → `encoder.layer.0.attention.self.query.weight`."""
    words = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
    parts = [words.get(part, part.replace("layer_", "layer.")) for part in variable.split("/")[1:]]
    return ".".join(parts) + (".weight" if parts[-1].endswith("_embeddings") else "")


def write_safetensors(path: Path, tensors: Mapping[str, npt.NDArray[np.float32]]) -> None:
    """8 bytes of length, a JSON header, the numbers (https://github.com/huggingface/safetensors#format)."""
    header: dict[str, object] = {}
    content = b""
    for name, value in tensors.items():
        begin, content = len(content), content + value.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [begin, len(content)]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "checkpoints")
