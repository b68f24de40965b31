"""In the tf2 environment: TensorFlow 2 models as others keep them, of random weights.

Request: {"out": folder, "config": path of bert_config.json, "vocab": path, "names": folders that are wanted}. Writes
below `out` h5/ and of the others those that are wanted:

    hub_dict/          a hub module as the Model Garden's exporter writes it today: dict in, dict out
    compiled/          BertClassifier, which gives logits, trained for a step, saved whole with its optimizer
    dense/             an encoder with a dropout and a dense layer of softmax behind it, saved whole
    renamed/           tf.saved_model.save of a module over input_word_ids, input_mask, input_type_ids
    strange/           the same over a, b, c
    encoder_weights/   `save_weights(prefix)` of an encoder, in TensorFlow's format
    classifier_weights/  the same of a classifier
    dense_weights/     the same of an encoder with a dense layer behind it
    written/           `tf.train.Checkpoint(model=…).write`, without a counter of saves, of a classifier
    tagger/            `tf.train.Checkpoint(model=…).write` of a BertTokenClassifier
    scores/            the same of a BertClassifier of one class, which is a regression
    older_pretrainer/  the same of a BertPretrainer, whose next sentence lies where a BertSpanLabeler has its answers
    labeler/           BertSpanLabeler, saved whole
    tagger_whole/      BertTokenClassifier, saved whole
    inner/             a BertClassifier that reads the first hidden state through a dense layer of its own, written
    sharded/           tf.train.Checkpoint(encoder=…) in several data files
    h5/                `save_weights` of an encoder as tf_model.h5, model.weights.h5, and the model as model.keras
"""

import json
import os
import shutil
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras
from official.legacy.bert import bert_models, configs
from official.modeling import tf_utils
from official.nlp.modeling import models
from official.nlp.tools import export_tfhub_lib

request = json.load(sys.stdin)
out = Path(request["out"])
config = configs.BertConfig.from_json_file(request["config"])
tf_keras.utils.set_random_seed(3)
CLASSES = 3
NAMES = ("input_word_ids", "input_mask", "input_type_ids")


def shaken(model):
    """The model with weights so large that its answers tell one model from another."""
    chance = np.random.default_rng(5)
    for variable in model.trainable_variables:
        value = chance.standard_normal(variable.shape).astype(np.float32) * 0.2
        variable.assign(value + ("gamma" in variable.name))
    return model


def folder(name):
    """A new folder with the configuration beside what is put there."""
    path = out / name
    path.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(request["config"], path / "bert_config.json")
    return path


def hub(name):
    encoder = shaken(export_tfhub_lib.get_bert_encoder(config))
    prefix = tf.train.Checkpoint(model=encoder, encoder=encoder).save(str(out / "checkpoints" / name))
    export_tfhub_lib.export_model(
        str(out / name),
        bert_config=config,
        model_checkpoint_path=prefix,
        with_mlm=False,
        vocab_file=request["vocab"],
        do_lower_case=True,
    )
    folder(name)


def classifier():
    return shaken(bert_models.classifier_model(config, CLASSES)[0])


def compiled():
    model = classifier()
    model.compile(tf_keras.optimizers.Adam(1e-3), tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    chance = np.random.default_rng(0)
    ids = chance.integers(1, config.vocab_size, (4, 16)).astype(np.int32)
    words = {"input_word_ids": ids, "input_mask": np.ones_like(ids), "input_type_ids": np.zeros_like(ids)}
    model.fit(words, np.arange(4) % CLASSES, verbose=0)
    return model


def dense():
    encoder = bert_models.get_transformer_encoder(config)
    inputs = {name: tf_keras.Input([None], dtype=tf.int32, name=name) for name in NAMES}
    _, pooled = encoder(list(inputs.values()))
    found = tf_keras.layers.Dense(CLASSES, activation="softmax")(tf_keras.layers.Dropout(0.1)(pooled))
    return shaken(tf_keras.Model(inputs, found))


def module(names):
    encoder = shaken(bert_models.get_transformer_encoder(config))
    made = tf.Module()
    made.encoder = encoder

    def serve(*inputs):
        sequence, pooled = encoder(list(inputs))
        return {"sequence": sequence, "pooled": pooled}

    made.serve = tf.function(
        serve, input_signature=[tf.TensorSpec([None, None], tf.int32, name=name) for name in names]
    )
    return made


def whole(name, make):
    make().save(str(out / name), save_format="tf")


def served(name, names):
    made = module(names)
    tf.saved_model.save(made, str(out / name), signatures={"serving_default": made.serve})


def weights(name, make):
    make().save_weights(str(folder(name) / "weights"), save_format="tf")


def written(name, make=classifier):
    tf.train.Checkpoint(model=make()).write(str(folder(name) / "ckpt"))


def over_encoder(make, **options):
    """A function that gives a model of the Model Garden over a new encoder."""
    return lambda: shaken(make(bert_models.get_transformer_encoder(config), **options))


def labeler():
    model = over_encoder(models.BertSpanLabeler)()
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.Lambda):
            layer.function = same  # tf.identity, which is there, holds on to objects that are not JSON
    return model


def same(logits):
    return logits


def older_pretrainer():
    activation = tf_utils.get_activation(config.hidden_act)
    return over_encoder(models.BertPretrainer, num_classes=2, num_token_predictions=4, activation=activation)()


def sharded(name):
    shards = tf.train.CheckpointOptions(experimental_sharding_callback=tf.train.experimental.MaxShardSizePolicy(60_000))
    tf.train.Checkpoint(encoder=encoder).save(str(folder(name) / "ckpt"), options=shards)


encoder = shaken(bert_models.get_transformer_encoder(config))
MAKE = {
    "hub_dict": (hub,),
    "compiled": (whole, compiled),
    "dense": (whole, dense),
    "renamed": (served, NAMES),
    "strange": (served, "abc"),
    "encoder_weights": (weights, lambda: encoder),
    "classifier_weights": (weights, classifier),
    "dense_weights": (weights, dense),
    "written": (written,),
    "tagger": (written, over_encoder(models.BertTokenClassifier, num_classes=5)),
    "scores": (written, over_encoder(models.BertClassifier, num_classes=1)),
    "older_pretrainer": (written, older_pretrainer),
    "labeler": (whole, labeler),
    "tagger_whole": (whole, over_encoder(models.BertTokenClassifier, num_classes=5)),
    "inner": (written, over_encoder(models.BertClassifier, num_classes=3, use_encoder_pooler=False)),
    "sharded": (sharded,),
}
for name in request["names"]:
    make, *arguments = MAKE[name]
    make(name, *arguments)
    folder(name)
h5 = folder("h5")
encoder.save_weights(str(h5 / "tf_model.h5"))
encoder.save_weights(str(h5 / "model.weights.h5"))
encoder.save(str(h5 / "model.keras"))
json.dump({"folder": str(out)}, sys.stdout)
