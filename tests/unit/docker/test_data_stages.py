"""The parts of docker/data's stages that prepare data, without its packages."""

from __future__ import annotations

import json
import struct
import types
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.checkpoint.crc32c import crc32c, masked
from bertbuild.errors import DataError
from bertbuild.gate.prediction_files import read_squad


def read(data, place=0):
    """(field, value) pairs of a protobuf message; bytes where a field has a length."""
    while place < len(data):
        tag, place = number(data, place)
        assert tag & 7 == 2
        size, place = number(data, place)
        yield tag >> 3, data[place : place + size]
        place += size


def number(data, place):
    value = shift = 0
    while True:
        value |= (data[place] & 127) << shift
        place, shift = place + 1, shift + 7
        if data[place - 1] < 128:
            return value, place


def test_a_record_is_framed_and_holds_its_features(load):
    tfrecord = load("stages._tfrecord")
    values, scores = [0, 1, 127, 128, 30521, 1 << 40, -5], [0.5, -2.0]
    record = tfrecord.record(
        tfrecord.Feature("input_ids")(tfrecord.packed(values)),
        tfrecord.Feature("label_ids", "float")(tfrecord.packed_floats(scores)),
    )
    length = record[:8]
    (size,) = struct.unpack("<Q", length)
    message = record[12 : 12 + size]
    assert struct.unpack("<I", record[8:12]) == (masked(crc32c(length)),)
    assert record[12 + size :] == struct.pack("<I", masked(crc32c(message)))
    ((_, features),) = read(message)
    entries = {name.decode(): feature for _, entry in read(features) for (_, name), (_, feature) in [read(entry)]}
    ((_, ids),) = read(next(read(entries["input_ids"]))[1])
    found, place = [], 0
    while place < len(ids):
        value, place = number(ids, place)
        found.append(value - (1 << 64) if value >> 63 else value)
    assert found == values
    ((kind, floats),) = read(entries["label_ids"])
    assert kind == 2
    ((_, packed),) = read(floats)
    assert list(struct.unpack("<2f", packed)) == scores


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_pairs_are_cut_as_upstream_cuts_them_one_piece_at_a_time(load, first, second, most):
    ours = load("stages._classification").shortened(list(range(first)), list(range(second)), most)
    theirs = list(range(first)), list(range(second))
    while sum(map(len, theirs)) > most:
        theirs[len(theirs[0]) <= len(theirs[1])].pop()
    assert ours == theirs


@given(st.integers(0, 300), st.integers(1, 90), st.integers(1, 90))
def test_windows_begin_where_upstreams_do(load, count, room, stride):
    theirs, start = [], 0
    while start < count:
        length = min(count - start, room)
        theirs.append(start)
        if start + length == count:
            break
        start += min(length, stride)
    assert list(load("stages._squad").starts_of(count, room, stride)) == theirs


WORDS = {
    "a final sigma": ("ΟΔΟΣ, ΣΑΣ", True, ["οδος", ",", "σας"]),
    "accents and a dotted capital": ("Ångström İ", True, ["angstrom", "i"]),
    "marks are kept where letters are": ("Ångström", False, ["Ångström"]),
    "each Chinese character": ("a東京b 𫠠", True, ["a", "東", "京", "b", "𫠠"]),
    "what is not to be seen": ("so\u00adft\u200d\ufffd x\0\x1cy", True, ["soft", "xy"]),
    "spaces of all kinds": ("a\u00a0b\u2028c\td\u202fe", True, ["a", "b", "c", "d", "e"]),
    "a mark in the text": ("[MASK]", False, ["[", "MASK", "]"]),
    "punctuation that was a letter with a mark": ("a≠b", True, ["a", "=", "b"]),
}


@pytest.mark.parametrize("name", WORDS)
def test_words_are_upstreams(load, name):
    text, lower_case, words = WORDS[name]
    tokenizer = load("stages._wordpiece").WordPiece({"[UNK]": 0}, lower_case=lower_case)
    assert tokenizer.words(text) == words


TWICE = "[UNK]\n[CLS]\n[SEP]\na\na \nb\n"


@pytest.mark.parametrize(
    ("reading", "ids"),
    [
        ("lines", {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 4, "b": 5}),
        ("bert-tensorflow", {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "b": 4}),
    ],
)
def test_duplicate_lines_are_counted_as_is_said(load, tmp_path, reading, ids):
    (tmp_path / "vocab.txt").write_text(TWICE)
    assert load("vocabulary").load_vocab(str(tmp_path / "vocab.txt"), reading) == ids


