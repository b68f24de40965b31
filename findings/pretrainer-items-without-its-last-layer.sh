#!/bin/sh
# The Model Garden's BertPretrainerV2 has a property checkpoint_items, and its fine-tuning restores a pre-trained checkpoint by
# what it names. Of a classification head (next sentence) that is "<name>.pooler_dense" alone: the output layer out_proj is not
# among the items. tf.train.Checkpoint(**model.checkpoint_items) of a saved model, restored into another by the same items,
# leaves out_proj random, and assert_consumed() and assert_existing_objects_matched() both pass: they speak of the items.
#
# Seen with tf-models-official 2.20.0, tf-keras 2.20.1, tensorflow-cpu 2.20.0:
#   items ['encoder', 'masked_lm', 'next_sentence.pooler_dense']
#   both assertions pass
#   pooler_dense restored True, out_proj restored False
#   with model=: out_proj restored True
# Exit code 0: it is still so. 1: it is not.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
    tf-models-official==2.20.0
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    tensorflow-cpu==2.20.0 tf-keras==2.20.1 tensorflow-hub==0.16.1 gin-config==0.5.0 pyyaml==6.0.3 scipy==1.17.1 \
    sentencepiece==0.2.1 numpy==2.2.6 protobuf==5.29.6 setuptools==80.9.0
cd "$work"
cat > look.py <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import tensorflow as tf
from official.nlp.modeling import layers, models, networks


def pretrainer():
    encoder = networks.BertEncoder(
        vocab_size=20, hidden_size=8, num_layers=1, num_attention_heads=2, inner_dim=16, max_sequence_length=8
    )
    sentence = layers.ClassificationHead(8, 2, name="next_sentence")
    model = models.BertPretrainerV2(encoder, classification_heads=[sentence])
    model(model.inputs)
    return model, sentence


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


(saved, head), (restored, own) = pretrainer(), pretrainer()
items = sorted(saved.checkpoint_items)
path = tf.train.Checkpoint(model=saved, **saved.checkpoint_items).save("saved/ckpt")
by_items = tf.train.Checkpoint(**saved.checkpoint_items).save("items/ckpt")
status = tf.train.Checkpoint(**restored.checkpoint_items).restore(by_items)
status.assert_consumed()
status.assert_existing_objects_matched()
tf.train.Checkpoint(**restored.checkpoint_items).restore(path).assert_existing_objects_matched()
seen = same(head.dense, own.dense), same(head.out_proj, own.out_proj)
tf.train.Checkpoint(model=restored, **restored.checkpoint_items).restore(path).assert_consumed()
whole = same(head.out_proj, own.out_proj)
print(*(f"{name} {version(name)}" for name in ("tf-models-official", "tf-keras", "tensorflow-cpu")))
print("items", items)
print("both assertions pass")
print(f"pooler_dense restored {seen[0]}, out_proj restored {seen[1]}")
print(f"with model=: out_proj restored {whole}")
sys.exit(not (items == ["encoder", "masked_lm", "next_sentence.pooler_dense"] and seen == (True, False) and whole))
PYTHON
TF_USE_LEGACY_KERAS=1 TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" look.py
