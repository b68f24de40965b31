"""Prints, as JSON, what keys and images hold of the files of the bertbuild that this Python imports."""

import json
import sys
from pathlib import Path

from bertbuild.backends import BACKENDS
from bertbuild.engine.executor import Maker
from bertbuild.engine.gate import Judge
from bertbuild.isolation.compose import source_digest
from bertbuild.isolation.unlocked import unlocked
from bertbuild.isolation.venv import VenvIsolation
from bertbuild.project import IS_INSTALLED
from bertbuild.source.checkpoints import MODULES, _code
from bertbuild.stages import STAGES
from bertbuild.store.store import Store

folder = Path(sys.argv[1])
isolation = VenvIsolation(folder / "environments")
maker = Maker(Store(folder / "artifacts"), isolation, lambda _event: None, "run")
own = {
    "stages": {name: maker.code(name) for name in STAGES} | {name: _code(name) for name in MODULES},
    "gate": Judge(maker).code,
    "environments": {backend: isolation._path(backend).name for backend in BACKENDS},
    "images": {backend: source_digest(backend) for backend in BACKENDS},
    "unlocked": {backend: found.digest() for backend in BACKENDS if (found := unlocked(backend)) is not None},
}
json.dump({"installed": IS_INSTALLED, "own": own}, sys.stdout)
