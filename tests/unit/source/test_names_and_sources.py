"""A name in out/ stays its source's: which name a path gives, and what would make a name pass to another source."""

from __future__ import annotations

import shutil

import pytest
from small_fleet import TARGETS, Fleet, write_tiny

from bertbuild.backends import BACKENDS
from bertbuild.commands import target
from bertbuild.commands.opening import opened
from bertbuild.commands.session import Session
from bertbuild.errors import BuildFailedError, UsageError
from bertbuild.kinds.frozen import Frozen
from bertbuild.plans.wanted import Wanted
from bertbuild.source.resolve import model_name, vocabulary_name
from bertbuild.store.naming import Given, described
from bertbuild.store.store import Store

POOLED, SEQUENCE = Frozen(), Frozen(output="sequence")


@pytest.fixture
def fleet(tmp_path, isolation, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    return Fleet(tmp_path)


@pytest.fixture
def freeze(fleet):
    """freeze --checkpoint; gives model and target."""

    def run(checkpoint, *, name="", replace=False, request=POOLED):
        session = fleet.session()
        session = Session(settings=session.settings, report=session.report, replace=replace)
        try:
            target.build(session, Wanted(checkpoint=str(checkpoint), name=name), request)
        finally:
            session.close()
            session.report.close()
        result = fleet.events.of("result")[-1]
        return f"{result['model']}/{result['targets'][0]['target']}"

    return run


def in_store(store, model, target, seed):
    """A checkpoint that has a name in out/, as finetune leaves it."""
    folder = store.objects / "finetune" / f"{seed:064}"
    write_tiny(folder, seed)
    link = store.root / "out" / model / target
    link.parent.mkdir(parents=True)
    link.symlink_to(f"../../objects/finetune/{folder.name}")
    return link


PATHS = {
    "a folder": ("models/mine", "mine"),
    "a folder with a slash": ("models/mine/", "mine"),
    "a checkpoint's prefix": ("models/mine/bert_model.ckpt", "mine"),
    "a zip": ("models/mine.zip", "mine"),
    "an Estimator's export": ("exports/1612345678", "exports"),
    "the folder of exports": ("exports", "exports"),
}


@pytest.mark.parametrize("case", PATHS)
def test_a_model_is_called_as_its_folder_is(tmp_path, store, case, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path / "models" / "mine")
    (tmp_path / "exports" / "1612345678").mkdir(parents=True)
    path, name = PATHS[case]
    assert model_name(tmp_path / path, store) == name
    monkeypatch.chdir(tmp_path / "models")
    assert model_name(tmp_path / path, store) == name


def test_what_has_a_name_in_out_keeps_its_models_name(store):
    link = in_store(store, "mine", "finetuned-mrpc", 1)
    assert model_name(link, store) == "mine"
    assert model_name(link / "bert_model.ckpt", store) == "mine"
    assert vocabulary_name(link / "vocab.txt", store) == "mine"


def test_a_vocabulary_elsewhere_is_called_as_its_folder_or_its_file(store, tmp_path):
    assert vocabulary_name(tmp_path / "uncased" / "vocab.txt", store) == "uncased"
    assert vocabulary_name(tmp_path / "cased.vocab.txt", store) == "cased"


def test_two_fine_tuned_models_of_two_names_stay_two(fleet, freeze):
    store = fleet.session().store
    one, two = in_store(store, "a", "finetuned-mrpc", 1), in_store(store, "b", "finetuned-mrpc", 2)
    assert freeze(one) == "a/frozen"
    assert freeze(two) == "b/frozen"
    assert (store.root / "out/a/frozen").resolve() != (store.root / "out/b/frozen").resolve()


def test_another_source_does_not_take_a_name_and_nothing_runs(freeze, isolation, tmp_path):
    write_tiny(tmp_path / "other" / "one", seed=7)
    freeze("checkpoints/one")
    before, ran = (tmp_path / "artifacts/out/one/frozen").readlink(), len(isolation.runs)
    with pytest.raises(UsageError) as refused:
        freeze("other/one")
    assert str(refused.value) == (
        f"out/one/frozen was made from checkpoint {tmp_path}/checkpoints/one, "
        f"and would now be made from checkpoint {tmp_path}/other/one."
    )
    assert "--name NAME" in refused.value.next_step
    assert "--replace" in refused.value.next_step
    assert (tmp_path / "artifacts/out/one/frozen").readlink() == before
    assert len(isolation.runs) == ran
    assert freeze("other/one", name="second") == "second/frozen"
    assert freeze("other/one", replace=True) == "one/frozen"
    assert (tmp_path / "artifacts/out/one/frozen").readlink() != before
    freeze("other/one")  # the name is now its own


def test_a_checkpoint_that_was_trained_on_or_moved_is_no_other_source(freeze, tmp_path):
    freeze("checkpoints/one")
    write_tiny(tmp_path / "checkpoints" / "one", seed=9)
    freeze("checkpoints/one")
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "checkpoints" / "one", tmp_path / "elsewhere" / "one")
    assert freeze("elsewhere/one") == "one/frozen"


