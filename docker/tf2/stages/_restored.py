"""Checkpoints of TensorFlow 2 restored into the Model Garden's own classes, and what the models answer."""

import os
import typing
from pathlib import Path

import answered
import tensorflow as tf
import tf_keras
from checkpoint_files import find_prefix
from stage import StageInputError

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import config_from, read_config
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.model_garden import encoder_places, masked_lm_places
from bertbuild.checkpoint.recovered_heads import CLASSIFIER, PROJECTION, SENTENCES, recovered_heads
from bertbuild.checkpoint.recovery import recover
from bertbuild.errors import BertbuildError
from bertbuild.families.bert import WORD_EMBEDDINGS
from bertbuild.families.bert_names import CONFIG_FILE, POOLER
from bertbuild.families.table import BERT
from bertbuild.heads.found import FoundHead
from bertbuild.heads.pooled import TENSOR as POOLED
from bertbuild.heads.sequence import TENSOR as SEQUENCE
from stages import _garden, _heads

PRETRAINING = ("masked-lm", "next-sentence")


class Answering(typing.NamedTuple):
    """A restored model, and what it answers.

    Attributes:
        models: the Keras models with the variables; their encoder is one and the same.
        encoder: [ids, mask, segments] → [sequence output [B, S, H], pooled output [B, H]].
        heads: `_heads.Head`s.
    """

    models: tuple[tf_keras.Model, ...]
    encoder: tf_keras.Model
    heads: tuple[_heads.Head, ...] = ()

    @property
    def tensors(self):
        """The names of all that it answers."""
        return (POOLED, SEQUENCE, *(name for head in self.heads for name in head.tensors))

    @property
    def rows(self):
        """Who gives what, as reference.json has it."""
        encoder = answered.row(_heads.garden(self.encoder), (POOLED, SEQUENCE))
        return answered.joined([encoder, *(answered.row(head.by, head.tensors) for head in self.heads)])

    def run(self, *inputs):
        """All answers: int32 tensors [B, S] (ids, mask, segments) → tensor name → float32 tensor."""
        return self.answer(inputs, self.tensors)

    def answer(self, inputs, names):
        """The answers that are named; no head that gives none of them is computed."""
        sequence, pooled = self.encoder(list(inputs))
        given = {POOLED: pooled, SEQUENCE: sequence}
        for head in self.heads:
            if not set(head.tensors).isdisjoint(names):
                given.update(head.answer(sequence, pooled))
        return {name: given[name] for name in names}


SENTENCE_HEAD = ("model", "classification_heads", "0")
"""Where the object of the next sentence is in a checkpoint of a pretrainer."""


def converted(folder, table, gelu, prefix=None):
    """Build the model of a converted checkpoint and restore it, every variable of both accounted for.

    Args:
        folder: with the checkpoint and bert_config.json.
        table: its mapping.json.
        gelu: "erf", "tanh" or None.
        prefix: the checkpoint's name, where there are several.

    Returns:
        an `Answering`.

    Raises:
        StageInputError: a variable of the checkpoint or of the model was left.
    """
    family = table.get("family", BERT)  # older ones do not tell
    config, path = _garden.bert_config(os.path.join(folder, CONFIG_FILE), gelu, family), find_prefix(folder, prefix)
    heads = tuple(FoundHead(**row) for row in table["heads"])
    try:
        if table["format"] == "keras-names":
            return _by_name(config, path, {row["source"]: row["target"] for row in table["variables"]}, heads)
        if table["format"] == "pretrainer":
            return _pretrainer(config, path, heads)
        return _with_head(config, path, heads[0]) if heads else _encoder(config, path)
    except (AssertionError, ValueError) as error:
        message = "the Model Garden's model does not take the checkpoint whole: %s" % str(error).strip().split("\n")[0]
        raise StageInputError(message) from error


def _encoder(config, path):
    encoder = _garden.encoder_of(config)
    tf.train.Checkpoint(model=encoder, encoder=encoder).restore(path).assert_consumed()
    if config.family != BERT:
        return Answering((encoder,), encoder)
    subclassed = _garden.subclassed_encoder(config)
    tf.train.Checkpoint(encoder=subclassed).restore(path).assert_existing_objects_matched()
    return Answering((encoder,), encoder)


