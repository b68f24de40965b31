"""A vocab.txt that is named and is another model's is refused before anything is built."""

from __future__ import annotations

import pytest
from small_fleet import write_tiny

from bertbuild.commands.entry_jobs import find
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import CheckpointError
from bertbuild.plans.wanted import Wanted


@pytest.fixture
def named(tmp_path):
    """Find a checkpoint of 20 words with a vocabulary of some."""
    write_tiny(tmp_path / "tiny")

    def found(words):
        path = tmp_path / "words.txt"
        path.write_text("".join(f"w{number}\n" for number in range(words)))
        session = Session(settings=Settings(artifacts=tmp_path / "artifacts", isolation="venv"), report=lambda _: None)
        try:
            return find(session, Wanted(checkpoint=str(tmp_path / "tiny"), vocab=str(path)))
        finally:
            session.close()

    return found


def test_more_words_than_the_model_knows_are_refused(named):
    with pytest.raises(CheckpointError, match=r"words\.txt has 21 lines, but the model knows 20 words") as refused:
        named(21)
    assert refused.value.next_step == "Give the vocab.txt that came with the model."


def test_as_many_are_taken(named):
    assert named(20).vocab_size == 20
