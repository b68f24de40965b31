from __future__ import annotations

import itertools
import pathlib

import pytest
from graph_builder import bert_graph, dtype_attr, float_attr, shape_attr

from bertbuild.graph.graphdef import read_graph, read_meta_graph
from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.published import placeholders, published_form
from bertbuild.graph.roles import input_roles

DATA = pathlib.Path(__file__).resolve().parents[3].parent / "shared" / "data" / "checkpoints"


@pytest.fixture
def load(tmp_path):
    def read(builder):
        path = tmp_path / "graph.pb"
        path.write_bytes(builder.graph_def())
        return read_graph(path)

    return read


def full(tensor):
    return tensor if ":" in tensor else f"{tensor}:0"


@pytest.mark.parametrize("fed", ["placeholders", "iterator"])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(("word", "kind"), list(itertools.product(["gather", "one_hot"], repeat=2)))
def test_roles_are_found_in_every_form_of_graph(load, fed, frozen, word, kind):
    builder, source = bert_graph(fed=fed, frozen=frozen, word_lookup=word, type_lookup=kind)
    assert input_roles(load(builder)) == {role: full(tensor) for role, tensor in source.items()}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("order", list(itertools.permutations(["input_ids", "input_mask", "segment_ids"])))
def test_neither_names_nor_positions_matter(load, seed, order):
    builder, source = bert_graph(placeholder_order=order)
    renamed, names = builder.renamed(seed)
    assert input_roles(load(renamed)) == {role: f"{names[tensor]}:0" for role, tensor in source.items()}


def test_scores_may_be_transposed_as_tf_einsum_does(load):
    builder, source = bert_graph(layers=1)
    builder.add("layer_0/einsum", "Transpose", "layer_0/qk", "position/read")
    for node in builder.nodes:
        if node[0] == "layer_0/scores":
            node[2][0] = "layer_0/einsum"
    assert input_roles(load(builder))["input_mask"] == full(source["input_mask"])


def test_gradients_and_other_lookups_do_not_confuse(load):
    builder, source = bert_graph()
    label = builder.add("labels", "Placeholder", dtype=dtype_attr("int32"), shape=shape_attr((1,)))
    builder.add("crf", "GatherV2", builder.table("transitions", (9, 9), frozen=False), label)
    builder.add("label_one_hot", "OneHot", label)
    builder.add("loss", "Mul", "label_one_hot", "crf")
    builder.add("logits", "BiasAdd", "bert/pooler/dense/Tanh", "word_table/read")
    builder.add("probabilities", "Softmax", "logits")
    builder.add("gradients/gather", "UnsortedSegmentSum", "add", source["input_ids"])
    builder.add("picked", "GatherV2", "layer_1/output", label)
    assert input_roles(load(builder)) == {role: full(tensor) for role, tensor in source.items()}


def test_tables_of_the_same_height_are_ambiguous(load):
    with pytest.raises(GraphFormatError, match="both have 7 rows"):
        input_roles(load(bert_graph(rows=(7, 7))[0]))


def test_no_embeddings_no_roles(load):
    builder, _ = bert_graph()
    for node in builder.nodes:
        if node[0] == "type/one_hot":
            node[2][0] = "position/read"
    with pytest.raises(GraphFormatError, match=r"No sum of word and token-type embeddings.*word_table"):
        input_roles(load(builder))


def test_no_mask_no_roles(load):
    builder, _ = bert_graph()
    for node in builder.nodes:
        if node[0].endswith("/far"):
            node[3].clear()
    with pytest.raises(GraphFormatError, match="No attention softmax"):
        input_roles(load(builder))


def test_two_masks_are_ambiguous(load):
    builder, _ = bert_graph(layers=2)
    builder.add("other", "Placeholder", dtype=dtype_attr("int32"), shape=shape_attr((1, 8)))
    for node in builder.nodes:
        if node[0] == "layer_1/ExpandDims":
            node[2][0] = "other"
    with pytest.raises(GraphFormatError, match=r"More than one tensor could be input_mask: .*other:0"):
        input_roles(load(builder))


def test_two_encoders_are_ambiguous(load):
    one, _ = bert_graph()
    two, _ = bert_graph()
    for name, op, inputs, attrs in two.nodes:
        one.add(f"b/{name}", op, *(f"b/{text}" for text in inputs), **attrs)
    with pytest.raises(GraphFormatError, match="More than one pair"):
        input_roles(load(one))


