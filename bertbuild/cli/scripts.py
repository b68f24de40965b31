"""Upstream's scripts typed in the place of a command: what does their work here, and the line that does it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bertbuild.errors import UsageError

PYTHONS = ("python", "python2", "python3", "python3.7")
"""What a pasted line may begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What stands for a script here.

    Attributes:
        why: half a sentence.
        commands: those that may do its work, likeliest first.
        always: flags that they then need.
        words: flags for what the script takes without a flag, in its order.
        only: of the script's flags those that the command is given; empty for all.
        without: of the script's flags those that the command is not given.
        instead: the next step where no command does its work.
    """

    why: str
    commands: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    instead: str = ""


_TRAINS = Script(why="finetune (TensorFlow 1) or train (TensorFlow 2) does its work", commands=("finetune", "train"))
_CONVERTS = Script(why="convert-tf2 does its work", commands=("convert-tf2",))
_IR = Script(
    why="build-ir does its work, and puts the IR into the store",
    commands=("build-ir",),
    words=("--input-model",),
    without=("--output-dir", "--output-model"),
)
_JUDGES = ("--squad-data-file", "--predictions")
_SCRIPTS = {
    "run-classifier": _TRAINS,
    "run-squad": _TRAINS,
    "run-pretraining": Script(
        why="nothing here pre-trains, and prepare-pretraining-data makes its input",
        instead="Run google-research/bert's own on that; what it saves is taken as it is: "
        "invoke inspect --checkpoint OUTPUT_DIR",
    ),
    "extract-features": Script(
        why="freeze --output all-layers makes the graph that gives what it writes, and runs it on no text",
        commands=("freeze",),
        always=("--output=all-layers",),
        only=("--init-checkpoint", "--bert-config-file", "--vocab-file"),
    ),
    "create-finetuning-data": Script(why="prepare-data does its work", commands=("prepare-data",)),
    "create-pretraining-data": Script(
        why="prepare-pretraining-data does its work",
        commands=("prepare-pretraining-data",),
    ),
    "download-glue-data": Script(why="fetch-data does its work", commands=("fetch-data",)),
    "tf1-to-keras-checkpoint-converter": _CONVERTS,
    "tf2-encoder-checkpoint-converter": _CONVERTS,
    "tf2-bert-encoder-checkpoint-converter": _CONVERTS,
    "mo": _IR,
    "mo-tf": _IR,
    "ovc": _IR,
    "evaluate-v1.1": Script(why="evaluate does its work", commands=("evaluate",), words=_JUDGES),
    "evaluate-v2.0": Script(
        why="evaluate --version-2-with-negative does its work",
        commands=("evaluate",),
        always=("--version-2-with-negative",),
        words=_JUDGES,
        without=("--out-file", "--out-image-dir"),
    ),
    "export-tfhub": Script(
        why="convert-tf2 --format hub makes such a module, of a checkpoint of TensorFlow 1",
        instead="For instance: invoke convert-tf2 --checkpoint FOLDER --format hub",
    ),
    "bert-model": Script(why="neuron-compile does its work", commands=("neuron-compile",)),
    "bert-no-model": Script(
        why="neuron-compile --standard does its work", commands=("neuron-compile",), always=("--standard",)
    ),
    "import": Script(
        why="a Hugging Face folder is named by --checkpoint, as any other checkpoint",
        instead="For instance: invoke build-ir --checkpoint FOLDER",
    ),
}
"""By their names without .py, with dashes; `import` is a stage of ours."""


def program(words: Sequence[str]) -> list[str]:
    """A pasted line without the Python in front: of `python -m official.nlp.bert.run_squad` the script and the rest."""
    if len(words) < 2 or words[0] not in PYTHONS:
        return list(words)
    return list(words[2:] if words[1] == "-m" else words[1:])


def script_of(word: str) -> Script | None:
    """What stands for a script (./run_squad.py, or as a module bert.run_squad); None where it is not upstream's."""
    name = word.rpartition("/")[2].removesuffix(".py").replace("_", "-")
    return _SCRIPTS.get(name) or _SCRIPTS.get(name.rpartition(".")[2])


def refusal(script: Script, typed: str, words: Sequence[str], read: Callable[[list[str]], list[str]]) -> UsageError:
    """That a script is not a command, with the line that does its work.

    Args:
        script: what stands for it.
        typed: the script as it was typed.
        words: what was typed behind it.
        read: reads a command line, or raises UsageError.
    """
    return UsageError(f"There is no command {typed!r}; {script.why}.", next_step=_next_step(script, words, read))


def _next_step(script: Script, words: Sequence[str], read: Callable[[list[str]], list[str]]) -> str:
    if not script.commands:
        return _named(script.instead, words)
    given = [word for word in _flagged(script, words) if _is_given(script, _name(word))]
    for command in script.commands:
        try:
            line = read([command, *script.always, *given])
        except UsageError:
            continue
        return f"Type: invoke {shlex.join(line)}" if given else f"invoke {command} --help shows its flags."
    return f"invoke {script.commands[0]} --help shows its flags."


def _flagged(script: Script, words: Sequence[str]) -> list[str]:
    """The words joined, those in front without a flag behind the flags that stand for them."""
    joined, flags = _joined(words), iter(script.words)
    return [word if word.startswith("-") else f"{next(flags, '')}={word}".lstrip("=") for word in joined]


def _is_given(script: Script, name: str) -> bool:
    return name not in script.without and (not script.only or name in script.only)


def _joined(words: Sequence[str]) -> list[str]:
    """The words with each flag and its value as one: `--init_checkpoint=x`."""
    joined: list[str] = []
    for word in words:
        if word.startswith("-") or not joined or "=" in joined[-1] or not joined[-1].startswith("-"):
            joined.append(word)
        else:
            joined[-1] += f"={word}"
    return joined


def _name(word: str) -> str:
    return word.partition("=")[0].replace("_", "-")


def _named(step: str, words: Sequence[str]) -> str:
    """A next step with the folder that the script was given for its output."""
    folders = [word.partition("=")[2] for word in _joined(words) if _name(word) == "--output-dir"]
    return step.replace("OUTPUT_DIR", shlex.quote(folders[0])) if folders and folders[0] else step
