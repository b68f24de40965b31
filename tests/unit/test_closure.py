"""Which code a stage's key tells of: the files that it can run, and no others."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from bertbuild import backends, closure, keys, stages
from bertbuild.backends import BACKENDS
from bertbuild.project import ROOT
from bertbuild.source.checkpoints import MODULES
from bertbuild.stages import STAGES, code_of, host_code, image_code, stage_code

OF_STAGES = sorted({path for backend in BACKENDS for path in image_code(backend).values()})
OF_HOST = sorted(
    {path for module in ("bertbuild.gate.parity", *MODULES.values()) for path in host_code(module).values()}
)
CLASSIFIER_DRAWING = {"finetune", "tf2-train"}

BY_NAME = {"import_module", "__import__", "run_module", "run_path", "exec", "eval", "spec_from_file_location"}
"""Calls that can run code by a name or path put together while a program runs."""


def imports_as_python_sees_them(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {(0, alias.name, ()) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.level, node.module or "", tuple(alias.name for alias in node.names)))
        elif isinstance(node, ast.Call) and _called(node) == "import_module" and isinstance(node.args[0], ast.Constant):
            found.add((0, node.args[0].value, ()))
    return found


def _called(node):
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


@pytest.mark.parametrize("path", [*OF_STAGES, *OF_HOST], ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_file_imports_is_read_as_python_reads_it(path):
    ours = {"bertbuild", "stages", *(path.stem for path in (ROOT / "docker" / "common").glob("*.py"))}
    read = {found for found in closure.source(str(path)).imports if found[1].split(".")[0] in ours or found[0]}
    assert read == {found for found in imports_as_python_sees_them(path) if found[1].split(".")[0] in ours or found[0]}


@pytest.mark.parametrize("path", OF_STAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_of_a_stage_is_run_by_a_name_that_its_key_cannot_know(path):
    calls = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
    computed = [
        call.lineno
        for call in calls
        if _called(call) in BY_NAME and not (call.args and isinstance(call.args[0], ast.Constant))
    ]
    entry = path.name == f"{closure.ENTRY}.py"  # runs the stage that it is told to, which is part of each key
    assert bool(computed) == entry, computed


@pytest.mark.parametrize("path", OF_STAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_stage_reads_a_file_that_lies_beside_its_code(path):
    names = {getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(ast.parse(path.read_bytes()))}
    assert path.name == f"{closure.ENTRY}.py" or not names & {
        "__file__",
        "__path__",
        "pkgutil",
        "resources",
        "get_data",
    }


@pytest.fixture
def places(tmp_path):
    """Modules by path; gives the names of the files that `stages.begin` runs."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / (name.replace("__in__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        tops = {path.stem: path for path in tmp_path.iterdir() if path.suffix == ".py" or path.is_dir()}
        return [name.removesuffix(".py") for name in closure.closure(["stages.begin"], tops)]

    return write


IMPORTS = {
    "a module": ("import common", "common"),
    "one of several": ("import os, common", "common"),
    "by another name": ("import common as other", "common"),
    "names of a module": ("from common import (\n    one,  # the (first)\n    two,\n)", "common"),
    "inside a function": ("def late():\n    import common", "common"),
    "where a condition holds": ("if False:\n    from common import one", "common"),
    "a module of a package": ("from stages import helper", "stages/helper"),
    "by its whole name": ("import stages.helper", "stages/helper"),
    "beside it": ("from . import helper", "stages/helper"),
    "beside it, names": ("from .helper import one", "stages/helper"),
    "above it": ("from .. import common", None),
    "by a name in quotes": ('import importlib\nimportlib.import_module("stages.helper")', "stages/helper"),
    "a package of the host": ("from bertbuild.deep import leaf", "bertbuild/deep/leaf"),
    "in a docstring": ('"""\nimport of a thing\nfrom here to there\n"""', None),
    "another's": ("import numpy, tensorflow.neuron", None),
}


@pytest.mark.parametrize("kind", IMPORTS)
def test_imports_of_every_form_are_followed(places, kind):
    text, expected = IMPORTS[kind]
    files = {
        "common": "",
        "stages__in____init__": "",
        "stages__in__helper": "",
        "bertbuild__in____init__": "import common",
        "bertbuild__in__deep__in____init__": "",
        "bertbuild__in__deep__in__leaf": "",
    }
    found = set(places(**files, stages__in__begin=text)) - {"stages/__init__", "stages/begin"}
    above = {"bertbuild/deep/__init__"} if expected and expected.startswith("bertbuild") else set()
    assert found == ({expected} | above if expected else set())


def test_imports_are_followed_to_their_end_and_in_circles(places):
    found = places(
        stages__in__begin="from stages import one",
        stages__in__one="from stages.two import name",
        stages__in__two="import common\nfrom stages import one",
        common="",
    )
    assert found == ["common", "stages/begin", "stages/one", "stages/two"]


