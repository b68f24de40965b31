"""What is known of a source's text, and who says it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from piece_models import PIECES, model_bytes

from bertbuild.errors import CheckpointError, DataError, UsageError
from bertbuild.heads.found import FoundHead
from bertbuild.plans.plan import File, Source
from bertbuild.source.checkpoints import Inspected
from bertbuild.source.known_text import (
    require_text,
    require_tokenizer,
    text_of,
    unknown_of,
    words_of_another,
)
from bertbuild.text.facts import AS_TOLD_BY_FILES, HowRead

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good")
TWO = FoundHead(kind="classifier", weights="output_weights", bias="output_bias", labels=2)
IMPORT = {"stage": "import", "facts": {"from": json.dumps({"id2label": {"1": "up", "0": "down"}})}}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    return path


def found(folder, head=TWO, kind="checkpoint", **more):
    source = Source(
        model="mine",
        kind=kind,
        file=File(path=folder, digest="d", files=("vocab.txt",)),
        heads=(head,) if head else (),
        max_positions=64,
    )
    return Inspected(source=source, vocab_size=len(WORDS), type_vocab_size=2, max_positions=64, **more)


def told(folder, store, **more):
    text, vocab = text_of(found(folder, **more), store)
    assert vocab.path == (folder / "vocab.txt").resolve()
    return text


def write(folder, name, value):
    (folder / name).write_text(json.dumps(value))


def test_a_checkpoint_without_a_vocabulary_has_no_text(folder, store):
    (folder / "vocab.txt").unlink()
    assert text_of(found(folder), store) is None
    with pytest.raises(UsageError, match=r"--labels goes with a tokenizer, and .* without a vocab\.txt"):
        text_of(found(folder, labels="a,b"), store)


def test_a_vocabulary_with_more_words_than_the_model_is_anothers(folder, store):
    text = text_of(found(folder), store)
    assert words_of_another(found(folder), text) == ""
    (folder / "vocab.txt").write_text("".join(f"w{number}\n" for number in range(len(WORDS) + 1)))
    assert "has 7 lines, but the model knows 6 words" in words_of_another(found(folder), text_of(found(folder), store))


def test_a_training_tells_labels_case_and_length(folder, store):
    write(folder, "task.json", {"task": "MRPC", "labels": ["0", "1"], "do_lower_case": False, "max_seq_length": 32})
    text = told(folder, store)
    assert (text.task, text.head, text.labels) == ("MRPC", "classifier", ("0", "1"))
    assert (text.do_lower_case, text.max_seq_length, text.max_positions) == (False, 32, 64)


def test_labels_that_are_numbers_are_words_and_sizes_that_are_none_are_not_told(folder, store):
    write(folder, "task.json", {"task": "MRPC", "labels": [0, 1], "doc_stride": -1, "max_seq_length": True})
    text = told(folder, store)
    assert (text.labels, text.doc_stride, text.max_seq_length) == (("0", "1"), 0, 0)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"labels": 5}, "labels is not a list of words"),
        ({"labels": "ab"}, "labels is not a list of words"),
        ({"labels": [["a"], "b"]}, "labels is not a list of words"),
        ({"do_lower_case": "yes"}, "do_lower_case is not true or false"),
    ],
)
def test_a_task_file_of_another_form_is_refused(folder, store, facts, sentence):
    write(folder, "task.json", {"task": "MRPC", **facts})
    with pytest.raises(DataError, match=sentence):
        told(folder, store)


def test_where_nothing_tells_nothing_is_made_up(folder, store):
    text = told(folder, store)
    assert (text.task, text.labels, text.do_lower_case, text.max_seq_length) == ("", (), None, 0)


def test_the_tokenizer_config_tells_the_case_before_the_catalogue(folder, store):
    assert told(folder, store, lower_case=True).do_lower_case is True
    write(folder, "tokenizer_config.json", {"do_lower_case": False})
    assert told(folder, store, lower_case=True).do_lower_case is False


@pytest.fixture
def imported(folder, monkeypatch):
    """The folder as the stage `import` leaves it, as far as its record goes."""
    write(folder, "stage.json", IMPORT)

    def of(config):
        facts = {"from": json.dumps(config)}
        monkeypatch.setattr("bertbuild.checkpoint.folder.find_checkpoint", lambda path: path)
        monkeypatch.setattr("bertbuild.source.known_text.import_facts", lambda _files: facts)
        return folder

    return of


def test_a_hugging_face_config_tells_the_labels_in_the_order_of_their_numbers(imported, store):
    assert told(imported({"id2label": {"1": "up", "0": "down"}}), store).labels == ("down", "up")


def test_labels_that_nobody_named_are_none(imported, store):
    assert told(imported({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}), store).labels == ()


def test_labels_of_another_number_than_the_heads_rows_are_none(imported, store):
    assert told(imported({"id2label": {"0": "a", "1": "b", "2": "c"}}), store).labels == ()


def test_labels_that_are_given_come_first(folder, store):
    write(folder, "task.json", {"task": "MRPC", "labels": ["0", "1"]})
    assert told(folder, store, labels="not equivalent, equivalent").labels == ("not equivalent", "equivalent")


@pytest.mark.parametrize(
    ("labels", "head", "sentence"),
    [
        ("a", TWO, "--labels names 1 label, and the head of mine has 2."),
        ("a,b,c", TWO, "--labels names 3 labels, and the head of mine has 2."),
        ("a,a", TWO, "--labels names 'a' twice."),
        ("a,", TWO, "--labels has an empty name."),
        ("a,b", None, "mine has no head"),
        ("a,b", TWO._replace(kind="span"), "mine has a head of kind span"),
    ],
)
def test_labels_that_do_not_fit_are_refused(folder, store, labels, head, sentence):
    with pytest.raises(UsageError) as refused:
        text_of(found(folder, head, labels=labels), store)
    assert sentence in str(refused.value)


def test_a_graph_has_the_text_of_the_target_that_it_lies_in(folder, store):
    write(folder, "text.json", {"format": 1, "labels": ["no", "yes"], "do_lower_case": True, "asked": {"stage": "x"}})
    text = told(folder, store, kind="saved-model", head=None)
    assert (text.labels, text.do_lower_case, text.asked) == (("no", "yes"), True, {})


@pytest.mark.parametrize("content", ["[]", "{", '{"format": 99, "labels": []}', '{"format": 1}'])
def test_a_text_file_that_cannot_be_read_tells_nothing(folder, store, content):
    Path(folder / "text.json").write_text(content)
    assert told(folder, store, kind="saved-model", head=None).labels == ()


def test_models_that_take_strings_need_a_vocabulary_of_this_model(folder, store):
    fits = found(folder)
    require_text(fits, text_of(fits, store))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in (*WORDS, "more")))
    longer = found(folder)
    with pytest.raises(CheckpointError, match="has 7 lines, but the model knows 6 words"):
        require_text(longer, text_of(longer, store))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in (*WORDS, WORDS[-1], "more")))
    twice = found(folder)
    assert text_of(twice, store) is None
    with pytest.raises(
        UsageError, match=r"--text .* comes without .* that can be read\. .*vocab\.txt has duplicate lines"
    ):
        require_text(twice, None)
    (folder / "vocab.txt").unlink()
    with pytest.raises(
        UsageError, match=r"--text .* comes without a vocab.txt or a model of SentencePiece that can be read\.$"
    ):
        require_text(found(folder), None)


def test_a_folder_that_has_a_tokenizer_needs_one_of_this_model(folder, store):
    def require(how_read=AS_TOLD_BY_FILES):
        require_tokenizer(found(folder), text_of(found(folder), store, how_read), how_read)

    require()
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in (*WORDS, "more")))
    with pytest.raises(CheckpointError, match="has 7 lines, but the model knows 6 words"):
        require()
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in (*WORDS[:-2], WORDS[0])))
    with pytest.raises(UsageError, match=r"vocab\.txt has duplicate lines"):
        require()
    require(HowRead(vocab_reading="lines"))
    (folder / "vocab.txt").unlink()
    with pytest.raises(UsageError, match=r"mine comes without a vocab\.txt and without one model of SentencePiece"):
        require()
    (folder / "spiece.model").write_bytes(model_bytes(PIECES[: len(WORDS)]))
    require()
    with pytest.raises(UsageError, match="--vocab-reading numbers the lines"):
        require(HowRead(vocab_reading="lines"))


def test_what_the_user_says_of_reading_goes_before_what_files_tell(folder, store):
    write(folder, "tokenizer_config.json", {"do_lower_case": True})
    assert told(folder, store).do_lower_case is True
    said, _ = text_of(found(folder), store, HowRead(lower_case=False, vocab_reading="lines"))
    assert (said.do_lower_case, said.vocab_reading) == (False, "")  # no line is there twice
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in (*WORDS[:-2], WORDS[0])))
    said, _ = text_of(found(folder), store, HowRead(vocab_reading="lines"))
    assert said.vocab_reading == "lines"


def test_the_number_of_unk_is_found_as_the_lines_are_read(folder, store):
    assert unknown_of(found(folder), text_of(found(folder), store)) == 1


@pytest.mark.parametrize(("words", "why"), [(None, "without a vocab.txt"), (("[PAD]", "good"), r"has none\.")])
def test_a_guard_without_an_unk_is_refused(folder, store, words, why):
    vocab = folder / "vocab.txt"
    if words:
        vocab.write_text("".join(f"{word}\n" for word in words))
    else:
        vocab.unlink()
    with pytest.raises(UsageError, match=why):
        unknown_of(found(folder), text_of(found(folder), store))


def test_a_model_of_sentencepiece_is_the_tokenizer_where_there_is_no_vocabulary(folder, store):
    (folder / "vocab.txt").unlink()
    (folder / "30k-clean.model").write_bytes(model_bytes())
    known = replace(found(folder), vocab_size=len(PIECES))
    text = text_of(known, store)
    assert text[1].path.name == "30k-clean.model"
    assert text[0].vocab_reading == ""
    assert words_of_another(known, text) == ""
    assert "pieces, but the model knows" in words_of_another(found(folder), text)
    assert unknown_of(known, text) == 1
    require_text(known, text)
    with pytest.raises(CheckpointError, match="pieces, but the model knows"):
        require_text(found(folder), text)
    (folder / "30k-clean.model").write_bytes(model_bytes()[:-3])
    assert text_of(known, store) is None
