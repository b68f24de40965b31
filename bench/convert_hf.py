"""The stage convert-hf of a base-size checkpoint against the way that transformers still has.

    python3.11 -m venv VENV && VENV/bin/pip install -r bench/hf-peers-requirements.txt
    .venv/bin/python bench/convert_hf.py VENV/bin/python [--runs 3]

The other side is transformers 4.57.6 with torch and TensorFlow in one environment: BertForPreTraining,
load_tf_weights_in_bert, save_pretrained. Both are processes of their own, in turn: A B, B A, and so on; all of each is
timed, of ours the tokenizer's comparison too, and not the host or the gate. Both sides' weights are read and compared.
Weights are random. Make our environment first: `invoke images --backend data`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from common import ROOT, Measured, Targets, interleaved, measure, print_table
from conversions import header, parser_of, process_rows
from stage_runs import StageRuns, checkpoint_bytes, random_checkpoint

from bertbuild.huggingface.safetensors import read_safetensors

HEADS = (
    "--heads=masked-lm:bert/embeddings/word_embeddings:cls/predictions/output_bias,"
    "next-sentence:cls/seq_relationship/output_weights:cls/seq_relationship/output_bias"
)
"""Those of BertForPreTraining."""
THEIRS, OURS = "transformers 4.57.6", "convert-hf, the stage"
TIMED = """\
Timed are whole processes. Ours begins, writes, reads the weights back, compares them, and holds the tokenizer to
google-research/bert's on its corpus; theirs begins and writes. In neither is the rest of the command: the host, and the
gate in which checkpoint and folder answer."""
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
        self.checkpoint = random_checkpoint(folder, size)
        self.made: dict[str, Path] = {}
        self.taken: dict[str, list[Measured]] = {THEIRS: [], OURS: []}

    def theirs(self) -> None:
        """Transformers."""
        self.made[THEIRS] = self._stages.empty("theirs")
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1"}
        command = [self._python, "-c", SCRIPT, self.checkpoint, self.made[THEIRS]]
        self.taken[THEIRS].append(measure(command, env=env))

    def ours(self) -> None:
        """The stage."""
        path, taken = self._stages.run("convert-hf", "ours", f"--checkpoint={self.checkpoint}", HEADS)
        self.made[OURS] = path
        self.taken[OURS].append(taken)


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
        interleaved(args.runs, bench.theirs, bench.ours)
        size = checkpoint_bytes(bench.checkpoint)
        both, difference = apart(bench.made[OURS], bench.made[THEIRS])

    print(header(args, size))
    rows = process_rows(targets, bench.taken[OURS], bench.taken[THEIRS])
    print_table(("", OURS, THEIRS, "÷", "target"), rows)
    print(f"\n{both} tensors are in both, and differ by {difference:.1e} at most.\n{TIMED}")
    targets.finish()


if __name__ == "__main__":
    main()
