"""A checkpoint as a Hugging Face folder has it: the names of its tensors, and a config.json that says what reads them.

Names and keys: transformers 4.57, models/bert/modeling_bert.py and configuration_bert.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import BertConfig
from bertbuild.checkpoint.training import sort_variables
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.errors import CheckpointError
from bertbuild.families.albert import ALBERT_ZH as ZH
from bertbuild.families.bert import SCOPES as BERTS
from bertbuild.families.bert_names import SCOPE
from bertbuild.families.table import ALBERT, ALBERT_ZH, BERT, ELECTRA
from bertbuild.heads import masked_lm
from bertbuild.heads.found import FoundHead
from bertbuild.huggingface.classes import MODEL_TYPES, class_for
from bertbuild.huggingface.family_names import LAST, albert_tensor, of_masked_lm, of_replaced_token
from bertbuild.huggingface.naming import is_turned
from bertbuild.huggingface.settings import DEFAULTS, PROBLEM_TYPES
from bertbuild.huggingface.stored import Floats
from bertbuild.huggingface.writing import SHARD_BYTES, write_weights

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
        "architectures": [class_for((head.kind for head in heads), config.family)],
        "model_type": MODEL_TYPES.get(config.family, config.family),
        **{key: getattr(config, key) for key in DEFAULTS},
        "hidden_act": _ACTIVATIONS[gelu] if gelu else config.hidden_act,
        "layer_norm_eps": epsilon,
        "torch_dtype": "float32",
    }
    if config.family in (ALBERT, ELECTRA):
        found["embedding_size"] = config.embedding_size or config.hidden_size
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
    google = variables_of(variables, counted, config)
    fitting = labels if any(head.labels == len(labels) for head in counted) else ()
    values = config_json(config, counted, gelu=gelu, epsilon=epsilon, labels=fitting)
    (out / "config.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    def read(name: str) -> Floats:
        numbers = reader.mapped(google[name])
        if config.family == ALBERT_ZH and google[name] == ZH.words:
            return np.asarray(numbers @ reader.mapped(ZH.projected_words), np.float32)
        return numbers.T if is_turned(google[name]) else numbers

    turned = {name: shapes[ours][::-1] if is_turned(ours) else shapes[ours] for name, ours in google.items()}
    if config.family == ALBERT_ZH:
        turned |= {name: (config.vocab_size, config.hidden_size) for name, ours in google.items() if ours == ZH.words}
    return write_weights(out, turned, read, most)


def variables_of(variables: Iterable[str], heads: Sequence[FoundHead], config: BertConfig) -> dict[str, str]:
    """Hugging Face's name of each tensor of a folder → the variable that it is made of.

    An albert_zh is written as the BERT that it is once its layers are spelt out, each a copy, and its table of words
    is multiplied by its second: transformers' ALBERT has its positions as narrow as its words.
    """
    if config.family == BERT:
        return {theirs: ours for ours, theirs in tensor_names(variables, heads).items()}
    return _OF_FAMILY[config.family](list(variables), heads, config)


def _albert(variables: Sequence[str], heads: Sequence[FoundHead], _config: BertConfig) -> dict[str, str]:
    prefix = "albert." if heads else ""
    found = {prefix + name: variable for variable in variables if (name := albert_tensor(variable))}
    return found | _of_heads(variables, heads, ALBERT)


def _electra(variables: Sequence[str], heads: Sequence[FoundHead], _config: BertConfig) -> dict[str, str]:
    prefix = "electra." if heads else ""
    found = {prefix + _renamed(name.removeprefix(SCOPE)): name for name in variables if name.startswith(SCOPE)}
    return found | _of_heads(variables, heads, ELECTRA)


def _albert_zh(variables: Sequence[str], heads: Sequence[FoundHead], config: BertConfig) -> dict[str, str]:
    spelt: dict[str, str] = {}
    for variable in variables:
        if variable.startswith(f"{ZH.layer}/"):
            part = variable.removeprefix(ZH.layer)
            spelt |= {BERTS.of_layer(number) + part: variable for number in range(config.num_hidden_layers)}
        elif variable != ZH.projected_words:
            spelt[variable] = variable
    return {theirs: spelt[ours] for ours, theirs in tensor_names(spelt, heads).items()}


def _of_heads(variables: Sequence[str], heads: Sequence[FoundHead], family: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for head in heads:
        if head.kind == "masked-lm":
            found |= of_masked_lm(variables, family)
        elif head.kind == "replaced-token":
            found |= of_replaced_token(variables)
        else:
            layer = LAST.get(head.kind, "classifier")
            found |= {f"{layer}.weight": head.weights, f"{layer}.bias": head.bias}
    return found


_OF_FAMILY: Final = {ALBERT: _albert, ALBERT_ZH: _albert_zh, ELECTRA: _electra}


def _renamed(name: str) -> str:
    name = name.replace("/", ".")
    for pattern, replacement in _PARTS:
        name = pattern.sub(replacement, name)
    return name
