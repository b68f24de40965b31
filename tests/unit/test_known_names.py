"""Names in sentences and on folders."""

from __future__ import annotations

import pytest

from bertbuild.names import clean_name, did_you_mean


def test_what_is_near_is_found_without_case_and_with_dashes():
    assert did_you_mean("MRPC", ["mrpc"]) == '; did you mean "mrpc"?'
    assert did_you_mean("Seq-Len", ["seq_len", "batch"]) == '; did you mean "seq_len"?'
    assert did_you_mean("xyz", ["seq_len", "batch"]) == "."


@pytest.mark.parametrize(
    ("name", "clean"), [("uncased_L-2", "uncased_L-2"), ("my model", "my-model"), ("../x/", "x"), ("…", "model")]
)
def test_a_name_is_made_fit_for_a_folder(name, clean):
    assert clean_name(name) == clean