def test_a_build_file_takes_no_name_of_another_source_unless_told_to(fleet, freeze):
    freeze("checkpoints/two", name="one")
    fleet.write(TARGETS + '[models.one]\ncheckpoint = "checkpoints/one"\n')
    said = fleet.dry_run()
    assert "out/one/frozen was made from checkpoint" in str(said)
    with pytest.raises(BuildFailedError) as failed:
        fleet.build()
    told = [failure["message"] for failure in fleet.events.of("failure")]
    assert len(told) == 3
    assert all(message.startswith("out/one/frozen was made from checkpoint") for message in told)
    assert failed.value.exit_code == 2
    assert fleet.status()["one/ir-fp32"]["state"] == "failed"


def test_a_name_that_was_taken_away_is_free(fleet, freeze):
    freeze("checkpoints/one")
    store = fleet.session().store
    store.unlink("one", "frozen")
    assert not (store.root / "names/one/frozen.json").exists()
    assert freeze("checkpoints/two", name="one") == "one/frozen"


def test_a_damaged_note_of_a_source_is_as_none(fleet, freeze):
    freeze("checkpoints/one")
    (fleet.session().store.root / "names/one/frozen.json").write_text("[")
    assert freeze("checkpoints/two", name="one") == "one/frozen"


def test_a_model_has_one_source_whatever_the_target(freeze, isolation, tmp_path):
    freeze("checkpoints/one")
    ran = len(isolation.runs)
    with pytest.raises(UsageError) as refused:
        freeze("checkpoints/two", name="one", request=SEQUENCE)
    assert str(refused.value) == (
        f"out/one/frozen was made from checkpoint {tmp_path}/checkpoints/one, "
        f"and out/one/frozen-sequence-auto would be from checkpoint {tmp_path}/checkpoints/two."
    )
    assert "--name NAME" in refused.value.next_step
    assert "--replace" in refused.value.next_step
    assert len(isolation.runs) == ran
    freeze("checkpoints/two", name="other", request=SEQUENCE)
    freeze("checkpoints/one", request=SEQUENCE)


def test_replace_is_of_all_the_models_names(fleet, freeze, tmp_path):
    (tmp_path / "bertbuild.toml").unlink()
    freeze("checkpoints/one")
    freeze("checkpoints/two", name="one", replace=True, request=SEQUENCE)
    told = fleet.status()
    assert told["one/frozen-sequence-auto"]["state"] == "built"
    assert told["one/frozen"]["state"] == "stale"
    (why,) = told["one/frozen"]["because"]
    assert why == (
        f"it was made from checkpoint {tmp_path}/checkpoints/one, "
        f"and out/one/ is now made from checkpoint {tmp_path}/checkpoints/two"
    )
    with pytest.raises(UsageError, match=r"out/one/frozen-sequence-auto was made from .*two, and out/one/frozen would"):
        freeze("checkpoints/one")
    assert freeze("checkpoints/two", name="one") == "one/frozen"
    assert [fleet.status()[name]["state"] for name in ("one/frozen", "one/frozen-sequence-auto")] == ["built", "built"]