def test_one_tensor_in_two_roles_is_refused(load):
    builder, source = bert_graph()
    for node in builder.nodes:
        if node[0] == "mask/Reshape":
            node[2][0] = source["input_ids"]
    with pytest.raises(GraphFormatError, match="one tensor for two inputs"):
        input_roles(load(builder))


def test_cycles_end(load):
    builder, _ = bert_graph()
    for node in builder.nodes:
        if node[0] in ("word/Reshape", "mask/Cast"):
            node[2][0] = node[0]
    with pytest.raises(GraphFormatError):
        input_roles(load(builder))


@pytest.mark.parametrize("op", ["Softmax", "OneHot", "MatMul", "GatherV2", "Sub", "Mul", "Add", "Reshape"])
def test_nodes_that_lack_inputs_are_no_crash(load, op):
    builder, _ = bert_graph()
    for node in builder.nodes:
        if node[1] == op:
            node[2].clear()
    with pytest.raises(GraphFormatError):
        input_roles(load(builder))


def test_the_published_form_is_told(load):
    builder, source = bert_graph(shape=(2, 8))
    form = published_form(load(builder))
    assert form is not None
    assert (form.batch, form.seq_len) == (2, 8)
    assert form.roles == {role: full(tensor) for role, tensor in source.items()}
    info = placeholders(load(builder))
    assert [tuple(item) for item in info] == [(name, "int32", (2, 8)) for name in sorted(source.values())]


@pytest.mark.parametrize(
    "options", [{"fed": "iterator"}, {"shape": (-1, 8)}, {"shape": (8,)}, {"dropout": True}, {"rows": (3, 3)}]
)
def test_other_forms_are_not_the_published_one(load, options):
    assert published_form(load(bert_graph(**options)[0])) is None


def test_a_fourth_placeholder_is_not_the_published_form(load):
    builder, _ = bert_graph()
    builder.add("more", "Placeholder", dtype=dtype_attr("int32"), shape=shape_attr((1, 8)))
    assert published_form(load(builder)) is None


def test_the_savers_placeholder_for_a_file_name_does_not_count(load):
    builder, _ = bert_graph()
    builder.add("save/filename", "PlaceholderWithDefault", "add", dtype=dtype_attr("string"), shape=shape_attr(()))
    assert published_form(load(builder)) is not None


def test_a_pooler_that_does_not_use_the_mask_is_not_the_published_form(load):
    builder, _ = bert_graph()
    for node in builder.nodes:
        if node[0] == "bert/pooler/dense/Tanh":
            node[2][0] = "add_1"
    assert published_form(load(builder)) is None


SHARED = {
    "chinese_L-12_H-768_A-12_without_data": ("Placeholder:0", "Placeholder_1:0", "Placeholder_2:0"),
    "git_lfs_pointer_as_data": ("IteratorGetNext:0", "IteratorGetNext:1", "IteratorGetNext:6"),
    "pretraining_step20_L-2_H-4": ("IteratorGetNext:0", "IteratorGetNext:1", "IteratorGetNext:6"),
}


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared checkpoints are not here")
@pytest.mark.parametrize("name", SHARED)
def test_roles_in_genuine_graphs(name):
    graph = read_meta_graph(DATA / name / "bert_model.ckpt.meta")
    assert tuple(input_roles(graph)[role] for role in ("input_ids", "input_mask", "segment_ids")) == SHARED[name]
    form = published_form(graph)
    assert (None if form is None else (form.batch, form.seq_len)) == ((1, 128) if name.startswith("chinese") else None)


@pytest.mark.parametrize("ones", ["Fill", "Const", "computed"])
def test_a_mask_may_be_spread_by_a_matrix_product_with_ones(load, ones):
    """As google-research/albert spreads it; what is multiplied with anything else is not the fed mask."""
    builder, source = bert_graph()
    builder.scalar("one", 1.0)
    made = {"Fill": ("Fill", "position/read", "one"), "Const": ("Const",), "computed": ("Softmax", "mask/Cast")}[ones]
    attributes = {"dtype": dtype_attr("float32"), "value": float_attr(1.0)} if ones == "Const" else {}
    builder.add("mask/spread", *made, **attributes)
    for number, (name, *_) in enumerate(builder.nodes):
        if name == "mask/mul":
            builder.nodes[number] = (name, "BatchMatMulV2", ["mask/spread", "mask/Cast"], {})
    graph = load(builder)
    if ones == "computed":
        with pytest.raises(GraphFormatError, match="No attention softmax"):
            input_roles(graph)
    else:
        assert input_roles(graph)["input_mask"] == full(source["input_mask"])
