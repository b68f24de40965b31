"""A command line read before Invoke reads it: what is invalid is refused, with what was probably meant.

Invoke answers "No idea what '--modle' is!", takes the next flag for a missing value, and knows no underscores. What
`read` gives is the same command line in the spelling that Invoke cannot misread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.cli.flags import truth
from bertbuild.cli.scripts import program, refusal, script_of
from bertbuild.cli.task import Flag, Task
from bertbuild.cli.upstream import Upstream, upstream_flags
from bertbuild.errors import UsageError
from bertbuild.names import did_you_mean
from bertbuild.renamed import ENDS, NAMES, renamed_in

if TYPE_CHECKING:
    from invoke import Argument

OWN = ("help", "list", "list-format", "version", "complete", "print-completion-script")
"""Flags of Invoke's that do here what they say."""

HELP = "help"
"""A word in front that means --help, as it does to many programs."""

NEAR = 0.75
"""How like one of them a flag must be that stands in front: it may be a command's as well."""

LIST_FORMATS = ("flat", "nested", "json")

OF_INVOKE = ("collection", "search-root")
"""Where Invoke looks for tasks.py; by the time we are asked it has found it."""

_INSTEAD = {
    "config": "Settings come from bertbuild.toml or from variables: see docs/reference.md.",
    "command-timeout": "invoke neuron-compile has --timeout; other stages may take as long as they need.",
}
_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_TAKES_ADDRESS = ("mirror", "scheduler", "tpu")
_BUCKETS = {"gs": "gsutil cp -r", "s3": "aws s3 cp --recursive", "hdfs": "hdfs dfs -get"}


def read(
    words: Sequence[str],
    core: Mapping[str, Argument],
    commands: Mapping[str, Task],
    tell: Callable[[str], None] = lambda _text: None,
) -> list[str]:
    """The words behind the program's name as Invoke takes them: flags with dashes and `=`, upstream's as ours.

    Args:
        words: as they were typed.
        core: Invoke's own flags, as they are typed.
        commands: what there is, by name.
        tell: is told of flags that have another name now.

    Raises:
        UsageError: an unknown command or flag, a stray word, a missing value, a flag that has no effect here.
    """
    return _Line(words, core, commands, tell).read()


