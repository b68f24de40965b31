"""prepare-data as a command, with a stage that is only played."""

from __future__ import annotations

import json

import pytest

from bertbuild.cli.call import run as run_line
from bertbuild.commands import data
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import CheckpointError, UsageError

CONFIG = {"vocab_size": 4, "hidden_size": 4, "num_attention_heads": 2, "max_position_embeddings": 64}
SHORT = {"max_seq_length": 64}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for task in ("MRPC", "XNLI", "squad"):
        (tmp_path / task).mkdir()
        (tmp_path / task / "train.tsv").write_text(task)
    (tmp_path / "squad" / "train-v2.0.json").write_text("{}")
    for name, word in {"uncased": "the", "cased": "The"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "vocab.txt").write_text(f"[PAD]\n[UNK]\n<S>\n{word}\n")
    (tmp_path / "folders" / "train.tsv").mkdir(parents=True)
    (tmp_path / "links" / "multinli").mkdir(parents=True)
    (tmp_path / "links" / "multinli" / "train.tsv").symlink_to(tmp_path / "nothing")
    model = tmp_path / "model"
    model.mkdir()
    (model / "bert_config.json").write_text(json.dumps(CONFIG))
    (model / "vocab.txt").write_text("[PAD]\n[UNK]\n<S>\nthe\n")
    (model / "bert_model.ckpt.index").write_bytes(b"\0" * 64)
    return tmp_path


@pytest.fixture
def prepare(root, isolation, events, folder):
    """Runs the command; the stage writes the names of its inputs and its parameters."""
    assert folder.is_dir()
    ran = []

    def behaviour(run):
        ran.append({"data": run.inputs["data"].name, **run.params})
        names = ["meta_data.json", "prepared.json", "stage.json", "train.tf_record", "eval.tf_record"]
        names += ["test_de.tf_record", "test_en.tf_record"] if run.params["task"] == "XNLI" else []
        for name in names:
            (run.work / "out" / name).write_text(name)

    def run(**words):
        session = Session(settings=Settings(artifacts=root), report=events)
        session.__dict__["isolation"] = isolation
        isolation.behaviour["prepare-data"] = behaviour
        if not {"model", "checkpoint", "vocab_file"} & set(words):
            words["vocab_file"] = "uncased/vocab.txt"
        data.prepare_data(session, data.Asked(**words))
        return ran[-1]

    return run


def test_records_are_named_after_the_vocabularys_folder_and_the_task(prepare, events, root):
    ran = prepare(task="mrpc", data="MRPC")
    assert (ran["data"], ran["task"], ran["do-lower-case"], ran["max-seq-length"]) == ("MRPC", "MRPC", "true", "128")
    assert (root / "out" / "uncased" / "data-MRPC-128" / "train.tf_record").read_text() == "train.tf_record"
    (result,) = events.of("result")
    assert (result["model"], result["target"]) == ("uncased", "data-MRPC-128")
    assert not events.of("warning")


def test_only_a_change_of_the_tasks_files_makes_it_run_again(prepare, folder, events):
    prepare(task="MRPC", data="MRPC")
    (folder / "MRPC" / "notes.txt").write_text("no data")
    prepare(task="MRPC", data="MRPC")
    assert events.stages()[-1] == ("prepare-data", "cached")
    (folder / "MRPC" / "dev.tsv").write_text("more")
    prepare(task="MRPC", data="MRPC")
    assert events.stages()[-1] == ("prepare-data", "done")


SQUAD_FLAGS = {
    "the Model Garden's flags": {
        "fine_tuning_task_type": "squad",
        "data": "squad/train-v2.0.json",
        "version_2_with_negative": True,
    },
    "the task": {"task": "squad-2.0", "data": "squad"},
    "the file": {"task": "SQUAD-2.0", "data": "squad/train-v2.0.json"},
}


@pytest.mark.parametrize("name", SQUAD_FLAGS)
def test_squad_is_named_in_several_ways(prepare, name):
    ran = prepare(**SQUAD_FLAGS[name])
    assert (ran["data"], ran["task"]) == ("train-v2.0.json", "SQUAD-2.0")


def test_results_are_copied_where_the_model_gardens_flags_say(prepare, folder):
    prepare(task="MRPC", data="MRPC", train_data_output_path="a/b/train", meta_data_file_path="meta")
    assert (folder / "a" / "b" / "train").read_text() == "train.tf_record"
    assert (folder / "meta").read_text() == "meta_data.json"


def test_a_test_set_of_many_languages_is_copied_to_a_name_for_each(prepare, folder):
    prepare(task="XNLI", data="XNLI", test_data_output_path="test_{}.records")
    assert (folder / "test_de.records").read_text() == "test_de.tf_record"
    with pytest.raises(UsageError, match="a language each, and one name for all"):
        prepare(task="XNLI", data="XNLI", test_data_output_path="one")


