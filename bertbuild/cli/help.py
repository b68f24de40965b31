"""The help of a command: how it is called, an example, its flags in groups, at the terminal's width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from inspect import cleandoc

from bertbuild.cli.help_facts import GROUPS, POSITIONAL, group_of, value_of
from bertbuild.cli.task import Flag, Task
from bertbuild.cli.upstream import upstream_flags
from bertbuild.cli.wording import rendered

NARROWEST, WIDEST = 44, 120
LEFT = 30
"""Columns for a flag and its value; what is longer has its text below."""

OF_UPSTREAM = "flags of upstream's scripts"
WITHOUT_EFFECT = "flags of upstream's scripts that have no effect here"
"""A value that would have one is refused. Dashes or underscores."""


def help_of(task: Task, program: str, width: int) -> str:
    """What `--help` says of a command.

    Args:
        task: the command.
        program: the one that was started, "invoke" or "bertbuild".
        width: of the terminal, in columns.
    """
    width = min(WIDEST, max(NARROWEST, width))
    return "\n".join([*_usage(task, program, width), *_groups(task, width), *_of_upstream(task.name, width), ""])


def _usage(task: Task, program: str, width: int) -> Iterator[str]:
    names = ["[NAMES…]"] if task.takes_names else []
    words = [POSITIONAL[task.name]] if task.name in POSITIONAL else names
    usage = " ".join(["Usage:", program, task.name, *words, "[--flags]"])
    yield from textwrap.wrap(usage, width, subsequent_indent="  ", break_on_hyphens=False)
    for paragraph in cleandoc(task.function.__doc__ or "").split("\n\n"):
        yield ""
        yield from textwrap.wrap(rendered(" ".join(paragraph.split())), width)
    typed = " ".join(filter(None, [program, task.name, task.example]))
    *others, last = textwrap.wrap(typed, width - 6, break_on_hyphens=False, break_long_words=False)
    lines = (*(f"{line} \\" for line in others), last)
    yield from ("", "For instance:", *(f"{'    ' if number else '  '}{line}" for number, line in enumerate(lines)))


def _groups(task: Task, width: int) -> Iterator[str]:
    of_group: dict[str, list[Flag]] = {}
    for flag in task.flags.values():
        of_group.setdefault(group_of(task, flag.name), []).append(flag)
    for group in GROUPS:
        if group in of_group:
            yield from ("", f"{group}:")
            for flag in of_group[group]:
                yield from _flag(_typed(task, flag), _text(task, flag), width)


def _typed(task: Task, flag: Flag) -> str:
    if not flag.takes_value:
        return f"--{flag.name}"
    value = value_of(task.parameters[flag.name])
    return f"--{flag.name}[={value}]" if flag.optional else f"--{flag.name}={value}"


def _text(task: Task, flag: Flag) -> str:
    return rendered(next(text for name, text in task.help.items() if name.strip("_").replace("_", "-") == flag.name))


def _flag(typed: str, text: str, width: int) -> Iterator[str]:
    """A flag and its text beside it, or below where there is no room."""
    left = LEFT if width > 2 * LEFT else 8
    lines = textwrap.wrap(text, width - left, break_on_hyphens=False)
    if len(typed) + 4 <= left:
        yield f"  {typed:<{left - 2}}{lines.pop(0)}"
    else:
        yield from _broken(typed, width)
    yield from (" " * left + line for line in lines)


def _broken(typed: str, width: int) -> Iterator[str]:
    """A flag whose choices may need several lines: they are broken behind a |."""
    line = "  "
    pieces = [piece + "|" for piece in typed.split("|")]
    pieces[-1] = pieces[-1][:-1]
    for piece in pieces:
        if len(line) + len(piece) > width and line.strip():
            yield line
            line = "      "
        line += piece
    yield line


def _of_upstream(command: str, width: int) -> Iterator[str]:
    flags = upstream_flags(command)
    ours = [f"{name} is {meant.flag}" for name, meant in flags.items() if meant.flag]
    ours += [f"{name} is {_adds(meant.adds)}" for name, meant in flags.items() if meant.adds and not meant.flag]
    bare = [name for name, meant in flags.items() if not meant.flag and not meant.adds]
    for heading, found in ((OF_UPSTREAM, ours), (WITHOUT_EFFECT, bare)):
        if found:
            yield from ("", *textwrap.wrap(f"{heading}:", width))
            yield from textwrap.wrap(
                ", ".join(found), width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
            )


def _adds(flags: Mapping[str, str | None]) -> str:
    return " ".join(flag if value is None else f"{flag}={value}" for flag, value in flags.items())