def test_duplicate_lines_of_which_nothing_is_said_are_refused(load, tmp_path):
    (tmp_path / "vocab.txt").write_text(TWICE)
    with pytest.raises(load("stage").StageInputError, match="so that a is 4 or 3; say --vocab-reading"):
        load("vocabulary").load_vocab(str(tmp_path / "vocab.txt"))
    (tmp_path / "vocab.txt").write_text("[UNK]\n[CLS]\n[SEP]\n\n\n")
    assert load("vocabulary").load_vocab(str(tmp_path / "vocab.txt"))["[SEP]"] == 2


def block(load, tmp_path, task, text):
    rows, glue = load("stages._rows"), load("stages._glue")
    path = tmp_path / "train.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    table = glue.task_named(task)
    file = rows.File(str(path), task, table, table.train[0])
    return file, list(file.blocks())


MRPC = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
PROBLEMS = {
    "a row too short": ("MRPC", MRPC + "1\ta\tb\tc\td\n0\tx\n", "line 3 has 2 columns where MRPC has at least 5"),
    "a label of another task": (
        "MRPC",
        MRPC + "\n2\ta\tb\tc\td\n",
        "line 3 has the label '2', which is not one of 0, 1",
    ),
    "no score": (
        "STS-B",
        "x\n" + "\t".join("abcdefghi") + "\tnan\n",
        "line 2 has the label 'nan', which is not a number",
    ),
    "another encoding": ("MRPC", MRPC.encode() + b"1\ta\tb\tc\td\n1\ta\tb\tcaf\xe9\td\n", "line 3 is not UTF-8"),
    "only a header": ("MRPC", MRPC, "holds no rows"),
    "nothing": ("MRPC", "", "holds no rows"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_is_wrong_with_a_row_is_said_with_its_file_and_line(load, tmp_path, name):
    task, text, words = PROBLEMS[name]
    with pytest.raises(load("stage").StageInputError) as raised:  # noqa: PT012 - reading and parsing are one
        file, blocks = block(load, tmp_path, task, text)
        for one in blocks:
            file.rows(one.first, one.lines)
    assert words in str(raised.value)
    assert str(tmp_path / "train.tsv") in str(raised.value)


def test_short_rows_of_qqp_and_blank_lines_are_counted_and_left_out(load, tmp_path):
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
    file, (one,) = block(load, tmp_path, "QQP", header + "1\t2\t3\tshort\n1\t2\t3\ta\tb\t1\r\n\n")
    rows = file.rows(one.first, one.lines)
    assert (rows.found, rows.short, rows.blank) == ([(["a", "b"], 1, None)], 1, 1)


def test_the_header_of_another_task_is_refused_and_an_unknown_one_is_told(load, tmp_path):
    file, _ = block(load, tmp_path, "MRPC", "index\tsentence1\tsentence2\tlabel\nx\n")
    with pytest.raises(load("stage").StageInputError, match="that of AX or RTE or WNLI, not of MRPC"):
        file.header()
    file, _ = block(load, tmp_path, "MRPC", "a\tb\tc\td\te\nx\n")
    assert "does not name columns as MRPC's does" in file.header()
    file, _ = block(load, tmp_path, "MRPC", MRPC + "x\n")
    assert file.header() is None


def test_a_file_in_utf_16_is_named_as_such(load, tmp_path):
    path = tmp_path / "train.tsv"
    file, _ = block(load, tmp_path, "MRPC", MRPC + "x\n")
    path.write_bytes((MRPC + "1\ta\tb\tc\td\n").encode("utf-16"))
    with pytest.raises(load("stage").StageInputError, match=r"train\.tsv is UTF-16; save it as UTF-8$"):
        file.header()
    path.write_bytes(json.dumps({"data": []}).encode("utf-16"))
    with pytest.raises(load("stage").StageInputError, match=r"train\.tsv is UTF-16; save it as UTF-8$"):
        load("stages._squad").read(str(path))


def test_a_table_may_begin_with_a_byte_order_mark(load, tmp_path):
    file, _ = block(load, tmp_path, "SST-2", "\ufeffsentence\tlabel\na fine film\t1\n")
    assert file.header() is None
    (file,) = load("stages._rows").files(str(tmp_path), "SST-2", load("stages._glue").task_named("SST-2"), "train")
    assert file.width == 2


NLI_ROW = "{}\tthe one\tthe other\tentailment\n"
RTE = "index\tsentence1\tsentence2\tlabel\n"


def split_rows(load, folder, task, split, text):
    """The rows of a split of one file, as the stage reads them."""
    rows, glue = load("stages._rows"), load("stages._glue")
    table = getattr(glue.task_named(task), split)[0]
    (folder / table.file).write_text(text)
    (file,) = rows.files(str(folder), task, glue.task_named(task), split)
    (one,) = file.blocks()
    return file.rows(one.first, one.lines)


def test_a_tab_in_the_only_text_of_a_row_is_part_of_it(load, tmp_path):
    read = split_rows(load, tmp_path, "SST-2", "train", "sentence\tlabel\na fine\tfilm\t1\nplain\t0\n")
    assert read.found == [(["a fine\tfilm"], 1, None), (["plain"], 0, None)]
    read = split_rows(load, tmp_path, "COLA", "eval", "gj04\t1\t\tHe said\tso.\n")
    assert read.found == [(["He said\tso."], 1, None)]
    read = split_rows(load, tmp_path, "SST-2", "test", "index\tsentence\n0\ta\tb\tc\n")
    assert read.found == [(["a\tb\tc"], 0, None)]


def test_a_tab_in_one_of_two_texts_is_left_out_of_training_and_counted(load, tmp_path):
    wide = "1\tone\ttab\tthe other\tentailment\n"
    read = split_rows(load, tmp_path, "RTE", "train", RTE + NLI_ROW.format(0) + wide + NLI_ROW.format(2))
    assert [texts for texts, _, _ in read.found] == [["the one", "the other"]] * 2
    assert read.wide == [3]


@pytest.mark.parametrize("split", ["eval", "test"])
def test_a_tab_in_one_of_two_texts_of_a_dev_or_test_set_is_refused_by_line(load, tmp_path, split):
    header, end = (RTE, "\tentailment") if split == "eval" else ("index\tsentence1\tsentence2\n", "")
    with pytest.raises(load("stage").StageInputError, match=r"tsv line 2 has . columns where the header has .: a tab"):
        split_rows(load, tmp_path, "RTE", split, f"{header}0\ta\ttab\tb{end}\n")


def test_quotes_mean_nothing_as_in_upstreams_reader(load, tmp_path):
    read = split_rows(load, tmp_path, "RTE", "train", RTE + '0\t"Yes", he said\tHe said "\tentailment\n')
    assert read.found == [(['"Yes", he said', 'He said "'], 0, None)]


def test_the_width_of_an_unknown_header_is_not_asked_for(load, tmp_path):
    read = split_rows(load, tmp_path, "RTE", "train", "a\tb\n" + NLI_ROW.format(0))
    assert len(read.found) == 1


class Characters:
    """In the place of a `WordPiece`: each character but white space is a piece, and the numbers are Unicode's."""

    vocab: ClassVar = {"[CLS]": 1, "[SEP]": 2}

    def ids(self, text):
        return [ord(one) for one in text if not one.isspace() and one.isprintable()]

    def ids_of_each(self, parts):
        return [self.ids(part) for part in parts]


def squad_article(context, answer, start, **question):
    asked = {"id": "q", "question": "?", "answers": [{"text": answer, "answer_start": start}], **question}
    return {"title": "t", "paragraphs": [{"context": context, "qas": [asked]}]}


@pytest.fixture
def squad(load):
    """A function: what is made of an article, of SQuAD 2.0 if `negatives`."""
    stage = load("stages._squad")

    def make(article, *, negatives=False):
        sizes = stage.Sizes(64, 16, 16)
        return stage.Features(Characters(), "squad.json", sizes, negatives=negatives)(article)

    return make


@pytest.mark.parametrize(
    ("context", "start", "answer", "span"),
    [
        ("東京和東京,東京", 0, "東京", (0, 1)),
        ("東京和東京,東京", 3, "東京", (3, 4)),
        ("東京和東京,東京", 6, "東京", (6, 7)),
        ("東京和東京,東京", -2, "東京", (6, 7)),  # upstream's indices below 0 count from the end
        ("the 1990-1990 war", 9, "1990", (8, 11)),
        ("the 1990-1990 war", 8, "1990", (8, 11)),  # one too early, as some files have it: the nearest is meant
        ("the 1990-1991 war", 4, "1991", (8, 11)),  # of one place there is no choice, as in upstream
    ],
)
def test_an_answer_that_is_there_several_times_is_labelled_where_it_begins(load, context, start, answer, span):
    assert load("stages._squad").Paragraph(context, Characters()).span(start, answer) == span


@pytest.mark.parametrize("answer", ["", "  ", "\u200d"])
def test_an_answer_without_a_word_is_left_out_and_counted(squad, answer):
    made = squad(squad_article("ab \u200d cd", answer, 3))
    assert (made.records, made.left_out, made.wordless, made.questions) == ([], [], ["q"], 1)


@pytest.mark.parametrize("name", [7, "7"])
def test_ids_are_text_whatever_the_file_has(squad, name):
    assert squad(squad_article("ab", "zz", 0, id=name)).left_out == ["7"]
    assert squad(squad_article("ab", "", 0, id=name)).wordless == ["7"]


@pytest.mark.parametrize("name", [None, 1.5, True, ["7"]])
def test_an_id_that_is_neither_text_nor_number_is_refused(load, squad, name):
    with pytest.raises(load("stage").StageInputError, match=r"squad.json: a question's id is"):
        squad(squad_article("ab", "a", 0, id=name))


@pytest.mark.parametrize("said", ["false", "true", 0, 1, None, []])
def test_is_impossible_that_is_no_boolean_is_refused_by_question(load, squad, said):
    with pytest.raises(
        load("stage").StageInputError, match=r"squad.json: question q has is_impossible .*true or false"
    ):
        squad(squad_article("ab", "a", 0, is_impossible=said), negatives=True)


def test_is_impossible_is_read_where_it_is_a_boolean(squad):
    assert len(squad(squad_article("ab", "a", 0, is_impossible=False), negatives=True).records) == 1
    assert len(squad(squad_article("ab", "a", 0, is_impossible=True), negatives=True).records) == 1


SQUAD_FORM = {
    "an article that is none": (5, "the article 5 has no paragraphs"),
    "paragraphs that are null": ({"title": "t", "paragraphs": None}, "'t' has the paragraphs None; make it a list"),
    "a paragraph that is null": ({"title": "t", "paragraphs": [None]}, "a paragraph of the article 't' has no context"),
    "a context that is a number": (squad_article(5, "a", 0), "'t' has the context 5; make it a text"),
    "a question that is a text": (
        {"title": "t", "paragraphs": [{"context": "ab", "qas": ["q"]}]},
        "a question of the article 't' has no id",
    ),
    "no text of a question": (
        squad_article("ab", "a", 0, question=None),
        "question q has the question None; make it a",
    ),
    "answers in words": (squad_article("ab", "a", 0, answers="a"), "question q has the answers 'a'; make it a list"),
    "an answer in words": (squad_article("ab", "a", 0, answers=["a"]), "the answer of question q has no text"),
    "an answer that is a number": (
        squad_article("ab", 3, 0),
        "the answer of question q has the text 3; make it a text",
    ),
    "a start in words": (squad_article("ab", "a", "0"), "q has the answer_start '0'; make it a whole number"),
    "a start that is not a whole number": (
        squad_article("ab", "a", 0.0),
        "q has the answer_start 0.0; make it a whole",
    ),
    "a start that is true": (squad_article("ab", "a", True), "q has the answer_start True; make it a whole"),
    "no start": (squad_article("ab", "a", 0, answers=[{"text": "a"}]), "the answer of question q has no answer_start"),
}


@pytest.mark.parametrize("name", SQUAD_FORM)
def test_what_is_not_of_squads_form_is_named_with_its_question_and_key(load, squad, name):
    article, words = SQUAD_FORM[name]
    with pytest.raises(load("stage").StageInputError) as raised:
        squad(article)
    assert str(raised.value).startswith("squad.json: ")
    assert words in str(raised.value)


def test_a_squad_file_may_be_json_lines_of_articles_or_paragraphs(load, tmp_path):
    """For every reader: what makes records, what upstream's programs are given, and what judges answers."""
    articles = [squad_article("ab", "a", 0, id=name) for name in ("1", "2")]
    lines = [json.dumps(articles[0]), json.dumps(articles[1]["paragraphs"][0])]
    expected = [articles[0], {"paragraphs": articles[1]["paragraphs"]}]
    path = tmp_path / "squad.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "\n\n".join(lines).encode() + b"\n")
    assert load("stages._squad").read(str(path)) == read_squad(path) == expected
    copy = load("squad_file").as_upstream_reads(str(path), str(tmp_path))
    assert json.loads(Path(copy).read_text()) == {"data": expected}
    path.write_text(lines[0] + "\n{\n")
    with pytest.raises(load("stage").StageInputError, match=r"is not JSON \(line 2: "):
        load("stages._squad").read(str(path))
    with pytest.raises(DataError, match="line 2 is not JSON"):
        read_squad(path)


def test_a_squad_file_may_begin_with_a_byte_order_mark(load, tmp_path):
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [squad_article("ab", "a", 0)]}), encoding="utf-8-sig")
    assert load("stages._squad").read(str(path)) == [squad_article("ab", "a", 0)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("[" * 200_000, "is not readable JSON", id="nested without end"),
        ('{"data": {"a": 1}}', "is JSON, but not a SQuAD file: its data are not a list"),
        ("{", r"is not JSON \(Expecting property name"),
    ],
)
def test_a_file_that_is_not_squads_is_refused(load, tmp_path, content, words):
    (tmp_path / "squad.json").write_text(content)
    with pytest.raises(load("stage").StageInputError, match=r"squad\.json " + words):
        load("stages._squad").read(str(tmp_path / "squad.json"))


