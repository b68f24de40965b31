"""ALBERTs and ELECTRAs inspected: their sizes, the names they are taken under, and what is refused by its name."""

from __future__ import annotations

import json

import family_models
import pytest
from conftest import tiny_tensors
from family_models import ALBERT_CONFIG, FFN, GENERATOR_CONFIG, SIZES, H, values, write_family
from graph_builder import bert_graph

from bertbuild.checkpoint import graph_facts, own_graph
from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.folder import find_checkpoint
from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.plain import write_plain
from bertbuild.checkpoint.reading import Choice
from bertbuild.errors import CheckpointError
from bertbuild.graph.graphdef import read_meta_graph

ALBERT = family_models.albert_shapes()


@pytest.mark.parametrize(
    ("shapes", "config", "called", "family"),
    [
        (ALBERT, ALBERT_CONFIG, "albert_config.json", "albert"),
        (ALBERT, {**ALBERT_CONFIG, "model_type": "albert", "ln_type": "postln"}, "albert_config_base.json", "albert"),
        (family_models.albert_zh_shapes(), ALBERT_CONFIG, "albert_config_tiny.json", "albert-zh"),
        (family_models.electra_shapes(), SIZES, "electra_config.json", "electra"),
        (family_models.electra_shapes(embedding=H), {**SIZES, "embedding_size": H}, "bert_config.json", "electra"),
    ],
)
def test_a_family_is_told_by_its_variables_whatever_its_configuration_is_called(
    tmp_path, shapes, config, called, family
):
    folder = write_family(tmp_path / "model", values(shapes), config, config_name=called)
    found = inspect_checkpoint(folder)
    assert found.problems == ()
    assert found.family == found.to_json()["family"] == family
    sizes = found.encoder
    assert (sizes.layers, sizes.hidden, sizes.intermediate, sizes.vocab) == (3, H, FFN, family_models.V)
    assert sizes.embedding == (H if shapes == family_models.electra_shapes(embedding=H) else family_models.E)
    assert found.pooler == (family != "electra")


@pytest.mark.parametrize(
    ("shapes", "called"),
    [(ALBERT, "albert_config.json"), (family_models.electra_shapes(), "electra_config.json")],
    ids=["albert", "electra"],
)
def test_the_meta_of_a_family_is_read_once(tmp_path, monkeypatch, shapes, called):
    """Parsing is most of what an inspection of a training graph takes."""
    folder = write_family(
        tmp_path / "model", values(shapes), ALBERT_CONFIG if "albert" in called else SIZES, config_name=called
    )
    meta = folder / "model.ckpt-best.meta"
    meta.write_bytes(bert_graph(norms=True)[0].meta_graph())
    read = []

    def reading(path):
        read.append(path)
        return read_meta_graph(path)

    for module in (graph_facts, own_graph):
        monkeypatch.setattr(module, "read_meta_graph", reading, raising=False)
    inspect_checkpoint(folder)
    assert read == [meta]


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("num_hidden_groups", 2, "num_hidden_groups 2, and what is computed here is 1"),
        ("inner_group_num", 3, "inner_group_num 3, and what is computed here is 1"),
        ("ln_type", "preln", 'ln_type "preln", and what is computed here is "postln"'),
        ("net_structure_type", 1, "net_structure_type 1, and what is computed here is 0"),
        ("surprise", 1, "the key surprise, and what it changes in the arithmetic is not known here"),
        ("embedding_size", 0, "embedding_size 0, not a whole number from 1"),
    ],
)
def test_what_is_not_computed_of_an_albert_is_refused_by_its_key(tmp_path, key, value, sentence):
    folder = write_family(tmp_path / "model", values(ALBERT), {**ALBERT_CONFIG, key: value})
    assert any(sentence in problem for problem in inspect_checkpoint(folder).problems)


@pytest.mark.parametrize("key", ["embedding_size", "hidden_size", "num_attention_heads", "type_vocab_size"])
def test_an_albert_states_its_sizes(tmp_path, key):
    config = {name: value for name, value in ALBERT_CONFIG.items() if name != key}
    folder = write_family(tmp_path / "model", values(ALBERT), config)
    assert any(f"has no key {key}" in problem for problem in inspect_checkpoint(folder).problems)


