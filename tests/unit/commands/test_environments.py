"""Which environments are made where none is named."""

from bertbuild.backends import BACKENDS
from bertbuild.cli.tasks import BACKEND
from bertbuild.isolation.unlocked import unlocked


def test_the_help_names_those_that_are_made_where_none_is_named():
    usual = [name for name, row in BACKENDS.items() if row.usual and not row.beside and unlocked(name) is None]
    assert f"(default: {', '.join(usual)})" in BACKEND.about
