"""Every flag and command that a message, a help text or a document names is one that can be typed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bertbuild.cli.upstream import upstream_flags
from bertbuild.development.tasks import TASKS
from bertbuild.project import ROOT

CODE = [*sorted((ROOT / "bertbuild").rglob("*.py")), *sorted((ROOT / "docker").rglob("*.py"))]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in (".yml", ".toml", ".py")),
    *sorted((ROOT / "bertbuild").rglob("*.toml")),
]
COMMANDS = {name: {*command.flags, *upstream_flags(name), "--help"} for name, command in TASKS.items()}
OURS = set().union(*COMMANDS.values())
FLAG = re.compile(r"(?<![\w/.-])--[a-z][\w-]*")
COMMAND = re.compile(r"\binvoke ([a-z][\w-]*)|`bertbuild ([a-z][\w-]*)")
ADVICE = re.compile(r"\b(?:invoke|`bertbuild) ([a-z][\w-]*)((?: [^\s.;,:)`]+)*)")

INVOKES = {"--dry", "--echo", "--list", "--list-format", "--help", "--version"}
"""Invoke's own: shown, or named because they are refused."""

OTHERS = {
    "servers": "--config_path --rest_port --model-repository",
    "systemd": "--user",
    "docker": "--all --env --filter --mount --no-cache --no-deps --password-stdin --project-directory --project-name "
    "--label --rm --username --volume",
    "uv and pip": "--build-constraints --constraints --dest --disable-pip-version-check --editable "
    "--excludes --find-links --generate-hashes --hash --index --index-strategy --no-annotate --no-deps "
    "--no-emit-index-url --no-header --no-input --only-binary --only-downloads --progress-bar --python "
    "--python-version --quiet --require-hashes --requirements "
    "--no-binary --no-build-isolation --use-pep517",
    "git, rsync, cp, tar, apt-get": "--dereference --no-install-recommends --recursive --short --yes",
    "pytest": "--junit-xml",
    "kubectl and helm": "--docker-server --filename --from-file --namespace --replicas",
    "cosign": "--bundle --key --statement --type --yes",
    "tensorboard": "--logdir",
    "tensorflow_model_server and mo": "--model_base_path --model_name --port",
    "neuron-cc": "--fp32-cast --framework",
    "the Model Garden's exporter": "--export_type",
    "docker/unused.py": "--same-as",
    "bench/": "--inspect --kills --megabytes --models --only --questions --rounds --runs --size --stages --steps "
    "--what",
    "a stage, as the host runs it": "--out --unfinished",
    "a pattern of words": "--core-opts --flags --modle",
}
THEIRS = {flag for flags in OTHERS.values() for flag in flags.split()}


def stages_flags():
    """The flags that all stages have, and those that each declares."""
    declared = {"--out", "--param", "--key", "--shards"}  # the last one of a loop
    for path in sorted((ROOT / "docker").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                name = node.args[0]
                if node.func.attr in ("input", "param") and isinstance(name, ast.Constant):
                    declared.add(f"--{name.value}")
    return {spelt for flag in declared for spelt in (flag, flag.replace("_", "-"))}


OF_STAGES = stages_flags()


def said(path):
    """The texts in a module that people may see: its strings, those with values in them whole, but for docstrings.

    The docstrings of tasks and stages are what --help prints.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    shown = "tasks" in path.parts or "stages" in path.parts
    silent = {id(statement.value) for node in ast.walk(tree) for statement in docstrings(node) if not shown}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            silent |= {id(part) for part in node.values}
            yield "".join(part.value if isinstance(part, ast.Constant) else "VALUE" for part in node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


def docstrings(node):
    """A node's statements that are a string alone: its docstring, and those below names."""
    body = getattr(node, "body", None)
    return [one for one in body if isinstance(one, ast.Expr)] if isinstance(body, list) else []


def faults(text, *, allowed):
    """What a text names that is not there."""
    unknown = [flag for flag in FLAG.findall(text) if not {flag, flag.replace("_", "-")} & allowed]
    unknown += [name for pair in COMMAND.findall(text) for name in pair if name and name not in COMMANDS]
    for command, words in ADVICE.findall(text):
        flags = [word.partition("=")[0].replace("_", "-") for word in words.split() if word.startswith("--")]
        unknown += [f"{command} {flag}" for flag in flags if command in COMMANDS and flag not in COMMANDS[command]]
    return unknown


HOST = OURS | THEIRS | INVOKES


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_message_names_is_there(path):
    allowed = HOST | OF_STAGES if path.is_relative_to(ROOT / "docker") else HOST
    assert [found for text in said(path) for found in faults(text, allowed=allowed)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_names_is_there(path):
    assert faults(path.read_text(encoding="utf-8"), allowed=HOST | OF_STAGES) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Copy it into the folder, or name it with --confg.", "--confg"),
        ("or use --huggingface", "--huggingface"),
        ("Run: invoke buidl", "buidl"),
        ("Turn it into one with `bertbuild import`", "import"),
        ("See all: invoke gc --model x", "gc --model"),
        ("(invoke build-ir --modle minilm-l6)", "build-ir --modle"),
        ("invoke finetune --train-batch-size 2 --steps=3.", "finetune --steps"),
    ],
)
def test_what_is_made_up_is_found(text, fault):
    assert fault in faults(text, allowed=HOST - {"--modle"})


def test_what_stages_are_told_is_known(tmp_path):
    assert {"--checkpoint", "--huggingface", "--max-seq-length", "--unfinished"} <= OF_STAGES
    module = tmp_path / "message.py"
    module.write_text(
        '"""--docstring"""\nname = "x"\nsaid = f"give --{name} or " + "--made-up"\nother = f"--also {name}"\n'
    )
    assert sorted(said(Path(module))) == ["--also VALUE", "--made-up", "give --VALUE or ", "x"]
