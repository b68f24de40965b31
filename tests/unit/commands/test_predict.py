"""predict: texts of every kind read, the target's answers told in words, and bad input refused in a sentence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from bertbuild.commands import predict as commands
from bertbuild.commands.predict import predict
from bertbuild.commands.predict_texts import Predict, texts_of
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import DataError, UsageError
from bertbuild.report.clean import cleaned
from bertbuild.text.asking import Asked
from bertbuild.text.facts import Text
from bertbuild.text.words import WordPieces

WORDS = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "good",
    "bad",
    "film",
    "##s",
    "who",
    "made",
    "it",
    "tom",
    "[",
    "]",
)
ASKED = {"stage": "openvino-infer", "flag": "ir", "params": {}}
OUTPUTS = {
    "classifier": ("probabilities",),
    "multi-label": ("probabilities",),
    "regression": ("score",),
    "tokens": ("probabilities",),
    "span": ("start_logits", "end_logits"),
    "masked-lm": ("masked_lm_logits",),
    "next-sentence": ("next_sentence_logits",),
}


@pytest.fixture
def target(tmp_path):
    """Make the folder of a target with a head."""

    def make(head="classifier", labels=("no", "yes"), *, outputs=None, seq_len=-1, words=WORDS, **more):
        folder = tmp_path / "artifacts" / "out" / "mine" / "ir-fp32"
        folder.mkdir(parents=True, exist_ok=True)
        content = "".join(f"{word}\n" for word in words).encode()
        (folder / "vocab.txt").write_bytes(content)
        kept = {"max_positions": 32, "max_seq_length": 16, **more}
        text = Text(task="own-t", head=head, labels=labels, asked=ASKED, do_lower_case=True, **kept)
        facts = {**text.as_json(WordPieces(words)), "vocab_sha256": hashlib.sha256(content).hexdigest()}
        (folder / "text.json").write_text(json.dumps(facts))
        given = OUTPUTS[head] if outputs is None else outputs
        signature = {"inputs": {"input_ids": {"shape": [-1, seq_len]}}, "outputs": {name: {} for name in given}}
        (folder / "signature.json").write_text(json.dumps(signature))
        return folder

    return make


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Ask the target; its answers are those that a function gives for the sequences."""
    events, seen = [], []
    session = Session(settings=Settings(artifacts=tmp_path / "artifacts"), report=events.append)
    monkeypatch.setattr(type(session.isolation), "require", lambda _self: None)

    def asked(answers=None, **named):
        def given(_session, _folder, _how, questions, _asked):
            seen.append(questions)
            return answers(questions)

        monkeypatch.setattr(commands, "_answers", given)
        result = predict(session, Predict(**{"target": "mine/ir-fp32", **named}))
        (end,) = [event for event in events if event["event"] == "result"]
        return result, end["lines"], seen[-1]

    asked.events = events
    return asked


def shares(*rows):
    return lambda _questions: {"probabilities": np.array(rows, np.float32)}


def test_a_text_has_its_label_and_probability(target, run):
    target()
    result, lines, questions = run(shares([0.2, 0.8]), text="Good film")
    assert lines == ["yes  0.8000"]
    assert questions.ids == [[2, 5, 7, 3]]
    (answer,) = result.answers
    assert (answer["text"], answer["label"], answer["probabilities"]["no"]) == ("Good film", "yes", pytest.approx(0.2))
    assert (result.task, result.head, result.texts, result.cut) == ("own-t", "classifier", 1, 0)


def test_a_pair_is_two_segments(target, run):
    target()
    _, _, questions = run(shares([0.9, 0.1]), text="good", text_pair="bad film")
    assert (questions.ids, questions.segments) == ([[2, 5, 3, 6, 7, 3]], [[0, 0, 0, 1, 1, 1]])


def test_a_model_of_tensorflow_2_whose_signature_tells_no_outputs_is_asked_by_its_head(target, run):
    signature = target() / "signature.json"
    signature.write_text(json.dumps({"kind": "savedmodel", "gelu": "erf", "heads": []}))
    assert run(shares([0.2, 0.8]), text="good")[1] == ["yes  0.8000"]