class _Line:
    """The words, how far they are read, and what they are in Invoke's spelling."""

    def __init__(
        self,
        words: Sequence[str],
        core: Mapping[str, Argument],
        commands: Mapping[str, Task],
        tell: Callable[[str], None],
    ) -> None:
        self._words, self._core, self._commands, self._tell = list(words), core, commands, tell
        self._place = 0
        self._command: Task | None = None
        self._old_names: dict[str, str] = {}
        self._given: set[str] = set()
        self._read: list[str] = []

    def read(self) -> list[str]:
        while self._place < len(self._words):
            word = self._words[self._place]
            if word == "--":
                self._read += self._words[self._place :]
                break
            self._place += 1
            if word == HELP and self._command is None:
                return self._help(word)
            if _is_flag(word):
                if word.partition("=")[0] in ("-h", "--help"):
                    return self._help(word)
                self._flag(word)
            else:
                self._word(word)
        self._end_command()
        return self._read

    def _help(self, typed: str) -> list[str]:
        """`--help COMMAND`, which `COMMAND --help` is as well, whatever else is typed."""
        named = typed.partition("=")[2]
        rest = [named] if named else [word for word in self._words[self._place :] if not _is_flag(word)]
        if self._command is None and rest:
            self._word(rest[0])
        return ["--help", self._command.name] if self._command else ["--help"]

    # -- words -----------------------------------------------------------------------------------------------------

    def _word(self, word: str) -> None:
        name = word.replace("_", "-")
        if self._command and self._command.takes_names:
            self._read.append(word)
        elif name in self._commands:
            self._end_command()
            self._command, self._given = self._commands[name], set()
            self._read.append(name)
        elif self._command is None:
            raise self._no_command(word, name)
        else:
            raise self._stray(word)

    def _no_command(self, word: str, name: str) -> UsageError:
        script, *rest = program([word, *self._words[self._place :]]) or [word]
        if meant := script_of(script):
            return refusal(meant, script, rest, lambda line: read(line, {}, self._commands))
        near = did_you_mean(name, self._commands)
        return UsageError(f"There is no command {word!r}{near}", next_step="invoke --list shows all commands.")

    def _end_command(self) -> None:
        if self._old_names:
            both = "/".join(self._old_names.get(flag, "*") for flag in ("--model", "--target"))
            self._read.append(self._old_names.get("--name", both))
            self._old_names = {}

    def _stray(self, word: str) -> UsageError:
        command = self._command
        assert command is not None  # noqa: S101 - a stray word stands behind a command
        near = did_you_mean(word, [flag.lstrip("-") for flag in command.flags])
        step = f"invoke {command.name} --help shows its flags."
        if near != ".":
            near, step = near.replace('"', '"--', 1), f"Flags begin with two dashes; {step}"
        elif "--checkpoint" in command.flags and Path(word).exists():
            step = f"A path goes behind a flag: --checkpoint {word}; {step}"
        return UsageError(f"{word!r} is neither a flag of {command.name} nor the value of one{near}", next_step=step)

    # -- flags -----------------------------------------------------------------------------------------------------

    def _flag(self, word: str) -> None:
        typed, equals, text = word.partition("=")
        value = text if equals else None
        name = typed.replace("_", "-") if typed.startswith("--") else typed
        meant = upstream_flags(self._command.name).get(name) if self._command else None
        if meant is not None:
            self._upstream(typed, meant, value)
        elif self._command and name in self._command.flags:
            self._own(typed, name, self._command.flags[name], value)
        elif self._command and (new := renamed_flags(self._command.name).get(name)):
            self._renamed(typed, name, new, value)
        elif name in self._core:
            self._of_invoke(typed, name, self._core[name], value)
        else:
            raise self._unknown(typed, name)

    def _renamed(self, typed: str, name: str, new: str, value: str | None) -> None:
        assert self._command is not None  # noqa: S101 - only commands have flags that were renamed
        if new == NAMES:
            self._old_names[name] = self._value(typed, value, optional=False) or ""
            self._tell(f"{typed} is now a name without a flag ({self._command.name} MODEL/TARGET); {ENDS}")
        else:
            self._tell(f"{typed} is now {new}; {ENDS}")
            self._own(typed, new, self._command.flags[new], value)

    def _own(self, typed: str, name: str, flag: Flag, value: str | None) -> None:
        if flag.takes_value and flag.kind is not list:
            if name in self._given:
                raise UsageError(
                    f"{typed} is given twice{'' if typed == name else f' ({name} is the same)'}.",
                    next_step="Give it once; several values, where it takes them, go with commas.",
                )
            self._given.add(name)
        if not flag.takes_value:
            if value is None or truth(name.lstrip("-"), value):
                self._read.append(name)
            return
        value = self._value(typed, value, optional=flag.optional)
        if value is not None:
            _check_address(typed, value)
        self._read.append(name if value is None else f"{name}={value}")

    def _upstream(self, typed: str, meant: Upstream, value: str | None) -> None:
        assert self._command is not None  # noqa: S101 - only commands have flags of upstream
        flags = self._command.flags
        if not meant.switch:
            value = self._value(typed, value, optional=bool(meant.flag) and flags[meant.flag].optional)
        meant.check(typed, value)
        for flag, text in meant.ours(value):
            self._own(typed, flag, flags[flag], text)

    def _value(self, typed: str, value: str | None, *, optional: bool) -> str | None:
        """The flag's value; None where it may be left out and is."""
        follows = self._words[self._place] if self._place < len(self._words) else ""
        # The arguments of another program begin with a dash themselves: --compiler-args "--fp32-cast=all --topdown".
        if value is None and follows and (not _is_flag(follows) or typed.replace("_", "-").endswith("-args")):
            value = follows
            self._place += 1
        if value is None and not optional:
            raise UsageError(
                f"{typed} needs a value, and {follows or 'nothing'} follows.",
                next_step=f"Write it behind: {typed} VALUE; one that begins with a dash as {typed}=VALUE.",
            )
        return value

    def _of_invoke(self, typed: str, name: str, flag: Argument, value: str | None) -> None:
        allowed = (*OWN, *OF_INVOKE)
        if flag.names[0] not in allowed:
            raise UsageError(
                f"{typed} is a flag of Invoke's own and has no effect here.", next_step=self._instead(flag.names[0])
            )
        if flag.names[0] == "list":
            self._list(typed, value)
        self._read.append(name)
        if flag.takes_value and (text := self._value(typed, value, optional=flag.optional)) is not None:
            if name in ("--list-format", "-F") and text not in LIST_FORMATS:
                raise UsageError(
                    f"{typed} must be one of {', '.join(LIST_FORMATS)} (got {text!r})"
                    f"{did_you_mean(text, LIST_FORMATS)}",
                    next_step="Leave it out: flat is what people read.",
                )
            self._read.append(text)

    def _list(self, typed: str, value: str | None) -> None:
        follows = self._words[self._place] if self._place < len(self._words) else ""
        word = value or ("" if _is_flag(follows) else follows)
        if word:
            raise UsageError(
                f"{typed} shows all commands, and {word!r} follows.",
                next_step=f"invoke --help {word} explains that command." if word in self._commands else "Leave it out.",
            )

    def _instead(self, name: str) -> str:
        if name == "dry":
            having = sorted(command for command, flags in self._commands.items() if "--dry-run" in flags.flags)
            if self._command and self._command.name in having:
                return f"Did you mean --dry-run? invoke {self._command.name} --dry-run runs nothing."
            return f"Leave it out; --dry-run is a flag of {', '.join(having)}."
        return _INSTEAD.get(name, "Leave it out.")

    def _unknown(self, typed: str, name: str) -> UsageError:
        if self._command is None:
            import difflib

            if near := difflib.get_close_matches(name, [f"--{own}" for own in OWN], n=1, cutoff=NEAR):
                meant = f'There is no flag {typed}; did you mean "{near[0]}"?'
                return UsageError(meant, next_step="invoke --help shows how to call it.")
            return UsageError(
                f"{typed} stands in front of any command, where only Invoke's own flags may stand.",
                next_step="Name the command first, then its flags; invoke --list shows all commands.",
            )
        command = self._command.name
        known = [*self._command.flags, *upstream_flags(command), "--help"]
        return UsageError(
            f"{command} has no flag {typed}{did_you_mean(name, known)}",
            next_step=f"invoke {command} --help shows its flags.",
        )


def renamed_flags(command: str) -> dict[str, str]:
    """The old flags of a command, and the new one of each, as they are typed."""
    return {_typed(old): new if new == NAMES else _typed(new) for old, new in renamed_in(command).items()}


def _typed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _is_flag(word: str) -> bool:
    """Whether a word is a flag, and no negative number, nor a value of several words that begins with a dash."""
    name = word.partition("=")[0]
    return len(word) > 1 and word[0] == "-" and not re.fullmatch(r"-[\d.][\d.e+-]*", word) and " " not in name


def _check_address(name: str, value: str) -> None:
    """Refuse what lies on another machine; nothing but the catalogue is downloaded."""
    found = _ADDRESS.match(value)
    if found is None or name.strip("-") in _TAKES_ADDRESS:
        return
    copying = _BUCKETS.get(found["scheme"].lower())
    raise UsageError(
        f"{name} {value} lies on another machine, and stages have no network.",
        next_step=f"Copy it here first ({copying} {value} FOLDER), and name that."
        if copying
        else "Download and unpack it first, and name the folder or file.",
    )
