"""Numbers of things: no "1 targets", no "1 problem(s)", in any text that the host writes."""

from __future__ import annotations

import ast
import re
from itertools import pairwise

import pytest

from bertbuild.plural import are, number_of
from bertbuild.project import ROOT

HOST = [path for path in sorted((ROOT / "bertbuild").rglob("*.py")) if path.parent.name != "graph"]
"""bertbuild/graph runs inside the images too, and imports nothing of the host's."""

COUNT = re.compile(r"^(len\(|sum\(|\w*count$|total)")
THINGS = re.compile(r" ((?:more |other )?[a-z]+s)\b")
NEVER_ONE = (
    *("bytes", "members", "models", "encoders", "checkpoints", "exports", "files", "runs", "words", "characters"),
    "configurations",
)


def things_without_a_number_of(path):
    """Each "{count} things" of a module's texts that says "1 things" of one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for value, text in pairwise(parts):
            if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                things = THINGS.match(text.value)
                if things and COUNT.search(ast.unparse(value.value)) and things[1] not in NEVER_ONE:
                    yield f"{path.name}:{value.lineno}: {{{ast.unparse(value.value)}}}{text.value}"


@pytest.mark.parametrize("path", HOST, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_number_of_things_knows_one(path):
    assert list(things_without_a_number_of(path)) == []
    assert not re.search(
        r"\w\(s\)[ .,;]", path.read_text(encoding="utf-8").replace("http(s)", "").replace("file(s)", "")
    )


def test_what_is_to_be_found_is_found(tmp_path):
    module = tmp_path / "module.py"
    module.write_text('f"{len(rows)} targets: {x}"\nf"{number_of(len(rows), 1)} are"\nf"{name} is"\nf"{len(a)} more"\n')
    assert list(things_without_a_number_of(module)) == ["module.py:1: {len(rows)} targets: "]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (number_of(0, "target"), "0 targets"),
        (number_of(1, "target"), "1 target"),
        (number_of(2, "target"), "2 targets"),
        (number_of(1, "class", "classes"), "1 class"),
        (number_of(2, "class", "classes"), "2 classes"),
        (are(1), "is"),
        (are(2), "are"),
        (are(0, "has", "have"), "have"),
    ],
)
def test_numbers_and_their_verbs(words, said):
    assert words == said
