"""Which stages' keys an edit changes: a comment in one helper, in a drawing helper, another version; against 4998f5e.

    .venv/bin/python bench/key_truth.py

Both trees are copied, and each tells the digest of code that its own keys hold, before and after each edit. Targets: a
helper changes the stages that import it and no others, the version none.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ROOT, Targets, checked_out, machine, print_table

TODAY = "4998f5e"

NOW = """
import json
from bertbuild import keys
from bertbuild.stages import STAGES, stage_code
print(json.dumps({name: keys.code_digest(stage_code(spec)) for name, spec in STAGES.items()}))
"""
THEN = """
import json
from bertbuild import key
from bertbuild.config import ROOT
from bertbuild.stages import STAGES, stage_code
print(json.dumps({name: key.code_digest(stage_code(spec), ROOT) for name, spec in STAGES.items()}))
"""

COMMENT = "\n# a comment\n"
EDITS = {
    "a comment in a helper of the Neuron compiler": ("docker/neuron/stages/_memory.py", COMMENT, {"neuron-compile"}),
    "a comment in a helper of TensorFlow 1": ("docker/tf1/stages/_neuron_graph.py", COMMENT, {"neuron-ready"}),
    "a comment in the drawing helper": ("docker/common/training_plot.py", COMMENT, {"finetune", "tf2-train"}),
    "a comment in the table of heads": ("bertbuild/heads/rows.py", COMMENT, set()),
    "a comment in a head": ("bertbuild/heads/tokens.py", COMMENT, set()),
    "a comment in what writes frozen graphs": ("docker/data/stages/_graph_writer.py", COMMENT, {"freeze"}),
    "another version": ("bertbuild/__init__.py", '\n__version__ = "0.2.0"\n', set()),
}


def main() -> None:
    """Copy, edit, count, print, judge."""
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        then, now = checked_out(TODAY, Path(folder) / "then"), _copied(Path(folder) / "now")
        rows = []
        for what, (name, text, importers) in EDITS.items():
            old, (new, stages) = _changed(then, THEN, name, text), _changed(now, NOW, name, text)
            verdict = targets.at_most(f"stages beside those that import it: {what}", len(new ^ importers), 0, digits=0)
            rows.append([what, f"{len(old[0])} of {old[1]}", f"{len(new)} of {stages}", verdict])
        print(machine())
        print_table(["edit", f"keys that change at {TODAY}", "now", "others than importers"], rows)
    targets.finish()


def _copied(folder: Path) -> Path:
    for name in ("bertbuild", "docker"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _changed(tree: Path, program: str, name: str, text: str) -> tuple[set[str], int]:
    """The stages whose keys change when a text is added to a file, and how many stages there are."""
    before, path = _digests(tree, program), tree / name
    unedited = path.read_bytes()
    path.write_bytes(unedited + text.encode())
    after = _digests(tree, program)
    path.write_bytes(unedited)
    return {stage for stage, digest in before.items() if digest != after[stage]}, len(before)


def _digests(tree: Path, program: str) -> dict[str, str]:
    ran = subprocess.run([sys.executable, "-c", program], cwd=tree, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(ran.stdout))


if __name__ == "__main__":
    main()