def _with_head(config, path, found):
    encoder = _garden.encoder_of(config)
    model, head = _heads.task_model(config, encoder, found.kind, found.labels)
    tf.train.Checkpoint(model=model, encoder=encoder).restore(path).assert_consumed()
    return Answering((model,), encoder, (head,))


def _pretrainer(config, path, found):
    encoder = _garden.encoder_of(config)
    model, heads = _heads.pretrainer(config, encoder, found)
    items = dict(model.checkpoint_items)
    if any(head.kind == "masked-lm" for head in heads):
        tf.train.Checkpoint(model=model, **items).restore(path).assert_consumed()
    else:  # the model makes the head; nothing in the checkpoint is for it
        del items["masked_lm"]
        tf.train.Checkpoint(**items).restore(path).assert_existing_objects_matched()
        for head in heads:  # of which the items above are the pooler alone
            _restore(head.layer, SENTENCE_HEAD, path)
    return Answering((_garden.with_epsilon(model, config),), encoder, tuple(heads))


def _by_name(config, path, targets, found):
    """Models whose variables were given by name; nothing in the Model Garden restores such a file any more.

    Args:
        config: a BertConfig of the Model Garden.
        path: prefix of the checkpoint.
        targets: google-research/bert's name → the name there.
        found: `FoundHead`s.
    """
    reader = tf.train.load_checkpoint(path)
    values = {source: reader.get_tensor(target) for source, target in targets.items()}
    encoder = _garden.encoder_of(config)
    variables = {variable.name.split(":")[0]: variable for variable in encoder.variables}
    settings = {**config.to_dict(), "hidden_act": "gelu"}  # it may be a function by now
    del settings["family"]  # no key of the file
    read = config_from(settings, name=CONFIG_FILE)
    for place in encoder_places(read, "encoder"):
        variables.pop(place.name).assign(place.forth(values[place.source]))
    if variables:
        raise ValueError("%s is in the model and not in the checkpoint" % min(variables))
    models, heads = [], []
    for one in found:
        if one.kind not in PRETRAINING:
            model, head = _heads.task_model(config, encoder, one.kind, len(values[one.bias]))
            _assign(head.layer, values[one.weights].T, values[one.bias])
            models.append(model)
            heads.append(head)
    wanted = [one for one in found if one.kind in PRETRAINING]
    if wanted:
        model, made = _heads.pretrainer(config, encoder, wanted)
        for one, head in zip(sorted(wanted, key=lambda one: one.kind), made, strict=True):
            _assign_pretraining(head.layer, one, read, values)
        models.append(_garden.with_epsilon(model, config))
        heads += made
    return Answering(tuple(models) or (encoder,), encoder, tuple(heads))


def _assign(layer, *values):
    for variable, value in zip(layer.trainable_variables, values, strict=True):
        variable.assign(value)


def _assign_pretraining(layer, found, config, values):
    if found.kind == "next-sentence":
        _assign(layer.dense, *(values[source] for source in POOLER))
        _assign(layer.out_proj, values[found.weights].T, values[found.bias])
        return
    for place in masked_lm_places(config, (), found.weights):
        owner = layer
        for name in place.path[:-1]:
            owner = getattr(owner, name)
        getattr(owner, place.path[-1].rpartition("/")[2]).assign(place.forth(values[place.source]))


