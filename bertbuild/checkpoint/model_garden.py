"""Where google-research/bert's variables lie in TensorFlow 2 checkpoints of the Model Garden's BERT.

The Model Garden (tf-models-official 2.20; the layout is the same since 2.4) is the definition: `networks.BertEncoder`,
which the legacy BERT of run_classifier and run_squad is built on, `networks.BertEncoderV2`, `models.BertPretrainerV2`,
and of google-research/albert's variables `networks.AlbertEncoder`; for the names, its
tf1_bert_checkpoint_converter_lib. H hidden, N heads, D = H / N, I intermediate, L layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bertbuild.checkpoint.config import BertConfig
from bertbuild.checkpoint.object_graph import Path
from bertbuild.checkpoint.variables import Shape, encoder_variables
from bertbuild.families import albert, bert
from bertbuild.families.scopes import EMBEDDING_SIZE, is_projected
from bertbuild.families.table import ALBERT
from bertbuild.heads import masked_lm
from bertbuild.heads.found import FoundHead

_PARTS = ("query", "key", "value", "attended", "attended_norm", "grown", "shrunk", "shrunk_norm")
_BERTS_PARTS = {getattr(albert.SCOPES, name): getattr(bert.SCOPES, name) for name in _PARTS}
"""Scope of a part of an ALBERT's layer → BERT's of the same."""
_GARDEN_DENSE = {"query": "_query_dense", "key": "_key_dense", "value": "_value_dense"}

# tf1_bert_checkpoint_converter_lib.BERT_NAME_REPLACEMENTS: each replaces every occurrence in the result of the last.
_NAME_REPLACEMENTS = (
    ("bert", "bert_model"),
    ("embeddings/word_embeddings", "word_embeddings/embeddings"),
    ("embeddings/token_type_embeddings", "embedding_postprocessor/type_embeddings"),
    ("embeddings/position_embeddings", "embedding_postprocessor/position_embeddings"),
    ("embeddings/LayerNorm", "embedding_postprocessor/layer_norm"),
    ("attention/self", "self_attention"),
    ("attention/output/dense", "self_attention_output"),
    ("attention/output/LayerNorm", "self_attention_layer_norm"),
    ("intermediate/dense", "intermediate"),
    ("output/dense", "output"),
    ("output/LayerNorm", "output_layer_norm"),
    ("pooler/dense", "pooler_transform"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One variable: where it comes from, where it goes, and what becomes of its shape.

    Attributes:
        source: its name in google-research/bert.
        source_shape: its shape there.
        path: attributes from the root object to it.
        name: its name as a TensorFlow 2 variable.
        shape: its shape there.
        transposed: whether its two axes are swapped; otherwise the numbers stay in their order.
    """

    source: str
    source_shape: Shape
    path: Path
    name: str
    shape: Shape
    transposed: bool = False

    def forth(self, value: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The source's value as it goes into the target."""
        return (value.T if self.transposed else value).reshape(self.shape)

    def back(self, value: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The target's value as it came from the source."""
        value = value.reshape(self.source_shape[::-1] if self.transposed else self.source_shape)
        return value.T if self.transposed else value

    @property
    def change(self) -> str:
        """What becomes of the shape, in words."""
        if self.transposed:
            return "transposed"
        return "as it is" if self.shape == self.source_shape else "reshaped"


def encoder_places(config: BertConfig, root: str) -> Iterator[Place]:
    """Every variable of the encoder below `root`, in the order of `encoder_variables`."""
    place_of = _albert_place if config.family == ALBERT else _encoder_place
    for source, shape in encoder_variables(config).items():
        path, name, changed = place_of(source, shape, config)
        yield Place(source=source, source_shape=shape, path=(root, *path), name=name, shape=changed)


def _encoder_place(source: str, shape: Shape, config: BertConfig) -> tuple[Path, str, Shape]:
    embeddings = {
        "word_embeddings": (("layer_with_weights-0", "embeddings"), "word_embeddings/embeddings"),
        "position_embeddings": (("layer_with_weights-1", "embeddings"), "position_embedding/embeddings"),
        "token_type_embeddings": (("layer_with_weights-2", "embeddings"), "type_embeddings/embeddings"),
    }
    _, part, *rest = source.split("/")
    last = rest[-1]
    if part == "pooler":
        return (f"layer_with_weights-{4 + config.num_hidden_layers}", last), f"pooler_transform/{last}", shape
    if part == "embeddings":
        path, name = embeddings.get(last, (("layer_with_weights-3", last), f"embeddings/layer_norm/{last}"))
        return path, name, shape
    layer = int(rest[0].removeprefix("layer_"))
    inner, name, changed = _layer_place("/".join(rest[1:-1]), last, shape, config)
    return (f"layer_with_weights-{4 + layer}", *inner, last), f"transformer/layer_{layer}/{name}/{last}", changed


def _albert_place(source: str, shape: Shape, config: BertConfig) -> tuple[Path, str, Shape]:
    """The same of an ALBERT: a projection behind the embeddings where there is one, then the one layer, the pooler."""
    scopes = albert.SCOPES
    scope, _, last = source.rpartition("/")
    layer = 4 + is_projected(scopes, {"hidden_size": config.hidden_size, EMBEDDING_SIZE: config.embedding_size or 0})
    numbers = {
        scopes.words: (0, "word_embeddings"),
        scopes.positions: (1, "position_embedding"),
        scopes.types: (2, "type_embeddings"),
        scopes.norm: (3, "embeddings/layer_norm"),
        scopes.projection: (4, "embedding_projection"),
        scopes.pooler: (layer + 1, "pooler_transform"),
    }
    if source in numbers:
        number, name = numbers[source]
        return (f"layer_with_weights-{number}", "embeddings"), f"{name}/embeddings", shape
    if scope in numbers:
        number, name = numbers[scope]
        return (f"layer_with_weights-{number}", last), f"{name}/{last}", shape
    part = _BERTS_PARTS[scope.removeprefix(scopes.layer + "/")]
    inner, name, changed = _layer_place(part, last, shape, config)
    return (f"layer_with_weights-{layer}", *inner, last), f"transformer/{name}/{last}", changed


def _layer_place(scope: str, last: str, shape: Shape, config: BertConfig) -> tuple[Path, str, Shape]:
    """Of a variable inside a layer: the path to the object that has it, its name, its shape in the target."""
    hidden, heads = config.hidden_size, config.num_attention_heads
    size = hidden // heads
    if scope.startswith("attention/self/"):
        part = scope.rpartition("/")[2]
        changed: Shape = (hidden, heads, size) if last == "kernel" else (heads, size)
        return ("_attention_layer", _GARDEN_DENSE[part]), f"self_attention/{part}", changed
    if scope == "attention/output/dense":
        changed = (heads, size, hidden) if last == "kernel" else shape
        return ("_attention_layer", "_output_dense"), "self_attention/attention_output", changed
    names = {
        "attention/output/LayerNorm": ("_attention_layer_norm", "self_attention_layer_norm"),
        "intermediate/dense": ("_intermediate_dense", "intermediate"),
        "output/dense": ("_output_dense", "output"),
        "output/LayerNorm": ("_output_layer_norm", "output_layer_norm"),
    }
    attribute, name = names[scope]
    return (attribute,), name, shape


def encoder_aliases(config: BertConfig, root: str) -> dict[Path, Path]:
    """Other ways to the encoder's objects: those by which `BertEncoderV2`, a subclassed model, finds them; of an ALBERT
    the attributes of `AlbertEncoder`.
    """
    if config.family == ALBERT:
        attributes = ("_embedding_layer", "_position_embedding_layer")
        return {(root, name): (root, f"layer_with_weights-{number}") for number, name in enumerate(attributes)}
    layers = config.num_hidden_layers
    names: dict[Path, int] = {
        ("_embedding_layer",): 0,
        ("_position_embedding_layer",): 1,
        ("_type_embedding_layer",): 2,
        ("_embedding_norm_layer",): 3,
        ("_pooler_layer",): 4 + layers,
    }
    names |= {("_transformer_layers", str(layer)): 4 + layer for layer in range(layers)}
    return {(root, *path): (root, f"layer_with_weights-{number}") for path, number in names.items()}


def masked_lm_places(
    config: BertConfig, root: Path = ("masked_lm",), weights: str = masked_lm.TIED_WEIGHTS
) -> Iterator[Place]:
    """The masked-LM head; the word embeddings that it shares are the encoder's, a table of its own is among its places.

    Args:
        config: of the model.
        root: the path of the layer `MaskedLM`.
        weights: the variable that is its table [V, H].
    """
    hidden, words = config.hidden_size, config.vocab_size
    rows: list[tuple[str, Shape, Path]] = [
        (masked_lm.KERNEL, (hidden, hidden), ("dense", "kernel")),
        (masked_lm.KERNEL_BIAS, (hidden,), ("dense", "bias")),
        (masked_lm.BETA, (hidden,), ("layer_norm", "beta")),
        (masked_lm.GAMMA, (hidden,), ("layer_norm", "gamma")),
        (masked_lm.BIAS, (words,), ("output_bias/bias",)),
    ]
    if weights != masked_lm.TIED_WEIGHTS:
        rows.append((weights, (words, hidden), ("embedding_table",)))
    for source, shape, path in rows:
        name = masked_lm.SCOPE + "/".join(path)
        yield Place(source=source, source_shape=shape, path=(*root, *path), name=name, shape=shape)


def dense_places(config: BertConfig, head: FoundHead, root: Path) -> Iterator[Place]:
    """A head's weights [C, H], which the Keras dense layer at `root` has as [H, C], and its bias."""
    hidden = config.hidden_size
    rows = ((head.weights, "kernel", (head.labels, hidden)), (head.bias, "bias", (head.labels,)))
    for source, attribute, shape in rows:
        yield Place(
            source=source,
            source_shape=shape,
            path=(*root, attribute),
            name=f"{'/'.join(root[1:])}/{attribute}",
            shape=shape[::-1],
            transposed=len(shape) == 2,
        )


def keras_name(source: str) -> str:
    """The name that the first converter of the Model Garden, tf1_to_keras_checkpoint_converter, gives a variable."""
    for old, new in _NAME_REPLACEMENTS:
        source = source.replace(old, new)
    return source
