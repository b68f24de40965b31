"""The BERT graph as google-research/bert builds it, over placeholders of our choosing, with a gelu of our choosing."""

import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from bert import modeling
from checkpoint_files import find_prefix
from stage import StageInputError

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)

POOLED = "pooled_output"
SEQUENCE = "sequence_output"
PROBABILITIES = "probabilities"
PUBLISHED_LENGTH = 128


def gelu_erf(x):
    """The exact gelu, as the published graphs compute it: x · ½(1 + erf(x/√2)), https://arxiv.org/abs/1606.08415.

    Written in the order that OpenVINO's GeluFusion recognises; float32 in and out, any shape.
    """
    return x * (0.5 * (1.0 + tf.erf(x / tf.sqrt(2.0))))


GELU = {"erf": gelu_erf, "tanh": modeling.gelu}


class Config(object):
    """The settings of a model that has no checkpoint yet."""

    def __init__(self, config):
        self.config = modeling.BertConfig.from_dict(config)


class Source(object):
    """A checkpoint folder: bert_config.json, a checkpoint and perhaps its .meta."""

    def __init__(self, folder, prefix=None):
        self.folder = folder
        self.prefix = find_prefix(folder, prefix)
        self.meta = self.prefix + ".meta" if os.path.exists(self.prefix + ".meta") else None
        config = os.path.join(folder, "bert_config.json")
        if not os.path.exists(config):
            raise StageInputError("%s has no bert_config.json" % folder)
        with open(config) as file:
            self.config = modeling.BertConfig.from_dict(json.load(file))
        self.reader = tf.train.NewCheckpointReader(self.prefix)

    def gelu(self, wanted, report):
        """The form of gelu to build with: as asked, or `auto`, the one the checkpoint's own .meta computes."""
        if str(self.config.hidden_act).lower() != "gelu":
            return None
        if wanted != "auto":
            return wanted
        if self.meta is None:
            report.note("no .meta beside the checkpoint: gelu taken as erf, the form of the published graphs")
            return "erf"
        from bertbuild.graph.gelu import gelu_form
        from bertbuild.graph.graphdef import GraphFormatError, read_meta_graph

        try:
            found = gelu_form(read_meta_graph(self.meta))
        except GraphFormatError as error:
            raise StageInputError("%s cannot be read: %s" % (self.meta, error))
        if found is None:
            report.note("the .meta shows no gelu: taken as erf, the form of the published graphs")
            return "erf"
        return found

    def classes(self):
        """How many classes the classifier head has; StageInputError when the checkpoint has none."""
        if not self.reader.has_tensor("output_weights"):
            raise StageInputError("the checkpoint has no classifier head (output_weights), so no probabilities")
        return self.reader.get_variable_to_shape_map()["output_weights"][0]


def placeholders(batch, seq_len, names=("input_ids", "input_mask", "segment_ids")):
    """Three int32 placeholders of shape [batch, seq_len] (None: free), in the order ids, mask, segments."""
    return [tf.compat.v1.placeholder(tf.int32, [batch, seq_len], name=name) for name in names]


def published_placeholders(source):
    """The inputs of the published form: three int32 placeholders [1, 128] under TensorFlow's default names."""
    shape = [1, min(PUBLISHED_LENGTH, source.config.max_position_embeddings)]
    return [tf.compat.v1.placeholder(tf.int32, shape) for _ in range(3)]


def build(source, gelu, inputs, outputs):
    """Build the graph in the default graph.

    Args:
        source: the `Source`.
        gelu: "erf", "tanh", or None where the config's activation is another.
        inputs: int32 tensors [B, S]: input ids, input mask, segment ids.
        outputs: some of "pooled", "sequence", "all-layers", "probabilities".

    Returns:
        dict of output name → float32 tensor: pooled_output [B, H], sequence_output [B, S, H], layer_i_output
        [B, S, H], probabilities [B, C].
    """
    config = source.config
    if gelu is not None:
        config.hidden_act = GELU[gelu]
    model = modeling.BertModel(config, False, *inputs)
    tensors = {}
    if "pooled" in outputs:
        tensors[POOLED] = model.get_pooled_output()
    if "sequence" in outputs:
        tensors[SEQUENCE] = model.get_sequence_output()
    if "all-layers" in outputs:
        for index, layer in enumerate(model.get_all_encoder_layers()):
            tensors["layer_%d_output" % index] = layer
    if "probabilities" in outputs:
        tensors[PROBABILITIES] = _probabilities(model.get_pooled_output(), source.classes())
    # Converters take for an output only what nothing else reads.
    return {name: tf.identity(tensor, name) if tensor.consumers() else tensor for name, tensor in tensors.items()}


def _probabilities(pooled, classes):
    # The head of run_classifier.py, under its own node names: loss/MatMul, loss/BiasAdd, loss/Softmax.
    weights = tf.compat.v1.get_variable("output_weights", [classes, pooled.shape[-1]])
    bias = tf.compat.v1.get_variable("output_bias", [classes])
    with tf.compat.v1.variable_scope("loss"):
        logits = tf.nn.bias_add(tf.matmul(pooled, weights, transpose_b=True), bias)
        return tf.nn.softmax(logits, axis=-1)


def describe(tensors):
    """Name, dtype and shape (-1: free) of each tensor of a dict, as JSON wants it."""
    return {
        name: {
            "tensor": tensor.name,
            "dtype": tensor.dtype.base_dtype.name,
            "shape": [-1 if size is None else size for size in tensor.shape.as_list()],
        }
        for name, tensor in tensors.items()
    }


def packages():
    """Versions of what makes the graph."""
    import pkg_resources

    names = ("tensorflow", "bert-tensorflow", "numpy", "protobuf")
    return {name: pkg_resources.get_distribution(name).version for name in names}
