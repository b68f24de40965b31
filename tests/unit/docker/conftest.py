from __future__ import annotations

import importlib
import sys
import types

import pytest

from bertbuild.checkpoint.crc32c import crc32c
from bertbuild.project import ROOT


def _stand_ins():
    checksum, tokenizers, models = map(types.ModuleType, ("google_crc32c", "tokenizers", "tokenizers.models"))
    checksum.value = crc32c
    models.WordPiece = lambda **_settings: None
    return {module.__name__: module for module in (checksum, tokenizers, models)}


@pytest.fixture(scope="module")
def load():
    """Imports a module of docker/data; nothing of it stays."""
    before = dict(sys.modules)
    paths = [str(ROOT / "docker" / part) for part in ("data", "common")]
    sys.modules.update(_stand_ins())
    for name in [name for name in sys.modules if name.split(".")[0] in ("stage", "stages")]:
        del sys.modules[name]
    sys.path[:0] = paths
    yield importlib.import_module
    del sys.path[: len(paths)]
    for name in set(sys.modules) - set(before):
        del sys.modules[name]
    sys.modules.update(before)
