"""A checkpoint as a Hugging Face folder has it: the names of its tensors, and a config.json that says what reads them.

Names and keys: transformers 4.57, models/bert/modeling_bert.py and configuration_bert.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import BertConfig
from bertbuild.checkpoint.training import sort_variables
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.errors import CheckpointError
from bertbuild.families.bert_names import SCOPE
from bertbuild.heads import masked_lm
from bertbuild.heads.found import FoundHead
from bertbuild.huggingface.naming import is_turned
from bertbuild.huggingface.settings import DEFAULTS, PROBLEM_TYPES
from bertbuild.huggingface.stored import Floats
from bertbuild.huggingface.writing import SHARD_BYTES, write_weights

ENCODER: Final = "BertModel"
CLASSES: Final[Mapping[tuple[str, ...], str]] = {
    (): ENCODER,
    ("classifier",): "BertForSequenceClassification",
    ("multi-label",): "BertForSequenceClassification",
    ("regression",): "BertForSequenceClassification",
    ("tokens",): "BertForTokenClassification",
    ("span",): "BertForQuestionAnswering",
    ("masked-lm",): "BertForMaskedLM",
    ("next-sentence",): "BertForNextSentencePrediction",
    ("masked-lm", "next-sentence"): "BertForPreTraining",
}
"""Kinds of heads → the class of transformers that has just these."""

_LAST: Final = {
    "span": "qa_outputs",
    "next-sentence": "cls.seq_relationship",
}
"""Kind → what its last layer is called; of all others for a task `classifier`."""
_ACTIVATIONS: Final = {"erf": "gelu", "tanh": "gelu_new"}
_PARTS: Final = (
    (re.compile(r"\.layer_(\d+)\."), r".layer.\1."),
    (re.compile(r"_embeddings$"), "_embeddings.weight"),
    (re.compile(r"\.gamma$"), ".weight"),
    (re.compile(r"\.beta$"), ".bias"),
    (re.compile(r"\.kernel$"), ".weight"),
)


def class_for(heads: Iterable[FoundHead]) -> str:
    """The class of transformers that has just these heads.

    Raises:
        CheckpointError: there is none.
    """
    kinds = tuple(sorted(head.kind for head in heads))
    if kinds not in CLASSES:
        raise CheckpointError(
            f"transformers has no class with the heads {' and '.join(kinds)}.",
            next_step="Give heads of one class: one for a task, or those of pre-training.",
        )
    return CLASSES[kinds]


def tensor_names(variables: Iterable[str], heads: Sequence[FoundHead]) -> dict[str, str]:
    """google-research/bert's name → Hugging Face's, of the encoder and of these heads; all else is left out.

    Args:
        variables: the names in the checkpoint.
        heads: those that the folder is to have.
    """
    prefix = "bert." if heads else ""
    last = {}
    for head in heads:
        if head.kind == "masked-lm":
            last[head.bias] = "cls.predictions.bias"
        else:
            layer = _LAST.get(head.kind, "classifier")
            last |= {head.weights: f"{layer}.weight", head.bias: f"{layer}.bias"}
    of_head = (masked_lm.DENSE, masked_lm.LAYER_NORM) if any(head.kind == "masked-lm" for head in heads) else ()
    found = {}
    for name in sorted(variables):
        if name in last:
            found[name] = last[name]
        elif name.startswith(SCOPE):
            found[name] = prefix + _renamed(name.removeprefix(SCOPE))
        elif name.startswith(tuple(f"{scope}/" for scope in of_head)):
            found[name] = _renamed(name)
    return found


def config_json(
    config: BertConfig, heads: Sequence[FoundHead], *, gelu: str | None, epsilon: float, labels: Sequence[str]
) -> dict[str, Any]:
    """The content of config.json.

    Args:
        config: of the checkpoint.
        heads: those that the folder has.
        gelu: its form, "erf" or "tanh"; None for another activation.
        epsilon: what each layer norm adds to the variance.
        labels: names of the columns of a head that has such; "LABEL_0" … stand in for what is missing.
    """
    found: dict[str, Any] = {
        "architectures": [class_for(heads)],
        "model_type": "bert",
        **{key: getattr(config, key) for key in DEFAULTS},
        "hidden_act": _ACTIVATIONS[gelu] if gelu else config.hidden_act,
        "layer_norm_eps": epsilon,
        "torch_dtype": "float32",
    }
    for head in heads:
        if head.kind in PROBLEM_TYPES.values() or head.kind == "tokens":
            names = list(labels) or [f"LABEL_{number}" for number in range(head.labels)]
            found["id2label"] = {str(number): name for number, name in enumerate(names)}
            found["label2id"] = {name: number for number, name in enumerate(names)}
        problem = next((name for name, kind in PROBLEM_TYPES.items() if kind == head.kind), "")
        if problem:
            found["problem_type"] = problem
    return found


def export(
    prefix: Path,
    out: Path,
    *,
    config: BertConfig,
    heads: Sequence[FoundHead],
    gelu: str | None,
    epsilon: float,
    labels: Sequence[str] = (),
    most: int = SHARD_BYTES,
) -> list[str]:
    """Write config.json and the weights of a checkpoint into a folder; gives the names of the files of weights.

    Args:
        prefix: of the checkpoint.
        out: the folder.
        config: of the checkpoint.
        heads: those that the folder is to have; how many labels they have their variables tell.
        gelu: as of `config_json`.
        epsilon: as of `config_json`.
        labels: as of `config_json`; of another number than the head has, they are of another model, and left out.
        most: bytes of tensors that a file may hold.

    Raises:
        CheckpointError: the checkpoint cannot be read, or lacks a variable of a head; no class has these heads.
    """
    reader = CheckpointReader(prefix)
    shapes = {name: entry.shape for name, entry in reader.entries.items()}
    lacking = next((name for head in heads for name in (head.weights, head.bias) if name not in shapes), None)
    if lacking:
        raise CheckpointError(
            f"{prefix} has no {lacking}, which a head of it is said to have.", next_step="Name a variable that it has."
        )
    counted = [head._replace(labels=shapes[head.bias][0]) for head in heads]
    encoder = encoder_variables(config)
    variables = [name for name in sort_variables(shapes).model if name in encoder or not name.startswith(SCOPE)]
    google = {theirs: ours for ours, theirs in tensor_names(variables, counted).items()}
    fitting = labels if any(head.labels == len(labels) for head in counted) else ()
    values = config_json(config, counted, gelu=gelu, epsilon=epsilon, labels=fitting)
    (out / "config.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    def read(name: str) -> Floats:
        numbers = reader.mapped(google[name])
        return numbers.T if is_turned(google[name]) else numbers

    turned = {name: shapes[ours][::-1] if is_turned(ours) else shapes[ours] for name, ours in google.items()}
    return write_weights(out, turned, read, most)


def _renamed(name: str) -> str:
    name = name.replace("/", ".")
    for pattern, replacement in _PARTS:
        name = pattern.sub(replacement, name)
    return name
