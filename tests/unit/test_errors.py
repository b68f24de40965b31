from __future__ import annotations

import re

import pytest

from bertbuild import errors
from bertbuild.errors import BertbuildError

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, BertbuildError)]


def test_every_class_has_an_exit_code_of_its_own():
    """But one: a name that the catalogue lacks is one kind of failure, whether a model's or a data set's."""
    codes = [cls.exit_code for cls in CLASSES if cls is not errors.UnknownDatasetError]
    assert len(set(codes)) == len(codes)
    assert all("exit_code" in vars(cls) for cls in CLASSES)


def test_no_code_means_something_else_to_a_shell():
    """126 to 165 are the shell's own; 130 is Ctrl-C there, and here."""
    assert {cls.exit_code for cls in CLASSES} <= {*range(1, 126), 130}


def test_the_tree_in_the_docstring_has_every_class_with_its_code():
    told = dict(re.findall(r"^\s+[├└]?[─]*\s?(\w+)\s+(\d+)(?:, .*)?$", errors.__doc__, re.MULTILINE))
    assert told == {cls.__name__: str(cls.exit_code) for cls in CLASSES}


def test_an_error_has_its_sentence_its_next_step_and_the_words_of_what_failed():
    error = errors.StageError("It failed.", next_step="Look.", details="line 1\nline 2")
    assert (str(error), error.next_step, error.details) == ("It failed.", "Look.", "line 1\nline 2")
    assert (BertbuildError("x").next_step, BertbuildError("x").details) == ("", "")


def test_every_class_says_what_it_is_for():
    assert all(cls.__doc__ and cls.__doc__.endswith(".") for cls in CLASSES)


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ([errors.StageError("a"), errors.StageError("b")], 13),
        ([errors.StageError("a"), errors.ParityError("b")], 23),
        ([errors.StageError("a"), errors.NoSpaceError("b")], 8),
    ],
)
def test_a_failed_build_has_its_failures_code_where_they_agree_and_a_full_disks_where_there_was_one(failures, code):
    assert errors.BuildFailedError("x", failures=failures, next_step="y").exit_code == code
