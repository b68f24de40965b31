"""The Model Garden's classes with heads, built over one encoder, and what their heads answer.

The names of kinds and tensors are a contract with the host (a test compares them with its table of heads), so that a
new head there changes nothing here.
"""

import typing

import tensorflow as tf
import tf_keras
from official.modeling import tf_utils
from official.nlp.modeling import layers, models, networks

from bertbuild.heads import masked_lm

TENSORS = {
    "classifier": ("logits", "probabilities"),
    "multi-label": ("logits", "probabilities"),
    "regression": ("score",),
    "tokens": ("logits", "probabilities"),
    "span": ("start_logits", "end_logits"),
    "masked-lm": ("masked_lm_logits",),
    "next-sentence": ("next_sentence_logits",),
}
"""Kind → the names of the tensors that it gives, in the order in which `Head.answer` makes them."""


class Head(typing.NamedTuple):
    """A head of a model.

    Attributes:
        kind: one of `TENSORS`.
        layer: the layer or network of the Model Garden that computes it.
        by: the class that has it, in words.
        reads_pooled: whether the layer takes the pooled output [B, H]; otherwise the sequence output [B, S, H].
    """

    kind: str
    layer: tf_keras.layers.Layer
    by: str
    reads_pooled: bool = False

    @property
    def tensors(self):
        """The names of what it gives."""
        return TENSORS[self.kind]

    def answer(self, sequence, pooled):
        """Tensor name → float32 tensor, of the encoder's sequence output [B, S, H] and pooled output [B, H]."""
        more = {"masked_positions": _all_positions(sequence)} if self.kind == "masked-lm" else {}
        given = self.layer(pooled if self.reads_pooled else sequence, **more)
        return dict(zip(self.tensors, _answers(self.kind, given), strict=True))


def _answers(kind, given):
    """The tensors of a kind, of what its layer gives."""
    if kind in ("classifier", "tokens"):
        return given, tf.nn.softmax(given, axis=-1)
    if kind == "multi-label":
        return given, tf.nn.sigmoid(given)
    if kind == "regression":
        return (tf.squeeze(given, axis=-1),)
    return tuple(given) if kind == "span" else (given,)


def _all_positions(sequence):
    """0, 1, …, S - 1 for each row, int32 [B, S]: a MaskedLM answers at the positions that it is told."""
    shape = tf.shape(sequence)
    return tf.tile(tf.range(shape[1])[tf.newaxis], [shape[0], 1])


def garden(made):
    """A model or layer of the Model Garden in words."""
    return "the Model Garden's %s" % type(made).__name__


def task_model(config, encoder, kind, columns):
    """The model of the Model Garden that has a head for a task over an encoder, and the head.

    Args:
        config: a BertConfig of the Model Garden.
        encoder: the encoder.
        kind: of the head.
        columns: how many numbers it gives for a row or position.
    """
    dropout = config.hidden_dropout_prob
    if kind == "tokens":
        model = models.BertTokenClassifier(encoder, columns, dropout_rate=dropout)
        return model, Head(kind, model.classifier, garden(model))
    if kind == "span":
        model = models.BertSpanLabeler(encoder)
        return model, Head(kind, model.span_labeling, garden(model))
    model = models.BertClassifier(encoder, columns, dropout_rate=dropout)
    return model, Head(kind, model.classifier, garden(model), reads_pooled=True)


def dense_model(encoder, kind, columns):
    """An encoder with a plain dense layer behind it, as people build it of Keras, and the head that it is."""
    reads_pooled = kind != "tokens"
    layer = tf_keras.layers.Dense(columns)
    sequence, pooled = encoder(encoder.inputs)  # as one layer of the model, not as all of its own
    model = tf_keras.Model(encoder.inputs, layer(pooled if reads_pooled else sequence))
    return model, Head(kind, layer, "a layer Dense of Keras behind the encoder", reads_pooled=reads_pooled)


def masked_lm_layer(config, encoder, weights):
    """The layer of a masked LM, built; its table is the encoder's where `weights` names that one, else its own."""
    table = encoder.get_embedding_table()
    if weights != masked_lm.TIED_WEIGHTS:
        table = tf.Variable(tf.zeros(table.shape), name="embedding_table")
    layer = layers.MaskedLM(table, tf_utils.get_activation(config.hidden_act), name=masked_lm.SCOPE.rstrip("/"))
    Head("masked-lm", layer, garden(layer)).answer(tf.zeros([1, 1, config.hidden_size]), None)
    return layer


def sentence_layer(config):
    """The layer of the next sentence, built, with a pooler of its own."""
    layer = layers.ClassificationHead(config.hidden_size, 2, name="next_sentence")
    layer(tf.zeros([1, 1, config.hidden_size]))
    return layer


def sentence_network(config):
    """The network of the next sentence as the older BertPretrainer has it, which reads the pooled output."""
    return networks.Classification(config.hidden_size, 2, name="classification")


def pretrainer(config, encoder, heads):
    """A BertPretrainerV2 with those of `FoundHead`s that it can have, and what they are."""
    by_kind = {head.kind: head for head in heads}
    table = by_kind["masked-lm"].weights if "masked-lm" in by_kind else masked_lm.TIED_WEIGHTS
    words = masked_lm_layer(config, encoder, table)
    sentences = [sentence_layer(config)] if "next-sentence" in by_kind else []
    model = models.BertPretrainerV2(encoder, classification_heads=sentences, customized_masked_lm=words)
    model(model.inputs)
    made = [Head("next-sentence", layer, garden(model)) for layer in sentences]
    return model, [*([Head("masked-lm", words, garden(model))] if "masked-lm" in by_kind else []), *made]