def test_a_number_of_too_many_digits_is_named_with_its_question_and_an_id_of_them_is_a_text(load, squad, tmp_path):
    path, digits = tmp_path / "squad.json", "9" * 5000
    path.write_text(json.dumps({"data": [squad_article("ab", "a", "START"), squad_article("ab", "zz", 0, id="START")]}))
    path.write_text(path.read_text().replace('"START"', digits))
    start, name = load("stages._squad").read(str(path))
    with pytest.raises(load("stage").StageInputError, match=r"question q has the answer_start '99.*make it a whole"):
        squad(start)
    assert squad(name).left_out == [digits]


@pytest.mark.parametrize(("start", "moved"), [(3, []), (4, ["q"]), (-5, []), (-4, ["q"])])
def test_an_answer_that_is_not_where_it_is_said_to_begin_is_counted(squad, start, moved):
    made = squad(squad_article("ab cd ef", "cd", start))
    assert (made.moved, made.left_out, len(made.records)) == (moved, [], 1)


def test_ids_of_several_questions_are_found_whether_number_or_text(load):
    articles = [squad_article("ab", "a", 0, id=name) for name in (1, "1", "2", "3", "3", 4)]
    assert load("stages._squad").repeated(articles) == ["1", "3"]


class Told(list):
    """A report that keeps the notes."""

    note = list.append


