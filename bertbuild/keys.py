"""The key of a stage: a hash of everything its result is made of, and of nothing else. Pure functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bertbuild.closure import source

KEY_FORMAT = 2
"""Raised whenever the meaning of a component changes, so that old results are not taken for new ones."""


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def canonical_json(value: Any) -> bytes:
    """The one byte string for a value of dicts (string keys), lists, strings, integers, booleans and None.

    Raises:
        TypeError: a float anywhere: floats have no one decimal form, so they travel as strings.
    """
    _refuse_floats(value)
    return _ENCODER.encode(value).encode()


def _refuse_floats(value: Any) -> None:
    if isinstance(value, str):
        return
    if isinstance(value, float):
        raise TypeError(f"a float ({value!r}) may not be part of a key; give it as a string")
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise TypeError(f"a key's mapping may have only string keys, not {name!r}")
            if type(item) is not str:
                _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def digest(value: Any) -> str:
    """sha256, in hex, of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def components(
    *,
    stage: str,
    code: str,
    environment: Mapping[str, str],
    params: Mapping[str, str],
    inputs: Mapping[str, str],
) -> dict[str, Any]:
    """Everything the key of a stage is made of, kept beside each result so that a difference can be explained.

    Args:
        stage: the stage's name.
        code: digest of the stage's code (`code_digest`).
        environment: facts that pin the environment: an image id, or a lock file's digest and an interpreter.
        params: the parameters, as they are given on the command line.
        inputs: digest of each input's content, by input name.
    """
    return {
        "format": KEY_FORMAT,
        "stage": stage,
        "code": code,
        "environment": dict(environment),
        "params": dict(params),
        "inputs": dict(inputs),
    }


def code_digest(files: Mapping[str, Path]) -> str:
    """Digest of source files: their names and their bytes, wherever they lie."""
    return digest({name: source(str(path)).sha256 for name, path in files.items()})