def test_what_a_package_itself_imports_belongs_to_each_of_its_modules(places):
    found = places(
        stages__in__begin="import bertbuild.deep.leaf",
        bertbuild__in__deep__in____init__="from . import beside",
        bertbuild__in__deep__in__beside="",
        bertbuild__in__deep__in__leaf="",
    )
    assert found == ["bertbuild/deep/__init__", "bertbuild/deep/beside", "bertbuild/deep/leaf", "stages/begin"]


@pytest.mark.parametrize("text", ["import stages.gone", "from stages.gone import x", "from .gone import x"])
def test_a_module_of_ours_that_is_not_there_is_no_part_that_can_be_left_out(places, text):
    with pytest.raises(LookupError, match=r"imports stages\.gone, which is not there"):
        places(stages__in____init__="", stages__in__begin=text)


def test_an_import_that_is_added_is_seen_by_the_same_process(places):
    assert places(stages__in__begin="", common="") == ["stages/begin"]
    assert places(stages__in__begin="import common") == ["common", "stages/begin"]


@pytest.fixture
def checkout(monkeypatch, tmp_path):
    """A copy of the code that stages run; gives what an edit of a file changes: stages by name."""
    for folder in ("docker", "bertbuild"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "wheels", "*.txt")
        )
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    monkeypatch.setattr(backends, "ROOT", tmp_path)

    def digests():
        return {name: keys.code_digest(stage_code(spec)) for name, spec in STAGES.items()}

    before = digests()

    def changed_by(name, text="\n# a comment\n"):
        path = tmp_path / name
        unedited = path.read_bytes()
        path.write_bytes(unedited + text.encode())
        changed = {stage for stage, digest in digests().items() if digest != before[stage]}
        path.write_bytes(unedited)
        return changed

    return changed_by


EDITS = {
    "docker/tf1/stages/_neuron_graph.py": {"neuron-ready"},
    "docker/neuron/stages/_memory.py": {"neuron-compile"},
    "docker/common/training_plot.py": {"finetune", "tf2-train"},
    "docker/data/stages/freeze.py": {"freeze"},
    "docker/common/tfrecords.py": {"examples", "quantize", "onnx-quantize"},
    "bertbuild/__init__.py": set(),
    "bertbuild/report/html/svg.py": set(),
    "bertbuild/huggingface/heads.py": {"import"},
    "docker/common/stage.py": set(STAGES),
    "bertbuild/heads/rows.py": set(),
    "bertbuild/heads/answers.py": set(),
    "bertbuild/heads/tokens.py": set(),
    "docker/data/stages/_graph_writer.py": {"freeze"},
    "bertbuild/model/heads.py": {"freeze", "ir-direct", "onnx-direct"},
}


@pytest.mark.parametrize("path", EDITS)
def test_an_edit_changes_the_keys_of_the_stages_that_run_what_was_edited(checkout, path):
    assert checkout(path) == EDITS[path]


def test_what_a_stage_runs_is_found_again_once_a_file_or_a_folder_is_another(checkout, tmp_path):
    assert checkout("docker/data/stages/freeze.py") == {"freeze"}

    def files():
        return set(stage_code(STAGES["freeze"]))

    before, ours = files(), tmp_path / "docker" / "common" / "bisect.py"
    assert files() == before
    ours.write_text("")  # what was Python's is a module of ours now
    assert files() == before | {"bisect.py"}
    ours.unlink()
    assert files() == before
    freeze, added = (tmp_path / "docker" / "data" / "stages" / name for name in ("freeze.py", "added.py"))
    added.write_text("")
    freeze.write_text(f"import stages.added\n{freeze.read_text()}")
    assert files() == before | {"stages/added.py"}
    added.unlink()
    with pytest.raises(LookupError, match=r"stages\.added"):
        files()


def test_another_version_changes_no_key(checkout):
    assert checkout("bertbuild/__init__.py", '\n__version__ = "9.9.9"\n') == set()


def test_names_in_a_digest_say_nothing_of_where_the_code_lies(checkout):
    assert checkout("docker/tf1/requirements.in") == set()
    here = keys.code_digest(
        {name: ROOT / path.relative_to(stages.ROOT) for name, path in code_of("data", "freeze").items()}
    )
    assert here == keys.code_digest(code_of("data", "freeze"))


def test_an_image_carries_what_its_stages_can_run_and_no_more():
    for backend in BACKENDS:
        run = {
            path
            for spec in STAGES.values()
            if spec.backend == BACKENDS[backend].folder or backend in spec.also
            for path in stage_code(spec).values()
        }
        assert set(image_code(backend).values()) == run


def test_the_code_that_reads_code_is_python_3_7():
    ast.parse(Path(closure.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))
