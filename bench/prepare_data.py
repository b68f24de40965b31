"""prepare-data against the Model Garden's create_finetuning_data, on the same files: MRPC, and SQuAD 1.1's dev set.

    .venv/bin/python bench/prepare_data.py [--runs 5]

The other side is `python -m official.nlp.data.create_finetuning_data` in the virtual environment of tf2. It asks
TensorFlow Datasets for MRPC; the tests' stand-in gives it the rows of the same files, which costs it next to nothing.
It refuses questions with several answers, so SQuAD's dev set is cut to the first answer of each for both sides. Ours is
the stage prepare-data as a process of its own. Both in turn: A B, B A, and so on; the records are compared in the end.
Needs ../shared/data. Make the environments first: `invoke images --backend tf2,data --isolation venv`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import MIB, ROOT, Measured, Targets, interleaved, machine, measure, median, paired_ratio, print_table
from stage_runs import StageRuns

MOST_TIME = 0.1
SCRIPTS = ROOT / "tests" / "integration" / "scripts"
DATA = ROOT.parent / "shared" / "data"
VOCAB = DATA / "vocab" / "uncased.vocab.txt"
MRPC, SQUAD = "MRPC, sequences of 128", "SQuAD 1.1 dev, sequences of 384"


class Side:
    """One data set, prepared by both programs."""

    def __init__(self, folder: Path, data: Path, flags: dict[str, str], theirs: dict[str, str]) -> None:
        self._folder = folder
        self._data, self._flags, self._theirs = data, flags, theirs
        self._garden, self._ours = StageRuns("tf2", folder), StageRuns("data", folder)
        self.taken: dict[str, list[Measured]] = {"theirs": [], "ours": []}

    def theirs(self) -> None:
        """The Model Garden's program."""
        out = self._garden.empty("theirs")
        flags = {
            **self._theirs,
            "vocab_file": VOCAB,
            "train_data_output_path": out / "train.tf_record",
            "meta_data_file_path": out / "meta_data.json",
        }
        if "classification_task_name" in flags:
            flags |= {f"{split}_data_output_path": out / f"{split}.tf_record" for split in ("eval", "test")}
        command = [self._garden.program("python"), "-m", "official.nlp.data.create_finetuning_data"]
        env = {
            **self._garden.environment(out),
            "TF_USE_LEGACY_KERAS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "GLUE_FOLDER": str(self._data),
        }
        env["PYTHONPATH"] = f"{SCRIPTS / 'stand_ins'}{os.pathsep}{env.get('PYTHONPATH', '')}"
        self.taken["theirs"].append(
            measure([*command, *(f"--{flag}={value}" for flag, value in flags.items())], env=env)
        )

    def ours(self) -> None:
        """The stage prepare-data."""
        flags = {**self._flags, "data": self._data, "vocab": VOCAB}
        words = [f"--{flag}={value}" for flag, value in flags.items()]
        self.taken["ours"].append(self._ours.run("prepare-data", "ours", *words)[1])

    def compare(self) -> int:
        """How many examples there are, all alike; ends this program where one is not."""
        job = {"ours": str(self._folder / "ours"), "theirs": str(self._folder / "theirs")}
        program = [self._garden.program("python"), SCRIPTS / "compare_records.py"]
        done = subprocess.run(program, input=json.dumps(job), capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        if found["differences"]:
            sys.exit(f"the records differ: {found['differences']}")
        return int(found["examples"])


def one_answer(folder: Path) -> Path:
    """SQuAD's dev set with the first answer of each question."""
    squad = json.loads((DATA / "squad" / "dev-v1.1.json").read_text(encoding="utf-8"))
    for article in squad["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                del question["answers"][1:]
    path = folder / "dev-one-answer.json"
    path.write_text(json.dumps(squad), encoding="utf-8")
    return path


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of each side (default: 5)")
    args = parser.parse_args()
    os.chdir(ROOT)
    targets = Targets()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = {
            MRPC: Side(
                folder,
                DATA / "glue" / "MRPC",
                {"task": "MRPC", "max-seq-length": "128"},
                {"classification_task_name": "MRPC", "max_seq_length": "128"},
            ),
            SQUAD: Side(
                folder,
                squad := one_answer(folder),
                {"task": "SQUAD-1.1", "max-seq-length": "384"},
                {"fine_tuning_task_type": "squad", "squad_data_file": str(squad), "max_seq_length": "384"},
            ),
        }
        for what, side in sides.items():
            side.ours()  # a page cache for both
            side.taken["ours"].clear()
            interleaved(args.runs, side.theirs, side.ours)
            examples = side.compare()
            seconds = {name: [run.seconds for run in runs] for name, runs in side.taken.items()}
            peak = {name: median([run.peak_bytes for run in runs]) for name, runs in side.taken.items()}
            ratio = paired_ratio(seconds["ours"], seconds["theirs"])
            row = [what, examples, f"{median(seconds['theirs']):.2f}", f"{median(seconds['ours']):.2f}"]
            row += [f"{peak['theirs'] / MIB:.0f}", f"{peak['ours'] / MIB:.0f}", f"{ratio:.3f}"]
            rows.append([*row, targets.at_most(what, ratio, MOST_TIME, digits=3)])
    print(f"{machine()}; medians of {args.runs} paired runs; every example of ours is theirs\n")
    columns = (
        "data",
        "examples",
        "theirs, s",
        "ours, s",
        "theirs, peak MiB",
        "ours, peak MiB",
        "ours ÷ theirs",
        "time",
    )
    print_table(columns, rows)
    targets.finish()


if __name__ == "__main__":
    main()
