"""Write a BERT checkpoint of random weights: bert_config.json, vocab.txt, bert_model.ckpt.{index,data-…}; no .meta.

    python bench/random_checkpoint.py base FOLDER [--labels 2]

A program of its own because the arrays take as much memory as the checkpoint, and a benchmark that measures peak memory
must not have held them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bertbuild.checkpoint.writer import write_checkpoint

SIZES = {"large": (24, 1024), "base": (12, 768), "minilm": (6, 384), "tiny": (2, 128)}
"""Name → layers, hidden size."""

HEADS = {384: 12}
"""Hidden size → heads of attention, where they are not of 64 units."""

VOCABULARY = 30522
POSITIONS = 512
DEVIATION = 0.02

Tensors = dict[str, npt.NDArray[np.float32]]


def main() -> None:
    """Write the checkpoint the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--labels",
        type=int,
        default=0,
        help="of a classifier's head, which takes the place of pre-training's (default: none)",
    )
    args = parser.parse_args()
    layers, hidden = SIZES[args.size]
    args.folder.mkdir(parents=True, exist_ok=True)
    (args.folder / "bert_config.json").write_text(json.dumps(config(layers, hidden), indent=2) + "\n", encoding="utf-8")
    (args.folder / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
    made = tensors(layers, hidden)
    if args.labels:  # run_classifier's checkpoints have no other head
        made = {name: value for name, value in made.items() if not name.startswith("cls/")} | head(args.labels, hidden)
    write_checkpoint(args.folder / "bert_model.ckpt", made)


def config(layers: int, hidden: int) -> dict[str, object]:
    """bert_config.json as the published models have it."""
    return {
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": hidden,
        "initializer_range": DEVIATION,
        "intermediate_size": 4 * hidden,
        "max_position_embeddings": POSITIONS,
        "num_attention_heads": HEADS.get(hidden, hidden // 64),
        "num_hidden_layers": layers,
        "type_vocab_size": 2,
        "vocab_size": VOCABULARY,
    }


def vocabulary() -> list[str]:
    """Special tokens, letters and digits, alone and as continuations; made-up words for the rest."""
    characters = "abcdefghijklmnopqrstuvwxyz0123456789.,;:'\"-$%()&/?!"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *("##" + letter for letter in characters)]
    return words + [f"word{number}" for number in range(VOCABULARY - len(words))]


def tensors(layers: int, hidden: int) -> Tensors:
    """Every tensor of a published checkpoint: the model's, and the pre-training heads'."""
    made: Tensors = {}
    rng = np.random.default_rng(0)

    def matrix(name: str, *shape: int) -> None:
        values = rng.standard_normal(shape, dtype=np.float32)
        np.clip(values, -2, 2, out=values)
        values *= DEVIATION
        made[name] = values

    def dense(name: str, size_in: int, size_out: int) -> None:
        matrix(f"{name}/kernel", size_in, size_out)
        matrix(f"{name}/bias", size_out)

    def norm(name: str) -> None:
        # A factor of 1 and a summand of 0, as before the training, are operators that OpenVINO leaves out.
        matrix(f"{name}/LayerNorm/gamma", hidden)
        made[f"{name}/LayerNorm/gamma"] += 1
        matrix(f"{name}/LayerNorm/beta", hidden)

    matrix("bert/embeddings/word_embeddings", VOCABULARY, hidden)
    matrix("bert/embeddings/token_type_embeddings", 2, hidden)
    matrix("bert/embeddings/position_embeddings", POSITIONS, hidden)
    norm("bert/embeddings")
    for layer in range(layers):
        scope = f"bert/encoder/layer_{layer}"
        for part in ("query", "key", "value"):
            dense(f"{scope}/attention/self/{part}", hidden, hidden)
        dense(f"{scope}/attention/output/dense", hidden, hidden)
        norm(f"{scope}/attention/output")
        dense(f"{scope}/intermediate/dense", hidden, 4 * hidden)
        dense(f"{scope}/output/dense", 4 * hidden, hidden)
        norm(f"{scope}/output")
    dense("bert/pooler/dense", hidden, hidden)
    dense("cls/predictions/transform/dense", hidden, hidden)
    norm("cls/predictions/transform")
    made["cls/predictions/output_bias"] = np.zeros(VOCABULARY, np.float32)
    matrix("cls/seq_relationship/output_weights", 2, hidden)
    made["cls/seq_relationship/output_bias"] = np.zeros(2, np.float32)
    return made


def head(labels: int, hidden: int) -> Tensors:
    """run_classifier.py's two tensors; weights far enough apart that every input has a class."""
    rng = np.random.default_rng(1)
    weights = rng.standard_normal((labels, hidden), dtype=np.float32)
    return {"output_weights": weights, "output_bias": np.zeros(labels, np.float32)}


if __name__ == "__main__":
    main()
