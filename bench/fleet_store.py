"""Build many small models with stages that are played: a store as a real build leaves it, in seconds instead of hours.

    python bench/fleet_store.py FOLDER [--models 40]

Everything but the stages is real: the build file, the program `bertbuild build`, keys, environments (which must be
there: `invoke images --isolation venv`), objects, verdicts, records, links. So a real `bertbuild build` in that folder
finds nothing to do. A played stage writes random bytes as large as a real one's weights, and answers that agree.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bertbuild.isolation.base import OnEvent, StageRun
from bertbuild.isolation.venv import VenvIsolation
from bertbuild.stages import STAGES

WEIGHTS = ("inference_graph.pb", "model.bin", "saved_model.pb", "bert_model.ckpt.data-00000-of-00001")
"""Files that hold a model's weights."""

TARGETS = """\
[targets.frozen]
kind = "frozen"

[targets.ir]
kind = "ir"
matrix = { precision = ["fp32", "fp16"] }

[targets.neuron-ready]
kind = "neuron-ready"
compute = "float32"

[targets.savedmodel]
kind = "tf2-savedmodel"
"""
"""Five targets a model, those of examples/fleet.toml."""

SIZE = 5000
"""Words of the vocabulary."""


class PlayedStages(VenvIsolation):
    """Real virtual environments, and in the place of each stage's program a few lines of this one."""

    def run(self, run: StageRun, on_event: OnEvent) -> None:
        """Write what the stage writes."""
        spec = next(spec for spec in STAGES.values() if (spec.backend, spec.command) == (run.backend, run.stage))
        on_event({"event": "step", "text": "played"})
        run.log.write_text("played\n", encoding="utf-8")
        for name in spec.outputs:
            path = run.work / "out" / name
            if name == "answers.npz":
                np.savez(path, **_answers(run))
            else:
                path.write_bytes(_content(run, name))
        facts = {"stage": spec.name, "seconds": 1.0, "cpu_seconds": 1.0, "peak_memory_bytes": 10**8}
        (run.work / "out" / "stage.json").write_text(json.dumps(facts), encoding="utf-8")


def _answers(run: StageRun) -> dict[str, Any]:
    """The same for every model, stage and output, so that all of them agree."""
    arrays = {}
    for probe in json.loads(run.inputs["probes"].read_text(encoding="utf-8"))["probes"]:
        rows, length = np.shape(probe["input_ids"])
        pooled = np.linspace(-0.5, 0.5, 32 * rows, dtype=np.float32).reshape(rows, 32)
        for alone in ("", "alone/"):
            arrays[f"{probe['name']}/{alone}pooled_output"] = pooled
            arrays[f"{probe['name']}/{alone}sequence_output"] = np.repeat(pooled[:, None], length, axis=1)
    return arrays


def _content(run: StageRun, name: str) -> bytes:
    if name.endswith(".json"):
        return b"{}\n"
    facts = [name, dict(run.params), [str(path) for path in run.inputs.values()]]
    size = _bytes_of_weights(run) if name in WEIGHTS else 2000
    return random.Random(hashlib.sha256(json.dumps(facts).encode()).digest()).randbytes(size)  # noqa: S311 - no secret


def _bytes_of_weights(run: StageRun) -> int:
    """As large as the largest file among the inputs."""
    files = (file for path in run.inputs.values() for file in ([path] if path.is_file() else path.rglob("*")))
    return max(file.stat().st_size for file in files)


def write_models(folder: Path, count: int, words: int = SIZE) -> list[str]:
    """Checkpoints, each with weights of its own, and the build file; gives their names.

    With a vocabulary of `SIZE` words one has a megabyte and a half.
    """
    from random_checkpoint import config, tensors, vocabulary

    from bertbuild.checkpoint.writer import write_checkpoint

    names = [f"model-{number:02}" for number in range(count)]
    made = {name: value for name, value in tensors(1, 64).items() if not name.startswith("cls/")}
    made["bert/embeddings/word_embeddings"] = made["bert/embeddings/word_embeddings"][:words]
    for number, name in enumerate(names):
        own = folder / "checkpoints" / name
        own.mkdir(parents=True)
        made["bert/pooler/dense/bias"] = np.full(64, number, np.float32)
        write_checkpoint(own / "bert_model.ckpt", made)
        facts = {**config(1, 64), "vocab_size": words, "num_attention_heads": 1}
        (own / "bert_config.json").write_text(json.dumps(facts), encoding="utf-8")
        (own / "vocab.txt").write_text("\n".join(vocabulary()[:words]) + "\n", encoding="utf-8")
    models = "".join(f'\n[models.{name}]\ncheckpoint = "checkpoints/{name}"\n' for name in names)
    (folder / "bertbuild.toml").write_text(TARGETS + models, encoding="utf-8")
    return names


def _not_waited_for(_file: object) -> None:
    """In the place of `os.fsync`: thousands of files, three quarters of the time, and no need to outlive the power."""


def main() -> None:
    """Write the models, and build them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=int, default=40)
    parser.add_argument("--words", type=int, default=SIZE, help="of the vocabulary: how large the models are")
    args = parser.parse_args()
    write_models(args.folder, args.models, args.words)
    os.chdir(args.folder)

    from bertbuild.cli.main import main as bertbuild
    from bertbuild.commands.session import Session

    Session.isolation = property(lambda session: PlayedStages(session.settings.environments))  # type: ignore[assignment]
    os.fsync = _not_waited_for
    sys.argv[1:] = ["build"]
    bertbuild()


if __name__ == "__main__":
    main()
