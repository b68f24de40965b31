from __future__ import annotations

import ast
import re
from dataclasses import fields

import pytest

from bertbuild.checkpoint.config import BertConfig
from bertbuild.families import bert, scopes
from bertbuild.families.bert import ENCODER, LAYER, LAYER_OUTPUT_PATTERN, LAYER_PATTERN
from bertbuild.families.bert_names import POOLER, POOLER_OUTPUT, SCOPE
from bertbuild.project import ROOT

TABLES = (ROOT / "bertbuild" / "families", ROOT / "bertbuild" / "heads")
CODE = sorted(
    path
    for path in (*ROOT.glob("bertbuild/**/*.py"), *ROOT.glob("docker/**/*.py"))
    if path.parent not in TABLES and "_project" not in path.parts
)
OF_A_FAMILY = re.compile(r"bert_config\.json|/?bert/|(cls/.*/)?output_(weights|bias)$|cls/")
"""How names begin that only the tables of families and heads know."""
SIZES = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
}


def names_in(path):
    """The string constants of a file that are names: no docstrings, and no sentences, which have spaces."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and " " not in node.value
    ]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_tables_know_the_names_of_a_familys_files_and_variables(path):
    assert [name for name in names_in(path) if OF_A_FAMILY.match(name)] == []


def test_the_tables_are_where_the_names_are():
    found = {name for folder in TABLES for path in folder.glob("*.py") for name in names_in(path)}
    assert {"bert_config.json", "bert/", "output_weights", "output_bias", "cls/squad/"} <= found


def test_bert_base_has_199_variables_of_109_million_elements():
    shapes = bert.encoder_variables(SIZES)
    assert len(shapes) == 5 + 16 * 12 + 2
    elements = 0
    for shape in shapes.values():
        size = 1
        for side in shape:
            size *= side
        elements += size
    assert elements == 109_482_240


def test_the_sizes_are_keys_of_the_configuration_and_shape_variables_of_the_encoder():
    assert set(scopes.SIZES) <= {field.name for field in fields(BertConfig)}
    shapes = bert.encoder_variables(dict.fromkeys(scopes.SIZES, 2))
    assert all(variable.startswith(SCOPE) for variable in shapes)
    assert set(POOLER) <= set(shapes)


def test_patterns_find_the_layers_by_their_numbers():
    layer = LAYER % 11
    assert layer.startswith(ENCODER)
    assert ENCODER.startswith(SCOPE)
    assert POOLER_OUTPUT.startswith(SCOPE)
    assert re.match(LAYER_PATTERN, f"{layer}/output/dense/kernel")[1] == "11"
    assert re.match(LAYER_OUTPUT_PATTERN, f"{layer}/output/dense/kernel")[1] == "11"
