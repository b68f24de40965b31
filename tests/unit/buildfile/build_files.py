"""Build files written by tests: from nested dictionaries to TOML."""

from __future__ import annotations

import json
from pathlib import Path

from bertbuild.buildfile.load import load_build_file


def as_toml(values):
    """Values in one line, as TOML has them; tables are inline."""
    if isinstance(values, dict):
        return "{ " + ", ".join(f"{as_toml(str(name))} = {as_toml(value)}" for name, value in values.items()) + " }"
    if isinstance(values, list):
        return "[" + ", ".join(map(as_toml, values)) + "]"
    if isinstance(values, str):
        return json.dumps(values, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(values)


def as_file(values):
    """A whole file: [tables] for what is a table in a table of tables, a line for each other key."""
    lines = [f"{as_toml(name)} = {as_toml(value)}" for name, value in values.items() if not isinstance(value, dict)]
    for group, tables in values.items():
        if not isinstance(tables, dict):
            continue
        lines.append(f"[{as_toml(group)}]")
        lines += [f"{as_toml(n)} = {as_toml(value)}" for n, value in tables.items() if not isinstance(value, dict)]
        for name, table in tables.items():
            if isinstance(table, dict):
                lines.append(f"[{as_toml(group)}.{as_toml(name)}]")
                lines += [f"{as_toml(key)} = {as_toml(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def load(folder: Path, text: str):
    """The build file that a text makes."""
    path = folder / "bertbuild.toml"
    path.write_text(text, encoding="utf-8")
    return load_build_file(path)


def only_target(folder: Path, text: str):
    """The one target of the one model of a file that names no model."""
    (model,) = load(folder, text + '\n[models.m]\nmodel = "minilm-l6"\n').models
    (target,) = model.targets
    return target
