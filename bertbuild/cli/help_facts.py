"""What help knows of flags besides their declarations: their groups.

Of a flag's name, whichever command has it; where commands differ, of COMMAND FLAG.
"""

from __future__ import annotations

from bertbuild.cli.task import Task
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Choices, Location, Name, Number, Text, Truth, Whole

SOURCES = "sources"
MADE = "outputs"
TRAINING = "training"
RUNS = "how it runs"
SHOWN = "what is shown"
GROUPS = (SOURCES, MADE, TRAINING, RUNS, SHOWN)
"""The headings, in their order."""

_FLAGS = {  # all others are of what is made
    SOURCES: """
        model checkpoint head frozen outputs saved-model tf2 root init-checkpoint hub-module-url model-dir config vocab
        vocab-file scope ema task data prepared train-data-path eval-data-path input-meta-data-path squad predict-file
        squad-data-file predictions null-odds input-file calibration calibration-text calibration-size vocab-reading
        version-2-with-negative do-lower-case from mirror file path target stage run suite
        """,
    TRAINING: """
        mode do-train do-eval do-predict train-batch-size eval-batch-size predict-batch-size learning-rate
        num-train-epochs warmup-proportion steps-per-loop save-checkpoints-steps seed distribution-strategy num-gpus
        virtual-cpus workers tpu pad-to-max bucket-by-length
        """,
    RUNS: """
        reference isolation offline replace jobs memory keep-going dry-run verify-reproducible timeout min-memory keep
        backend runtime check upgrade whole scheduler dashboard death-timeout
        """,
    SHOWN: "list json",
}
_GROUP_OF = {flag: group for group, flags in _FLAGS.items() for flag in flags.split()}
_ELSEWHERE = {
    "graph format": SHOWN,
    "evaluate batch-size": RUNS,
    "cluster workers": RUNS,
    "worker name": RUNS,
}

_OF_TYPES = (
    (Whole, "COUNT"),
    (Number, "NUMBER"),
    (Truth, "true|false"),
    (Location, "PATH"),
    (Name, "NAME"),
    (Text, "TEXT"),
)
"""What is written behind a flag of a declared type."""

POSITIONAL = {"log": "NAME|STAGE"}
"""Words that commands take without a flag, where they are not names of targets."""


def group_of(task: Task, flag: str) -> str:
    """The heading under which a flag stands; one of which nothing is said here is of what is made."""
    return _ELSEWHERE.get(f"{task.name} {flag}") or _GROUP_OF.get(flag, MADE)


def value_of(parameter: Parameter) -> str:
    """What is written behind a flag: what kind of thing, or the words that are allowed."""
    type_ = parameter.type
    if parameter.written:
        return parameter.written
    if type_.options:
        several = parameter.several or isinstance(type_, Choices)
        return "|".join(type_.options) + ("[,…]" if several else "")
    return next(word for kind, word in _OF_TYPES if isinstance(type_, kind))
