"""prepare-data beside the Model Garden's create_finetuning_data: our examples are upstream's, feature by feature."""

from __future__ import annotations

import json
import os
from pathlib import Path

import backends
import pytest
import task_files
from program import DATA

LARGE = os.environ.get("BERTBUILD_TEST_LARGE") == "1"
"""Whole data sets and all of Unicode instead of slices: some minutes."""
VOCABULARIES = ("uncased", "cased", "chinese")
HELD = ("CoLA", "MRPC", "RTE", "STS-B", "WNLI")
GLUE_SPLITS = ("train", "eval", "test")


class Jobs:
    """Data prepared by our program, to be prepared by upstream's as well."""

    def __init__(self, program, folder):
        self._program, self._folder = program, folder
        self._jobs = {}
        self.answers = {}

    def add(self, name, task, data, vocab, *, splits=GLUE_SPLITS, **flags):
        """Prepare with ours; `flags` are upstream's, and ours too."""
        words = [word for flag, value in flags.items() for word in (f"--{flag.replace('_', '-')}", str(value))]
        words += ["--task", task, "--data", data, "--vocab-file", vocab, "--name", name]
        path = Path(self._program.ok("prepare-data", *words).last["path"])
        theirs = {"vocab_file": vocab, **flags}
        if task.startswith("SQUAD"):
            theirs |= {"fine_tuning_task_type": "squad", "squad_data_file": data}
            theirs |= {"version_2_with_negative": task == "SQUAD-2.0"}
        else:
            theirs["classification_task_name"] = task
        if task == "XNLI":
            theirs["input_data_dir"] = data
        self._jobs[name] = {
            "ours": path,
            "glue": data,
            "splits": splits,
            "flags": theirs,
            "by_language": task == "XNLI",
        }

    def compare(self):
        """Have upstream prepare them all, and compare."""
        jobs = list(self._jobs.values())
        found = backends.run("tf2", "garden_data", timeout=1800, work=self._folder / "garden", jobs=jobs)
        self.answers = dict(zip(self._jobs, found, strict=True))

    def prepared(self, name):
        return json.loads((self._jobs[name]["ours"] / "prepared.json").read_text(encoding="utf-8"))

    def check(self, name, examples):
        answer = self.answers[name]
        assert answer["differences"] == []
        assert answer["examples"] == examples
        assert (self._jobs[name]["ours"] / "meta_data.json").read_text(encoding="utf-8") == answer["meta"]


@pytest.fixture(scope="module")
def hard(bertbuild, tmp_path_factory):
    """Every task, of texts that are hard to cut into pieces."""
    folder = tmp_path_factory.mktemp("hard")
    jobs = Jobs(bertbuild, folder)
    vocab = folder / "vocab.txt"
    vocab.write_text("\n".join(task_files.VOCABULARY) + "\n", encoding="utf-8")
    for seed, task in enumerate(task_files.LAYOUTS):
        data = task_files.write_glue(folder / task, task, seed)
        jobs.add(task, task, data, vocab, max_seq_length=24 + 40 * (seed % 3), do_lower_case=seed % 4 != 1)
    data = folder / "MNLI"
    jobs.add("mismatched", "MNLI", data, vocab, mnli_type="mismatched", max_seq_length=32)
    xnli = task_files.write_xnli(folder / "XNLI")
    jobs.add("XNLI", "XNLI", xnli, vocab, xnli_language="de", max_seq_length=64)
    for version, negatives in (("1.1", False), ("2.0", True)):
        path = folder / f"squad-{version}.json"
        path.write_text(json.dumps(task_files.squad(negatives=negatives)), encoding="utf-8")
        sizes = {"max_seq_length": 64, "doc_stride": 16, "max_query_length": 20}
        jobs.add(version, f"SQUAD-{version}", path, vocab, splits=("train",), **sizes)
    jobs.compare()
    return jobs


@pytest.mark.parametrize("name", [*task_files.LAYOUTS, "mismatched", "XNLI"])
def test_every_example_of_a_task_is_upstreams(hard, name):
    hard.check(name, examples=120)


@pytest.mark.parametrize("name", ["1.1", "2.0"])
def test_every_window_of_a_question_is_upstreams(hard, name):
    prepared = hard.prepared(name)
    assert prepared["questions"] == 24
    assert prepared["left_out"] > 0  # answers that are not where they are said to be
    hard.check(name, examples=prepared["examples"]["train"])
    assert prepared["examples"]["train"] > 24


