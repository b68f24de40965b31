"""Pre-training examples of a text: the stage pretraining-data against the Model Garden's create_pretraining_data.

    .venv/bin/python bench/pretraining_data.py [--megabytes 50] [--runs 1]

Both get the same text, one sentence a line: paragraphs of SQuAD's dev-v1.1.json in ../shared/data over and over, one
word in twenty exchanged for another; where it is not there, made-up words. Flags are the defaults of both: 128 pieces,
gone through ten times. Ours is also run on a tenth of the text, to show what of its memory grows. The first records of
both are compared. The other side takes 13 s or more and 0.1 GiB of memory for each MB of text.
Make the environments first: `invoke images --isolation venv`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import string
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

from common import MIB, ROOT, Measured, Targets, interleaved, machine, measure, median, paired_ratio, print_table
from stage_runs import StageRuns

MOST_TIME = 0.1
MOST_GROWTH = 1.5
"""Of memory, from a tenth of the text to all of it."""

SHARED = ROOT.parent / "shared" / "data"
THEIRS, OURS = "the Model Garden's script", "pretraining-data"


def paragraphs() -> list[list[str]]:
    """Paragraphs as sentences."""
    path = SHARED / "squad" / "dev-v1.1.json"
    if path.is_file():
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
        contexts = [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]
        return [re.split(r"(?<=[.!?]) +", " ".join(context.split())) for context in contexts]
    chance = random.Random(0)  # noqa: S311 - nothing secret
    words = ["".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 9))) for _ in range(20_000)]
    return [[" ".join(chance.choices(words, k=chance.randint(5, 40))) + "." for _ in range(5)] for _ in range(2_000)]


def write_text(path: Path, size: int) -> None:
    """A text of about so many bytes, written as it is made."""
    chance = random.Random(1)  # noqa: S311
    known = paragraphs()
    words = sorted({word for paragraph in known for sentence in paragraph for word in sentence.split()})
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            for _ in range(chance.randint(1, 3)):
                for sentence in chance.choice(known):
                    varied = (chance.choice(words) if chance.random() < 0.05 else word for word in sentence.split())
                    file.write(" ".join(varied) + "\n")
            file.write("\n")


def vocabulary(folder: Path) -> Path:
    """The uncased vocabulary, or one of letters."""
    path = SHARED / "vocab" / "uncased.vocab.txt"
    if path.is_file():
        return path
    letters = [*string.ascii_lowercase, *("##" + letter for letter in string.ascii_lowercase), "."]
    path = folder / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]) + "\n")
    return path


class Bench:
    """Both programs over one text."""

    def __init__(self, folder: Path, megabytes: float) -> None:
        self._garden, self._ours = StageRuns("tf2", folder), StageRuns("data", folder)
        self._vocab = vocabulary(folder)
        self._whole, self._tenth = folder / "whole.txt", folder / "tenth.txt"
        write_text(self._whole, int(megabytes * 1e6))
        write_text(self._tenth, int(megabytes * 1e5))
        self.size = self._whole.stat().st_size
        self.taken: dict[str, list[Measured]] = {THEIRS: [], OURS: []}
        self.folder = folder

    def theirs(self) -> None:
        """The Model Garden's program."""
        out = self._garden.empty("theirs")
        command = [
            *(self._garden.program("python"), "-m", "official.nlp.data.create_pretraining_data"),
            *(f"--input_file={self._whole}", f"--vocab_file={self._vocab}", f"--output_file={out / 'examples'}"),
        ]
        env = {**self._garden.environment(out), "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.taken[THEIRS].append(measure(command, env=env))

    def ours(self) -> None:
        """The stage on the whole text."""
        self.taken[OURS].append(self._stage("whole", self._whole))

    def tenth(self) -> None:
        """The stage on a tenth of it."""
        self._stage("tenth", self._tenth)

    def _stage(self, out: str, text: Path) -> Measured:
        return self._ours.run("pretraining-data", out, f"--text={text}", f"--vocab={self._vocab}")[1]

    def peak(self, out: str) -> int:
        """The most memory that all processes of a run of the stage can have had together, in bytes."""
        facts = json.loads((self.folder / out / "stage.json").read_text(encoding="utf-8"))
        cores = len(os.sched_getaffinity(0))
        return facts["peak_memory_bytes"] + cores * facts["facts"]["peak_memory_bytes_of_a_child"]

    def compare(self, most: int = 20_000) -> int:
        """How many of both sides' examples were looked at, from the first on; all of them are alike."""
        sides = [records(self.folder / path) for path in ("theirs/examples", "whole/tf_examples.tfrecord")]
        looked_at = 0
        for theirs, ours in itertools.islice(itertools.zip_longest(*sides, fillvalue=b""), most):
            assert features(theirs) == features(ours), f"example {looked_at} differs"
            looked_at += 1
        return looked_at


def records(path: Path) -> Iterator[bytes]:
    """The messages of a TFRecord file."""
    with path.open("rb") as file:
        while head := file.read(12):
            yield file.read(struct.unpack("<Q", head[:8])[0])
            file.read(4)


def features(message: bytes) -> dict[bytes, bytes]:
    """The packed features of a tf.train.Example, whose order in the message means nothing."""
    (everything,) = fields(message)
    return dict(map(fields, fields(everything)))


def fields(message: bytes) -> list[bytes]:
    """The fields of a message all of whose fields have a length."""
    found, at = [], 0
    while at < len(message):
        size, shift, at = 0, 0, at + 1
        while True:
            byte = message[at]
            size |= (byte & 127) << shift
            shift, at = shift + 7, at + 1
            if byte < 128:
                break
        found.append(message[at : at + size])
        at += size
    return found


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=50, help="size of the text (default: 50)")
    parser.add_argument("--runs", type=int, default=1, help="runs of each side (default: 1)")
    args = parser.parse_args()
    os.chdir(ROOT)
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), args.megabytes)
        bench.tenth()  # a warm disk cache of the environment for the other
        interleaved(args.runs, bench.theirs, bench.ours)
        looked_at = bench.compare()
        small, large = bench.peak("tenth"), bench.peak("whole")
        prepared = json.loads((bench.folder / "whole" / "prepared.json").read_text(encoding="utf-8"))

    print(f"{machine()}; a text of {bench.size / 1e6:.0f} MB, {prepared['examples']} examples; {args.runs} run(s)\n")
    theirs, ours = ([run.seconds for run in bench.taken[side]] for side in (THEIRS, OURS))
    ratio = paired_ratio(ours, theirs)
    their_peak = median([run.peak_bytes for run in bench.taken[THEIRS]])
    print_table(
        ("program", "s", "peak MiB", "÷ theirs", "target"),
        [
            (THEIRS, f"{median(theirs):.1f}", f"{their_peak / MIB:.0f}", "", ""),
            (
                OURS,
                f"{median(ours):.1f}",
                f"{large / MIB:.0f}",
                f"{ratio:.3f}",
                targets.at_most("pretraining-data's time", ratio, MOST_TIME, 3),
            ),
        ],
    )
    growth = large / small
    verdict = targets.at_most("memory on all of the text over memory on a tenth", growth, MOST_GROWTH)
    print(f"\nours on a tenth of the text: {small / MIB:.0f} MiB, so ten times the text takes {growth:.2f} ({verdict})")
    print(f"the first {looked_at} examples of both are equal")
    targets.finish()


if __name__ == "__main__":
    main()
