"""What the user names as a source."""

from __future__ import annotations

import pytest

from bertbuild.errors import UsageError
from bertbuild.plans.wanted import Wanted


def test_an_unknown_kind_of_head_is_refused_before_the_source_is_looked_for():
    with pytest.raises(
        UsageError, match=r'--head must be one of .* \(got \'classifer\'\); did you mean "classifier"\?'
    ):
        Wanted(checkpoint="not/there", head="classifer")
