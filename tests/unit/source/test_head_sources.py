"""Heads of a source: what is said of a kind that nothing tells, and what is refused before any stage runs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_fleet import TARGETS, Fleet, write_tiny

from bertbuild.api import Checkpoint
from bertbuild.backends import BACKENDS
from bertbuild.commands import target
from bertbuild.commands.entry_jobs import find
from bertbuild.commands.session import Session
from bertbuild.errors import BuildFailedError, UsageError
from bertbuild.kinds.frozen import Frozen
from bertbuild.plans.outputs import outputs_of
from bertbuild.plans.wanted import Wanted

ASSUMED = "nothing tells of what kind the head is"


def bare(columns):
    return {
        "output_weights": np.ones((columns, 8), np.float32),
        "output_bias": np.ones(columns, np.float32),
    }


@pytest.fixture
def small(tmp_path, isolation, monkeypatch):
    """A folder with small checkpoints, the folder that the program is started in; its stages are played."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    return Fleet(tmp_path)


@pytest.fixture
def one(small):
    """A function that gives the checkpoint `one` some heads."""
    folder = small.folder / "checkpoints" / "one"

    def write(heads, **task):
        write_tiny(folder, heads=heads)
        if task:
            (folder / "task.json").write_text(json.dumps(task))
        return str(folder)

    return write


def found(fleet, **named):
    """The source that is named."""
    session = fleet.session()
    try:
        return find(session, Wanted(**named)).source
    finally:
        session.close()
        session.report.close()


def test_a_kind_that_nothing_tells_is_said_each_time_and_marked_in_json_and_in_status(small, one):
    folder = one(bare(3))
    for _ in range(2):
        result = small.run(target.build, Wanted(checkpoint=folder), Frozen())
        assert any("output_weights is taken for that of a classifier" in text for text in small.events.texts("warning"))
        assert result["targets"][0]["head_assumed"]
        assert any(ASSUMED in line for line in result["lines"][-3:])
    assert small.status()[f"one/{result['target']}"]["head_assumed"]
    assert any(ASSUMED in line for line in small.events.of("result")[-1]["lines"])


def test_what_needs_no_head_is_not_marked(small, one):
    result = small.run(target.build, Wanted(checkpoint=one(bare(3))), Frozen(output="pooled"))
    assert not result["targets"][0]["head_assumed"]
    assert not any(ASSUMED in line for line in result["lines"])


def test_a_kind_that_task_json_tells_is_not_marked_and_another_task_is_read_anew(small, one):
    folder = one(bare(3), head="multi-label")
    result = small.run(target.build, Wanted(checkpoint=folder), Frozen())
    assert not result["targets"][0]["head_assumed"]
    assert [head.kind for head in found(small, checkpoint=folder).heads] == ["multi-label"]
    one(bare(3), head="tokens")
    assert [head.kind for head in found(small, checkpoint=folder).heads] == ["tokens"]


def test_head_is_a_flag_a_key_and_an_argument(small, one):
    folder = one(bare(3))
    assert found(small, checkpoint=folder, head="tokens").head.kind == "tokens"
    assert found(small, checkpoint=folder).head.kind == "classifier"
    small.write(TARGETS + '[models.one]\ncheckpoint = "checkpoints/one"\nhead = "tokens"\n')
    small.build("one/frozen")
    row = small.events.of("result")[-1]["targets"][0]
    assert not row["head_assumed"]
    assert Checkpoint(folder, head="tokens").wanted("") == Wanted(checkpoint=folder, head="tokens")
    with pytest.raises(UsageError, match="--head"):
        Checkpoint(folder, head="token").wanted("")


def test_a_build_file_with_a_contradicted_head_fails_with_the_words(small, one):
    one(bare(3), head="multi-label")
    small.write(TARGETS + '[models.one]\ncheckpoint = "checkpoints/one"\nhead = "tokens"\n')
    with pytest.raises(BuildFailedError) as error:
        small.build("one/frozen")
    (failure,) = error.value.failures
    assert str(failure) == "output_weights cannot be both: task.json says multi-label, but --head says tokens."
    assert failure.exit_code == 2


def test_head_goes_with_a_checkpoint(small):
    with pytest.raises(UsageError, match="--head says how a checkpoint is read"):
        found(small, saved_model=str(small.folder), head="tokens")


def test_one_column_that_nothing_tells_of_is_refused_and_what_needs_no_head_is_not(small, one):
    source = found(small, checkpoint=one(bare(1)))
    for output in ("", "score", "probabilities"):
        with pytest.raises(
            UsageError, match="Nothing tells of what kind the head is: output_weights has 1 row"
        ) as error:
            outputs_of(source, output)
        assert "--head regression" in error.value.next_step
    assert outputs_of(source, "pooled") == ("pooled",)
    told = found(small, checkpoint=one(bare(1)), head="regression")
    assert outputs_of(told, "") == ("score",)


def test_transposed_weights_are_refused_by_their_shape_and_pooled_output_is_not(small, one):
    source = found(
        small, checkpoint=one({"output_weights": np.ones((8, 3), np.float32), "output_bias": np.ones(3, np.float32)})
    )
    with pytest.raises(UsageError, match="it is transposed") as error:
        outputs_of(source, "probabilities")
    assert "--output pooled" in error.value.next_step
    assert outputs_of(source, "") == ("pooled",)


def test_variables_that_nothing_tells_of_are_named_where_a_head_is_missed(small, one):
    source = found(small, checkpoint=one({"task/kernel": np.ones((8, 3), np.float32), "task/bias": np.ones(3)}))
    with pytest.raises(UsageError, match=r"no probabilities; task/bias, task/kernel are of no known head\.") as error:
        outputs_of(source, "probabilities")
    assert error.value.next_step.endswith("Or save a head's variables as output_weights [C, H] and output_bias [C].")
    assert outputs_of(source, "") == ("pooled",)
