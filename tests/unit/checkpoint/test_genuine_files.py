"""No bound refuses what is real: checkpoints, configurations, vocabularies and data of the shared folder are read."""

from __future__ import annotations

import csv

import pytest
from conftest import DATA

from bertbuild.buildfile.load import load_build_file
from bertbuild.checkpoint.config import read_config
from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.table import read_table
from bertbuild.checkpoint.vocabulary import read_vocabulary
from bertbuild.gate.prediction_files import read_squad
from bertbuild.graph import graphdef
from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.graphdef import read_meta_graph
from bertbuild.graph.roles import input_roles
from bertbuild.project import ROOT


def every(pattern):
    """The shared files of a pattern; one that is not there where the folder is not."""
    return sorted(map(str, DATA.glob(pattern))) or [None]


def path_of(name):
    if name is None:
        pytest.skip("the shared data are not here")
    return DATA / name


@pytest.mark.parametrize("name", every("checkpoints/*/*.index"))
def test_an_index_is_read(name):
    assert len(read_table(path_of(name).read_bytes())) > 20


@pytest.mark.parametrize("name", every("checkpoints/*/*.meta"))
def test_a_graph_is_read_and_all_is_told_of_it_in_few_steps(name):
    graph = read_meta_graph(path_of(name))
    assert len(input_roles(graph)) == 3
    assert gelu_form(graph) in ("erf", "tanh")
    assert graph._steps < graphdef._MOST_STEPS / 10


@pytest.mark.parametrize("name", [*every("configs/**/*bert_config.json"), *every("checkpoints/*/bert_config.json")])
def test_a_configuration_is_read(name):
    assert read_config(path_of(name)).hidden_size


@pytest.mark.parametrize("name", [*every("vocab/*.txt"), *every("checkpoints/*/vocab.txt")])
def test_a_vocabulary_is_read(name):
    assert read_vocabulary(path_of(name).read_bytes()).words


@pytest.mark.parametrize("name", every("squad/*.json"))
def test_squad_is_read(name):
    assert read_squad(path_of(name))


@pytest.mark.parametrize("name", every("glue/*/dev.tsv"))
def test_glue_is_text_of_lines(name):
    with path_of(name).open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))) > 50


def test_the_whole_checkpoint_is_sound(genuine):
    assert inspect_checkpoint(genuine).problems == ()


@pytest.mark.parametrize("name", sorted(map(str, (ROOT / "examples").glob("*.toml"))))
def test_an_example_is_read(name):
    assert load_build_file(ROOT / name).models
