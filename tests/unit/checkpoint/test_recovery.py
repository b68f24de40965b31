from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import TINY, tiny_tensors
from some_heads import HEADS

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.layouts import FORMATS, layout
from bertbuild.checkpoint.object_graph import SAVE_COUNTER, encode_object_graph, value_key
from bertbuild.checkpoint.recovered_heads import recovered_heads
from bertbuild.checkpoint.recovery import encoder_roots, recover
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.errors import CheckpointError

CONFIG = config_from(TINY, name="tiny")
KEPT = {
    "encoder": (),
    "keras-bert": ("classifier", "multi-label", "regression", "tokens", "span"),
    "keras-names": tuple(HEADS),
    "pretrainer": ("masked LM", "masked LM of its own table", "next sentence", "both of pretraining"),
}


def source(head="no head"):
    chance = np.random.default_rng(3)
    heads = {name: chance.standard_normal(shape).astype(np.float32) for name, shape in HEADS[head][0].items()}
    return {**tiny_tensors(), **heads}


def laid_out(format_, tensors):
    """The layout of a checkpoint that has just the variables of one of `HEADS`."""
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    own = {name: shape for name, shape in shapes.items() if not name.startswith("bert/")}
    (heads,) = [heads for variables, heads in HEADS.values() if variables == own]
    return layout(format_, CONFIG, shapes, heads)


@pytest.fixture
def written(tmp_path):
    """A function that writes tensors in a format; it gives the reader. `change` may alter what is written."""

    def write(format_, tensors, *, root=(), change=dict):
        taken = laid_out(format_, tensors)
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
    partly = ("classifier", "both of pretraining") if head.startswith("one of a task") else ()
    kept = next((source(part) for part in partly if part in KEPT[format_] and format_ != "keras-names"), None)
    if kept is None:
        kept = tensors if head in KEPT[format_] else tiny_tensors()
    found = recovered(written(format_, tensors))
    assert found.keys() == kept.keys()
    assert same(found, {name: tensors[name] for name in kept})


@pytest.mark.parametrize(("format_", "head"), [(format_, head) for format_ in FORMATS for head in KEPT[format_]])
def test_the_kind_of_a_head_is_told_by_its_class(written, format_, head):
    found = recovered_heads(item.place for item in recover(written(format_, source(head)), CONFIG))
    known = [one._replace(why="", assumed=False) for one in found]
    expected = list(HEADS[head][1])
    if format_ == "keras-names" or head == "multi-label":  # of names, and of a sigmoid, no class tells
        assert [one.bias for one in known] == [one.bias for one in expected]
    else:
        assert known == expected
        assert not any(one.assumed for one in found)
        assert all(one.why.startswith("the Model Garden's class Bert") for one in found)


@pytest.mark.parametrize(("head", "assumed"), [("tokens", True), ("span", False), ("masked LM", False)])
def test_names_alone_do_not_tell_classifier_and_its_kin(written, head, assumed):
    (found,) = recovered_heads(item.place for item in recover(written("keras-names", source(head)), CONFIG))
    assert found.assumed == assumed
    assert found.kind == {"tokens": "classifier", "span": "span", "masked LM": "masked-lm"}[head]


@pytest.mark.parametrize(
    ("format_", "head"),
    [("encoder", "no head"), ("keras-bert", "classifier"), ("keras-bert", "span"), ("pretrainer", "masked LM")],
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
        taken = laid_out("keras-bert" if root == "doc" else "encoder", tensors)
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
    taken = laid_out("pretrainer", tensors)
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
    taken = laid_out("keras-bert", tensors)
    aliases = {path: target for path, target in taken.aliases.items() if path[-1] not in ("classifier", "_network")}
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
    made[OBJECT_GRAPH_KEY] = encode_object_graph(names, aliases)
    write_checkpoint(tmp_path / "m", made)
    reader = CheckpointReader(tmp_path / "m")
    assert same(recovered(reader), tiny_tensors() if more else tensors)
    found = recovered_heads(item.place for item in recover(reader, CONFIG))
    assert [(head.kind, head.assumed) for head in found] == ([] if more else [("classifier", True)])


def rewritten(tmp_path, tensors, changed, aliases, more=()):
    """A checkpoint of keras-bert's or the pretrainer's variables at other paths: path → path it is to have."""
    taken = laid_out("pretrainer" if "cls/seq_relationship/output_bias" in tensors else "keras-bert", tensors)
    made, names = dict(more), {}
    for place in taken.places:
        path = changed(place.path)
        if path is not None:
            made[value_key(path)], names[path] = place.forth(tensors[place.source]), place.name
    for key in dict(more):
        names[tuple(key.split("/.ATTRIBUTES")[0].split("/"))] = "more"
    made[OBJECT_GRAPH_KEY] = encode_object_graph(names, aliases)
    write_checkpoint(tmp_path / "m", made)
    return CheckpointReader(tmp_path / "m")


def test_the_next_sentence_of_the_older_pretrainer_is_not_taken_for_spans(tmp_path):
    """BertPretrainer has it at the path at which BertSpanLabeler has its answers."""
    old = ("model", "layer_with_weights-1", "layer_with_weights-0")

    def changed(path):
        if path[:2] == ("model", "classification_heads"):
            return (*old, path[-1]) if path[3] == "out_proj" else None
        return ("model", "layer_with_weights-2", *path[1:]) if path[0] == "masked_lm" else path

    table = ("encoder", "layer_with_weights-0", "embeddings")
    aliases = {
        ("model", "layer_with_weights-0"): ("encoder",),
        ("model", "classification"): old[:2],
        ("model", "masked_lm"): ("model", "layer_with_weights-2"),
        ("model", "layer_with_weights-2", "embedding_table"): table,
    }
    tensors = source("both of pretraining")
    reader = rewritten(tmp_path, tensors, changed, aliases)
    assert same(recovered(reader), tensors)
    found = recovered_heads(item.place for item in recover(reader, CONFIG))
    assert [head.kind for head in found] == ["masked-lm", "next-sentence"]


@pytest.mark.parametrize("apart", [False, True])
def test_a_head_that_has_a_pooler_of_its_own_is_one_of_tensorflow_1_only_where_both_are_alike(tmp_path, apart):
    """BertClassifier(use_encoder_pooler=False) reads the first hidden state through a dense layer of its own."""
    tensors = source("classifier")
    inner = ("model", "layer_with_weights-1", "dense")
    more = {
        value_key((*inner, last)): tensors[f"bert/pooler/dense/{last}"] + np.float32(apart)
        for last in ("kernel", "bias")
    }
    aliases = {("model", "layer_with_weights-0"): ("encoder",), ("model", "classifier"): inner[:2]}
    reader = rewritten(tmp_path, tensors, lambda path: path, aliases, more)
    assert same(recovered(reader), tiny_tensors() if apart else tensors)


def test_the_next_sentence_of_another_pooler_than_the_encoders_is_left_out(tmp_path):
    tensors = source("next sentence")
    reader = rewritten(
        tmp_path,
        tensors,
        lambda path: None if path[:4] == ("model", "classification_heads", "0", "dense") else path,
        {("model", "encoder_network"): ("encoder",)},
        {
            value_key(("model", "classification_heads", "0", "dense", "kernel")): np.ones((8, 8), np.float32),
            value_key(("model", "classification_heads", "0", "dense", "bias")): np.ones(8, np.float32),
        },
    )
    assert same(recovered(reader), tiny_tensors())