def sliced(source, target, rows):
    target.mkdir()
    for path in source.glob("*.tsv"):
        lines = path.read_bytes().splitlines(keepends=True)
        (target / path.name).write_bytes(b"".join(lines if LARGE else lines[:rows]))
    return target


def one_answer(path, articles):
    """A SQuAD file with the first answer of each question: upstream's program takes no more."""
    squad = json.loads(path.read_text(encoding="utf-8"))
    squad["data"] = squad["data"] if LARGE else squad["data"][:articles]
    for article in squad["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                del question["answers"][1:]
    return squad


@pytest.fixture(scope="module")
def real(bertbuild, tmp_path_factory):
    """Slices of the data sets at hand; all of them, with each vocabulary, under BERTBUILD_TEST_LARGE=1."""
    if not os.access(DATA / "glue" / "MRPC" / "train.tsv", os.R_OK):
        pytest.skip("needs ../shared/data beside the repository")
    folder = tmp_path_factory.mktemp("real")
    jobs = Jobs(bertbuild, folder)
    squad = folder / "squad.json"
    squad.write_text(json.dumps(one_answer(DATA / "squad" / "dev-v1.1.json", 1)), encoding="utf-8")
    for number, words in enumerate(VOCABULARIES):
        vocab = DATA / "vocab" / f"{words}.vocab.txt"
        for task in HELD if LARGE else HELD[number : number + 2]:
            data = sliced(DATA / "glue" / task, folder / f"{task}-{words}", 100)
            jobs.add(f"{task}-{words}", task.upper(), data, vocab, do_lower_case=words != "cased")
        sizes = {"max_seq_length": 384 >> number, "doc_stride": 128 >> number, "do_lower_case": words != "cased"}
        jobs.add(f"SQuAD-{words}", "SQUAD-1.1", squad, vocab, splits=("train",), **sizes)
    return jobs


@pytest.mark.whole
def test_every_example_of_the_data_at_hand_is_upstreams(real):
    real.compare()
    for name in real.answers:
        real.check(name, examples=sum(real.prepared(name)["examples"].values()))


def test_words_are_those_that_upstream_finds(bertbuild):
    assert bertbuild.artifacts.is_dir()
    step, mixes = (1, 150_000) if LARGE else (61, 4_000)
    found = backends.run("tf2", "garden_words", step=step, mixes=mixes)
    assert found["differing"] == []
    assert found["texts"] > 50_000


BAD = {
    "a short row": ("MRPC", "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\tonly\n", "line 2 has 2 columns"),
    "a label outside the task": (
        "WNLI",
        "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n",
        "line 2 has the label",
    ),
    "another task": ("MRPC", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t1\n", "is that of AX or RTE or WNLI"),
    "nothing": ("RTE", "", "holds no rows"),
    "another encoding": ("COLA", "gj\t1\t\tcaf\u00e9\n", "line 1 is not UTF-8"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data_are_refused_with_file_and_line(bertbuild, tmp_path, name):
    task, text, words = BAD[name]
    (tmp_path / "train.tsv").write_bytes(text.encode("latin1"))
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("[UNK]\n[CLS]\n[SEP]\n", encoding="utf-8")
    error = bertbuild.refused("prepare-data", "--task", task, "--data", tmp_path, "--vocab-file", vocab, code=13)
    assert words in error["message"]
    assert "train.tsv" in error["message"]


def test_all_cores_give_what_one_gives_and_say_how_far_they_are(bertbuild, tmp_path):
    chance = task_files.random.Random(3)
    rows = ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"]
    rows += [f"{n % 2}\t1\t2\t{task_files.text(chance)}\t{task_files.text(chance)}" for n in range(7_000)]
    for name, count in (("whole", None), ("part", 2_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.tsv").write_text("\n".join(rows[:count]) + "\n", encoding="utf-8", newline="\n")
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("\n".join(task_files.VOCABULARY) + "\n", encoding="utf-8")
    records = {}
    for name in ("whole", "part"):
        words = ("--task", "MRPC", "--data", tmp_path / name, "--vocab-file", vocab, "--name", name)
        outcome = bertbuild.ok("prepare-data", *words)
        records[name] = Path(outcome.last["path"], "train.tf_record").read_bytes()
        if name == "whole":
            done = [event["done"] for event in outcome.of("progress")]
            assert done == sorted(done)
            assert len(done) > 0
    size = (tmp_path / "whole" / "train.tsv").stat().st_size
    assert size > 3 << 20 > (tmp_path / "part" / "train.tsv").stat().st_size  # two processes, and one
    assert records["whole"].startswith(records["part"])
