"""In the tf2 environment: what the Model Garden itself makes, from a Google-format classifier of three classes.

Request: {"out": folder, "checkpoint": folder, "prefix": its prefix}. Writes below `out`:

    converted/    ckpt-1 with the root `encoder`, of the Model Garden's own converter
    finetuned/    ckpt-1 and ckpt-2 of a legacy classifier and its optimizer, trained for one step each
    encoder/      ckpt-1 of tf.train.Checkpoint(encoder=…), random weights
    train.tf_record, eval.tf_record, classifier.json, squad.json, spans.json, vocab.txt: data for the legacy programs
    eval.npz      ids, masks and segments of eval.tf_record
    answers.npz   probabilities of the classifier after its last step for them
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras
from official.legacy.bert import bert_models, configs
from official.nlp.tools import tf2_bert_encoder_checkpoint_converter as converter

request = json.load(sys.stdin)
out = Path(request["out"])
config = configs.BertConfig.from_json_file(request["checkpoint"] + "/bert_config.json")
length, classes = 16, 3
chance = np.random.default_rng(0)
tf_keras.utils.set_random_seed(0)

converter.convert_checkpoint(config, str(out / "converted" / "ckpt"), request["prefix"], "encoder")


def example(**values):
    features = {name: tf.train.Feature(int64_list=tf.train.Int64List(value=value)) for name, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


inputs = {}
for name, rows in (("train", 8), ("eval", 6)):
    ids = chance.integers(1, config.vocab_size, (rows, length)).astype(np.int32)
    mask = (np.arange(length) < chance.integers(3, length + 1, (rows, 1))).astype(np.int32)
    segments = ((np.arange(length) > 6) * mask).astype(np.int32)
    inputs[name] = {"input_ids": ids * mask, "input_mask": mask, "segment_ids": segments}
    with tf.io.TFRecordWriter(str(out / f"{name}.tf_record")) as writer:
        for row in range(rows):
            features = {role: value[row] for role, value in inputs[name].items()}
            writer.write(example(**features, label_ids=[row % classes], is_real_example=[1]))
np.savez(out / "eval.npz", **inputs["eval"])

facts = {"processor_type": "any", "train_data_size": 8, "eval_data_size": 6, "max_seq_length": length}
(out / "classifier.json").write_text(
    json.dumps({**facts, "task_type": "bert_classification", "num_labels": classes, "has_sample_weights": False})
)
lengths = {"max_seq_length": 64, "max_query_length": 16, "doc_stride": 32}
(out / "squad.json").write_text(
    json.dumps({**lengths, "task_type": "bert_squad", "train_data_size": 4, "version_2_with_negative": False})
)
question = {"id": "q1", "question": "where is it", "answers": [{"text": "house", "answer_start": 18}]}
paragraph = {"context": "it is not in this house but there", "qas": [question]}
(out / "spans.json").write_text(json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": [paragraph]}]}))
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "it", "is", "not", "in", "this", "house", "but", "there"]
words += [f"w{number}" for number in range(len(words), config.vocab_size)]
(out / "vocab.txt").write_text("".join(word + "\n" for word in words))
with tf.io.TFRecordWriter(str(out / "spans.tf_record")) as writer:
    for row in range(4):
        ids = chance.integers(1, config.vocab_size, 64)
        features = {"input_ids": ids, "input_mask": [1] * 64, "segment_ids": [0] * 64}
        writer.write(example(**features, unique_ids=[row], start_positions=[5], end_positions=[7], is_impossible=[0]))

model, core = bert_models.classifier_model(config, classes)
tf.train.Checkpoint(encoder=core).read(str(out / "converted" / "ckpt-1")).assert_existing_objects_matched()
optimizer = tf_keras.optimizers.legacy.Adam(0.01)
training = tf.train.Checkpoint(model=model, optimizer=optimizer)
loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
for _ in range(2):
    with tf.GradientTape() as tape:
        value = loss(np.arange(8) % classes, model(list(inputs["train"].values()), training=True))
    gradients = tape.gradient(value, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    training.save(str(out / "finetuned" / "ckpt"))
np.savez(out / "answers.npz", probabilities=tf.nn.softmax(model(list(inputs["eval"].values()))).numpy())

tf.train.Checkpoint(encoder=bert_models.get_transformer_encoder(config)).save(str(out / "encoder" / "ckpt"))
json.dump({"folder": str(out), "length": length}, sys.stdout)
