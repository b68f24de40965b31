"""Hugging Face folders of a tiny BERT, written without transformers, safetensors or PyTorch."""

from __future__ import annotations

import json

import numpy as np
from tiny_models import CONFIG, huggingface_tensors, weights, write_safetensors, write_vocab
from torch_files import write_torch

SETTINGS = {"model_type": "bert", "layer_norm_eps": 1e-12, "position_embedding_type": "absolute"}


def theirs(*, prefix="", labels=0, without=(), **more):
    """Tensors under Hugging Face's names: a BERT's encoder under a prefix, without some, with others."""
    found = huggingface_tensors(weights(labels=labels))
    head = {name: found.pop(name) for name in list(found) if name.startswith("classifier.")}
    found = {prefix + name: value for name, value in found.items()}
    found |= {prefix.removesuffix("bert.") + name: value for name, value in head.items()}
    return {name: value for name, value in found.items() if name not in without} | more


def write(folder, tensors, *, form="safetensors", vocab=True, **settings):
    """A folder; form is "safetensors", "bin", or "older", and with "sharded " before it in two files with an index."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **SETTINGS, **settings}))
    if vocab:
        write_vocab(folder)
    kind = form.removeprefix("sharded ")
    stem, ending = ("model", "safetensors") if kind == "safetensors" else ("pytorch_model", "bin")

    def put(path, part):
        if kind == "safetensors":
            write_safetensors(path, part)
        else:
            write_torch(path, part, older=kind == "older")

    if kind == form:
        put(folder / f"{stem}.{ending}", tensors)
        return folder
    names = list(tensors)
    halves = {f"{stem}-0000{i + 1}-of-00002.{ending}": names[i::2] for i in range(2)}
    for file, part in halves.items():
        put(folder / file, {name: tensors[name] for name in part})
    table = {name: file for file, part in halves.items() for name in part}
    index = {"metadata": {"total_size": sum(value.nbytes for value in tensors.values())}, "weight_map": table}
    (folder / f"{stem}.{ending}.index.json").write_text(json.dumps(index))
    return folder


def tokenizer(words, **changes):
    """A tokenizer.json as the library tokenizers writes a BERT's."""
    vocab = {word: number for number, word in enumerate(words)}
    return {
        "version": "1.0",
        "added_tokens": [{"id": 0, "content": words[0], "special": True}],
        "normalizer": {"type": "BertNormalizer", "lowercase": False},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "vocab": vocab},
        **changes,
    }


def masked_lm(tensors, *, tied=True, prefix="bert.", hidden=32, vocab=60):
    """The tensors of a masked-LM head, its decoder tied to the word embeddings or not."""
    chance = np.random.default_rng(8)

    def some(*shape):
        return chance.standard_normal(shape).astype(np.float32)

    bias = some(vocab)
    return {
        "cls.predictions.bias": bias,
        "cls.predictions.transform.dense.weight": some(hidden, hidden),
        "cls.predictions.transform.dense.bias": some(hidden),
        "cls.predictions.transform.LayerNorm.weight": some(hidden),
        "cls.predictions.transform.LayerNorm.bias": some(hidden),
        "cls.predictions.decoder.weight": tensors[prefix + "embeddings.word_embeddings.weight"]
        if tied
        else some(vocab, hidden),
        "cls.predictions.decoder.bias": bias,
    }