def test_a_hugging_face_folder_is_for_transformers(target, run):
    (target() / "tokenizer_config.json").write_text("{}")
    with pytest.raises(DataError, match="is a Hugging Face folder: transformers asks it"):
        run(shares([0.2, 0.8]), text="good")


def test_without_labels_a_class_has_its_number(target, run):
    target(labels=())
    assert run(shares([0.2, 0.8]), text="good")[1] == ["1  0.8000"]
    assert "carries no labels" in next(event["text"] for event in run.events if event["event"] == "warning")


def test_logits_do_where_there_are_no_probabilities(target, run):
    target(outputs=("logits",))
    _, lines, _ = run(lambda _: {"logits": np.array([[0.0, np.log(3)]])}, text="good")
    assert lines == ["yes  0.7500"]


def test_several_labels_are_told_above_a_half(target, run):
    target("multi-label", ("a", "b", "c"))
    assert run(shares([0.6, 0.4, 0.9]), text="good")[1] == ["a 0.6000  c 0.9000"]


def test_a_score(target, run):
    target("regression", ())
    assert run(lambda _: {"score": np.array([3.25])}, text="good", text_pair="bad")[1] == ["3.2500"]


def test_tags_stand_with_their_words_as_they_were_given(target, run):
    target("tokens", ("O", "PER"))

    def answers(questions):
        found = np.zeros((1, 6, 2), np.float32)
        found[0, :, 0], found[0, 4, 1] = 0.5, 0.9
        assert questions.ids == [[2, 7, 8, 11, 12, 3]]
        return {"probabilities": found}

    result, lines, _ = run(answers, text="Films it  Tom")
    assert lines == ["Films/O  it/O  Tom/PER"]
    assert result.answers[0]["tags"][2]["probability"] == pytest.approx(0.9)


def test_a_long_text_is_tagged_in_parts_and_no_word_is_lost(target, run):
    target("tokens", ("O", "PER"))
    result, _, questions = run(
        lambda asked: {"probabilities": np.full((len(asked.ids), 16, 2), 0.5)}, text=" ".join(["good"] * 30)
    )
    assert [len(ids) for ids in questions.ids] == [16, 16, 4]
    assert len(result.answers[0]["tags"]) == 30


def test_an_answer_is_the_words_of_the_context(target, run):
    target("span", ())

    def answers(questions):
        start = np.zeros((1, len(questions.ids[0])), np.float32)
        end = start.copy()
        assert questions.ids == [[2, 9, 10, 11, 3, 12, 10, 11, 3]]
        start[0, 5], end[0, 5] = 5, 4
        return {"start_logits": start, "end_logits": end}

    result, lines, _ = run(answers, question="Who made it", context="Tom made it")
    assert lines[0].startswith("Tom  0.9")
    assert lines[0].endswith("  (characters 0 to 3)")
    assert (result.answers[0]["answer"], result.answers[0]["score"]) == ("Tom", 9)


@pytest.mark.parametrize(
    ("context", "first", "last", "answer", "span"),
    [
        ("Tom  made\tit", 1, 2, "made it", [5, 12]),
        ("it Tom it", 2, 2, "it", [7, 9]),
        ("(Tom) made", 1, 1, "Tom", [1, 4]),
    ],
)
def test_an_answer_has_its_characters_in_the_context(target, run, context, first, last, answer, span):
    target("span", ())

    def answers(questions):
        start = np.zeros((1, len(questions.ids[0])), np.float32)
        end = start.copy()
        start[0, 3 + first], end[0, 3 + last] = 5, 4  # after [CLS], one word of a question, [SEP]
        return {"start_logits": start, "end_logits": end}

    result, _, _ = run(answers, question="who", context=context)
    (row,) = result.answers
    assert (row["answer"], row["span"]) == (answer, span)
    assert " ".join(context[slice(*span)].split()) == answer


def test_a_question_that_is_cut_is_told_by_its_own_length(target, run):
    target("span", (), max_query_length=2)
    run(
        lambda _: dict.fromkeys(("start_logits", "end_logits"), np.zeros((1, 16))),
        question="who made it",
        context="a",
    )
    assert "The question was cut to 2 pieces" in [event.get("text") for event in run.events]


