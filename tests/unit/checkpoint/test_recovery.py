from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import TINY, tiny_tensors

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.layouts import FORMATS, layout
from bertbuild.checkpoint.object_graph import SAVE_COUNTER, encode_object_graph, value_key
from bertbuild.checkpoint.recovery import encoder_roots, recover
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.errors import CheckpointError

CONFIG = config_from(TINY, name="tiny")
HIDDEN, WORDS = CONFIG.hidden_size, CONFIG.vocab_size
MASKED_LM = {
    "cls/predictions/transform/dense/kernel": (HIDDEN, HIDDEN),
    "cls/predictions/transform/dense/bias": (HIDDEN,),
    "cls/predictions/transform/LayerNorm/beta": (HIDDEN,),
    "cls/predictions/transform/LayerNorm/gamma": (HIDDEN,),
    "cls/predictions/output_bias": (WORDS,),
}
NEXT_SENTENCE = {"cls/seq_relationship/output_weights": (2, HIDDEN), "cls/seq_relationship/output_bias": (2,)}
CLASSIFIER = {"output_weights": (3, HIDDEN), "output_bias": (3,)}
SQUAD = {"cls/squad/output_weights": (2, HIDDEN), "cls/squad/output_bias": (2,)}
HEADS = {
    "no head": {},
    "masked LM": MASKED_LM,
    "next sentence": NEXT_SENTENCE,
    "both of pretraining": {**MASKED_LM, **NEXT_SENTENCE},
    "classifier": CLASSIFIER,
    "squad": SQUAD,
}
KEPT = {
    "encoder": (),
    "keras-bert": ("classifier", "squad"),
    "keras-names": tuple(HEADS),
    "pretrainer": ("masked LM", "next sentence", "both of pretraining"),
}


def source(head="no head"):
    chance = np.random.default_rng(3)
    heads = {name: chance.standard_normal(shape).astype(np.float32) for name, shape in HEADS[head].items()}
    return {**tiny_tensors(), **heads}


@pytest.fixture
def written(tmp_path):
    """A function that writes tensors in a format; it gives the reader. `change` may alter what is written."""

    def write(format_, tensors, *, root=(), change=dict):
        taken = layout(format_, CONFIG, {name: tensor.shape for name, tensor in tensors.items()})
        if taken.object_based:
            places = [replace(place, path=(*root, *place.path)) for place in taken.places]
            aliases = {(*root, *path): (*root, *target) for path, target in taken.aliases.items()}
            made = {value_key(place.path): place.forth(tensors[place.source]) for place in places}
            names = {place.path: place.name for place in places}
            made |= {value_key(SAVE_COUNTER): np.array(1, np.int64), "optimizer/iter": np.array(2, np.int64)}
            made[OBJECT_GRAPH_KEY] = encode_object_graph({**names, SAVE_COUNTER: "save_counter"}, aliases)
        else:
            made = {place.name: place.forth(tensors[place.source]) for place in taken.places}
        write_checkpoint(tmp_path / "m", change(made))
        return CheckpointReader(tmp_path / "m")

    return write


def recovered(reader, config=CONFIG):
    found = recover(reader, config)
    assert len({item.place.source for item in found}) == len(found)
    return {item.place.source: item.place.back(reader.tensor(item.key)) for item in found}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_comes_back_bit_for_bit_with_the_heads_it_keeps(written, format_, head):
    tensors = source(head)
    kept = tensors if head in KEPT[format_] else tiny_tensors()
    assert same(recovered(written(format_, tensors)), kept)


@pytest.mark.parametrize(
    ("format_", "head"),
    [("encoder", "no head"), ("keras-bert", "classifier"), ("keras-bert", "squad"), ("pretrainer", "masked LM")],
)
def test_a_model_is_found_below_other_objects(written, format_, head):
    tensors = source(head)
    assert same(recovered(written(format_, tensors, root=("trainer", "core"))), tensors)


@pytest.fixture
def two(tmp_path):
    """The reader of tf.train.Checkpoint(query=…, doc=…): an encoder, and one with a classifier's head."""
    shapes = {"query": tiny_tensors(), "doc": {name: value + 1 for name, value in source("classifier").items()}}
    made, names, aliases = {}, {SAVE_COUNTER: "save_counter"}, {}
    for root, tensors in shapes.items():
        taken = layout("keras-bert" if root == "doc" else "encoder", CONFIG, {n: t.shape for n, t in tensors.items()})
        for place in taken.places:
            made[value_key((root, *place.path))] = place.forth(tensors[place.source])
            names[(root, *place.path)] = place.name
        aliases |= {(root, *path): (root, *target) for path, target in taken.aliases.items()}
    made[value_key(SAVE_COUNTER)] = np.array(1, np.int64)
    made[OBJECT_GRAPH_KEY] = encode_object_graph(names, aliases)
    write_checkpoint(tmp_path / "two", made)
    return CheckpointReader(tmp_path / "two"), shapes


