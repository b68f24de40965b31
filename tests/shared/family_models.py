"""Variables of small ALBERTs and ELECTRAs, and what NumPy computes of them: as BERTs with every layer spelt out.

Written from the papers (arXiv:1909.11942, arXiv:2003.10555): an ALBERT is a BERT whose layers are copies of one, and
whose embeddings are narrower; of an ELECTRA only the embeddings may be.
"""

from __future__ import annotations

import json

import numpy as np
from numpy_bert import NumpyBert

from bertbuild.checkpoint.writer import write_checkpoint

V, E, H, FFN, POSITIONS, TYPES, LAYERS, HEADS = 60, 16, 32, 64, 160, 2, 3, 4
GENERATOR_H, GENERATOR_FFN = 24, 48
SIZES = {
    "vocab_size": V,
    "embedding_size": E,
    "hidden_size": H,
    "intermediate_size": FFN,
    "max_position_embeddings": POSITIONS,
    "type_vocab_size": TYPES,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "hidden_act": "gelu",
    "initializer_range": 0.02,
}
GENERATOR_CONFIG = {**SIZES, "hidden_size": GENERATOR_H, "intermediate_size": GENERATOR_FFN}
ALBERT_CONFIG = {
    **SIZES,
    "attention_probs_dropout_prob": 0,
    "hidden_dropout_prob": 0,
    "num_hidden_groups": 1,
    "inner_group_num": 1,
    "net_structure_type": 0,
    "gap_size": 0,
    "num_memory_blocks": 0,
    "down_scale_factor": 1,
}
"""As albert_config.json of the published archives has it."""
ALBERT_LAYER = {
    "attention/self/query": "attention_1/self/query",
    "attention/self/key": "attention_1/self/key",
    "attention/self/value": "attention_1/self/value",
    "attention/output/dense": "attention_1/output/dense",
    "attention/output/LayerNorm": "LayerNorm",
    "intermediate/dense": "ffn_1/intermediate/dense",
    "output/dense": "ffn_1/intermediate/output/dense",
    "output/LayerNorm": "LayerNorm_1",
}
"""What BERT calls a part of a layer → what ALBERT does."""
GROUP = "bert/encoder/transformer/group_0/inner_group_0"


def _dense(scope, inputs, outputs):
    return {f"{scope}/kernel": (inputs, outputs), f"{scope}/bias": (outputs,)}


def _norm(scope, width):
    return {f"{scope}/beta": (width,), f"{scope}/gamma": (width,)}


def _embeddings(scope, words, others):
    tables = {"word": (V, words), "position": (POSITIONS, others), "token_type": (TYPES, others)}
    shapes = {f"{scope}/{name}_embeddings": shape for name, shape in tables.items()}
    return {**shapes, **_norm(f"{scope}/LayerNorm", others)}


def _layer(scope, names=None, width=H, grown=FFN):
    called = {part: part if names is None else names[part] for part in ALBERT_LAYER}
    shapes = {}
    for part, name in called.items():
        if part.endswith("LayerNorm"):
            shapes |= _norm(f"{scope}/{name}", width)
        else:
            sides = {"intermediate/dense": (width, grown), "output/dense": (grown, width)}.get(part, (width, width))
            shapes |= _dense(f"{scope}/{name}", *sides)
    return shapes


def albert_shapes():
    """google-research/albert's variables."""
    return {
        **_embeddings("bert/embeddings", E, E),
        **_dense("bert/encoder/embedding_hidden_mapping_in", E, H),
        **_layer(GROUP, ALBERT_LAYER),
        **_dense("bert/pooler/dense", H, H),
    }


def albert_zh_shapes():
    """brightmart/albert_zh's own."""
    return {
        **_embeddings("bert/embeddings", E, H),
        "bert/embeddings/word_embeddings_2": (E, H),
        **_layer("bert/encoder/layer_shared"),
        **_dense("bert/pooler/dense", H, H),
    }


def masked_lm_shapes(width=E):
    """Of run_pretraining.py's masked-LM head and of that for the order of sentences, which is called as BERT's."""
    return {
        **_dense("cls/predictions/transform/dense", H, width),
        **_norm("cls/predictions/transform/LayerNorm", width),
        "cls/predictions/output_bias": (V,),
        "cls/seq_relationship/output_weights": (2, H),
        "cls/seq_relationship/output_bias": (2,),
    }


def electra_shapes(embedding=E, generator=False):
    """google-research/electra's variables; the generator has the discriminator's embeddings."""
    shapes = _embeddings("electra/embeddings", embedding, embedding)
    if embedding != H:
        shapes |= _dense("electra/embeddings_project", embedding, H)
    for number in range(LAYERS):
        shapes |= _layer(f"electra/encoder/layer_{number}")
    shapes |= _dense("discriminator_predictions/dense", H, H) | _dense("discriminator_predictions/dense_1", H, 1)
    if generator:
        shapes |= _dense("generator/embeddings_project", embedding, GENERATOR_H)
        for number in range(LAYERS):
            shapes |= _layer(f"generator/encoder/layer_{number}", width=GENERATOR_H, grown=GENERATOR_FFN)
        shapes |= _dense("generator_predictions/dense", GENERATOR_H, embedding)
        shapes |= {**_norm("generator_predictions/LayerNorm", embedding), "generator_predictions/output_bias": (V,)}
    return shapes


def values(shapes, seed=11, deviation=0.25):
    """Numbers large enough that the two forms of gelu are told apart in the answers."""
    chance = np.random.default_rng(seed)
    return {
        name: (chance.standard_normal(shape) * deviation + name.endswith("gamma")).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_family(folder, tensors, config, *, config_name="albert_config.json", vocab=True):
    """A checkpoint as the repositories publish it."""
    folder.mkdir(parents=True)
    write_checkpoint(folder / "model.ckpt-best", tensors)
    (folder / config_name).write_text(json.dumps(config))
    if vocab:
        (folder / "vocab.txt").write_text("".join(f"w{index}\n" for index in range(V)))
    return folder


class NumpyFamily(NumpyBert):
    """What such variables compute. `heads` as of a BERT; the depth is that of the configuration."""

    def __init__(self, tensors, *, activation, heads=HEADS, layers=LAYERS):
        names = {}
        projection = table = None
        for name, value in tensors.items():
            if name.startswith("generator"):
                continue  # another encoder
            if name.startswith("bert/encoder/embedding_hidden_mapping_in/"):
                projection = "bert/encoder/embedding_hidden_mapping_in"
                names[name] = value
            elif name == "bert/embeddings/word_embeddings_2":
                table = value
            elif name.startswith((GROUP, "bert/encoder/layer_shared/")):
                names |= {f"bert/encoder/layer_{number}/{_berts(name)}": value for number in range(layers)}
            else:
                names[name.replace("electra/", "bert/")] = value
        if table is not None:
            words = names["bert/embeddings/word_embeddings"].astype(np.float64)
            names["bert/embeddings/word_embeddings"] = words @ table.astype(np.float64)
        if "bert/embeddings_project/kernel" in names:
            projection = "bert/embeddings_project"
        super().__init__(names, heads=heads, activation=activation)
        self.projection = projection

    def norm(self, x, scope):
        found = super().norm(x, scope)
        return self.dense(found, self.projection) if scope == "bert/embeddings" and self.projection else found


def _berts(name):
    if not name.startswith(GROUP):
        return name.removeprefix("bert/encoder/layer_shared/")
    part = name.removeprefix(f"{GROUP}/")
    scope, _, last = part.rpartition("/")
    return f"{next(berts for berts, theirs in ALBERT_LAYER.items() if theirs == scope)}/{last}"
