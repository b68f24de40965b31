"""Any file: a valid one parses, and the layer nearest to a target wins; a spoilt one is told, never a traceback."""

from __future__ import annotations

import copy
import re

from build_files import as_file, load
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bertbuild.buildfile.schema import build_file_schema
from bertbuild.errors import UnknownModelError, UsageError
from bertbuild.kinds import KINDS
from bertbuild.toml.document import _parsed
from bertbuild.toml.values import Choice, Choices, Whole

VALIDATOR = Draft202012Validator(build_file_schema())
LEFT_OUT = {
    "reference",
    "calibration",
    "calibration_text",
    "calibration_size",
    "max_drop",
    "validation",
    "int8_for",
    "group_size",
    "route",  # these three go together with some values of others alone
    "converter",
    "openvino",
    "text",
    "special_tokens_in_text",
    "guard",
    "vocab_reading",
    "do_lower_case",
    "standard",
    "compiler_args",
}
"""Parameters that go only with others."""

LENGTH, OUTPUTS, GELU = "seq_len", "output", "gelu"
READY = {LENGTH, OUTPUTS, "gelu_approximation", "compute", "batch_size"}
TAKEN = {
    "frozen": {OUTPUTS, GELU},
    "ir": {"precision", OUTPUTS, GELU, "batch_size", LENGTH},
    "onnx": {"precision", OUTPUTS, GELU, "opset", "ir_version", "batch_size", LENGTH},
    "saved-model": {LENGTH, OUTPUTS},
    "neuron-ready": READY,
    "neuron": READY | {"timeout", "min_on_neuron", "min_memory", "neuroncore_pipeline_cores"},
    "tf2": {"format", GELU},
    "tf2-savedmodel": {GELU},
    "hub": {GELU},
    "tf1-checkpoint": {GELU},
    "hf": {GELU},
}
"""The parameters of each kind, which a build file's keys are; written by hand, as a second opinion."""


def value_of(type_, name):
    if isinstance(type_, Whole):
        return st.integers(type_.least, 512)
    if isinstance(type_, Choice):
        return st.sampled_from([option for option in type_.options if option != "int8"])
    if isinstance(type_, Choices):
        return st.lists(st.sampled_from(type_.options), min_size=1, max_size=3, unique=True)
    if name == "min_on_neuron":
        return st.sampled_from(["0.25", "1", "1e-1"])
    return st.sampled_from(["8", "16.5"])


def layer(kind, also=()):
    """Some parameters of a kind."""
    wanted = [p for p in kind.parameters.values() if p.name not in LEFT_OUT and p.name not in also]
    return st.fixed_dictionaries({}, optional={p.name: value_of(p.type, p.name) for p in wanted})


def axes(kind):
    wanted = [p for p in kind.parameters.values() if p.name not in LEFT_OUT and not isinstance(p.type, Choices)]
    lists = {p.name: st.lists(value_of(p.type, p.name), min_size=1, max_size=2, unique=True) for p in wanted}
    return st.sampled_from(sorted(lists)).flatmap(lambda name: st.fixed_dictionaries({name: lists[name]}))


@st.composite
def build_files(draw):
    """A valid file as nested dictionaries: a target of some kind with all layers, and one more."""
    kind = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    common = {
        name: draw(value_of(kind.parameters[name].type, name))
        for name in ("seq_len", "compute", "gelu_approximation")
        if name in kind.parameters and draw(st.booleans())
    }
    own, override = draw(layer(kind)), draw(layer(kind))
    matrix = {"matrix": draw(axes(kind))} if draw(st.booleans()) else {}
    defaults = {**common, kind.name: draw(layer(kind))}
    return {
        "jobs": draw(st.integers(0, 64)),
        "defaults": defaults,
        "targets": {"first": {"kind": kind.name, **own, **matrix}, "second": {"kind": "hub"}},
        "models": {
            "one": {"model": "minilm-l6", "override": {"first": override}},
            "two": {"checkpoint": "c", "targets": ["second", "first"]},
        },
    }


def as_read(value):
    return ",".join(value) if isinstance(value, list) else value


