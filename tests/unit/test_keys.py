from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.keys import canonical_json, code_digest, components, digest

SCALARS = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
NAMED = st.dictionaries(st.text(), st.text(), max_size=4)
COMPONENTS = st.fixed_dictionaries(
    {"stage": st.text(), "code": st.text(), "environment": NAMED, "params": NAMED, "inputs": NAMED}
)


def turned_round(value):
    """The same value, every dict in the opposite order."""
    if isinstance(value, dict):
        return {name: turned_round(value[name]) for name in reversed(value)}
    return [turned_round(item) for item in value] if isinstance(value, list) else value


@given(VALUES)
def test_the_order_of_dicts_does_not_matter(value):
    assert digest(turned_round(value)) == digest(value)


@given(VALUES, VALUES)
def test_different_values_have_different_bytes(one, other):
    assert (canonical_json(one) == canonical_json(other)) == (
        json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    )


@given(VALUES)
def test_canonical_json_is_ascii_json_of_the_value(value):
    assert json.loads(canonical_json(value).decode("ascii")) == value


@given(COMPONENTS, COMPONENTS)
def test_any_change_of_a_component_changes_the_key(one, other):
    assert (digest(components(**one)) == digest(components(**other))) == (one == other)


@given(COMPONENTS, st.sampled_from(["environment", "params", "inputs"]))
def test_a_name_more_in_any_part_changes_the_key(parts, part):
    more = {**parts, part: {**parts[part], "one more": "x"}}
    assert digest(components(**more)) != digest(components(**parts))


def test_equal_words_in_different_parts_make_different_keys():
    nothing = {"stage": "s", "code": "c", "environment": {}, "params": {}, "inputs": {}}
    keys = {digest(components(**nothing | {part: {"a": "b"}})) for part in ("environment", "params", "inputs")}
    assert len(keys) == 3


@pytest.mark.parametrize("value", [1.0, float("nan"), {"a": [0, {"b": 0.5}]}, (1, 2.0), np.float64(1)])
def test_floats_are_refused_however_deep(value):
    with pytest.raises(TypeError, match=r"a float .* may not be part of a key; give it as a string"):
        digest(value)


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {None: 1}}])
def test_names_that_are_no_strings_are_refused(value):
    with pytest.raises(TypeError, match="only string keys"):
        digest(value)


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, np.int64(1)])
def test_values_without_a_json_form_are_refused(value):
    with pytest.raises(TypeError):
        digest(value)


def test_the_key_format_is_this_one():
    """Whoever changes the format raises KEY_FORMAT, and then this figure."""
    parts = components(
        stage="freeze",
        code="c0de",
        environment={"lock": "10c4", "python": "3.7.16"},
        params={"output": "pooled", "gelu": "erf"},
        inputs={"checkpoint": "ab" * 32},
    )
    assert canonical_json(parts) == (
        b'{"code":"c0de","environment":{"lock":"10c4","python":"3.7.16"},"format":2,'
        b'"inputs":{"checkpoint":"abababababababababababababababababababababababababababababababab"},'
        b'"params":{"gelu":"erf","output":"pooled"},"stage":"freeze"}'
    )
    assert digest(parts) == "730e0174a9e2de1c2bbbbd1243028ed3335e81b3db2af21b3b73b02b354b72fd"


def test_the_code_digest_tells_of_names_and_bytes_and_of_nothing_else(tmp_path):
    for where in ("here", "there"):
        (tmp_path / where / "sub").mkdir(parents=True)
        (tmp_path / where / "a.py").write_text("a = 1\n")
        (tmp_path / where / "sub" / "b.py").write_text("b = 2\n")

    def told(where, *names):
        return code_digest({name: tmp_path / where / name for name in names})

    before = told("here", "a.py", "sub/b.py")
    assert told("there", "sub/b.py", "a.py") == before
    assert told("here", "a.py") != before
    (tmp_path / "there" / "sub" / "b.py").write_text("b = 3\n")
    assert told("there", "a.py", "sub/b.py") != before
    (tmp_path / "here" / "a.py").rename(tmp_path / "here" / "c.py")
    assert told("here", "c.py", "sub/b.py") != before