def test_a_source_that_takes_its_names_back_has_them(fleet, freeze, tmp_path):
    (tmp_path / "bertbuild.toml").unlink()
    freeze("checkpoints/one")
    freeze("checkpoints/two", name="one", replace=True, request=SEQUENCE)
    freeze("checkpoints/one", replace=True)  # its result and its link are as they were
    told = fleet.status()
    assert (told["one/frozen"]["state"], told["one/frozen-sequence-auto"]["state"]) == ("built", "stale")
    freeze("checkpoints/one")


def test_what_was_trained_from_a_model_may_share_its_folder(fleet, freeze):
    freeze("checkpoints/one", name="mine")
    store = fleet.session().store
    write_tiny(store.objects / "finetune" / f"{1:064}", 1)
    trained = store.root / "out" / "mine" / "finetuned-mrpc"
    trained.symlink_to(f"../../objects/finetune/{1:064}")
    fleet.run(target.build, Wanted(checkpoint=str(trained)), Frozen(output="sequence"))
    assert fleet.events.texts("warning") == []


def test_what_lies_below_a_name_in_out_is_of_that_model(store, tmp_path):
    link = in_store(store, "mine", "finetuned-mrpc", 1)
    (tmp_path / "linked").symlink_to(store.root)
    for root in (store.root, tmp_path / "linked"):
        for file in ("bert_model.ckpt", "bert_model.ckpt.index", ""):
            path = root / "out" / "mine" / "finetuned-mrpc" / file
            place = f"out/mine/finetuned-mrpc{file and '/'}{file}"
            assert described("checkpoint", path, store.root) == f"checkpoint {place} of this store"
    assert described("checkpoint", link.resolve(), store.root).startswith("checkpoint objects/finetune/")
    assert described("checkpoint", tmp_path / "out" / "x", store.root) == f"checkpoint {tmp_path}/out/x"


def test_a_graph_that_was_made_of_a_model_may_share_its_folder(store):
    link = in_store(store, "mine", "frozen", 1)
    names = store.names
    names.claim("mine", "frozen", source="checkpoint /models/mine", digest="1", replace=False)
    names.remember("mine", "frozen", Given(stage="freeze", key="k", manifest="m"))
    source = described("frozen graph", link / "inference_graph.pb", store.root)
    names.claim("mine", "ir-fp32", source=source, digest="2", replace=False)
    with pytest.raises(UsageError, match="out/mine/frozen was made from checkpoint /models/mine, and out/mine/ir-fp32"):
        names.claim("mine", "ir-fp32", source="checkpoint /elsewhere/mine", digest="3", replace=False)


def test_a_name_too_long_for_its_lock_is_refused_before_anything_is_built(tmp_path):
    names = Store(tmp_path / "store").names
    with pytest.raises(UsageError, match="is too long") as raised:
        names.claim("m" * 250, "ir-fp32", source="checkpoint /x", digest="1", replace=False)
    assert raised.value.exit_code == 2
    names.claim("m" * 243, "ir-fp32", source="checkpoint /x", digest="1", replace=False)


@pytest.mark.parametrize(("place", "is_file"), [("m", True), ("m/ir-fp32", True), ("m/ir-fp32", False)])
def test_what_lies_in_the_place_of_a_name_is_refused_before_anything_is_built(tmp_path, place, is_file):
    store = Store(tmp_path / "store")
    odd = store.root / "out" / place
    odd.parent.mkdir(parents=True, exist_ok=True)
    odd.write_text("mine") if is_file else odd.mkdir()
    with pytest.raises(UsageError) as raised:
        store.names.claim("m", "ir-fp32", source="checkpoint /x", digest="1", replace=True)
    assert str(raised.value) == f"{odd} is in the place of a name, and was not made by bertbuild."
    assert odd.exists()


def test_a_file_that_may_not_be_read_is_a_sentence(tmp_path, events):
    def refused():
        raise PermissionError(13, "Permission denied", "model.safetensors")

    events.close = lambda: None
    with (
        pytest.raises(UsageError, match=r"^model.safetensors may not be read or written\.$"),
        opened(events, {"artifacts": str(tmp_path)}),
    ):
        refused()
    (told,) = events.of("error")
    assert (told["exit_code"], told["details"]) == (2, "[Errno 13] Permission denied: 'model.safetensors'")
