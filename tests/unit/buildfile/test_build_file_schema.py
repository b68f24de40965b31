"""The JSON Schema against the parser: what the one refuses for its shape, the other refuses too."""

from __future__ import annotations

import json

import pytest
from build_files import load
from jsonschema import Draft202012Validator
from test_build_file_errors import CASES

from bertbuild.buildfile.parameters import EVALUATE, FINETUNE, FROM, READING, SOURCES, TRAINED_ON
from bertbuild.buildfile.requests import make_recipe, make_request
from bertbuild.buildfile.schema import build_file_schema
from bertbuild.commands.buildfile import schema
from bertbuild.commands.session import Session
from bertbuild.config import SETTINGS, Settings
from bertbuild.kinds import KINDS
from bertbuild.kinds.evaluated_data import Data
from bertbuild.plans.finetuning import FinetuneRequest
from bertbuild.project import ROOT
from bertbuild.toml.document import _parsed

SHIPPED = ROOT / "bertbuild" / "buildfile" / "bertbuild.schema.json"
SCHEMA = build_file_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

ABOUT_MORE_THAN_SHAPE = (
    *(
        "[targets.ir]: ",
        "[targets.n]: ",
        "[models.b.finetune]: ",
        "[models.n.finetune]: ",
        "[models.override",
        "[models.m.override.n]: ",
    ),
    *("make two targets", 'takes no "exact"', "combinations", "there is no", "has no beginning", "does not list"),
    *("not nan", "not 128.0", '"ir-a/b" cannot'),
)
"""What the schema cannot know: how values go together, names of other tables, and that 128.0 is not a whole number."""


def test_the_shipped_schema_is_the_one_that_is_made():
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert shipped == SCHEMA, "run: invoke schema > bertbuild/buildfile/bertbuild.schema.json"


def test_schema_prints_it():
    events = []
    schema(Session(settings=Settings(), report=events.append))
    (event,) = events
    assert json.loads("\n".join(event["lines"])) == event["schema"] == SCHEMA


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


def test_every_key_is_described_and_no_other_is_allowed():
    def walk(schema, path):
        if isinstance(schema, list):
            for index, one in enumerate(schema):
                walk(one, f"{path}/{index}")
        if not isinstance(schema, dict):
            return
        if "properties" in schema:
            assert schema["additionalProperties"] is False, path
            for name, one in schema["properties"].items():
                found = SCHEMA["$defs"][one["$ref"].split("/")[-1]] if "$ref" in one else one
                assert one.get("description") or found.get("description") or path.endswith("/matrix"), f"{path}/{name}"
        for name, one in schema.items():
            walk(one, f"{path}/{name}")

    walk(SCHEMA, "")


@pytest.mark.parametrize(("text", "sentence"), [(text, sentence) for text, _, sentence in CASES])
def test_what_the_parser_refuses_for_its_shape_the_schema_refuses(text, sentence):
    if "[models" not in text:
        text += '\n[models.m]\ncheckpoint = "c"'
    more = any(words in sentence for words in ABOUT_MORE_THAN_SHAPE)
    assert VALIDATOR.is_valid(_parsed(text)) == more


def test_a_file_with_every_key_is_accepted_by_both(tmp_path):
    lines = ['memory = "1g"', "jobs = 2", "[defaults]"]
    lines += ["seq_len = 64", "[defaults.neuron]", "timeout = 1"]
    for kind in KINDS.values():
        lines += [f"[targets.{kind.name}]", f'kind = "{kind.name}"']
        lines += [f"{p.name} = {json.dumps(p.default)}" for p in kind.parameters.values() if p.default is not None]
    lines += [
        "[models.m]",
        'model = "minilm-l6"',
        'targets = ["ir", "hub"]',
        "[models.m.override.ir]",
        "batch_size = 1",
    ]
    lines += ["[models.n.finetune]", 'from = "m"', 'task = "MRPC"']
    lines += [f"{p.name} = {json.dumps(p.default)}" for p in FINETUNE.values() if p.default is not None]
    lines += ["[models.n.evaluate]"]
    lines += [f"{p.name} = {json.dumps(p.default)}" for p in EVALUATE.values() if p.default]
    text = "\n".join(lines)
    VALIDATOR.validate(_parsed(text))
    m, n = load(tmp_path, text).models
    assert [target.name for target in m.targets] == ["ir", "hub"]
    assert n.source.request == FinetuneRequest()
    assert n.evaluate.data == Data()


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_defaults_told_are_those_of_the_requests(kind):
    told = {p.name: p.type.read(p.default) for p in kind.parameters.values() if p.default is not None}
    assert make_request(kind, told, tolerant=True) == make_request(kind, {}, tolerant=True)


def test_defaults_told_of_recipes_are_those_of_the_request():
    told = {p.name: p.type.read(p.default) for p in FINETUNE.values() if p.default is not None}
    assert make_recipe("m", told) == make_recipe("m", {})
    assert set(FINETUNE) == set(FinetuneRequest.__dataclass_fields__)


def rows(heading):
    """The rows of the table under a heading of docs/build-file.md: key, values, default, meaning."""
    section = (ROOT / "docs" / "build-file.md").read_text(encoding="utf-8").split(f"### {heading}\n")[1].split("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [tuple(cell.strip().replace("\\|", "|") for cell in line.strip("| ").split(" | ")) for line in lines]


def row(parameter):
    default = "" if parameter.default is None else f"`{json.dumps(parameter.default)}`"
    return (f"`{parameter.name}`", parameter.type.words, default, parameter.about)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_the_reference_has_each_key_of_each_kind(kind):
    assert rows(f"`{kind.name}`: {kind.about}") == [row(parameter) for parameter in kind.parameters.values()]


def test_the_reference_has_each_key_of_models_recipes_and_settings():
    sources = [*SOURCES.values(), *READING.values()]
    assert rows("Where a model comes from")[: len(sources)] == [row(parameter) for parameter in sources]
    assert rows("`finetune`: a recipe") == [row(p) for p in (FROM, *TRAINED_ON.values(), *FINETUNE.values())]
    assert rows("`evaluate`: what the targets are measured on") == [row(p) for p in EVALUATE.values()]
    assert rows("Settings") == [(f"`{'.'.join(s.place)}`", s.type.words, f"`{s.variable}`", s.about) for s in SETTINGS]
