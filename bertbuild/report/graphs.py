"""Jobs and what they need, drawn: as a tree in a terminal, for Graphviz, for Mermaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

FORMATS = ("text", "dot", "mermaid")

MODEL, STAGE, TARGET = "model", "stage", "target"

_COLOURS = {
    "up to date": "#d8f0d8",
    "would run": "#ffd9a0",
    "may run": "#fff3c4",
    "not checked": "#fff3c4",
    "shared": "#e4e4f4",
    "failed": "#f6c4c4",
    "blocked": "#f6c4c4",
}
_OTHER = "#eeeeee"
"""The colour of what is not known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A job, or a model.

    Attributes:
        job: its id, or the model's name.
        kind: `MODEL`, `STAGE` or `TARGET`.
        model: whose it is.
        name: what people call it within its model.
        state: what would become of it.
        needs: other nodes.
    """

    job: str
    kind: str
    model: str
    name: str
    state: str
    needs: tuple[str, ...]


def draw(nodes: Sequence[Node], format_: str) -> list[str]:
    """The lines of a drawing.

    Args:
        nodes: each after those that it needs.
        format_: one of `FORMATS`.
    """
    drawn = {"text": _text, "dot": _dot, "mermaid": _mermaid}[format_]
    return list(drawn(nodes))


def _text(nodes: Sequence[Node]) -> Iterator[str]:
    """A tree for each model: its targets, and below each what it is made from; what was drawn already, by name only."""
    known = {node.job: node for node in nodes}
    lines: list[tuple[str, str]] = []
    drawn: set[str] = set()
    for model in _models(nodes):
        own = known[model]
        lines.append((model, "" if own.state == "up to date" else own.state))
        targets = [node for node in nodes if node.model == model and node.kind == TARGET]
        made_by = [known[need] for need in own.needs if known[need].kind == STAGE]
        _branches([*made_by, *targets], "", known, drawn, lines, model)
    width = max((len(words) for words, _ in lines), default=0)
    yield from (f"{words:<{width}}  {state}".rstrip() for words, state in lines)


def _branches(
    nodes: Sequence[Node],
    before: str,
    known: Mapping[str, Node],
    drawn: set[str],
    lines: list[tuple[str, str]],
    model: str,
) -> None:
    for number, node in enumerate(nodes, start=1):
        last = number == len(nodes)
        again = node.job in drawn
        name = node.name if node.model == model else node.job
        lines.append((f"{before}{'└─' if last else '├─'} {name}", "as above" if again else node.state))
        if not again:
            drawn.add(node.job)
            below = [known[need] for need in node.needs if known[need].kind != MODEL]
            _branches(below, before + ("   " if last else "│  "), known, drawn, lines, model)


def _dot(nodes: Sequence[Node]) -> Iterator[str]:
    yield "digraph bertbuild {"
    yield "  rankdir=LR;"
    yield '  node [shape=box, style="rounded,filled", fontname="sans-serif"];'
    for number, model in enumerate(_models(nodes)):
        yield f"  subgraph cluster_{number} {{"
        yield f"    label={_quoted(model)};"
        for node in nodes:
            if node.model == model:
                shape = {MODEL: ", shape=folder, style=filled", TARGET: ", penwidth=2"}.get(node.kind, "")
                label = f"{_escaped(node.name)}\\n{_escaped(node.state)}"
                yield f'    {_quoted(node.job)} [label="{label}", fillcolor="{_colour(node)}"{shape}];'
        yield "  }"
    yield from (f"  {_quoted(need)} -> {_quoted(node.job)};" for node in nodes for need in node.needs)
    yield "}"


def _mermaid(nodes: Sequence[Node]) -> Iterator[str]:
    numbers = {node.job: f"n{number}" for number, node in enumerate(nodes)}
    yield "flowchart LR"
    for number, model in enumerate(_models(nodes)):
        yield f'  subgraph m{number}["{_entities(model)}"]'
        for node in nodes:
            if node.model == model:
                left, right = {MODEL: ("[(", ")]"), TARGET: ("([", "])")}.get(node.kind, ("[", "]"))
                yield f'    {numbers[node.job]}{left}"{_entities(node.name)}<br/>{_entities(node.state)}"{right}'
        yield "  end"
    yield from (f"  {numbers[need]} --> {numbers[node.job]}" for node in nodes for need in node.needs)
    yield from (f"  style {numbers[node.job]} fill:{_colour(node)},color:#000" for node in nodes)


def _models(nodes: Sequence[Node]) -> list[str]:
    return list(dict.fromkeys(node.model for node in nodes))


def _colour(node: Node) -> str:
    return _COLOURS.get(node.state, _OTHER)


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """For a string of DOT: https://graphviz.org/doc/info/lang.html."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _entities(text: str) -> str:
    """For a string of Mermaid, which has no other escapes; a number sign begins them."""
    marks = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "\n": " "}
    return "".join(marks.get(letter, letter) for letter in text)