def test_of_two_encoders_one_must_be_chosen(two):
    reader, shapes = two
    with pytest.raises(CheckpointError, match="holds 2 encoders: doc/encoder, query/encoder") as raised:
        recover(reader, CONFIG)
    assert "--root doc" in raised.value.next_step
    assert encoder_roots(reader, CONFIG) == ("doc/encoder", "query/encoder")
    for root in ("query", "doc", "doc/encoder", "query/model", "query/"):
        found = recover(reader, CONFIG, root)
        values = {item.place.source: item.place.back(reader.tensor(item.key)) for item in found}
        assert same(values, shapes[root.split("/")[0]])
    with pytest.raises(CheckpointError, match="has no encoder below answer, but 2 encoders"):
        recover(reader, CONFIG, "answer")


def test_a_root_of_the_only_encoder_may_be_named_and_another_may_not(written):
    reader = written("encoder", tiny_tensors())
    assert recover(reader, CONFIG, "encoder") == recover(reader, CONFIG)
    with pytest.raises(CheckpointError, match="no encoder below other"):
        recover(reader, CONFIG, "other")
    with pytest.raises(CheckpointError, match="names and no objects"):
        recover(written("keras-names", tiny_tensors()), CONFIG, "encoder")


def test_an_encoder_with_the_names_of_the_subclassed_one_alone_is_found(tmp_path):
    tensors = tiny_tensors()
    taken = layout("encoder", CONFIG, {})
    ways = {target: alias for alias, target in taken.aliases.items() if alias != ("model",)}
    places = [replace(place, path=(*ways[place.path[:2]], *place.path[2:])) for place in taken.places]
    made = {value_key(place.path): place.forth(tensors[place.source]) for place in places}
    made[OBJECT_GRAPH_KEY] = encode_object_graph({place.path: place.name for place in places})
    write_checkpoint(tmp_path / "m", made)
    assert same(recovered(CheckpointReader(tmp_path / "m")), tensors)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"num_hidden_layers": 3}, "has no BertEncoder of 3 layers below its objects encoder, model, save_counter"),
        ({"num_attention_heads": 4}, r"has shape \[8, 2, 4\]; the configuration asks for \[8, 4, 2\]"),
        ({"vocab_size": 21}, r"layer_with_weights-0/embeddings.* has shape \[20, 8\]; .* asks for \[21, 8\]"),
        ({"intermediate_size": 17}, r"_intermediate_dense.* asks for \[8, 17\]"),
        ({"type_vocab_size": 3}, r"asks for \[3, 8\]"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(written, values, why):
    reader = written("encoder", tiny_tensors())
    with pytest.raises(CheckpointError, match=why) as raised:
        recover(reader, config_from({**TINY, **values}, name="other"))
    assert "bert_config.json" in raised.value.next_step


@pytest.mark.parametrize("format_", FORMATS)
def test_a_config_of_fewer_layers_than_the_checkpoint_has_is_refused(written, format_):
    reader = written(format_, tiny_tensors())
    with pytest.raises(CheckpointError, match="which a BERT of 1 layer has not"):
        recover(reader, config_from({**TINY, "num_hidden_layers": 1}, name="other"))


@pytest.mark.parametrize("format_", ["keras-names", "pretrainer"])
def test_a_config_of_other_words_is_refused_in_every_format(written, format_):
    reader = written(format_, source("masked LM"))
    with pytest.raises(CheckpointError, match="the configuration asks for"):
        recover(reader, config_from({**TINY, "vocab_size": 30}, name="other"))


def test_a_missing_variable_of_a_checkpoint_by_names_is_named(written):
    def without(made):
        return {name: value for name, value in made.items() if "pooler" not in name}

    reader = written("keras-names", tiny_tensors(), change=without)
    with pytest.raises(CheckpointError, match="has no bert_model/pooler_transform/bias, and 1 more are missing"):
        recover(reader, CONFIG)


def test_a_variable_that_the_object_graph_does_not_know_is_missed(tmp_path):
    taken = layout("encoder", CONFIG, {})
    tensors = tiny_tensors()
    made = {value_key(place.path): place.forth(tensors[place.source]) for place in taken.places}
    known = {place.path: place.name for place in taken.places if "pooler" not in place.source}
    made[OBJECT_GRAPH_KEY] = encode_object_graph(known)
    write_checkpoint(tmp_path / "m", made)
    with pytest.raises(CheckpointError, match="has no BertEncoder of 2 layers below its objects encoder"):
        recover(CheckpointReader(tmp_path / "m"), CONFIG)


def test_a_tensor_that_the_index_does_not_have_is_an_error_of_the_checkpoint(written):
    def without(made):
        return {name: value for name, value in made.items() if "_query_dense/kernel" not in name}

    reader = written("encoder", tiny_tensors(), change=without)
    with pytest.raises(CheckpointError, match="has no BertEncoder of 2 layers"):
        recover(reader, CONFIG)


@pytest.mark.parametrize("missing", ["masked_lm/dense/bias", "masked_lm/layer_norm/gamma"])
def test_half_a_head_is_an_error_of_the_checkpoint(tmp_path, missing):
    tensors = source("masked LM")
    taken = layout("pretrainer", CONFIG, {name: tensor.shape for name, tensor in tensors.items()})
    places = [place for place in taken.places if "/".join(place.path) != missing]
    made = {value_key(place.path): place.forth(tensors[place.source]) for place in places}
    made[OBJECT_GRAPH_KEY] = encode_object_graph({place.path: place.name for place in places}, taken.aliases)
    write_checkpoint(tmp_path / "m", made)
    with pytest.raises(CheckpointError, match=f"has no {missing}/.ATTRIBUTES/VARIABLE_VALUE, but others of its kind"):
        recover(CheckpointReader(tmp_path / "m"), CONFIG)


def test_what_training_keeps_is_left_out_of_a_checkpoint_by_names(written):
    def trained(made):
        return {**made, "global_step": np.array(3, np.int64), **{f"{name}/adam_m": made[name] for name in made}}

    assert same(recovered(written("keras-names", tiny_tensors(), change=trained)), tiny_tensors())


@pytest.mark.parametrize("format_", ["encoder", "keras-names"])
def test_numbers_of_half_precision_are_refused(written, format_):
    def halved(made):
        return {
            name: value.astype(np.float16) if "pooler_transform" in name or "weights-6" in name else value
            for name, value in made.items()
        }

    with pytest.raises(CheckpointError, match="has dtype float16; a BERT has float32"):
        recover(written(format_, tiny_tensors(), change=halved), CONFIG)


def test_a_checkpoint_of_tensorflow_1_is_none_of_tensorflow_2(tiny):
    prefix = tiny / "bert_model.ckpt"
    with pytest.raises(CheckpointError, match=r"bert_model\.ckpt is a TensorFlow 1 checkpoint already") as raised:
        recover(CheckpointReader(prefix), CONFIG)
    assert raised.value.next_step == f"Use it as it is: --checkpoint {prefix}."


def test_one_of_tensorflow_1_below_a_scope_is_told_too(tmp_path):
    write_checkpoint(tmp_path / "m", {f"module/{name}": value for name, value in tiny_tensors().items()})
    with pytest.raises(CheckpointError, match="m is a TensorFlow 1 checkpoint already"):
        recover(CheckpointReader(tmp_path / "m"), CONFIG)


@pytest.mark.parametrize("more", [False, True])
def test_a_plain_dense_layer_behind_the_encoder_is_the_head_where_it_is_the_last(tmp_path, more):
    tensors = source("classifier")
    taken = layout("keras-bert", CONFIG, {name: tensor.shape for name, tensor in tensors.items()})
    places = [
        replace(place, path=tuple(part for part in place.path if part != "out_proj"))
        if "output_" in place.source
        else place
        for place in taken.places
    ]
    made = {value_key(place.path): place.forth(tensors[place.source]) for place in places}
    names = {place.path: place.name for place in places}
    if more:  # the dense layer is one of two, and no head
        head = next(place.path for place in places if place.source == "output_weights")
        third = (*head[:-2], "layer_with_weights-2", "kernel")
        made[value_key(third)], names[third] = np.zeros((3, 2), np.float32), "last"
    made[OBJECT_GRAPH_KEY] = encode_object_graph(names, taken.aliases)
    write_checkpoint(tmp_path / "m", made)
    assert same(recovered(CheckpointReader(tmp_path / "m")), tiny_tensors() if more else tensors)
