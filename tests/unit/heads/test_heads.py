from __future__ import annotations

import ast
import re

import pytest

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.model_garden import dense_places, masked_lm_places
from bertbuild.families import bert, bert_names
from bertbuild.heads import classifier, head, masked_lm, pooled
from bertbuild.heads.answers import (
    ANSWERS,
    EXPORTED,
    GIVEN_BY,
    OUTPUT_OF_PART,
    OUTPUTS,
    chosen,
    given,
    parts_for,
    tolerance_of,
    usual,
)
from bertbuild.heads.found import OF_ENCODER, FoundHead, tensor_name
from bertbuild.heads.rows import HEADS
from bertbuild.kinds import KINDS
from bertbuild.project import ROOT

TINY = {"vocab_size": 7, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
OF_PRETRAINING = ("masked-lm-logits", "next-sentence-logits")
OF_FAMILY = ("replaced-token-logits",)
STAGES = ROOT / "docker" / "tf1" / "stages"


def test_outputs_are_those_that_people_type():
    of_heads = ("logits", "probabilities", "score", "start_logits", "end_logits", *OF_PRETRAINING)
    assert ("pooled", "sequence", "all-layers", *of_heads, *OF_FAMILY) == OUTPUTS
    assert tuple(EXPORTED) == (*of_heads, "pooled", "sequence")


def found(kind):
    return FoundHead(kind, *HEADS[kind].last, labels=2)


def test_what_outputs_need_and_which_flag_takes_a_part():
    heads = tuple(map(found, ("classifier", "span", "masked-lm")))
    assert parts_for(["pooled"], heads) == {"pooler"}
    assert parts_for(["sequence", "all-layers"], heads) == set()
    assert parts_for(["probabilities"], heads) == {"pooler", "classifier"}
    assert parts_for(["start_logits", "masked-lm-logits"], heads) == {"span", "masked-lm"}
    assert parts_for(["probabilities"], [found("tokens")]) == {"tokens"}
    assert OUTPUT_OF_PART == {
        "pooler": "--output pooled",
        "classifier": "--output probabilities",
        "multi-label": "--output probabilities",
        "regression": "--output score",
        "tokens": "--output probabilities",
        "span": "--output start_logits,end_logits",
        "masked-lm": "--output masked-lm-logits",
        "next-sentence": "--output next-sentence-logits",
        "replaced-token": "--output replaced-token-logits",
    }


USUAL = {
    "classifier": ("probabilities",),
    "multi-label": ("probabilities",),
    "regression": ("score",),
    "tokens": ("probabilities",),
    "span": ("start_logits", "end_logits"),
    "masked-lm": ("pooled",),
    "next-sentence": ("pooled",),
}


@pytest.mark.parametrize("kind", USUAL)
def test_a_model_is_made_for_its_heads_answer_and_no_pretraining_head_is_one(kind):
    pretraining = tuple(map(found, ("masked-lm", "next-sentence")))
    assert usual([found(kind)], pooler=True) == USUAL[kind]
    assert usual([*pretraining, found(kind)], pooler=True) == USUAL[kind]
    assert set(USUAL[kind]) <= set(given([found(kind)], pooler=True))


def test_a_model_without_a_head_gives_what_its_encoder_has():
    assert usual((), pooler=True) == ("pooled",)
    assert usual((), pooler=False) == ("sequence",)
    assert given((), pooler=False) == ("sequence", "all-layers")


def test_what_reads_the_pooled_output_is_not_given_without_a_pooler():
    for kind in USUAL:
        of_head = set(given([found(kind)], pooler=False)) - {"sequence", "all-layers"}
        assert bool(of_head) == (kind in {"tokens", "span", "masked-lm"})


def test_logits_are_those_of_a_pretraining_head_that_is_the_only_head():
    assert chosen("logits", [found("masked-lm")], pooler=True) == ("masked-lm-logits",)
    assert chosen("logits,pooled", [found("next-sentence")], pooler=True) == ("next-sentence-logits", "pooled")
    both = [found("masked-lm"), found("next-sentence")]
    assert chosen("logits", both, pooler=True) == ("logits",), "which of both is not said: it is refused"
    assert chosen("logits", [found("span")], pooler=True) == ("logits",)
    assert chosen("logits", [found("classifier"), found("masked-lm")], pooler=True) == ("logits",)


def test_rows_are_sound():
    assert all(name == row.name for name, row in HEADS.items())
    parts = [row.part for row in HEADS.values() if row.part]
    assert len(parts) == len(set(parts))
    assert all(row.part in ("", row.name) for row in HEADS.values() if not row.of_encoder)
    for row in HEADS.values():
        assert row.reads in (head.POOLED, head.SEQUENCE, head.LAYERS)
        assert bool(row.part) == bool(row.what) == bool(row.scopes) == bool(row.mark)
        assert all(name.startswith(row.scopes) for name in row.variables(4, 7, 3))
        assert row.answers
        assert row.of_encoder or row.last[1] in row.variables(4, 7, 3)
    tensors = [answer.tensor for answer in ANSWERS.values()]
    assert len(tensors) == len(set(tensors))


@pytest.mark.parametrize("output", OUTPUTS)
def test_heads_that_give_the_same_output_call_and_judge_it_alike(output):
    answers = [answer for row in GIVEN_BY[output] for answer in row.answers if answer.output == output]
    assert len({(answer.tensor, answer.words, answer.tolerance, answer.exported) for answer in answers}) == 1


def test_variables_are_those_that_the_model_garden_is_given():
    config = config_from(TINY, name="tiny")
    last = {name: row.last for name, row in HEADS.items() if not row.of_encoder and not row.family}
    assert last.pop("masked-lm")[1] == masked_lm.BIAS
    places = {name: dense_places(config, FoundHead(name, *names, labels=2), ("head",)) for name, names in last.items()}
    for name, made in {**places, "masked-lm": masked_lm_places(config)}.items():
        assert HEADS[name].variables(4, 7, 2) == {place.source: place.source_shape for place in made}


def test_the_poolers_variables_are_the_familys():
    of_encoder = bert.encoder_variables({"max_position_embeddings": 5, "type_vocab_size": 2, **TINY})
    own = pooled.HEAD.variables(4, 7, 3)
    assert own.items() <= of_encoder.items()
    assert tuple(own) == bert_names.POOLER
    assert pooled.HEAD.answers[0].published == bert_names.POOLER_OUTPUT + ":0"


def test_every_column_that_a_head_is_judged_by_is_in_a_row_of_tolerances():
    rows = [row for kind in KINDS.values() for row in kind.tolerances.values()]
    assert all("hidden" in row for row in rows)
    columns = {column for row in rows for column in row}
    assert {answer.tolerance for answer in ANSWERS.values()} == columns
    assert tolerance_of("layer_3_output") not in columns  # no row names it, so that it is held to "hidden"


def test_what_a_foreign_graph_calls_a_classifiers_answer():
    assert classifier.HEAD.operators["Softmax"] == classifier.PROBABILITIES.tensor


def stage_values(name, *wanted):
    """Values of a stage module's constants: strings and dictionaries of them, whose names may be others."""
    values = {}
    for node in ast.parse((STAGES / name).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            names = node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else node.targets
            parts = node.value.elts if isinstance(node.targets[0], ast.Tuple) else [node.value]
            for target, part in zip(names, parts, strict=True):
                values[target.id] = part

    def value(node):
        if isinstance(node, ast.Dict):
            return {value(key): value(found) for key, found in zip(node.keys, node.values, strict=True)}
        if isinstance(node, ast.Name):
            return value(values[node.id]) if node.id in values else node.id
        return ast.literal_eval(node)

    return [value(values[one]) for one in wanted]


def test_stages_know_the_encoders_outputs_and_name_the_others_by_the_rule():
    for output, answer in ANSWERS.items():
        assert tensor_name(output).replace("%d", "{}") == answer.tensor
    assert list(OF_ENCODER) == [answer.output for row in HEADS.values() if row.of_encoder for answer in row.answers]


def test_every_kind_of_head_is_computed_by_the_reference():
    name = "_upstream_heads.py"
    (builders,) = stage_values(name, "BUILDERS")
    assert list(builders) == [row.name for row in HEADS.values() if not row.of_encoder and not row.family]
    functions = {node.name: node for node in ast.parse((STAGES / name).read_text()).body if hasattr(node, "name")}
    for kind, function in builders.items():
        strings = {node.value for node in ast.walk(functions[function]) if isinstance(node, ast.Constant)}
        assert {answer.output for answer in HEADS[kind].answers} <= strings


def test_outputs_for_each_position_lose_their_padding():
    text = (ROOT / "docker" / "common" / "answers.py").read_text(encoding="utf-8")
    (named,) = re.findall(r"^PER_POSITION = (.*)$", text, re.MULTILINE)
    flat = {answer.tensor for row in HEADS.values() for answer in row.answers if answer.shape == "[B, S]"}
    assert set(ast.literal_eval(named)) == flat


def test_the_docs_have_the_table():
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    told = [re.split(r" \| ", line.strip("| \n")) for line in text.split("| `--output` | of |")[1].splitlines()[2:]]
    told = told[: next(index for index, cells in enumerate(told) if len(cells) < 2)]
    rows = [
        [
            f"`{answer.output}`",
            f"`{row.name}`",
            answer.words,
            f"`{answer.tensor}`".format("i"),
            answer.shape,
            "yes" if answer.usual else "",
            ", ".join(one.what for one in HEADS.values() if one.part in row.parts) or "nothing",
        ]
        for row in HEADS.values()
        for answer in row.answers
    ]
    assert told == rows