def test_what_is_odd_about_questions_is_told_with_their_ids_and_counted(load, tmp_path):
    names = {"ok": 3, "moved": 4, "gone": 0}
    articles = [squad_article("ab cd ef", "cd", start, id=name) for name, start in names.items()]
    articles += [squad_article("ab cd ef", "cd", 3, id=name) for name in (7, "7")]
    (tmp_path / "squad.json").write_text(json.dumps({"data": articles}))
    args = types.SimpleNamespace(
        task="SQUAD-1.1", data=str(tmp_path / "squad.json"), out=str(tmp_path), doc_stride=16, max_query_length=16
    )
    args.max_seq_length, told = 64, Told()
    _, facts = load("stages.prepare_data").prepare_squad(args, Characters(), told)
    assert told == [
        "1 of 5 questions are left out, as upstream does: their answers are not in their paragraphs (gone)",
        "1 of 5 questions have an answer that is not at its answer_start; it is labelled in the words there (moved)",
        "1 ids (of 5 questions in all) belong to several questions each; all of these are taken (7)",
    ]
    assert (facts["questions"], facts["left_out"], facts["moved"], facts["repeated_ids"]) == (5, 1, 1, 1)
    assert facts["examples"] == {"train": 4}


def test_long_files_are_read_in_blocks_of_whole_lines(load, tmp_path, monkeypatch):
    monkeypatch.setattr(load("stages._rows"), "_BLOCK", 50)
    lines = [f"{number % 2}\ta\tb\tthe {number}\tthat {number}\n" for number in range(40)]
    file, blocks = block(load, tmp_path, "MRPC", MRPC + "".join(lines))
    assert len(blocks) > 5
    rows = [file.rows(one.first, one.lines) for one in blocks]
    assert [texts for part in rows for texts, _, _ in part.found] == [[f"the {n}", f"that {n}"] for n in range(40)]
    assert [one.first for one in blocks] == [2 + sum(len(part.found) for part in rows[:n]) for n in range(len(rows))]
    assert not any(part.blank for part in rows)


def test_rows_that_the_annotators_did_not_agree_on_are_left_out_and_counted(load, tmp_path):
    names = "\t".join(f"c{number}" for number in range(8)) + "\tsentence1\tsentence2\tlabel1\tgold_label\n"
    row = "\t".join("x" * 8) + "\tone\ttwo\tneutral\t{}\n"
    read = split_rows(load, tmp_path, "MNLI", "train", names + row.format("-") + row.format("neutral"))
    assert (read.found, read.unlabelled) == ([(["one", "two"], 2, None)], 1)
    with pytest.raises(load("stage").StageInputError, match="has the label '-'"):
        split_rows(load, tmp_path, "RTE", "train", RTE + "0\tone\ttwo\t-\n")