def test_a_long_context_is_asked_in_windows_as_far_apart_as_it_was_trained(target, run):
    target("span", (), doc_stride=4)

    def answers(questions):
        zeros = np.zeros((len(questions.ids), 16), np.float32)
        return {"start_logits": zeros, "end_logits": zeros}

    _, _, questions = run(answers, question="who", context=" ".join(["good"] * 20))
    assert [window[2] for window in questions.windows] == [0, 4, 8]


def test_masked_words_have_their_best_five(target, run):
    target("masked-lm", ())

    def answers(questions):
        found = np.zeros((1, 4, len(WORDS)), np.float32)
        assert questions.ids == [[2, 4, 7, 3]]
        found[0, 1, [5, 6, 9, 10, 11]] = 5, 4, 3, 2, 1
        return {"masked_lm_logits": found}

    result, lines, _ = run(answers, text="[MASK] film")
    assert [one["word"] for one in result.answers[0]["masked"][0]] == ["good", "bad", "who", "made", "it"]
    assert lines[0].startswith("good 0.")


def test_whether_a_sentence_follows(target, run):
    target("next-sentence", ())
    _, lines, _ = run(lambda _: {"next_sentence_logits": np.array([[0.0, 9.0]])}, text="good", text_pair="bad")
    assert lines[0].startswith("does not follow")


def test_special_tokens_in_a_text_are_pieces_unless_asked_otherwise(target, run):
    target()
    assert run(shares([1, 0]), text="good [SEP] bad")[2].ids == [[2, 5, 13, 1, 14, 6, 3]]
    run.events.clear()
    asked = run(shares([1, 0]), text="good [SEP] bad", special_tokens_in_text=True)[2]
    assert asked.ids == [[2, 5, 3, 6, 3]]


def test_special_tokens_are_such_where_the_target_was_built_so(target, run):
    target(special_tokens_in_text=True)
    assert run(shares([1, 0]), text="good [SEP] bad")[2].ids == [[2, 5, 3, 6, 3]]


def test_a_model_of_tensorflow_2_without_the_head_is_refused_before_it_is_asked(target, run):
    folder = target()
    (folder / "signature.json").unlink()
    (folder / "mapping.json").write_text(json.dumps({"heads": []}))
    with pytest.raises(UsageError, match="has no head whose answers can be told") as refused:
        run(lambda _: pytest.fail("it was asked"), text="good")
    assert refused.value.next_step.endswith("--format keras-bert.")


def test_a_model_of_tensorflow_2_answers_with_a_head_that_it_has(target, run):
    folder = target()
    (folder / "signature.json").unlink()
    (folder / "mapping.json").write_text(json.dumps({"heads": [{"kind": "classifier"}]}))
    assert run(shares([0, 1]), text="good")[0].head == "classifier"
    run.events.clear()
    (folder / "mapping.json").write_text(json.dumps({"heads": [{"kind": "next-sentence"}]}))
    answers = {"next_sentence_logits": np.array([[0.0, 9.0]])}
    assert run(lambda _: answers, text="good", text_pair="bad")[0].head == "next-sentence"


def test_a_text_that_is_cut_is_told(target, run):
    target()
    result, _, questions = run(shares([1, 0]), text="good " * 20)
    assert (result.cut, len(questions.ids[0])) == (1, 16)
    assert "The text was cut to fit 16 pieces (--max-seq-length)" in [event.get("text") for event in run.events]


def test_a_target_of_one_length_cuts_to_it(target, run):
    target(seq_len=8)
    assert len(run(shares([1, 0]), text="good " * 20)[2].ids[0]) == 8


def test_many_texts_are_asked_in_parts_with_the_time_that_is_left(target, run, tmp_path, monkeypatch):
    target()
    monkeypatch.setattr(commands, "AT_A_TIME", 2)
    (tmp_path / "a.txt").write_text("good\nbad\nfilm\n")
    answers = lambda asked: {"probabilities": np.full((len(asked.ids), 2), 0.5)}  # noqa: E731
    result, lines, _ = run(answers, file=str(tmp_path / "a.txt"))
    assert (result.texts, len(lines)) == (3, 3)
    progress = [(event["done"], event["total"]) for event in run.events if event["event"] == "progress"]
    assert progress == [(0, 3), (2, 3), (2, 3), (3, 3)]
    assert any("2 of 3 sequences answered; about" in event.get("text", "") for event in run.events)


