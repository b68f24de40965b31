"""BERT as the Neuron compiler likes it: a host part, and a device part behind one boundary.

The host part looks up the embeddings, normalises them and turns the mask into a bias; encoder, pooler and head are the
device part. It is what the appendix of AWS's BERT demo describes, for any size of model: every shape but the batch is a
constant, so that over inputs of a fixed batch no shape is left to the run time; the bias is computed once; weights and
the products they enter are of `dtype`, layer norms of float32. Functionally it is google-research/bert's modeling.py:
the factor 1/√(head size) of the attention scores is in the query's weights, a gelu's factor ½ in the weights before it,
and where nobody asks for the sequence, the last layer is computed for the first position only.
"""

import math

import tensorflow as tf

from bertbuild.families import bert
from bertbuild.heads.found import tensor_name
from stages import _neuron_heads, _neuron_layers, _outputs

MASKED_OUT = -10000.0  # modeling.py, attention_layer; a float16 holds it
EMBEDDINGS, MASK_BIAS = "embeddings", "mask_bias"


class NeuronGraph(object):
    """Builds the graph in the default graph.

    Attributes:
        outputs: output name → float32 tensor: pooled_output [B, H], sequence_output [B, S, H], probabilities [B, C], ….
        device_inputs: embeddings [B, S, H] and mask_bias [B, 1, 1, S], of `dtype`, by name.
        device_outputs: pooled_output, sequence_output, logits [B, C], …, of `dtype`, by name.
        layers: a `_neuron_layers.Layers`.
        activation: a `_neuron_activation.Activation`.
        words: the variable of the word embeddings [V, H], float32, on the host.
        hidden: the last layer's result on the device, [B·S, H], or where nobody asks for it the first positions [B, H].
        pooled: the pooled output on the device [B, H]; None where nobody asks for it.
    """

    def __init__(self, source, activation, dtype, seq_len, wanted, inputs):
        """Build it.

        Args:
            source: a `_source.Model`.
            activation: a `_neuron_activation.Activation`.
            dtype: tf.float16 or tf.float32, of the device part.
            seq_len: S.
            wanted: what --output calls the outputs.
            inputs: int32 tensors [B, S]: input ids, input mask, segment ids.

        Raises:
            StageInputError: the model does not give one of the outputs.
        """
        self.layers = _neuron_layers.Layers(source, dtype)
        self.activation = activation
        self._config = source.config
        self._seq_len = seq_len
        input_ids, input_mask, segment_ids = inputs
        self.device_inputs = {
            EMBEDDINGS: _boundary(EMBEDDINGS, tf.cast(self._embed(input_ids, segment_ids), dtype)),
            MASK_BIAS: _boundary(MASK_BIAS, self._mask_bias(input_mask)),
        }
        self.device_outputs = {}
        heads = source.heads
        of_positions = [head for head in heads if head.kind in _neuron_heads.OF_POSITIONS]
        whole = bool(of_positions or {_outputs.SEQUENCE, _outputs.ALL_LAYERS} & set(wanted))
        states = self._encode(*self.device_inputs.values(), first_only=not whole)
        self.hidden, self.pooled = states[-1], None
        if _outputs.POOLED in wanted or len(of_positions) < len(heads):
            self.pooled = self._pool(self._first(self.hidden) if whole else self.hidden)
        given = {
            _outputs.POOLED: lambda: self._given(_outputs.POOLED, self.pooled),
            _outputs.SEQUENCE: lambda: self._given(_outputs.SEQUENCE, self.by_position(self.hidden)),
            _outputs.ALL_LAYERS: lambda: [
                self.device_output(tensor_name(_outputs.ALL_LAYERS) % index, self.by_position(state))
                for index, state in enumerate(states)
            ],
        }
        given.update(_neuron_heads.given(self, heads, source))
        tensors = _outputs.select(wanted, given)
        with tf.name_scope(None):
            self.outputs = {name: tf.identity(tensor, name) for name, tensor in tensors.items()}

    def load(self, session):
        """Give the variables their values."""
        self.layers.load(session)

    def device_output(self, name, tensor):
        """Make a tensor an output of the device part; gives it in float32."""
        self.device_outputs[name] = boundary = _boundary(name, tensor)
        with tf.name_scope(None):
            return tf.cast(boundary, tf.float32)

    def by_position(self, rows):
        """[B·S, N] → [B, S, N]."""
        return tf.reshape(rows, [-1, self._seq_len, rows.shape[-1]])

    def _given(self, output, tensor):
        return self.device_output(tensor_name(output), tensor)

    def _pool(self, first):
        with tf.name_scope(bert.POOLER_SCOPE):
            return tf.tanh(self.layers.dense(first, bert.POOLER_DENSE))

    def _embed(self, input_ids, segment_ids):
        scope, width = bert.EMBEDDINGS, self._config.hidden_size
        self.words = self.layers.weight(scope + "/word_embeddings", dtype=tf.float32)
        types = self.layers.weight(scope + "/token_type_embeddings", dtype=tf.float32)
        positions = self.layers.weight(
            scope + "/position_embeddings", change=lambda value: value[: self._seq_len], dtype=tf.float32
        )
        with tf.name_scope(scope + "/"):
            # An id beyond the token types picks nothing, as in modeling.py; a gather would fail.
            one_hot = tf.one_hot(tf.reshape(segment_ids, [-1]), self._config.type_vocab_size)
            picked = tf.reshape(tf.matmul(one_hot, types), [-1, self._seq_len, width])
            embedded = tf.gather(self.words, input_ids) + picked + positions
        return self.layers.layer_norm(embedded, scope + "/LayerNorm")

    def _mask_bias(self, input_mask):
        with tf.name_scope(bert.ENCODER):
            mask = tf.cast(tf.reshape(input_mask, [-1, 1, 1, self._seq_len]), tf.float32)
            return tf.cast((1.0 - mask) * MASKED_OUT, self.layers.dtype)

    def _encode(self, embeddings, mask_bias, first_only):
        """[B, S, H] → each layer's result [B·S, H]; of the last, with `first_only`, the first positions [B, H]."""
        config, states = self._config, []
        hidden = tf.reshape(embeddings, [-1, config.hidden_size])
        for index in range(config.num_hidden_layers):
            scope = bert.LAYER % index
            is_last = index == config.num_hidden_layers - 1
            asked = self._first(hidden) if is_last and first_only else hidden
            attended = self._attend(asked, hidden, mask_bias, scope + "/attention/self")
            attended = self.layers.dense(attended, scope + "/attention/output/dense")
            attended = self._add_and_norm(attended, asked, scope + "/attention/output")
            grown = self.layers.dense(attended, scope + "/intermediate/dense", self.activation.factor)
            with tf.name_scope(scope + "/intermediate/"):
                grown = self.activation.function(grown)
            hidden = self._add_and_norm(self.layers.dense(grown, scope + "/output/dense"), attended, scope + "/output")
            states.append(hidden)
        return states

    def _first(self, hidden):
        """[B·S, H] → [B, H], the first position of each sequence."""
        width = self._config.hidden_size
        with tf.name_scope(bert.POOLER_SCOPE):
            shaped = tf.reshape(hidden, [-1, self._seq_len, width])
            return tf.reshape(tf.slice(shaped, [0, 0, 0], [-1, 1, -1]), [-1, width])

    def _attend(self, asked, hidden, mask_bias, scope):
        """Self-attention of `asked` [B·Q, H], Q being S or 1, over `hidden` [B·S, H] → [B·Q, H]."""
        size = self._config.hidden_size // self._config.num_attention_heads
        asked_len = self._seq_len if asked is hidden else 1
        query = self._heads(self.layers.dense(asked, scope + "/query", 1.0 / math.sqrt(size)), asked_len, scope)
        key, value = [
            self._heads(self.layers.dense(hidden, "%s/%s" % (scope, name)), self._seq_len, scope)
            for name in ("key", "value")
        ]
        with tf.name_scope(scope + "/"):
            scores = tf.matmul(query, key, transpose_b=True)
            context = tf.matmul(tf.nn.softmax(scores + mask_bias), value)
            return tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [-1, self._config.hidden_size])

    def _heads(self, inputs, length, scope):
        """[B·length, H] → [B, heads, length, head size]."""
        heads = self._config.num_attention_heads
        with tf.name_scope(scope + "/"):
            shaped = tf.reshape(inputs, [-1, length, heads, self._config.hidden_size // heads])
            return tf.transpose(shaped, [0, 2, 1, 3])

    def _add_and_norm(self, left, right, scope):
        with tf.name_scope(scope + "/"):
            total = left + right
        return self.layers.normed(total, scope + "/LayerNorm")


def _boundary(name, tensor):
    """Name a tensor between host part and device part."""
    with tf.name_scope(None):
        return tf.identity(tensor, "device/" + name)