WARNED = {
    "cased words, lower-cased": ({"vocab_file": "cased/vocab.txt"}, "is --do-lower-case=false meant?"),
    "lower-cased words, as they are": ({"do_lower_case": False}, "is --do-lower-case=true meant?"),
}


@pytest.mark.parametrize("name", WARNED)
def test_a_vocabulary_at_odds_with_lower_casing_is_warned_of(prepare, events, name):
    words, hint = WARNED[name]
    prepare(task="MRPC", data="MRPC", **words)
    (warning,) = events.texts("warning")
    assert warning.endswith(hint)


def test_lower_casing_is_what_the_tokenizers_settings_beside_the_model_say(prepare, folder):
    assert prepare(task="MRPC", data="MRPC", checkpoint="model", **SHORT)["do-lower-case"] == "true"
    (folder / "model" / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert prepare(task="MRPC", data="MRPC", checkpoint="model", **SHORT)["do-lower-case"] == "false"


def test_a_cased_vocabulary_without_lower_casing_is_as_it_should_be(prepare, events):
    assert (
        prepare(task="MRPC", data="MRPC", vocab_file="cased/vocab.txt", do_lower_case=False)["do-lower-case"] == "false"
    )
    assert not events.of("warning")


def test_a_checkpoint_gives_its_vocabulary_and_bounds_the_length(prepare, folder):
    assert prepare(task="MRPC", data="MRPC", checkpoint="model", max_seq_length=64)["task"] == "MRPC"
    with pytest.raises(UsageError, match="longer than the model's position table of 64"):
        prepare(task="MRPC", data="MRPC", checkpoint="model", max_seq_length=65)
    (folder / "model" / "vocab.txt").unlink()
    with pytest.raises(CheckpointError, match=r"has no vocab\.txt"):
        prepare(task="MRPC", data="MRPC", checkpoint="model")


REFUSED = {
    "no task": ({"data": "MRPC"}, "No task is named."),
    "an unknown task": ({"task": "IMDB"}, "--task must be one of"),
    "a contradicting kind": (
        {"task": "MRPC", "fine_tuning_task_type": "squad"},
        "--fine-tuning-task-type squad does not go with MRPC",
    ),
    "an unknown kind": (
        {"task": "MRPC", "fine_tuning_task_type": "tagging"},
        "--fine-tuning-task-type tagging does not go with MRPC",
    ),
    "SQuAD's file of GLUE": ({"task": "RTE", "data": "x.json"}, "x.json is a SQuAD file, and no data of RTE"),
    "no negatives in 2.0": (
        {"task": "SQUAD-2.0", "version_2_with_negative": False},
        "--version-2-with-negative false contradicts",
    ),
    "two vocabularies": ({"vocab_file": "uncased/vocab.txt", "model": "minilm-l6"}, "Name one vocabulary"),
    "no such vocabulary": ({"vocab_file": "nowhere"}, "nowhere is not a file."),
    "no such data": ({"data": "nowhere"}, "nowhere does not exist."),
    "a file for a folder": ({"data": "MRPC/train.tsv"}, "is not a folder."),
    "a folder for a file": ({"task": "COLA", "data": "folders"}, "folders/train.tsv is a folder."),
    "a link to nothing": ({"task": "MNLI", "data": "links"}, "links/multinli/train.tsv is not a file."),
    "no SQuAD file": ({"task": "SQUAD-1.1", "data": "squad"}, "holds no train-v1.1.json."),
    "a name with a slash": ({"name": "a/b"}, "--name 'a/b' cannot be a folder's name."),
    "a copy that is there": ({"train_data_output_path": "MRPC/train.tsv"}, "There is a file MRPC/train.tsv already."),
    "a copy of nothing": ({"test_data_output_path": "test"}, "The data have no test set"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_refused_with_a_sentence_and_a_next_step(prepare, name):
    words, sentence = REFUSED[name]
    words = words if "data" in words or "task" in words else {"task": "MRPC", "data": "MRPC", **words}
    if words.get("data") in ("nowhere", "MRPC/train.tsv"):
        words = {"task": "MRPC", **words}
    with pytest.raises(UsageError) as raised:
        prepare(**words)
    assert sentence in str(raised.value)
    assert raised.value.next_step


FLAGS = {
    "bare": (
        ["--version-2-with-negative", "--doc-stride", "64"],
        {"version_2_with_negative": True},
        {"doc_stride": 64},
    ),
    "true": (["--version-2-with-negative=True"], {"version_2_with_negative": True}, {}),
    "false": (["--do-lower-case=False"], {"do_lower_case": False}, {}),
    "neither": ([], {"version_2_with_negative": None, "do_lower_case": None}, {"max_seq_length": 128}),
}


@pytest.mark.parametrize("name", FLAGS)
def test_yes_and_no_are_taken_as_absl_takes_them(monkeypatch, name):
    words, fields, sizes = FLAGS[name]
    asked = []
    monkeypatch.setattr(data, "prepare_data", lambda _session, wanted: asked.append(wanted))
    run_line(["bertbuild", "prepare-data", "--task", "SQUAD-2.0", *words])
    (wanted,) = asked
    assert {field: getattr(wanted, field) for field in fields} == fields
    assert {field: getattr(wanted, field) for field in sizes} == sizes


def duplicate(folder, rows):
    """Put a line into the model's vocabulary twice; its word table has `rows` rows."""
    (folder / "model" / "vocab.txt").write_text("[PAD]\n[UNK]\nthe\n<S>\nthe\ncat\n")
    (folder / "model" / "bert_config.json").write_text(json.dumps(CONFIG | {"vocab_size": rows}))


@pytest.mark.parametrize(("rows", "reading"), [(6, "lines"), (5, "bert-tensorflow")])
def test_duplicate_lines_are_counted_as_the_word_table_counts_them(prepare, folder, events, rows, reading):
    duplicate(folder, rows)
    assert prepare(task="MRPC", data="MRPC", max_seq_length=64, checkpoint="model")["vocab-reading"] == reading
    (note,) = events.of("note")
    assert "duplicate lines (the at 3 and 5): 6 lines, 5 different" in note["text"]


def test_duplicate_lines_of_which_nothing_tells_are_asked_for(prepare, folder):
    duplicate(folder, 8)
    for words in ({"checkpoint": "model"}, {"vocab_file": "model/vocab.txt"}):
        with pytest.raises(UsageError, match="duplicate lines") as raised:
            prepare(task="MRPC", data="MRPC", max_seq_length=64, **words)
        assert "--vocab-reading lines" in raised.value.next_step
        ran = prepare(task="MRPC", data="MRPC", max_seq_length=64, vocab_reading="bert-tensorflow", **words)
        assert ran["vocab-reading"] == "bert-tensorflow"


def test_the_reading_is_no_parameter_where_there_is_but_one(prepare):
    assert "vocab-reading" not in prepare(
        task="MRPC", data="MRPC", max_seq_length=64, checkpoint="model", vocab_reading="lines"
    )


@pytest.fixture
def own(folder):
    """Own data: two sets, and a file that is none of them."""
    (folder / "ner").mkdir()
    for name in ("train.txt", "dev.conll", "README.md"):
        (folder / "ner" / name).write_text("john B-PER\n")
    return folder / "ner"


def test_own_data_are_named_after_their_folder_or_file(prepare, own, events):
    ran = prepare(task="own", data="ner")
    assert (ran["task"], ran["own-name"]) == ("own", "own-ner")
    assert events.of("result")[-1]["target"] == "data-own-ner-128"
    (own / "README.md").write_text("other words")
    prepare(task="own", data="ner")
    assert events.stages()[-1] == ("prepare-data", "cached")
    own.with_name("stars.tsv").write_text("t\tl\n")
    ran = prepare(task="own", data="stars.tsv", text_column="t", label_column="l", regression="1,5")
    assert {name: ran[name] for name in ("own-name", "text-column", "label-column", "regression")} == {
        "own-name": "own-stars",
        "text-column": "t",
        "label-column": "l",
        "regression": "1,5",
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"task": "own"}, "--task own has no files to fetch."),
        ({"task": "own", "data": "MRPC/nothing"}, "nothing does not exist"),
        ({"task": "own", "data": "folders"}, "holds no own data"),
        ({"task": "MRPC", "data": "MRPC", "labels": "a,b"}, "--labels is for your own data"),
    ],
)
def test_own_data_that_are_not_there_are_told(prepare, own, words, sentence):
    assert own.is_dir()
    with pytest.raises(UsageError, match=sentence):
        prepare(**words)


@pytest.mark.parametrize("task", ["own", "squad-1.1"])
def test_of_a_folder_of_questions_the_file_to_give_is_named(prepare, own, task):
    folder = own.with_name("questions")
    folder.mkdir()
    for name in ("dev.json", "train.json", "README.md"):
        (folder / name).write_text("{}")
    with pytest.raises(UsageError, match=r"holds no (own data|train-v1\.1\.json)\.$") as raised:
        prepare(task=task, data="questions")
    assert (
        raised.value.next_step
        == f"Of questions as SQuAD has them give the file itself: --data {folder / 'train.json'}."
    )


@pytest.mark.parametrize(("negative", "task"), [(None, "SQUAD-1.1"), (True, "SQUAD-2.0")])
def test_own_data_in_squads_form_are_questions(negative, task):
    assert data.task_of(data.Asked(task="own", data="mine.json", version_2_with_negative=negative)) == task


def test_a_training_is_given_own_data_once_they_are_prepared():
    with pytest.raises(UsageError, match="are to be prepared first") as raised:
        data.prepared_task("own", "ner")
    assert "invoke prepare-data --task own --data ner" in raised.value.next_step