@settings(max_examples=120, deadline=None)
@given(build_files())
def test_any_valid_file_parses_and_the_nearest_layer_wins(tmp_path_factory, values):
    text = as_file(values)
    VALIDATOR.validate(_parsed(text))
    one, two = load(tmp_path_factory.getbasetemp(), text).models
    table = values["targets"]["first"]
    kind = table["kind"]
    for model, override in ((one, values["models"]["one"]["override"]["first"]), (two, {})):
        targets = [target for target in model.targets if target.table == "first"]
        axis = {name: [override[name]] if name in override else v for name, v in table.get("matrix", {}).items()}
        combinations = [{name: value} for name, all_ in axis.items() for value in all_] or [{}]
        assert [target.name for target in targets] == ["-".join(["first", *map(str, c.values())]) for c in combinations]
        for target, combination in zip(targets, combinations, strict=True):
            nearest = {**values["defaults"], **values["defaults"][kind], **table, **combination, **override}
            for name in TAKEN[kind] & nearest.keys():
                assert getattr(target.request, name) == as_read(nearest[name]), name


def test_the_second_opinion_knows_every_parameter():
    for name, kind in KINDS.items():
        assert TAKEN[name] == set(kind.parameters) - LEFT_OUT


GOOD = {
    "jobs": 2,
    "memory": "8g",
    "defaults": {"seq_len": 64, "ir": {"gelu": "erf", "calibration": "d"}},
    "targets": {
        "ir": {"kind": "ir", "output": ["pooled", "probabilities"], "matrix": {"precision": ["fp32", "int8"]}},
        "neuron": {"kind": "neuron", "standard": True, "compiler_args": "-O2", "min_on_neuron": 0.5, "timeout": 10},
        "tf2": {"kind": "tf2", "format": "keras-bert"},
    },
    "models": {
        "a": {"model": "minilm-l6", "targets": ["ir", "tf2"], "override": {"ir": {"batch": 1}}},
        "b": {"checkpoint": "c.zip"},
        "c": {"finetune": {"from": "b", "task": "MRPC", "learning_rate": "5e-5", "do_eval": False}},
        "d": {"huggingface": "hf", "targets": []},
    },
}
WORDS = st.sampled_from(
    ["", "ir", "int8", "fp16", "b", "MRPC", "../x", "precision", "matrix", "kind", "a.b", "\x00", "é\x85 \u2028"]
)
OTHERS = st.recursive(
    st.one_of(WORDS, st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)


def places(values, path=()):
    """Where every key stands."""
    for name, value in values.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from places(value, (*path, name))


@st.composite
def spoilt(draw):
    """The good file with a few keys renamed, dropped, or given other values."""
    values = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        *path, name = draw(st.sampled_from(sorted(places(values))))
        table = values
        for part in path:
            table = table[part]
        if draw(st.booleans()):
            table[name] = draw(OTHERS)
        else:
            renamed = draw(WORDS | st.sampled_from([name[:-1], name + "s", name.replace("_", "-"), name.upper()]))
            table[renamed] = table.pop(name)
    return values


def test_the_file_that_is_spoilt_was_good(tmp_path):
    assert [len(model.targets) for model in load(tmp_path, as_file(GOOD)).models] == [3, 4, 4, 0]


def refusal(folder, text):
    """What a file is refused with, None where it is not."""
    try:
        load(folder, text)
    except (UsageError, UnknownModelError) as error:
        return error
    return None


@settings(max_examples=250, deadline=None)
@given(spoilt())
def test_a_spoilt_file_is_told_with_its_line_and_never_with_a_traceback(tmp_path_factory, values):
    text = as_file(values)
    refused = refusal(tmp_path_factory.getbasetemp(), text)
    if refused is None:  # what is fine to the parser is fine to editors
        assert not list(VALIDATOR.iter_errors(_parsed(text)))
        return
    found = re.match(r"(?s).*bertbuild\.toml(?:, line (\d+): | has no \[)", str(refused))
    assert found, str(refused)
    assert 1 <= int(found[1] or 1) <= text.count("\n")
    assert refused.next_step


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.text(max_size=3))
def test_text_cut_out_or_typed_anywhere_gives_no_traceback(tmp_path_factory, begin, length, typed):
    text = as_file(GOOD)
    begin %= len(text)
    refused = refusal(tmp_path_factory.getbasetemp(), text[:begin] + typed + text[begin + length % 20 :])
    assert refused is None or "bertbuild.toml" in str(refused)
