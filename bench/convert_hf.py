"""What convert-hf makes of a base-size checkpoint against the way that transformers still has.

    python3.11 -m venv VENV && VENV/bin/pip install -r bench/hf-peers-requirements.txt
    .venv/bin/python bench/convert_hf.py VENV/bin/python [--runs 3]

The other side is transformers 4.57.6 with torch and TensorFlow in one environment: BertForPreTraining,
load_tf_weights_in_bert, save_pretrained. Ours is the stage convert-hf, once alone, and once with the stage tokenizer
beside it, as a build runs the two: it holds tokenizer.json to google-research/bert's tokenizer on a corpus. All are
processes of their own, in turn; all of each is timed, and not the host or the gate. The weights of both sides are read
and compared. They are random; the vocabulary is that of the published uncased models.
Make our environment first: `invoke images --backend data`.
"""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from common import ROOT, Measured, Targets, interleaved, measure, print_table
from conversions import header, parser_of, process_rows
from stage_runs import StageRuns, checkpoint_bytes, random_checkpoint, uncased_vocabulary

from bertbuild.huggingface.safetensors import read_safetensors

HEADS = (
    "--heads=masked-lm:bert/embeddings/word_embeddings:cls/predictions/output_bias,"
    "next-sentence:cls/seq_relationship/output_weights:cls/seq_relationship/output_bias"
)
"""Those of BertForPreTraining."""
THEIRS, OURS, BOTH = "transformers 4.57.6", "the stage convert-hf", "convert-hf and tokenizer, side by side"
TIMED = """\
Timed are whole processes. Ours begins, writes the folder, reads the weights back and compares them; theirs begins and
writes weights and config.json. The stage tokenizer has no counterpart on the other side; of the two stages the wall
time is until both have ended, processor time and memory are the sums. In none is the rest of the command: the host, and
the gate in which checkpoint and folder answer."""
SCRIPT = """
import sys
from transformers import BertConfig, BertForPreTraining
from transformers.models.bert.modeling_bert import load_tf_weights_in_bert

checkpoint, out = sys.argv[1:]
model = BertForPreTraining(BertConfig.from_json_file(checkpoint + "/bert_config.json"))
load_tf_weights_in_bert(model, model.config, checkpoint + "/bert_model.ckpt")
model.save_pretrained(out)
"""


class Bench:
    """The two programs over one checkpoint."""

    def __init__(self, folder: Path, python: Path, size: str) -> None:
        self._python = python
        self._stages = StageRuns("data", folder)
        self.checkpoint = random_checkpoint(folder, size, vocab=uncased_vocabulary())
        self.made: dict[str, Path] = {}
        self.taken: dict[str, list[Measured]] = {THEIRS: [], OURS: [], BOTH: []}

    def theirs(self) -> None:
        """Transformers."""
        self.made[THEIRS] = self._stages.empty("theirs")
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1"}
        command = [self._python, "-c", SCRIPT, self.checkpoint, self.made[THEIRS]]
        self.taken[THEIRS].append(measure(command, env=env))

    def ours(self) -> None:
        """The stage convert-hf."""
        self.made[OURS], taken = self._convert("ours")
        self.taken[OURS].append(taken)

    def both(self) -> None:
        """With the stage tokenizer beside it."""
        started = time.perf_counter()
        with ThreadPoolExecutor() as threads:
            runs = [threads.submit(self._convert, "both"), threads.submit(self._hold_tokenizer)]
            taken = [run.result()[1] for run in runs]
        seconds = time.perf_counter() - started
        cpu_seconds = sum(one.cpu_seconds for one in taken)
        self.taken[BOTH].append(Measured(seconds, cpu_seconds, sum(one.peak_bytes for one in taken), []))

    def _convert(self, out: str) -> tuple[Path, Measured]:
        return self._stages.run("convert-hf", out, f"--checkpoint={self.checkpoint}", self._words, HEADS)

    def _hold_tokenizer(self) -> tuple[Path, Measured]:
        return self._stages.run("tokenizer", "tokenizer", self._words, "--special-tokens-in-text=true")

    @property
    def _words(self) -> str:
        return f"--words={self.checkpoint / 'vocab.txt'}"


def apart(left: Path, right: Path) -> tuple[int, float]:
    """How many tensors two folders have both, and the largest difference of these."""
    ours, theirs = (read_safetensors(folder / "model.safetensors") for folder in (left, right))
    both = sorted(ours.keys() & theirs.keys())
    return len(both), max(float(np.abs(ours[name].read() - theirs[name].read()).max()) for name in both)


def main() -> None:
    """Measure, print, judge."""
    args = parser_of(__doc__, "transformers 4.57.6, torch and TensorFlow", runs=3).parse_args()
    python = args.python.absolute()
    os.chdir(ROOT)
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), python, args.size)
        interleaved(args.runs, bench.theirs, bench.ours, bench.both)
        size = checkpoint_bytes(bench.checkpoint)
        both, difference = apart(bench.made[OURS], bench.made[THEIRS])

    print(header(args, size))
    for ours in (OURS, BOTH):
        rows = process_rows(targets, bench.taken[ours], bench.taken[THEIRS])
        print_table(("", ours, THEIRS, "÷", "target"), rows)
        print()
    print(f"{both} tensors are in both, and differ by {difference:.1e} at most.\n{TIMED}")
    targets.finish()


if __name__ == "__main__":
    main()
