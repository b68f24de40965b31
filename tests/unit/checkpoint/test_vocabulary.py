from __future__ import annotations

import pytest

from bertbuild.checkpoint.vocabulary import chosen_reading, read_vocabulary, require_words
from bertbuild.errors import CheckpointError, UsageError


def vocabulary(*words):
    return read_vocabulary("".join(word + "\n" for word in words).encode())


def test_words_are_lines_that_lf_ends_and_stripped():
    assert read_vocabulary("a\r\n b\u2028\n\u00a0c\n\n".encode()).words == ("a", "b", "c", "")
    assert read_vocabulary(b"a\nb").lines == 2
    assert read_vocabulary(b"").lines == 0


def test_duplicates_are_told_by_their_lines():
    found = vocabulary("a", "b", "a ", "c", "b", "a")
    assert found.duplicates == {"a": (1, 3, 6), "b": (2, 5)}
    assert (found.lines, found.different, found.ambiguous) == (6, 3, True)


@pytest.mark.parametrize("words", [["a", "b"], [], ["a", "b", "", ""], ["a", "", ""]])
def test_one_reading_is_all_there_is_where_no_words_number_depends_on_it(words):
    found = vocabulary(*words)
    assert not found.ambiguous
    assert not found.duplicates
    assert found.reading(99) == "lines"


def test_empty_lines_in_the_middle_move_what_follows():
    found = vocabulary("a", "", "", "b")
    assert found.ambiguous
    assert "empty ones" in found.told(4)


@pytest.mark.parametrize(
    ("rows", "reading"), [(4, "lines"), (3, "bert-tensorflow"), (5, None), (2, None), (None, None)]
)
def test_the_rows_of_the_word_table_decide_where_they_are_one_of_the_counts(rows, reading):
    assert vocabulary("a", "b", "b", "c").reading(rows) == reading


@pytest.fixture
def path(tmp_path):
    (tmp_path / "vocab.txt").write_text("a\nb\nb\nc\n")
    return tmp_path / "vocab.txt"


def test_nobody_is_asked_where_the_rows_tell(path):
    reading, why = chosen_reading(path, 3, "")
    assert reading == "bert-tensorflow"
    assert "duplicate lines (b at 2 and 3): 4 lines, 3 different; the word table has 3 rows" in why


@pytest.mark.parametrize(("rows", "why"), [(None, "nothing tells"), (8, "the word table's 8 rows do not tell")])
def test_where_nothing_tells_the_flag_is_asked_for(path, rows, why):
    with pytest.raises(UsageError, match=why) as raised:
        chosen_reading(path, rows, "")
    assert "--vocab-reading lines" in raised.value.next_step
    assert "--vocab-reading bert-tensorflow" in raised.value.next_step
    assert chosen_reading(path, rows, "lines")[0] == "lines"


def test_the_flag_wins_over_the_rows_and_that_is_said(path):
    reading, why = chosen_reading(path, 4, "bert-tensorflow")
    assert reading == "bert-tensorflow"
    assert "Read by bert-tensorflow, as was asked." in why


def test_another_word_is_refused(path):
    with pytest.raises(UsageError, match="must be one of lines, bert-tensorflow"):
        chosen_reading(path, 4, "words")


def test_a_vocabulary_without_duplicates_has_nothing_to_say(tmp_path):
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    assert chosen_reading(tmp_path / "vocab.txt", None, "bert-tensorflow") == ("", "")


def test_a_longer_vocabulary_that_bert_tensorflow_reads_as_the_model_does_is_told_so(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("one\ntwo\ntwo\ntwo\n")
    with pytest.raises(CheckpointError) as refused:
        require_words(path, 3)
    assert refused.value.next_step.endswith("it fits: --vocab-reading bert-tensorflow.")
    path.write_text("one\ntwo\nthree\nfour\n")
    with pytest.raises(CheckpointError) as refused:
        require_words(path, 3)
    assert refused.value.next_step == "Give the vocab.txt that came with the model."