@pytest.mark.parametrize(
    ("name", "content", "flags", "texts"),
    [
        ("a.txt", b"one\r\n\ntwo\n", {}, [("one", None), ("two", None)]),
        ("a.tsv", b'text\tmore\n"one\tx\n', {}, [('"one', None)]),
        ("a.tsv", b"sentence1\tsentence2\tlabel\na\tb\t0\n", {}, [("a", "b")]),
        ("a.csv", b'\xef\xbb\xbfquestion,context\n"Who, me?","He said ""no""."\n', {}, [("Who, me?", 'He said "no".')]),
        ("a.tsv", b"text\na\n\n\n", {}, [("a", None)]),
        ("a.csv", b"text\na\n\n\n", {}, [("a", None)]),
        ("a.csv", b"x,y\n1,2\n", {"text_column": "y", "text_pair_column": "x"}, [("2", "1")]),
        ("a.jsonl", b'{"text": "one", "text_pair": "two"}\n\n{"text": "a", "text_pair": "b"}\n', {}, [("one", "two"), ("a", "b")]),  # noqa: E501
    ],
)  # fmt: skip
def test_files_of_every_form_are_read(tmp_path, name, content, flags, texts):
    (tmp_path / name).write_bytes(content)
    assert texts_of(Predict(target="t", file=str(tmp_path / name), **flags)) == [Asked(*text) for text in texts]


