"""An IR that takes strings against the package tokenizers and the same IR fed by hand.

    python3.11 -m venv VENV && VENV/bin/pip install -r bench/text-requirements.txt
    invoke build-ir --model minilm-l6 --text
    .venv/bin/python bench/text_models.py VENV/bin/python FOLDER SENTENCES [--rounds 5]

FOLDER is a target of `build-ir --text`; SENTENCES a file of GLUE, of whose last column the first 1,000 texts are taken
(CoLA's dev.tsv). Both sides answer the same batches of 8 in one process, in turn: A B, B A, and so on. tokenizers reads
the target's tokenizer.json. Also told: whether ids and answers agree.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

from common import ROOT, Targets, machine, median, paired_ratio, print_table

MOST = 1.05
OURS, THEIRS = "text_model.xml", "tokenizers and model.xml"
COUNT, BATCH = 1000, 8


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", type=Path, help="a Python that has openvino-tokenizers and tokenizers")
    parser.add_argument("folder", type=Path, help="of the target")
    parser.add_argument("sentences", type=Path, help="a .tsv")
    parser.add_argument("--rounds", type=int, default=5, help="passes over all texts (default: 5)")
    args = parser.parse_args()
    lines = args.sentences.read_text(encoding="utf-8").splitlines()[:COUNT]
    texts = [line.split("\t")[-1] for line in lines]
    request = {"folder": str(args.folder.absolute()), "texts": texts, "batch": BATCH, "rounds": args.rounds}
    done = subprocess.run(
        [args.python.absolute(), ROOT / "bench" / "text_models_worker.py"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    ours, theirs = found["seconds"][OURS], found["seconds"][THEIRS]
    ratio = paired_ratio(ours, theirs)
    targets = Targets()
    print(f"{machine()}; {len(texts)} texts of {args.sentences.name}, batches of {BATCH}; medians of {args.rounds}\n")
    judged = targets.at_most("time", ratio, MOST)
    print_table(
        ("", OURS, THEIRS, "÷", "target"),
        [["all texts, s", f"{median(ours):.2f}", f"{median(theirs):.2f}", f"{ratio:.3f}", judged]],
    )
    print(f"\nBatches with other ids: {found['other_ids']}; with answers that are not the same bits: {found['other']}.")
    targets.finish()


if __name__ == "__main__":
    main()
