from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from bertbuild.checkpoint.reading import Choice, read_names
from bertbuild.checkpoint.training import sort_variables
from bertbuild.heads.classifier import found as classifier_of
from bertbuild.heads.found import FoundHead
from bertbuild.kinds.frozen import Frozen
from bertbuild.kinds.hub import Hub
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.leaving import left_out
from bertbuild.kinds.neuron import Neuron
from bertbuild.kinds.neuron_ready import NeuronReady
from bertbuild.kinds.saved_model import SavedModel
from bertbuild.kinds.tf2 import FORMATS, Tf2
from bertbuild.kinds.tf2_savedmodel import Tf2SavedModel
from bertbuild.plans.parts import Part, parts_of
from bertbuild.plans.plan import File, Source

NAMES = (
    "bert/embeddings/word_embeddings",
    "bert/embeddings/word_embeddings/adam_m",
    "bert/encoder/layer_0/output/dense/kernel",
    "bert/pooler/dense/bias",
    "bert/pooler/dense/kernel",
    "cls/predictions/output_bias",
    "cls/seq_relationship/output_weights",
    "cls/squad/output_weights",
    "global_step",
    "output_bias",
    "output_weights",
    "tower/kernel",
)


def parts(*names):
    found = dict.fromkeys(names, ())
    reading, purposes = read_names(found, Choice()), sort_variables(found)
    kept = [name for slot in purposes.slots.values() for name in slot]
    return parts_of(reading.names, reading.left_out, kept, global_step=purposes.global_step)


SOURCE = Source(
    model="bert",
    kind="checkpoint",
    file=File(path=PurePosixPath("/c"), digest="d"),
    heads=(classifier_of(3),),
    parts=parts(*NAMES),
)
ALL = {"pooler", "classifier", "span", "masked-lm", "next-sentence", "other", "optimizer", "global-step"}
NEVER = {"other", "optimizer", "global-step"}
HEADS = {"span", "masked-lm", "next-sentence"}


def kinds(source, request):
    return {part.kind for part in left_out(source, request)}


def test_every_variable_is_of_the_encoder_or_of_just_one_part():
    named = [name for part in SOURCE.parts for name in part.names]
    assert {part.kind for part in SOURCE.parts} == ALL
    assert sorted(named) == sorted(set(NAMES) - {name for name in NAMES[:3] if "adam" not in name})


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        (Frozen(), HEADS),
        (Frozen(output="pooled"), {"classifier"} | HEADS),
        (Frozen(output="sequence"), {"pooler", "classifier"} | HEADS),
        (Frozen(output="all-layers,pooled"), {"classifier"} | HEADS),
        (Frozen(output="probabilities"), HEADS),
        (Ir(), HEADS),
        (Ir(output="pooled"), {"classifier"} | HEADS),
        (Ir(route="static"), HEADS),
        (Ir(output="probabilities,sequence"), HEADS),
        (SavedModel(), HEADS),
        (SavedModel(output="pooled"), {"classifier"} | HEADS),
        (NeuronReady(output="sequence"), {"pooler", "classifier"} | HEADS),
        (Neuron(), HEADS),
        (Tf2(), {"classifier"} | HEADS),
        (Tf2(format="keras-bert"), HEADS),
        (Tf2(format="keras-names"), set()),
        (Tf2SavedModel(), HEADS),
        (Hub(), {"classifier"} | HEADS),
    ],
)
def test_what_a_target_does_not_take_is_left_out(request_, left):
    assert kinds(SOURCE, request_) == left | NEVER


def test_the_models_of_pretraining_and_of_a_task_take_the_heads_that_are_whole():
    (classifier,) = SOURCE.heads
    words = FoundHead("masked-lm", "bert/embeddings/word_embeddings", "cls/predictions/output_bias", 9)
    sentences = FoundHead("next-sentence", "cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias", 2)
    published = replace(SOURCE, heads=(words, sentences))
    assert kinds(published, Tf2(format="pretrainer")) == {"classifier", "span"} | NEVER
    assert kinds(published, Tf2SavedModel()) == {"classifier", "span"} | NEVER
    both = replace(SOURCE, heads=(classifier, words))
    assert kinds(both, Tf2SavedModel()) == {"span", "next-sentence"} | NEVER
    assert kinds(both, Tf2(format="keras-bert")) == HEADS | NEVER


def test_every_format_is_known():
    for format_ in FORMATS:
        assert kinds(SOURCE, Tf2(format=format_)) >= NEVER


def test_a_source_without_a_head_leaves_out_nothing():
    bare = replace(SOURCE, heads=(), parts=parts(NAMES[0], *NAMES[2:5]))
    for request in (Frozen(), Ir(), SavedModel(), NeuronReady(), Tf2()):
        assert left_out(bare, request) == []


def test_a_foreign_scope_is_a_berts_and_a_second_encoder_is_left_out():
    names = [f"module/{name}" for name in NAMES if name.startswith("bert/")] + ["output_bias", "output_weights"]
    assert {part.kind for part in parts(*names)} == {"pooler", "classifier", "optimizer"}
    (pooler,) = [part for part in parts(*names) if part.kind == "pooler"]
    assert pooler.names == ("module/bert/pooler/dense/bias", "module/bert/pooler/dense/kernel")


def test_the_flags_that_take_a_part_are_told_with_it():
    told = {part.kind: part.line() for part in left_out(SOURCE, Ir(output="pooled"))}
    assert told["classifier"] == (
        "left out: classifier head (output_bias, output_weights); --output probabilities takes it"
    )
    assert told["global-step"] == "left out: counter of the training (global_step)"
    words = FoundHead("masked-lm", "bert/embeddings/word_embeddings", "cls/predictions/output_bias", 9)
    several = replace(SOURCE, heads=(*SOURCE.heads, words))
    (part,) = [part for part in left_out(several, Tf2()) if part.kind == "masked-lm"]
    assert part.line("bert/hub").startswith("left out of bert/hub: masked-LM head (")
    assert part.as_json()["taken_by"] == "--format pretrainer"


def test_no_flag_takes_a_head_that_is_not_whole_or_of_no_known_kind():
    half = replace(SOURCE, heads=(), parts=parts(*NAMES[:5], "output_weights"))
    (classifier,) = [part for part in left_out(half, Ir()) if part.kind == "classifier"]
    assert classifier.line() == "left out: classifier head (output_weights)"
    assert {part.taken_by for part in left_out(SOURCE, Tf2()) if part.kind in HEADS} == {""}


def test_of_many_names_people_are_shown_a_few_and_programs_all():
    part = Part(kind="other", what="others", names=tuple("abcde"))
    assert part.line() == "left out: others (a, b and 3 more)"
    assert part.as_json()["names"] == list("abcde")


def test_outputs_of_a_graph_that_are_not_taken_are_left_out_whatever_is_asked():
    output = Part(kind="logits", what="logits", names=("loss/BiasAdd:0",), taken_by="--outputs loss/BiasAdd")
    frozen = replace(SOURCE, kind="frozen", heads=(), parts=(output,))
    assert left_out(frozen, Ir()) == [output]


def test_outputs_of_a_saved_model_are_left_out_where_others_are_asked_for():
    outputs = tuple(Part(kind=kind, what=f"output {kind}", names=(f"{kind}:0",)) for kind in ("pooled", "x:0"))
    model = replace(SOURCE, kind="saved-model", heads=(), outputs=("pooled", "sequence"), parts=outputs)
    assert kinds(model, NeuronReady()) == {"x:0"}
    assert kinds(model, NeuronReady(output="sequence")) == {"pooled", "x:0"}
