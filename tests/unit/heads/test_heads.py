from __future__ import annotations

import re

import pytest

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.model_garden import (
    classifier_places,
    masked_lm_places,
    next_sentence_places,
    squad_places,
)
from bertbuild.families.rows import FAMILIES
from bertbuild.heads import classifier, head, pooled
from bertbuild.heads.answers import ANSWERS, EXPORTED, OUTPUT_OF_PART, OUTPUTS, PARTS_OF_OUTPUT, tolerance_of, usual
from bertbuild.heads.rows import HEADS
from bertbuild.kinds import KINDS
from bertbuild.project import ROOT

TINY = {"vocab_size": 7, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
STAGES = ROOT / "docker" / "tf1" / "stages"


def test_outputs_are_those_that_people_type():
    assert OUTPUTS == ("pooled", "sequence", "all-layers", "probabilities")
    assert tuple(EXPORTED) == ("probabilities", "pooled", "sequence")


def test_what_outputs_need_and_which_flag_takes_a_part():
    assert {
        "pooled": {"pooler"},
        "sequence": set(),
        "all-layers": set(),
        "probabilities": {"pooler", "classifier"},
    } == PARTS_OF_OUTPUT
    assert OUTPUT_OF_PART == {"pooler": "--output pooled", "classifier": "--output probabilities"}


def test_a_model_is_made_for_its_heads_answers_else_for_its_encoders():
    assert usual({"pooler", "classifier"}) == ("probabilities",)
    assert usual({"pooler", "span"}) == ("pooled", "sequence")
    assert usual(()) == ("sequence",)


def test_rows_are_sound():
    assert all(name == row.name for name, row in HEADS.items())
    parts = [row.part for row in HEADS.values() if row.part]
    assert len(parts) == len(set(parts))
    for row in HEADS.values():
        assert row.reads in (head.POOLED, head.SEQUENCE, head.LAYERS)
        assert set(row.needs) <= set(parts)
        assert bool(row.part) == bool(row.what) == bool(row.scopes) == bool(row.mark)
        assert all(name.startswith(row.scopes) for name in row.variables(4, 7, 3))
        assert not row.of_encoder or row.answers
    tensors = [answer.tensor for answer in ANSWERS.values()]
    assert len(tensors) == len(set(tensors))


def test_variables_are_those_that_the_model_garden_is_given():
    config = config_from(TINY, name="tiny")
    places = {
        "classifier": classifier_places(config, 3, ("head",)),
        "span": squad_places(config, ("head",)),
        "next-sentence": next_sentence_places(config, ("head",)),
        "masked-lm": masked_lm_places(config),
    }
    for name, found in places.items():
        assert HEADS[name].variables(4, 7, 3) == {place.source: place.source_shape for place in found}


def test_the_poolers_variables_are_the_familys():
    (family,) = FAMILIES.values()
    of_encoder = family.variables({"max_position_embeddings": 5, "type_vocab_size": 2, **TINY})
    own = pooled.HEAD.variables(4, 7, 3)
    assert own.items() <= of_encoder.items()
    assert tuple(own) == family.optional


def test_every_column_that_a_head_is_judged_by_is_in_a_row_of_tolerances():
    rows = [row for kind in KINDS.values() for row in kind.tolerances.values()]
    assert all("hidden" in row for row in rows)
    columns = {column for row in rows for column in row}
    assert {answer.tolerance for answer in ANSWERS.values()} == columns
    assert tolerance_of("layer_3_output") not in columns  # no row names it, so that it is held to "hidden"


def test_what_a_foreign_graph_calls_a_classifiers_answer():
    (answer,) = classifier.HEAD.answers
    assert classifier.HEAD.operators[answer.activation] == answer.tensor


@pytest.mark.parametrize("builder", ["_inference_graph.py", "_bert.py", "_neuron_graph.py"])
def test_every_answer_is_computed_by_each_stage_that_has_it_for_a_choice(builder):
    code = (STAGES / builder).read_text(encoding="utf-8")
    choices = EXPORTED if builder == "_neuron_graph.py" else ANSWERS
    for name, row in HEADS.items():
        if any(answer.output in choices for answer in row.answers):
            assert f"{name.replace('-', '_')}.OUTPUT" in code


def test_the_docs_have_the_table():
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    told = [re.split(r" \| ", line.strip("| \n")) for line in text.split("| `--output` | is |")[1].splitlines()[2:]]
    told = told[: next(index for index, cells in enumerate(told) if len(cells) < 2)]
    rows = [
        [
            f"`{answer.output}`",
            answer.words,
            f"`{answer.tensor}`".format("i"),
            answer.shape,
            ", ".join(one.what for one in HEADS.values() if one.part in row.parts) or "nothing",
        ]
        for row in HEADS.values()
        for answer in row.answers
    ]
    assert told == rows
