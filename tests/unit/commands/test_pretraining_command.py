"""prepare-pretraining-data as a command, with a stage that is only played."""

from __future__ import annotations

import json

import pytest

from bertbuild.commands.pretraining import prepare_pretraining_data
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import UsageError
from bertbuild.plans.pretraining_data import PretrainingRequest


@pytest.fixture
def folder(tmp_path):
    for name, text in {"b.txt": "two", "a.txt": "one", "notes.md": "no text"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "uncased").mkdir()
    (tmp_path / "uncased" / "vocab.txt").write_text("[PAD]\n")
    return tmp_path


@pytest.fixture
def prepare(root, isolation, events, folder, monkeypatch):
    """Runs the command; the stage writes its text and its parameters into its records."""
    monkeypatch.chdir(folder)
    ran = []

    def behaviour(run):
        texts = sorted(run.inputs["text"].iterdir())
        ran.append({"names": [path.name for path in texts], "text": [path.read_text() for path in texts], **run.params})
        names = [f"records-{number}" for number in range(int(run.params["shards"]))]
        for name in names:
            (run.work / "out" / name).write_text(name)
        prepared = {"files": names, "examples": 7, "documents": 2, "pieces": 90}
        (run.work / "out" / "prepared.json").write_text(json.dumps(prepared))
        (run.work / "out" / "stage.json").write_text("{}")

    def run(patterns, vocab="uncased/vocab.txt", outputs=(), name="", replace=False, **request):
        session = Session(settings=Settings(artifacts=root), report=events, replace=replace)
        session.__dict__["isolation"] = isolation
        isolation.behaviour["pretraining-data"] = behaviour
        request = PretrainingRequest(shards=len(outputs) or 1, **request)
        prepare_pretraining_data(session, patterns, vocab, outputs, name, request)
        return ran

    return run


def test_files_are_given_in_the_order_of_the_patterns_and_by_name_within_one(prepare, folder, events, root):
    (ran,) = prepare(f"{folder}/notes.md,*.txt")
    assert ran["text"] == ["no text", "one", "two"]
    assert ran["names"] == ["00000-notes.md", "00001-a.txt", "00002-b.txt"]
    assert (root / "out" / "uncased" / "pretraining-128" / "records-0").read_text() == "records-0"
    (result,) = events.of("result")
    assert (result["name"], result["target"], result["examples"]) == ("uncased", "pretraining-128", 7)


def test_one_file_keeps_its_name_for_messages_about_it(prepare):
    (ran,) = prepare("b.txt", name="mine", max_seq_length=512, short_seq_prob=0.25, do_lower_case=False)
    assert ran["names"] == ["b.txt"]
    assert (ran["max_seq_length"], ran["short_seq_prob"], ran["do_lower_case"]) == ("512", "0.25", "false")


def test_the_same_text_under_another_name_is_not_made_again_and_another_order_is(prepare, folder):
    prepare("a.txt,b.txt")
    (folder / "a.txt").rename(folder / "c.txt")
    assert len(prepare("c.txt,b.txt")) == 1
    assert len(prepare("b.txt,c.txt", replace=True)) == 2


def test_records_of_another_text_do_not_take_the_name_unless_told_to(prepare):
    prepare("a.txt")
    with pytest.raises(UsageError, match=r"^out/uncased/pretraining-128 was made from a.txt with vocabulary .*, and"):
        prepare("b.txt")
    assert len(prepare("b.txt", replace=True)) == 2


def test_records_are_copied_where_output_file_says_as_many_as_it_names(prepare, folder):
    prepare("a.txt", outputs=["one", "deep/two"])
    assert (folder / "one").read_text() == "records-0"
    assert (folder / "deep" / "two").read_text() == "records-1"


def test_whose_masks_are_drawn_is_a_parameter_and_part_of_the_name(prepare, events):
    assert prepare("a.txt")[-1]["masks"] == "model-garden"
    assert prepare("a.txt", masks="google-research")[-1]["masks"] == "google-research"
    assert [result["target"] for result in events.of("result")] == [
        "pretraining-128",
        "pretraining-128-google-research",
    ]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"masks": "albert"}, "--masks must be one of|albert"),
        ({"masks": "google-research", "max_ngram_size": 2, "do_whole_word_mask": True}, "masks no n-grams"),
    ],
)
def test_masks_that_nobody_draws_are_refused(flags, sentence):
    with pytest.raises(UsageError, match=sentence) as raised:
        PretrainingRequest(**flags)
    assert raised.value.next_step


def test_a_vocabulary_with_duplicate_lines_is_read_as_is_said(prepare, folder):
    (folder / "twice.txt").write_text("[PAD]\nthe\nthe\ncat\n")
    with pytest.raises(UsageError, match="nothing tells"):
        prepare("a.txt", vocab="twice.txt")
    assert prepare("a.txt", vocab="twice.txt", vocab_reading="lines")[-1]["vocab-reading"] == "lines"


REFUSED = {
    "no text": ({"patterns": ""}, "No text is named."),
    "a pattern that matches nothing": ({"patterns": "a.txt,*.text"}, "No file matches '*.text'."),
    "a folder": ({"patterns": "uncased"}, "No file matches 'uncased'."),
    "no vocabulary": ({"patterns": "a.txt", "vocab": ""}, "No vocabulary is named."),
    "a vocabulary that is not there": ({"patterns": "a.txt", "vocab": "gone.txt"}, "gone.txt is not a file."),
    "an output that is there": ({"patterns": "a.txt", "outputs": ["b.txt"]}, "There is a file b.txt already."),
    "a name that is not a folder's": ({"patterns": "a.txt", "name": "a/b"}, "--name 'a/b' cannot be a folder's name."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused_before_anything_runs(prepare, isolation, case):
    words, sentence = REFUSED[case]
    with pytest.raises(UsageError) as refused:
        prepare(**words)
    assert str(refused.value) == sentence
    assert refused.value.next_step
    assert isolation.runs == []
