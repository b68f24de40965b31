"""Tiny BERTs written with numpy: Google-format checkpoints, and Hugging Face folders with hand-written safetensors."""

from __future__ import annotations

import json

import numpy as np

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.heads.rows import HEADS

CONFIG = {
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 32,
    "initializer_range": 0.02,
    "intermediate_size": 64,
    "max_position_embeddings": 160,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": 60,
}

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""What a vocabulary needs before texts can be read by it."""


def weights(config=CONFIG, *, seed=1, labels=0):
    """Variables of a BERT, large enough that the two forms of gelu are told apart in the answers."""
    chance = np.random.default_rng(seed)
    shapes = encoder_variables(config_from(config, name="tiny"))
    if labels:
        shapes |= {"output_weights": (labels, config["hidden_size"]), "output_bias": (labels,)}
    return {
        name: (chance.standard_normal(shape) * 0.25 + name.endswith("gamma")).astype(np.float32)
        for name, shape in shapes.items()
    }


def head_weights(kind, config=CONFIG, *, seed=2, labels=3):
    """Variables of a head, under google-research/bert's names."""
    columns = 1 if kind == "regression" else labels
    chance = np.random.default_rng(seed)
    return {
        name: (chance.standard_normal(shape) * 0.25 + name.endswith("gamma")).astype(np.float32)
        for name, shape in HEADS[kind].variables(config["hidden_size"], config["vocab_size"], columns).items()
    }


def write_vocab(folder, config=CONFIG):
    (folder / "vocab.txt").write_text("".join(f"w{index}\n" for index in range(config["vocab_size"])))


def write_readable_vocab(folder, config=CONFIG):
    """A vocabulary with the marks that texts need; its words, which are returned: MARKS, w0, w1, ..."""
    words = (*MARKS, *(f"w{number}" for number in range(config["vocab_size"] - len(MARKS))))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return words


def write_google(folder, tensors, *, config=CONFIG):
    """A Google-format checkpoint without .meta, as the miniatures of 2020 are."""
    folder.mkdir(parents=True)
    write_checkpoint(folder / "bert_model.ckpt", tensors)
    (folder / "bert_config.json").write_text(json.dumps(config))
    write_vocab(folder, config)
    return folder


def huggingface_name(name):
    """`bert/encoder/layer_0/attention/self/query/kernel` → `encoder.layer.0.attention.self.query.weight`."""
    if name in ("output_weights", "output_bias"):
        return name.replace("output_weights", "classifier.weight").replace("output_bias", "classifier.bias")
    parts = name.split("/")[1:]
    words = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
    parts = [words.get(part, part.replace("layer_", "layer.")) for part in parts]
    return ".".join(parts) + (".weight" if parts[-1].endswith("_embeddings") else "")


def huggingface_tensors(tensors):
    """The same numbers under Hugging Face's names, kernels turned around."""
    return {
        huggingface_name(name): np.ascontiguousarray(value.T) if name.endswith("/kernel") else value
        for name, value in tensors.items()
    }


def write_safetensors(path, tensors):
    """https://github.com/huggingface/safetensors: 8 bytes of length, a JSON header, the numbers; uint16 is bfloat16."""
    kinds = {"float64": "F64", "float32": "F32", "float16": "F16", "uint16": "BF16", "int64": "I64"}
    header, content = {}, b""
    for name, value in tensors.items():
        kind = kinds[value.dtype.name]
        begin, content = len(content), content + value.tobytes()
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [begin, len(content)]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)


def write_huggingface(folder, tensors, *, config=CONFIG, **settings):
    """A Hugging Face folder; `tensors` are under Hugging Face's names, `settings` go into config.json."""
    folder.mkdir(parents=True)
    write_safetensors(folder / "model.safetensors", tensors)
    theirs = {
        **config,
        "model_type": "bert",
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
        **settings,
    }
    (folder / "config.json").write_text(json.dumps(theirs))
    write_vocab(folder, config)
    return folder