def test_a_second_group_of_layers_is_told_by_its_variables(tmp_path):
    second = {name.replace("group_0/inner", "group_1/inner"): shape for name, shape in ALBERT.items()}
    folder = write_family(tmp_path / "model", values(ALBERT | second), ALBERT_CONFIG)
    (problem,) = inspect_checkpoint(folder).problems
    assert problem.startswith("The encoder has 16 variables that ALBERT does not have: bert/encoder/transformer/")


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("NEZHA", "bert/encoder/layer_0/attention/self/relative_positions_embeddings"),
        ("MobileBERT", "bert/encoder/layer_0/bottleneck/input/dense/kernel"),
        ("DeBERTa", "deberta/encoder/layer_0/attention/self/query_proj/kernel"),
    ],
)
def test_models_that_no_family_is_are_named_and_refused(tmp_path, model, variable):
    folder = write_family(tmp_path / "model", values({variable: (2, 2)}), SIZES, config_name="bert_config.json")
    problems = inspect_checkpoint(folder).problems
    assert f"The checkpoint is of {model}, a model of another build than BERT." in problems


def test_the_masked_lm_of_albert_zh_is_refused_with_its_reason(tmp_path):
    shapes = family_models.albert_zh_shapes() | family_models.masked_lm_shapes()
    judged = inspect_checkpoint(write_family(tmp_path / "model", values(shapes), ALBERT_CONFIG)).judged_heads
    assert [head.kind for head in judged.found] == ["next-sentence"]
    assert "word_embeddings_2" in judged.refused[0].why


def test_several_configurations_are_not_chosen_from(tmp_path):
    folder = write_family(tmp_path / "model", values(ALBERT), ALBERT_CONFIG)
    (folder / "albert_config_tiny.json").write_text(json.dumps(ALBERT_CONFIG))
    with pytest.raises(CheckpointError, match=r"holds 2 configurations: albert_config\.json, albert_config_tiny\.json"):
        find_checkpoint(folder)


@pytest.mark.parametrize(("scope", "own"), [("", "electra"), ("generator", "generator")])
def test_of_an_electra_the_discriminator_is_taken_and_the_generator_where_it_is_named(tmp_path, scope, own):
    """The generator has the discriminator's embeddings, and its head gets the names of BERT's."""
    tensors = values(family_models.electra_shapes(generator=True))
    config = GENERATOR_CONFIG if scope else SIZES
    folder = write_family(tmp_path / "model", tensors, config, config_name="electra_config.json")
    choice = Choice(scope=scope)
    found = inspect_checkpoint(folder, choice=choice)
    assert found.problems == ()
    assert [head.kind for head in found.judged_heads.found] == (["masked-lm"] if scope else ["replaced-token"])
    (tmp_path / "plain").mkdir()
    write_plain(find_checkpoint(folder), choice, tmp_path / "plain" / "bert_model.ckpt")
    assert json.loads((tmp_path / "plain" / "bert_config.json").read_text())["model_type"] == "electra"
    written = CheckpointReader(tmp_path / "plain" / "bert_model.ckpt")
    layer = "encoder/layer_1/attention/self/key/kernel"
    assert written.tensor(f"bert/{layer}").tobytes() == tensors[f"{own}/{layer}"].tobytes()
    words = "embeddings/word_embeddings"
    assert written.tensor(f"bert/{words}").tobytes() == tensors[f"electra/{words}"].tobytes()
    assert ("cls/predictions/output_bias" in written.entries) == bool(scope)
    assert inspect_checkpoint(tmp_path / "plain").family == "electra"


BERTS = {
    "ERNIE 1.0": (18000, 513, 2, 1e-5, "relu"),
    "RoBERTa-wwm-ext": (21128, 512, 2, 1e-12, "gelu"),
    "MacBERT": (21128, 512, 2, 1e-12, "gelu"),
    "BioBERT": (28996, 512, 2, 1e-12, "gelu"),
    "SciBERT": (31090, 512, 2, 1e-12, "gelu"),
    "KoBERT": (8002, 512, 2, 1e-12, "gelu"),
    "LaBSE": (501153, 512, 2, 1e-12, "gelu"),
}
"""Model → vocabulary, positions, token types, epsilon, activation; docs/families.md has them."""


@pytest.mark.parametrize("name", BERTS)
def test_what_is_bert_is_taken_for_it(make, name):
    vocabulary, positions, types, epsilon, activation = BERTS[name]
    config = {
        "vocab_size": vocabulary,
        "hidden_size": 4,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "hidden_act": activation,
        "layer_norm_eps": epsilon,
    }
    found = inspect_checkpoint(make(tiny_tensors(config), config=config, words=None), checksums=False)
    assert (found.problems, found.family) == ((), "bert")
    assert found.config.epsilon(None) == epsilon
    assert (found.encoder.vocab, found.encoder.positions) == (vocabulary, positions)
