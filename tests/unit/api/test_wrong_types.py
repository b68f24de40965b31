"""What is not of the type that the interface of Python takes is refused in a sentence, before anything is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertbuild.api import Checkpoint, Hub, Ir, Model, NeuronReady, Project
from bertbuild.errors import UsageError

TINY = Checkpoint("m/tiny")
WRONG = {
    "a path for a source": (lambda project: project.build("m/tiny", Ir()), "'m/tiny' is not a source."),
    "nothing to inspect": (lambda project: project.inspect(None), "None is not a source."),
    "the two swapped": (lambda project: project.build(Hub(), TINY), "is not a"),
    "a class for a request": (lambda project: project.build(TINY, Ir), "is not a request."),
    "a path for a name": (lambda project: project.build(Model(Path("m")), Ir()), "model must be text"),
    "a number for a name": (lambda project: project.build(TINY, Ir(), name=3), "name must be text (got 3)."),
    "a list for names": (lambda project: project.dry_run(["tiny"]), "a name must be text (got ['tiny'])."),
    "a number to verify": (lambda project: project.verify(3), "a name must be text (got 3)."),
    "nothing to explain": (lambda project: project.why(None), "a name must be text (got None)."),
    "a number for a build file": (lambda project: project.build_file(file=3), "file must be a path (got 3)."),
}
VALUES = {
    "a number for a version": (lambda: Ir(openvino=2026.4), "--openvino must be one of"),
    "words for a size": (lambda: Ir(seq_len="64x"), "--seq-len must be a whole number, 0 or more (got '64x')."),
    "truth for a size": (lambda: Ir(seq_len=True), "--seq-len must be a whole number, 0 or more (got True)."),
    "half a size": (lambda: NeuronReady(seq_len=1.5), "--seq-len must be a whole number, 0 or more (got 1.5)."),
    "precisions in a list": (lambda: Ir(precision=["fp32", "fp16"]), "--precision must be text"),
}


@pytest.mark.parametrize(("call", "sentence"), WRONG.values(), ids=WRONG)
def test_an_argument_of_another_type_is_refused(tmp_path, call, sentence):
    project = Project(artifacts=tmp_path / "artifacts", isolation="venv")
    with pytest.raises(UsageError) as raised:
        call(project)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(("request_", "sentence"), VALUES.values(), ids=VALUES)
def test_a_value_of_another_type_is_refused(request_, sentence):
    with pytest.raises(UsageError) as raised:
        request_()
    assert sentence in str(raised.value)


@pytest.mark.parametrize("settings", [{"artifacts": 3}, {"listener": 3}])
def test_a_setting_of_another_type_is_refused(settings):
    with pytest.raises(UsageError, match="must be a"):
        Project(**settings)


def test_artifacts_stay_where_they_were_named(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    project = Project(artifacts="artifacts", isolation="venv")
    (tmp_path / "artifacts").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    project.status()
    assert (tmp_path / "artifacts" / "objects").is_dir()
    assert list((tmp_path / "elsewhere").iterdir()) == []
