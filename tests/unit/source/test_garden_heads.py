"""convert-tf1: of what kind the heads of a TensorFlow 2 model are, by classes, records, task.json and --head."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_fleet import TINY

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.layouts import layout
from bertbuild.checkpoint.object_graph import encode_object_graph, value_key
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.heads import classifier, masked_lm
from bertbuild.heads.found import FoundHead
from bertbuild.heads.rows import HEADS
from bertbuild.plans.plan import TF2_CHECKPOINT, TF2_HUB, TF2_SAVED_MODEL
from bertbuild.source.garden import heads_of

CONFIG = config_from(TINY, name="tiny")
SPAN = FoundHead("span", *HEADS["span"].last, labels=2)
WORDS = FoundHead("masked-lm", *HEADS["masked-lm"].last, labels=CONFIG.vocab_size)


def of_classifier(kind, columns):
    return classifier.found(columns)._replace(kind=kind)


@pytest.fixture
def written(tmp_path):
    """A function that writes a model of a format with some heads; `plain` leaves out what a class has its head as."""

    def write(format_, *heads, plain=False):
        shapes = encoder_variables(CONFIG)
        for head in heads:
            shapes |= HEADS[head.kind].variables(CONFIG.hidden_size, CONFIG.vocab_size, head.labels)
        taken = layout(format_, CONFIG, shapes, heads)
        aliases = {path: way for path, way in taken.aliases.items() if not plain or path[-1] != "classifier"}
        made = {value_key(place.path): np.zeros(place.shape, np.float32) for place in taken.places}
        made[OBJECT_GRAPH_KEY] = encode_object_graph({place.path: place.name for place in taken.places}, aliases)
        write_checkpoint(tmp_path / "m", made)
        return tmp_path

    return write


def kinds(folder, kind=TF2_CHECKPOINT, told=""):
    return [(head.kind, head.assumed) for head in heads_of(folder, folder / "m", kind, CONFIG, told=told)]


def record(folder, name, **values):
    (folder / name).write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (of_classifier("classifier", 3), "classifier"),
        (of_classifier("multi-label", 3), "classifier"),
        (of_classifier("regression", 1), "regression"),
        (of_classifier("tokens", 3), "tokens"),
        (SPAN, "span"),
    ],
)
def test_the_class_tells_the_kind_where_nothing_else_does(written, head, kind):
    assert kinds(written("keras-bert", head)) == [(kind, False)]


@pytest.mark.parametrize("name", ["mapping.json", "signature.json", "task.json", "--head"])
def test_several_labels_are_told_by_a_record_or_by_a_flag(written, name):
    folder = written("keras-bert", of_classifier("classifier", 3))
    if name == "task.json":
        record(folder, name, head="multi-label")
    elif name != "--head":
        record(folder, name, heads=[of_classifier("multi-label", 3)._asdict()])
    assert kinds(folder, told="multi-label" if name == "--head" else "") == [("multi-label", False)]


def test_what_training_called_its_task_tells_it_too(written):
    folder = written("keras-bert", of_classifier("tokens", 3), plain=True)
    assert kinds(folder) == [("classifier", True)]
    record(folder, "task.json", task_type="tagging")
    assert kinds(folder) == [("tokens", False)]


def test_a_plain_layer_of_one_column_is_refused_until_its_kind_is_told(written):
    folder = written("keras-bert", of_classifier("tokens", 1), plain=True)
    with pytest.raises(CheckpointError, match="one column") as raised:
        kinds(folder)
    assert raised.value.next_step == "Say which it is: --head regression or --head multi-label."
    assert kinds(folder, told="regression") == [("regression", False)]


@pytest.mark.parametrize(
    ("head", "told", "sentence"),
    [
        (of_classifier("tokens", 3), "classifier", "the Model Garden's class BertTokenClassifier has it"),
        (of_classifier("classifier", 3), "tokens", "the Model Garden's class BertClassifier has it"),
        (of_classifier("classifier", 3), "regression", "the Model Garden's class BertClassifier has it"),
        (SPAN, "tokens", "the Model Garden's class BertSpanLabeler has it"),
        (SPAN, "classifier", "the Model Garden's class BertSpanLabeler has it"),
    ],
)
def test_what_contradicts_the_class_is_refused(written, head, told, sentence):
    folder = written("keras-bert", head)
    with pytest.raises(UsageError, match=f"--head says {told}, but {sentence}: that is none"):
        kinds(folder, told=told)
    record(folder, "task.json", head=told)
    with pytest.raises(CheckpointError, match=f"says {told}, but {sentence}: that is none") as raised:
        kinds(folder)
    assert 'task.json (its "head")' in raised.value.next_step


def test_a_flag_that_contradicts_a_record_is_refused(written):
    folder = written("keras-bert", of_classifier("classifier", 3))
    record(folder, "task.json", head="classifier")
    with pytest.raises(UsageError, match=r"--head says multi-label, but what lies beside .* says classifier"):
        kinds(folder, told="multi-label")


def test_a_flag_for_a_head_that_is_not_there_is_refused(written):
    with pytest.raises(UsageError, match=r"--head says tokens, but .* has no head for a task"):
        kinds(written("pretrainer", WORDS), told="tokens")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"heads": 3}', '{"heads": [3]}', '{"heads": [{}]}'])
def test_a_record_that_says_nothing_is_none(written, content):
    folder = written("keras-bert", of_classifier("classifier", 3))
    (folder / "mapping.json").write_text(content)
    assert kinds(folder) == [("classifier", False)]


def test_of_a_saved_model_of_others_only_the_head_for_a_task_can_be_asked(written):
    folder = written("pretrainer", WORDS)
    assert kinds(folder) == [("masked-lm", False)]
    assert kinds(folder, TF2_SAVED_MODEL) == []
    record(folder, "signature.json", heads=[WORDS._asdict()])
    assert kinds(folder, TF2_SAVED_MODEL) == [("masked-lm", False)]
    assert kinds(folder, TF2_HUB) == []


def test_a_masked_lm_tells_whose_table_it_has(written):
    folder = written("pretrainer", WORDS)
    (head,) = heads_of(folder, folder / "m", TF2_CHECKPOINT, CONFIG)
    assert (head.weights, head.labels) == (masked_lm.TIED_WEIGHTS, CONFIG.vocab_size)
