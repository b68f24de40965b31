"""prepare-data of own files: tables with named columns, and CoNLL files, without the stage's packages."""

from __future__ import annotations

import json
import types

import numpy as np
import pytest

from bertbuild.project import ROOT
from bertbuild.source import own_data

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "john", "lives", "in", "un", "##aff", "##able", "x")


class Pieces:
    """In the place of a `WordPiece`: words of WORDS, "unaffable" in three pieces, nothing else."""

    vocab = {word: number for number, word in enumerate(WORDS)}  # noqa: RUF012 - never written

    def ids(self, text):
        found = []
        for word in text.lower().split():
            found += [7, 8, 9] if word == "unaffable" else [self.vocab.get(word, 1)]
        return found


class Notes(list):
    """A report that keeps the notes."""

    note = list.append


@pytest.fixture
def prepare(load, tmp_path, capsys):
    """Runs the stage's code over files of a folder: gives the facts, the meta data, each split's records, the notes."""
    own, records = load("stages._own"), load("tfrecords")

    def run(files, length=8, **flags):
        folder = tmp_path / "data"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        names = ("text_column", "text_pair_column", "label_column", "labels", "regression")
        args = types.SimpleNamespace(**dict.fromkeys(names, ""), multi_label="false", label_separator=",")
        args.dev_share = ""
        vars(args).update(data=str(folder), out=str(tmp_path), max_seq_length=length, own_name="own-toy", **flags)
        notes = Notes()
        meta, facts = own.prepare(args, Pieces(), notes)
        found = {path.stem: list(records.read_examples(str(path))) for path in sorted(tmp_path.glob("*.tf_record"))}
        capsys.readouterr()
        return types.SimpleNamespace(facts=facts, meta=meta, records=found, notes=notes, out=tmp_path)

    return run


TAGGED = "-DOCSTART- O\n\njohn NNP B-PER\nlives V O\nunaffable NNP B-LOC\n\nin P O\n"


def test_a_tag_stands_at_the_first_piece_of_its_word_and_nothing_else_is_counted(prepare):
    made = prepare({"train.txt": TAGGED, "dev.conll": "john\tB-PER\n", "test.txt": "x\nin\n"})
    first, second = made.records["train"]
    assert first["input_ids"].tolist() == [2, 4, 5, 7, 8, 9, 3, 0]
    assert first["input_mask"].tolist() == [1, 1, 1, 1, 1, 1, 1, 0]
    assert first["label_ids"].tolist() == [-1, 1, 2, 0, -1, -1, -1, -1]
    assert (second["input_ids"].tolist()[:3], second["sentence_id"].tolist()) == ([2, 6, 3], [1])
    assert made.facts["labels"] == ["B-LOC", "B-PER", "O"]
    assert (made.facts["task_type"], made.facts["head"], made.facts["ignored_label"]) == ("tagging", "tokens", -1)
    assert made.facts["words"] == {"train": 4, "eval": 1, "test": 2}
    assert made.meta["task_type"] == "tagging"
    assert (made.out / "eval.conll").read_text() == "john\tB-PER\n\n"
    assert (made.out / "test.conll").read_text() == "x\nin\n\n"


def test_a_long_sentence_becomes_several_examples_and_no_word_is_lost(prepare):
    made = prepare({"train.conll": "john A\nunaffable B\nlives A\nin B\n"}, length=6)
    assert [one["input_ids"].tolist() for one in made.records["train"]] == [[2, 4, 7, 8, 9, 3], [2, 5, 6, 3, 0, 0]]
    assert [one["sub_sentence_id"].tolist() for one in made.records["train"]] == [[0], [1]]
    labels = np.concatenate([one["label_ids"] for one in made.records["train"]])
    assert labels[labels != -1].tolist() == [0, 1, 0, 1]
    assert "no word is lost" in made.notes[-1]


def test_classes_are_the_training_sets_sorted_or_as_named(prepare):
    files = {"train.tsv": "a\tt\n10\tjohn\n9\tx\n", "dev.csv": 't,a\n"john, ""x""\nin",9\n'}
    made = prepare(files, text_column="t", label_column="a")
    assert made.facts["labels"] == ["9", "10"]
    assert [one["label_ids"].tolist() for one in made.records["train"]] == [[1], [0]]
    assert made.records["eval"][0]["input_ids"].tolist()[:5] == [2, 1, 1, 6, 3]
    assert made.meta["task_type"] == "bert_classification"


