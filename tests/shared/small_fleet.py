"""A folder with a build file over small checkpoints, and the commands typed in it, their stages played."""

from __future__ import annotations

import json

import numpy as np
from host_doubles import Events

from bertbuild.buildfile.load import load_build_file
from bertbuild.buildfile.select import select
from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.commands import build as fleet
from bertbuild.commands import dry_run, graph, status, why
from bertbuild.commands.session import Session
from bertbuild.config import load_settings
from bertbuild.report.run_log import RunLog

TINY = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
}
TARGETS = """
[targets.frozen]
kind = "frozen"
[targets.ir]
kind = "ir"
matrix = { precision = ["fp32", "fp16"] }
"""
MODELS = """
[models.one]
checkpoint = "checkpoints/one"
[models.two]
checkpoint = "checkpoints/two"
targets = ["frozen"]
"""


def write_tiny(folder, seed=0, heads=None):
    """A sound checkpoint of some kilobytes; `heads` are variables besides the encoder's."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(seed)
    shapes = encoder_variables(config_from(TINY, name="tiny"))
    tensors = {name: chance.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    write_checkpoint(folder / "bert_model.ckpt", {**tensors, **(heads or {})})
    (folder / "bert_config.json").write_text(json.dumps(TINY))
    (folder / "vocab.txt").write_text("".join(f"w{i}\n" for i in range(20)))


class Shown(Events):
    """Events as a reporter gets them."""

    def close(self):
        """Nothing is open."""


class Fleet:
    """The folder and its commands; each gives its result, with its lines."""

    def __init__(self, folder):
        self.folder = folder
        self.events = Shown()
        for seed, name in enumerate(("one", "two")):
            write_tiny(folder / "checkpoints" / name, seed)
        self.write(TARGETS + MODELS)

    def write(self, text):
        """The build file."""
        (self.folder / "bertbuild.toml").write_text(text)

    def session(self):
        """A session as the program makes one."""
        settings = load_settings({"artifacts": str(self.folder / "artifacts"), "jobs": "1"})
        self.events.clear()
        return Session(settings=settings, report=RunLog(settings.artifacts / "runs", self.events))

    def run(self, command, *args, **more):
        """Run a command to its end."""
        session = self.session()
        try:
            command(session, *args, **more)
        finally:
            session.close()
            session.report.close()
        return self.events.of("result")[-1]

    def build(self, *names, **more):
        """Build; gives the jobs that ran."""
        self.run(fleet.build, select(load_build_file(self.folder / "bertbuild.toml"), names), keep_going=True, **more)
        return [event["job"] for event in self.events.of("stage") if event["state"] == "done" and "job" in event]

    def dry_run(self, *names):
        """build --dry-run."""
        return self.run(dry_run.dry_run, select(load_build_file(self.folder / "bertbuild.toml"), names))

    def why(self, *names):
        """why."""
        return self.run(why.why, names, "")

    def status(self):
        """status: the facts of each target by model/target."""
        facts = self.run(status.status, "")["targets"]
        return {f"{fact['model']}/{fact['target']}": fact for fact in facts}

    def graph(self, *names, form="text"):
        """graph."""
        return self.run(graph.graph, names, "", form)


def listing(root):
    """What a build leaves in a store for others: its path, and where links lead."""
    kept = ("objects", "out", "targets", "runs", "logs")
    found = [path for name in kept for path in (root / name).rglob("*") if "inspect" not in path.parts]
    return sorted((str(path), str(path.readlink()) if path.is_symlink() else "") for path in found)
