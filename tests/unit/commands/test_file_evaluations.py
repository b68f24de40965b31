"""What a build file says to measure: each model by itself, on what it names or on what its recipe trained it on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from small_fleet import MODELS, TARGETS, Fleet

from bertbuild.buildfile.entries import EvaluateEntry, ModelEntry, Recipe
from bertbuild.commands import file_evaluations
from bertbuild.errors import AccuracyError, BuildFailedError
from bertbuild.kinds.evaluated_data import Data
from bertbuild.kinds.evaluation import EvaluateRequest
from bertbuild.plans.finetuning import FinetuneRequest, Named
from bertbuild.plans.wanted import Wanted

OF_RECIPE = Recipe(base="base", named=Named(task="MRPC", squad="q.json"), request=FinetuneRequest())


def entry(name, source=OF_RECIPE, data=None, max_drop="0.01"):
    asked = EvaluateEntry(data=data or Data(), request=EvaluateRequest(), max_drop=max_drop)
    return ModelEntry(name=name, source=source, targets=(), evaluate=asked)


@pytest.fixture
def run(monkeypatch):
    """Measure entries; those called bad fall too far. Gives what was measured."""
    seen = []

    def measure(_session, wanted, data, _request, max_drop):
        seen.append((wanted, data, max_drop))
        if wanted.name.startswith("bad"):
            raise AccuracyError(f"{wanted.name} fell.", next_step="")
        return SimpleNamespace(path=Path(wanted.name) / "evaluation.json")

    monkeypatch.setattr(file_evaluations, "measure", measure)

    def asked(*entries):
        found = {one.name: SimpleNamespace(source=SimpleNamespace(file=SimpleNamespace(path="/t"))) for one in entries}
        jobs = SimpleNamespace(entries=entries, found=found, prepared=lambda name: Path(f"/data of {name}"))
        return file_evaluations.evaluations(None, jobs), seen

    asked.seen = seen
    return asked


def test_a_trained_model_is_measured_on_what_it_was_trained_on(run):
    found, seen = run(entry("mine", max_drop="0.2"))
    assert found == {"mine": Path("mine/evaluation.json")}
    wanted, data = Wanted(checkpoint="/t", name="mine"), Data(prepared="/data of mine", squad_data_file="q.json")
    assert seen == [(wanted, data, "0.2")]


def test_what_is_named_comes_first_and_models_without_an_entry_are_left_out(run):
    named, source = Data(task="RTE"), Wanted(checkpoint="c", name="given")
    silent = ModelEntry(name="silent", source=source, targets=())
    _, seen = run(entry("mine", data=named), entry("given", source, named), silent)
    assert [data for _, data, _ in seen] == [named, named]
    assert seen[1][0] is source


def test_all_are_measured_before_it_fails(run):
    with pytest.raises(AccuracyError, match="bad fell"):
        run(entry("bad"), entry("good"))
    assert len(run.seen) == 2
    with pytest.raises(BuildFailedError, match="2 of 3 models do not keep their accuracy") as raised:
        run(entry("bad"), entry("bad too"), entry("good"))
    assert len(raised.value.failures) == 2


def test_a_dry_run_says_what_is_measured_then(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fleet = Fleet(tmp_path)
    fleet.write(TARGETS + MODELS + "[models.two.evaluate]\nprepared = 'p'\n")
    assert fleet.dry_run()["lines"][-1] == "then measured: two"
    fleet.write(TARGETS + MODELS)
    assert fleet.dry_run()["lines"][-1].startswith("targets: ")