def test_json_lines_pairs_and_scores_as_they_are(prepare):
    rows = [{"s": "john", "t": "x", "y": 1.5}, {"s": "in", "t": "x", "y": "20"}]
    text = "\ufeff" + "".join(json.dumps(row) + "\n" for row in rows)
    made = prepare(
        {"train.jsonl": text, "test.jsonl": '{"s": "x", "t": "in"}\n'},
        text_column="s",
        text_pair_column="t",
        label_column="y",
        regression="0,20",
    )
    assert [one["label_ids"].tolist() for one in made.records["train"]] == [[1.5], [20.0]]
    assert made.records["train"][0]["segment_ids"].tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
    assert made.records["test"][0]["label_ids"].tolist() == [0.0]
    assert (made.facts["head"], made.facts["score_range"]) == ("regression", [0.0, 20.0])
    assert made.meta["label_type"] == "float"


SEVERAL = {
    "with a separator": ({"train.tsv": "t\tl\njohn\tb;a\nx\tb\n"}, {"label_column": "l", "label_separator": ";"}),
    "in columns": ({"train.csv": "t,a,b\njohn,1,1\nx,0,1\n"}, {"label_column": "a,b"}),
    "as lists": ({"train.jsonl": '{"t": "john", "l": ["b", "a"]}\n{"t": "x", "l": ["b"]}\n'}, {"label_column": "l"}),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_labels_are_a_0_or_1_each(prepare, name):
    files, flags = SEVERAL[name]
    made = prepare(files, text_column="t", multi_label="true", **flags)
    assert [one["label_ids"].tolist() for one in made.records["train"]] == [[1, 1], [0, 1]]
    assert (made.facts["task_type"], made.facts["head"], made.facts["labels"]) == (
        "multi-label",
        "multi-label",
        ["a", "b"],
    )
    assert made.meta["label_shape"] == [2]


def test_a_row_may_lack_all_labels_where_that_is_said(prepare):
    text = '{"t": "john", "l": ["b", "a"]}\n{"t": "x", "l": []}\n'
    made = prepare({"train.jsonl": text}, text_column="t", label_column="l", multi_label="true")
    assert made.records["train"][1]["label_ids"].tolist() == [0, 0]


TABLE = {"text_column": "t", "label_column": "l"}
SCORES = {**TABLE, "regression": "0,5"}
LABELS = {**TABLE, "multi_label": "true"}
PAIR = {**TABLE, "text_pair_column": "u"}
REFUSED = {
    "a tag that is missing": (
        {"train.txt": "a X O\nb Y\n"},
        {},
        "train.txt line 2 has 2 columns where the lines before have 3: the tag, column 3, is missing",
    ),
    "no tags at all": (
        {"train.txt": "john\n"},
        {},
        "line 1 has one column, the token 'john'; each line needs a token and",
    ),
    "a tag that is empty": ({"train.txt": "a\tO\nb\t\n"}, {}, "line 2, column 2 is empty"),
    "a tag of the dev set that the training set has not": (
        {"train.txt": "a O\nb B-X\n", "dev.txt": "\na B-Z\n"},
        {},
        "dev.txt line 2, column of tags: 'B-Z' is none of the labels B-X, O",
    ),
    "an empty CoNLL file": ({"train.txt": ""}, {}, "train.txt is empty; get the whole file"),
    "a CoNLL file without a sentence": ({"train.txt": "-DOCSTART- O\n\n"}, {}, "holds no sentence"),
    "flags of tables": (
        {"train.txt": "a O\n"},
        {"text_column": "t"},
        "is a CoNLL file, and --text-column is for tables",
    ),
    "an unknown class": (
        {"train.tsv": "t\tl\na\t0\nb\t1\n", "dev.tsv": "t\tl\na\t2\n"},
        TABLE,
        "dev.tsv line 2, column l: '2' is none of the labels 0, 1",
    ),
    "one class alone": (
        {"train.tsv": "t\tl\na\t0\n"},
        TABLE,
        "has one class alone in the column l, 0; add rows of another",
    ),
    "one class named": (
        {"train.tsv": "t\tl\na\t0\n"},
        {**TABLE, "labels": "0"},
        "--labels names one class, 0; name all of them",
    ),
    "fewer labels than there are": (
        {"train.tsv": "t\tl\na\t0\nb\t1\nc\t2\n"},
        {**TABLE, "labels": "0,1"},
        "line 4, column l: '2' is none of the labels 0, 1; fix the row, or name all labels: --labels",
    ),
    "an empty text": ({"train.tsv": "t\tl\n \t0\nb\t1\n"}, TABLE, "line 2, column t is empty; give the row a text"),
    "a row without its label": (
        {"train.tsv": "t\tl\na\t\n"},
        TABLE,
        "line 2, column l is empty; give the row its label or remove it",
    ),
    "a row without labels": ({"train.tsv": "t\tl\na\tx\nb\t\n"}, LABELS, "line 3, column l is empty"),
    "a row that is too short": (
        {"train.csv": "t,l\na\n"},
        TABLE,
        "line 2 has 1 columns where the header has 2: the column l is missing",
    ),
    "a row that is too long": (
        {"train.tsv": "t\tl\na\tb\t0\n"},
        TABLE,
        "line 2 has 3 columns where the header has 2: a separator in a text",
    ),
    "no such column": (
        {"train.tsv": "text\tl\na\t0\n"},
        {**TABLE, "text_column": "texts"},
        'has no column texts; did you mean "text"?',
    ),
    "no columns named": (
        {"train.tsv": "t\tl\na\t0\n"},
        {},
        "is a table: name its columns, --text-column and --label-column",
    ),
    "a score that is no number": (
        {"train.tsv": "t\tl\na\tgood\n"},
        SCORES,
        "line 2, column l: 'good' is not a number from 0 to 5",
    ),
    "a score that is not finite": ({"train.tsv": "t\tl\na\tnan\n"}, SCORES, "'nan' is not a number from 0 to 5"),
    "a score outside": ({"train.tsv": "t\tl\na\t5.5\n"}, SCORES, "'5.5' is not a number from 0 to 5"),
    "a range that is none": ({"train.tsv": "t\tl\na\t1\n"}, {**TABLE, "regression": "5"}, "--regression 5 is no range"),
    "neither 0 nor 1": (
        {"train.tsv": "t\ta\tb\nx\t1\t2\n"},
        {**LABELS, "label_column": "a,b"},
        "line 2, column b: '2' is neither 0 nor 1",
    ),
    "several columns of one label": (
        {"train.tsv": "t\ta\tb\nx\t1\t0\n"},
        {**TABLE, "label_column": "a,b"},
        "several columns of labels are of --multi-label",
    ),
    "an empty table": ({"train.csv": "\n"}, TABLE, "train.csv is empty; get the whole file"),
    "only a header": ({"train.csv": "t,l\n"}, TABLE, "train.csv holds no rows; get the whole file"),
    "a quote that is not closed": (
        {"train.csv": 't,l\na,0\n"b,1\nc,0\n'},
        TABLE,
        "train.csv line 3 is not CSV (unexpected end of data): is a quote not closed?",
    ),
    "no JSON": ({"train.jsonl": '{"t": "a", "l": 0}\nx\n'}, TABLE, "train.jsonl line 2 is not JSON"),
    "JSON without the label": (
        {"train.jsonl": '{"t": "a"}\n'},
        TABLE,
        "line 1 has no l (it has t); add it or remove the line",
    ),
    "a text that is a number": (
        {"train.jsonl": '{"t": 1, "l": 0}\n{"t": "a", "l": 1}\n'},
        TABLE,
        "train.jsonl line 1, column t: 1 is no text",
    ),
    "another encoding": (
        {"train.tsv": "t\tl\ncaf\xe9\t0\n".encode("latin-1")},
        TABLE,
        "train.tsv line 2 is not UTF-8 (byte 4 of it)",
    ),
    "a column of JSON that is nearly there": (
        {"train.jsonl": '{"tt": "a", "l": 1}\n'},
        {"text_column": "t", "label_column": "l"},
        'line 1 has no t (it has tt, l); did you mean "tt"?',
    ),
    "two files of a split": (
        {"dev.tsv": "t\tl\na\t0\n", "valid.csv": "t,l\na,0\n"},
        TABLE,
        "has two files for eval, dev.tsv and valid.csv",
    ),
    "tables beside tags": (
        {"train.tsv": "t\tl\na\t0\n", "dev.txt": "a O\n"},
        TABLE,
        "has tables and CoNLL files beside each other",
    ),
    "a dev set alone": ({"dev.tsv": "t\tl\na\t0\n"}, TABLE, "is no training set, so nothing tells the labels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_said_with_its_row_and_column_and_what_to_do(load, prepare, name):
    files, flags, words = REFUSED[name]
    with pytest.raises(load("stage").StageInputError) as raised:
        prepare(files, **flags)
    assert words in str(raised.value)


def test_host_and_stage_look_for_the_same_files(load):
    tables = load("stages._own_tables")
    assert {stem for stems in tables.SPLITS.values() for stem in stems} == set(own_data.STEMS)
    assert (*tables.TABLES, *tables.TAGGED) == own_data.ENDINGS
    assert (ROOT / "docker" / "data" / "stages" / "_own_tables.py").is_file()


INFERENCE = "a\tb\tlabel\njohn\tx\tentailment\nx\tx\t-\njohn\tin\tneutral\nin\tin\tcontradiction\nx\tin\t-\n"
PAIRS = {"text_column": "a", "text_pair_column": "b", "label_column": "label"}


def test_rows_of_inference_without_a_label_are_left_out_counted_and_told(prepare):
    made = prepare({"train.tsv": INFERENCE, "dev.tsv": INFERENCE.replace("-", "neutral")}, **PAIRS)
    assert made.facts["examples"] == {"train": 3, "eval": 5}
    assert made.facts["labels"] == ["contradiction", "entailment", "neutral"]
    assert "train: rows left out that are labelled -, since the annotators did not agree: 2" in made.notes


def test_a_dash_is_a_label_like_others_in_any_other_task(prepare):
    made = prepare({"train.tsv": "a\tlabel\nx\t-\njohn\t+\n"}, text_column="a", label_column="label")
    assert made.facts["labels"] == ["+", "-"]


def test_classes_the_longest_row_and_rows_that_are_cut_are_told_and_recorded(prepare):
    rows = "a\tlabel\nx\t1\njohn lives in x unaffable in\t0\nx\t1\n"
    made = prepare({"train.tsv": rows}, length=6, text_column="a", label_column="label")
    assert made.facts["class_counts"] == {"train": {"0": 1, "1": 2}}
    assert (made.facts["longest"], made.facts["cut"]) == ({"train": 10}, {"train": 1})
    assert "train: 3 rows: 0 1, 1 2" in made.notes
    assert "train: the longest row has 10 pieces; 1 of 3 rows are cut to 6" in made.notes


def test_where_nothing_is_cut_the_longest_row_is_told_all_the_same(prepare):
    rows = "a\ts\nx\t1\njohn lives in x\t0.5\n"
    made = prepare({"train.tsv": rows}, text_column="a", label_column="s", regression="0,1")
    assert made.notes == ["train: the longest row has 6 pieces; none of 2 rows is cut to 8"]


def test_words_are_counted_by_their_tags(prepare):
    made = prepare({"train.txt": TAGGED})
    assert made.facts["class_counts"] == {"train": {"B-LOC": 1, "B-PER": 1, "O": 2}}
    assert made.notes == ["train: sentences 2, words 4: B-LOC 1, B-PER 1, O 2"]


def test_several_labels_are_counted_each(prepare):
    rows = "a\tlabel\nx\tp,q\njohn\tq\n"
    flags = {"text_column": "a", "label_column": "label", "multi_label": "true"}
    assert prepare({"train.tsv": rows}, **flags).facts["class_counts"] == {"train": {"p": 1, "q": 2}}


TEN = "a\tlabel\n" + "".join(f"{'x ' * number}\t{number % 2}\n" for number in range(1, 11))


def test_a_share_of_the_training_set_becomes_the_dev_set_the_same_each_time(prepare):
    made = prepare({"train.tsv": TEN}, length=16, text_column="a", label_column="label", dev_share="0.3")
    assert made.facts["examples"] == {"train": 7, "eval": 3}
    lengths = {split: [int(row["input_mask"].sum()) - 2 for row in made.records[split]] for split in ("train", "eval")}
    assert sorted(lengths["train"] + lengths["eval"]) == list(range(1, 11))
    assert lengths["eval"] == sorted(lengths["eval"])
    assert "dev: 3 of the 10 of the training set (--dev-share 0.3)" in made.notes


def test_tagged_sentences_are_shared_out_whole(prepare):
    made = prepare({"train.txt": TAGGED, "test.txt": "x\n"}, dev_share="0.5", labels="B-LOC,B-PER,O")
    assert made.facts["sentences"] == {"train": 1, "eval": 1, "test": 1}
    assert (made.out / "eval.conll").is_file()


@pytest.mark.parametrize(
    ("files", "share", "sentence"),
    [
        ({"train.tsv": TEN, "dev.tsv": TEN}, "0.1", "has a dev set, dev.tsv; leave --dev-share out"),
        ({"test.tsv": TEN}, "0.1", "has no training set; leave --dev-share out"),
        ({"train.tsv": "a\tlabel\nx\t0\n"}, "0.9", "leaves nothing of 1 to train on"),
    ],
)
def test_a_share_that_cannot_be_taken_is_refused(prepare, load, files, share, sentence):
    with pytest.raises(load("stage").StageInputError, match=sentence):
        prepare(files, text_column="a", label_column="label", labels="0,1", dev_share=share)
