"""In the tf2 environment: checkpoints restored by TensorFlow into the Model Garden's classes, nothing of either left.

Request: {"out": folder, "checkpoints": [{"name", "prefix", "config", "kind", "roots"}, …]}. The kind is encoder,
encoder_v2, classifier (of three classes), squad or pretrainer; the roots are the names the model has in
tf.train.Checkpoint. Writes <name>.npz: the model's variables by name, and what it answers for one batch.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
from official.legacy.bert import bert_models, configs
from official.nlp.modeling import layers, models, networks

NAMES = ("input_word_ids", "input_mask", "input_type_ids")
request = json.load(sys.stdin)
batch = [
    tf.constant(value, tf.int32) for value in ([[5, 6, 7], [8, 9, 0]], [[1, 1, 1], [1, 1, 0]], [[0, 0, 1], [0, 1, 0]])
]


def encoder_v2(config):
    encoder = networks.BertEncoderV2(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        num_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        inner_dim=config.intermediate_size,
        max_sequence_length=config.max_position_embeddings,
        type_vocab_size=config.type_vocab_size,
    )
    encoder(dict(zip(NAMES, batch, strict=True)))
    return encoder


def pretrainer(config):
    head = layers.ClassificationHead(config.hidden_size, 2, name="next_sentence")
    model = models.BertPretrainerV2(bert_models.get_transformer_encoder(config), classification_heads=[head])
    model(model.inputs)
    return model


for wanted in request["checkpoints"]:
    config = configs.BertConfig.from_json_file(wanted["config"])
    kind, items = wanted["kind"], {}
    if kind == "encoder":
        model = bert_models.get_transformer_encoder(config)
    elif kind == "encoder_v2":
        model = encoder_v2(config)
    elif kind == "classifier":
        model = bert_models.classifier_model(config, 3)[0]
    elif kind == "squad":
        model = bert_models.squad_model(config, None)[0]
    else:
        model = pretrainer(config)
        items = model.checkpoint_items
    status = tf.train.Checkpoint(**dict.fromkeys(wanted["roots"], model), **items).restore(wanted["prefix"])
    status.assert_existing_objects_matched()
    if kind != "encoder_v2":  # which has fewer names for its objects than the checkpoint
        status.assert_consumed()
    values = {variable.name.split(":")[0]: variable.numpy() for variable in model.variables}
    if kind in ("encoder", "encoder_v2"):
        inputs = dict(zip(NAMES, batch, strict=True)) if kind == "encoder_v2" else batch
        answer = model(inputs)
        sequence, pooled = answer if kind == "encoder" else (answer["sequence_output"], answer["pooled_output"])
        values.update(answer_sequence=sequence.numpy(), answer_pooled=pooled.numpy())
    np.savez(Path(request["out"]) / f"{wanted['name']}.npz", **values)
json.dump({"restored": len(request["checkpoints"])}, sys.stdout)