def found(prefix, config_path, gelu, root="", kinds=()):
    """Restore the encoder, and its heads, from wherever they are in a checkpoint.

    Args:
        prefix: of the checkpoint.
        config_path: its bert_config.json.
        gelu: "erf", "tanh" or None.
        root: of several encoders the one below this object; empty: the only one.
        kinds: `FoundHead`s of the same variables, whose kinds are better known than by the class that has them.

    Returns:
        an `Answering`.

    Raises:
        StageInputError: there is no BERT of this config in it.
    """
    config = _garden.bert_config(config_path, gelu)
    try:
        reader = CheckpointReader(prefix)
        items = recover(reader, read_config(Path(config_path)), root)
    except BertbuildError as error:
        raise StageInputError(str(error).rstrip(".")) from error
    known = {head.bias: head.kind for head in kinds}
    heads = recovered_heads(item.place for item in items)
    heads = [head._replace(kind=known.get(head.bias, head.kind)) for head in heads]
    if OBJECT_GRAPH_KEY not in reader.entries:
        return _by_name(config, prefix, {item.place.source: item.key for item in items}, heads)
    places = {item.place.source: item.place.path for item in items}
    encoder = _garden.encoder_of(config)
    _restore(encoder, places[WORD_EMBEDDINGS][:-2], prefix)
    restored = [_restored_head(config, encoder, head, places[head.bias], prefix) for head in heads]
    return Answering(tuple(model for model, _ in restored) or (encoder,), encoder, tuple(head for _, head in restored))


def _restored_head(config, encoder, head, bias, prefix):
    """A head restored from the objects above its bias: what has its variables, and the head."""
    if head.kind == "masked-lm":
        layer = _heads.masked_lm_layer(config, encoder, head.weights)
        _restore(layer, bias[:-1], prefix)
        return _garden.with_epsilon(layer, config), _heads.Head(head.kind, layer, _heads.garden(layer))
    if head.kind == "next-sentence" and SENTENCES in bias:  # …/classification/layer_with_weights-0/bias
        layer = _heads.sentence_network(config)
        _restore(layer, bias[:-2], prefix)
        return layer, _heads.Head(head.kind, layer, _heads.garden(layer), reads_pooled=True)
    if head.kind == "next-sentence":  # …/classification_heads/0/out_proj/bias
        layer = _heads.sentence_layer(config)
        _restore(layer, bias[:-2], prefix)
        return layer, _heads.Head(head.kind, layer, _heads.garden(layer))
    if head.kind == "span" or bias[-2] in (PROJECTION, CLASSIFIER):
        above = 2 if bias[-2] == CLASSIFIER else 3  # …/classifier/bias, …/span_labeling/layer_with_weights-0/bias
        model, made = _heads.task_model(config, encoder, head.kind, head.labels)
    else:  # …/layer_with_weights-1/bias
        above = 2
        model, made = _heads.dense_model(encoder, head.kind, head.labels)
    _restore(model, bias[:-above], prefix)
    return model, made


def _restore(restored, root, prefix):
    """Restore an object that lies below a path of objects; that of `save_weights` is the root itself, with no path."""
    for name in reversed(root):
        restored = tf.train.Checkpoint(**{name: restored})
    if not root:
        restored = tf.train.Checkpoint(restored)
    # `restore` would ask for the counter of saves, which `write` and `save_weights` leave out.
    restored.read(prefix).assert_existing_objects_matched()


def serving_module(answering, signatures):
    """A tf.Module with the model, and its functions over input_ids, input_mask, segment_ids, int32 [B, S].

    Args:
        answering: an `Answering`.
        signatures: name → names of the tensors that it gives.

    Returns:
        the module, and its functions by name.
    """
    module = tf.Module()
    known = {}
    module.models = [_bare(model, known) for model in answering.models]
    specs = [tf.TensorSpec([None, None], tf.int32, name=name) for name in ("input_ids", "input_mask", "segment_ids")]

    def function(names):
        return tf.function(lambda *inputs: answering.answer(inputs, names), input_signature=specs)

    module.functions = {name: function(names) for name, names in signatures.items()}
    return module, module.functions


def _bare(tracked, known):
    """An object with the same variables below it, under the same names, and nothing else of Keras.

    Of a Keras model TensorFlow writes the functions of every layer, which takes longer than all the rest, and which
    whoever loads it reads again.
    """
    if isinstance(tracked, tf.Variable):
        return tracked
    if id(tracked) not in known:
        known[id(tracked)] = made = tf.__internal__.tracking.AutoTrackable()
        for name, child in tracked._trackable_children().items():  # noqa: SLF001 - nothing public lists them
            setattr(made, name, _bare(child, known))
    return known[id(tracked)]
