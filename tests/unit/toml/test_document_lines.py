"""On which line a key stands, found without a parser of our own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertbuild.toml.document import Document, _parsed, shown, table_name

TEXT = '''\
# a comment with [targets.fake] and key = 1
artifacts = "x"

[targets.ir]
kind = "ir"
about = """
[targets.no]
precision = 1
"""
output = [
  "pooled",      # one
  # between
  "sequence",
]
deep = [
  [1,
   2],
  ["""
x""", 'y'],
]
matrix = { precision = [
   "fp32",
   "fp16" ], seq_len = [1, 2] }
"quoted key".dotted = 3

[models."a.b"]
model = 1
[models.c.override.ir]
x = { y = { z = [1, 2] } }
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("artifacts",), 2),
        (("targets",), 4),
        (("targets", "ir"), 4),
        (("targets", "ir", "kind"), 5),
        (("targets", "ir", "about"), 6),
        (("targets", "ir", "output"), 10),
        (("targets", "ir", "output", 0), 11),
        (("targets", "ir", "output", 1), 13),
        (("targets", "ir", "deep"), 15),
        (("targets", "ir", "deep", 0, 0), 16),
        (("targets", "ir", "deep", 0, 1), 17),
        (("targets", "ir", "matrix"), 21),
        (("targets", "ir", "matrix", "precision", 0), 22),
        (("targets", "ir", "matrix", "precision", 1), 23),
        (("targets", "ir", "matrix", "seq_len", 1), 23),
        (("targets", "ir", "quoted key", "dotted"), 24),
        (("models", "a.b"), 26),
        (("models", "a.b", "model"), 27),
        (("models", "c"), 28),
        (("models", "c", "override", "ir", "x", "y", "z", 1), 29),
        (("models", "c", "not there", "nor there"), 28),
        (("nothing",), 1),
        ((), 1),
    ],
)
def test_a_key_is_found_on_its_line(tmp_path, place, line):
    assert Document(tmp_path, TEXT, _parsed(TEXT)).line(place) == line


VALUES = st.sampled_from(
    [
        "1",
        '"[a]"',
        "[1, 2]",
        "[\n1,\n\n2]",
        '"""\n[b]\nk0 = 1\n"""',
        "'''\n]\n'''",
        "{ a = [\n1] }",
        "[\n[1,\n2],\n{a = 1}]",
        "2020-01-01",
    ]
)
GAPS = st.sampled_from(["", "\n", "# k0 = 1\n", "\n# [t0]\n\n"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), GAPS, VALUES), min_size=1, max_size=12))
def test_every_key_of_any_file_is_found_on_its_line(tmp_path_factory, parts):
    text, place, expected = "", (), {}
    for number, (header, gap, value) in enumerate(parts):
        text += gap
        if header:
            place = (f"t{number}",)
            expected[place] = text.count("\n") + 1
            text += f"[t{number}]\n"
        expected[(*place, f"k{number}")] = text.count("\n") + 1
        text += f"k{number} = {value}\n"
    document = Document(tmp_path_factory.getbasetemp(), text, _parsed(text))
    assert {at: document.line(at) for at in expected} == expected


def test_a_long_file_is_searched_by_halving(tmp_path):
    text = "".join(f"[targets.t{number}]\nkind = 'ir'\nseq_len = {number}\n" for number in range(700))
    document = Document(tmp_path, text, _parsed(text))
    assert document.line(("targets", "t650", "seq_len")) == 650 * 3 + 3


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a", '"a"'),
        ("x" * 100, '"' + "x" * 59 + '…"'),
        ("tab\there\x1b[31m", '"tab�here�[31m"'),
        (True, "true"),
        (3, "3"),
        (10**400, "a number that large"),
        (_parsed("x = 1_0.50")["x"], "10.50"),
        ([], "an array"),
        ({}, "a table"),
        (_parsed("x = 12:00:00")["x"], "a date or time"),
    ],
)
def test_values_in_sentences(value, words):
    assert shown(value) == words


def test_names_that_need_it_are_quoted_in_a_table_s_header():
    assert table_name(("models", "a.b", "override", "ir")) == '[models."a.b".override.ir]'