@pytest.mark.parametrize(
    ("name", "content", "flags", "error", "sentence"),
    [
        ("a.tsv", b"text\na\nb\xff\n", {}, DataError, "is not UTF-8: row 3, byte 2 of it."),
        ("a.csv", b'text\n"a\nb\n', {}, DataError, "up to line 3: unexpected end of data"),
        ("a.tsv", b"text\tb\na\n", {}, DataError, "row 2 has 1 cell, and the first row names 2 columns"),
        ("a.csv", b"review\na\n", {"text_column": "reviews"}, UsageError, "has no column 'reviews'; did you mean \"review\"?"),  # noqa: E501
        ("a.csv", b"review\na\n", {}, UsageError, "has no column called text, question or sentence."),
        ("a.txt", b"\n\n", {}, DataError, "has no text."),
        ("a.tsv", b"text\na\n \n", {}, DataError, "Text 2 of"),
        ("a.tsv", b"text\na\n\nb\n", {}, DataError, "Text 2 of"),
        ("a.csv", b"text\r\na\r\n\r\nb\r\n", {}, DataError, "Text 2 of"),
        ("a.jsonl", b'{"text": 3}\n', {}, DataError, "row 1: text is not text."),
        ("a.jsonl", b"{\n", {}, DataError, "line 1 is not JSON"),
        ("a.jsonl", b"[1]\n", {}, DataError, "line 1 holds no JSON object"),
        ("a.xlsx", b"", {}, UsageError, "is no .tsv, .csv, .jsonl or .txt file."),
        ("a.txt", b"x\n", {"text_column": "a"}, UsageError, "has no columns."),
    ],
)  # fmt: skip
def test_bad_files_are_refused_with_their_row(tmp_path, name, content, flags, error, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error) as refused:
        texts_of(Predict(target="t", file=str(tmp_path / name), **flags))
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"target": ""}, "No target is named."),
        ({}, "Name one text, one question, or one file."),
        ({"text": "a", "file": "b"}, "Name one text, one question, or one file."),
        ({"question": "a"}, "--question and --context belong together."),
        ({"file": "a.txt", "text_pair": "b"}, "--text-pair goes with --text."),
        ({"text": "a", "text_column": "b"}, "are for --file"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(flags, sentence):
    with pytest.raises(UsageError) as refused:
        Predict(**{"target": "t", **flags})
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("made", "flags", "sentence"),
    [
        ({}, {"text": " "}, "The text is empty."),
        ({}, {"text": "a", "target": "mine/ir-fp23"}, "There is no target 'mine/ir-fp23'; did you mean \"mine/ir-fp32\"?"),  # noqa: E501
        ({}, {"question": "a", "context": "b"}, "answers with a head of kind classifier."),
        ({"outputs": ("pooled_output",)}, {"text": "a"}, "gives pooled_output: predict tells"),
        ({"words": WORDS[1:2]}, {"text": "a"}, "has no [CLS] and no [SEP]."),
        ({}, {"text": "a", "max_seq_length": 99}, "--max-seq-length must be from 5 to 32 (got 99)."),
        ({"head": "masked-lm", "labels": ()}, {"text": "a"}, "Text 1 has no [MASK]."),
        ({"head": "tokens"}, {"text": "a", "text_pair": "b"}, "Tags are of one text"),
        ({"head": "span", "labels": ()}, {"text": "a"}, "answers with a head of kind span."),
        ({"head": "span", "max_query_length": 20}, {"question": "good " * 20, "context": "b"}, "Question 1 leaves no room"),  # noqa: E501
    ],
)  # fmt: skip
def test_what_a_target_cannot_answer_is_refused(target, run, made, flags, sentence):
    target(**made)
    with pytest.raises((UsageError, DataError)) as refused:
        run(shares([1, 0]), **flags)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda folder: (folder / "text.json").unlink(),
            "carries no tokenizer (text.json, and vocab.txt or spiece.model).",
        ),
        (lambda folder: (folder / "vocab.txt").unlink(), "carries no tokenizer"),
        (lambda folder: (folder / "vocab.txt").write_text("[UNK]\n"), "is another vocabulary than the one"),
        (lambda folder: (folder / "text.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "text.json").write_text('{"format": 1, "labels": []}'), "how the target is asked"),
    ],
)
def test_a_target_without_its_tokenizer_is_refused_and_how_to_add_it_is_told(target, run, spoil, sentence):
    spoil(target())
    with pytest.raises(DataError) as refused:
        run(shares([1, 0]), text="good")
    assert sentence in str(refused.value)
    assert "target again" in refused.value.next_step


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("text.json", {"doc_stride": -1}, "doc_stride is not a number from 0"),
        ("text.json", {"max_seq_length": 1}, "tells of texts of 1 pieces"),
        ("text.json", {"max_positions": "x"}, "max_positions is not a number from 0"),
        ("text.json", {"labels": "no"}, "labels is not a list of words"),
        ("text.json", {"asked": []}, "asked is not an object"),
        ("text.json", {"asked": {"stage": "openvino-infer", "flag": "out", "params": {}}}, "how the target is asked"),
        ("text.json", {"asked": {"stage": "finetune", "flag": "ir", "params": {}}}, "how the target is asked"),
        ("signature.json", {"outputs": 5}, "has outputs that do not fit its inputs by name"),
        ("signature.json", {"inputs": {"input_ids": []}}, "has inputs that do not fit its inputs by name"),
    ],
)
def test_facts_of_another_form_are_refused(target, run, name, change, sentence):
    path = target() / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=sentence):
        run(shares([1, 0]), text="good")


def test_words_of_a_target_steer_no_terminal(target, run):
    target(labels=("\x1b[31mno", "y\nerror: yes"))
    result, lines, _ = run(shares([1, 0]), text="good")
    assert result.answers[0]["label"] == "\x1b[31mno"
    assert cleaned({"lines": lines})["lines"] == ["no  1.0000"]
    run.events.clear()
    assert cleaned({"lines": run(shares([0, 1]), text="good")[1]})["lines"] == ["y error: yes  1.0000"]


def test_a_target_is_named_by_its_folder_or_a_file_in_it_too(target, run):
    folder = target()
    assert run(shares([1, 0]), target=str(folder), text="good")[1] == ["no  1.0000"]
    run.events.clear()
    assert run(shares([1, 0]), target=str(Path(folder) / "text.json"), text="good")[1] == ["no  1.0000"]
