"""Of what kind the heads of synthetic checkpoints are found to be, by all evidence, and what contradicts it."""

from __future__ import annotations

import json

import head_graphs
import numpy as np
import pytest
from head_graphs import with_head

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.head_evidence import KINDS
from bertbuild.checkpoint.inspection import inspect_checkpoint, require_sound
from bertbuild.checkpoint.reading import Choice
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.errors import CheckpointError, UsageError

CONFIG = {
    "vocab_size": 50,
    "hidden_size": 4,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 6,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
}
BARE = ("output_weights", "output_bias")
COLUMNS = {"classifier": 3, "multi-label": 3, "regression": 1, "tokens": 9}
GRAPHS = {
    "classifier": head_graphs.classifier,
    "multi-label": head_graphs.multi_label,
    "regression": head_graphs.regression,
    "tokens": head_graphs.tokens,
    "span": head_graphs.span,
    "masked-lm": head_graphs.masked_lm,
    "next-sentence": head_graphs.next_sentence,
}
MASKED_LM = {
    "cls/predictions/output_bias": (50,),
    "cls/predictions/transform/dense/kernel": (4, 4),
    "cls/predictions/transform/dense/bias": (4,),
    "cls/predictions/transform/LayerNorm/gamma": (4,),
    "cls/predictions/transform/LayerNorm/beta": (4,),
}


def bare(columns, hidden=4):
    return dict(zip(BARE, ((columns, hidden), (columns,)), strict=True))


def variables(kind):
    """Name → shape of the variables that a head of a kind has."""
    if kind in COLUMNS:
        return bare(COLUMNS[kind])
    if kind == "masked-lm":
        return MASKED_LM
    scope = {"span": "cls/squad/", "next-sentence": "cls/seq_relationship/"}[kind]
    return {scope + name: shape for name, shape in bare(2).items()}


@pytest.fixture
def checkpoint(make):
    """A function that writes a checkpoint with heads: their variables, the form of the .meta's, what task.json says."""

    def write(shapes, *, graph=None, task=None, pooler=True):
        shapes_of_encoder = encoder_variables(config_from(CONFIG, name="tiny"))
        tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes_of_encoder.items()}
        if not pooler:
            tensors = {name: value for name, value in tensors.items() if "/pooler/" not in name}
        heads = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        folder = make(tensors | heads, config=CONFIG, words=50)
        if graph is not None:
            (folder / "bert_model.ckpt.meta").write_bytes(with_head(graph).meta_graph())
        if task is not None:
            (folder / "task.json").write_text(json.dumps(task))
        return folder

    return write


def judged(folder, told=""):
    return inspect_checkpoint(folder, choice=Choice(head=told)).judged_heads


def only(folder, told=""):
    """The one head that is found, and nothing is refused."""
    found = judged(folder, told)
    assert not found.refused
    (head,) = found.found
    return head


@pytest.mark.parametrize("kind", GRAPHS)
def test_the_graph_tells(checkpoint, kind):
    head = only(checkpoint(variables(kind), graph=GRAPHS[kind]))
    assert (head.kind, head.assumed) == (kind, False)
    assert head.why.startswith("the .meta multiplies ")


def test_a_masked_lm_may_have_a_table_of_its_own(checkpoint):
    assert only(checkpoint(MASKED_LM)).weights == "bert/embeddings/word_embeddings"
    own = "cls/predictions/output_weights"
    head = only(checkpoint(MASKED_LM | {own: (50, 4)}))
    assert (head.kind, head.weights, head.labels) == ("masked-lm", own, 50)
    (refused,) = judged(checkpoint(MASKED_LM | {own: (4, 50)})).refused
    assert refused.why.endswith("it must be [50, 4]: it is transposed.")


@pytest.mark.parametrize("kind", ["span", "masked-lm", "next-sentence"])
def test_names_tell(checkpoint, kind):
    head = only(checkpoint(variables(kind)))
    assert (head.kind, head.assumed) == (kind, False)
    assert head.why.startswith("the variables are called ")


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ({"head": "multi-label", "labels": ["a", "b", "c"]}, "multi-label"),
        ({"task": "MRPC", "labels": ["0", "1", "2"]}, "classifier"),
        ({"task": "MRPC", "task_type": "classification"}, "classifier"),
        ({"task": "NER", "task_type": "tagging"}, "tokens"),
    ],
)
def test_the_task_of_our_own_training_tells(checkpoint, task, kind):
    head = only(checkpoint(bare(3), task=task))
    assert (head.kind, head.why, head.assumed) == (kind, f"task.json says {kind}", False)


def test_an_older_task_of_scores_tells_a_regression(checkpoint):
    assert only(checkpoint(bare(1), task={"task": "STS-B", "task_type": "regression"})).kind == "regression"


def test_the_graph_is_asked_before_the_task_and_both_may_agree(checkpoint):
    folder = checkpoint(bare(3), graph=head_graphs.classifier, task={"head": "classifier"})
    assert only(folder).why == "the .meta multiplies the pooled output with output_weights, then Softmax"


def test_what_the_graph_leaves_open_the_task_tells(checkpoint):
    head = only(checkpoint(bare(3), graph=logits_alone, task={"head": "multi-label"}))
    assert head.kind == "multi-label"
    assert head.why.endswith("with nothing behind; task.json says multi-label")


def logits_alone(g):
    head_graphs.head(g, head_graphs.POOLED, 3)


def test_a_graph_of_other_heads_tells_nothing(checkpoint):
    head = only(checkpoint(bare(3), graph=head_graphs.next_sentence))
    assert (head.kind, head.assumed) == ("classifier", True)


def test_bare_variables_are_taken_for_a_classifier_with_a_warning(checkpoint):
    inspection = require_sound(checkpoint(bare(3)))
    (head,) = inspection.judged_heads.found
    assert (head.kind, head.assumed) == ("classifier", True)
    taken = "output_weights is taken for that of a classifier"
    assert inspection.judged_heads.warnings == (
        f"Nothing tells of what kind the head is: {taken}. Say which it is: --head classifier.",
    )
    assert inspection.judged_heads.warnings[0] in inspection.warnings


def test_one_bare_column_is_refused_until_somebody_says_what_it_is(checkpoint):
    folder = checkpoint(bare(1))
    found = judged(folder)
    assert found.found == ()
    (refused,) = found.refused
    assert (refused.why, refused.default) == (
        "Nothing tells of what kind the head is: output_weights has 1 row.",
        True,
    )
    assert refused.next_step.startswith("Say which it is: --head classifier or --head multi-label or --head regression")
    for kind in ("regression", "classifier", "multi-label", "tokens"):
        assert only(folder, kind).kind == kind


def test_bare_variables_of_a_model_without_a_pooler_are_of_tokens_with_a_warning(checkpoint):
    head = only(checkpoint(bare(9), pooler=False))
    assert (head.kind, head.assumed) == ("tokens", True)


TASKS = ("classifier", "multi-label", "regression", "tokens", "span")
POSSIBLE = {
    *(
        (kind, told)
        for kind in ("classifier", "multi-label", "tokens")
        for told in ("classifier", "multi-label", "tokens")
    ),
    *(("regression", told) for told in ("classifier", "multi-label", "tokens")),
}
"""Without a graph: the same variables, and a number of columns that both kinds can have."""


@pytest.mark.parametrize(
    ("beside", "why"),
    [
        ({"graph": head_graphs.tokens}, "the .meta multiplies each hidden state with output_weights, then LogSoftmax"),
        ({"task": {"head": "tokens"}}, "task.json says tokens"),
        ({}, "--head says tokens"),
    ],
)
def test_what_tells_a_kind_counts_though_the_shape_leaves_no_other(checkpoint, beside, why):
    head = only(checkpoint(bare(9), pooler=False, **beside), "" if beside else "tokens")
    assert (head.kind, head.why, head.assumed) == ("tokens", why, False)


PAIRS = [(kind, told) for kind in GRAPHS for told in KINDS if told != kind]
"""Of BERT's heads; what is told may be another family's."""


@pytest.mark.parametrize(("kind", "told"), PAIRS)
def test_a_head_told_to_be_of_another_kind_is_refused_by_its_graph(checkpoint, kind, told):
    folder = checkpoint(variables(kind), graph=GRAPHS[kind])
    with pytest.raises(UsageError, match=f"--head says {told}") as error:
        judged(folder, told)
    words = "the .meta multiplies" if told in TASKS and kind in TASKS else "has no variables of such a head"
    assert words in str(error.value)
    assert error.value.next_step.startswith("Leave --head out, or ")


@pytest.mark.parametrize(("kind", "told"), PAIRS)
def test_without_a_graph_it_is_refused_or_said_that_nothing_else_tells(checkpoint, kind, told):
    folder = checkpoint(variables(kind))
    if (kind, told) not in POSSIBLE:
        with pytest.raises(UsageError, match=f"--head says {told}"):
            judged(folder, told)
        return
    found = judged(folder, told)
    assert [head.kind for head in found.found] == [told]
    assert found.warnings == (
        f"Nothing but --head tells of what kind the head is: output_weights is taken for that of {told}.",
    )


def test_there_are_49_pairs():
    assert len(PAIRS) == 49


@pytest.mark.parametrize("kind", GRAPHS)
def test_what_is_true_may_be_said(checkpoint, kind):
    assert only(checkpoint(variables(kind), graph=GRAPHS[kind]), kind).kind == kind
    assert only(checkpoint(variables(kind)), kind).kind == kind


def test_files_that_contradict_each_other_are_named(checkpoint):
    folder = checkpoint(bare(9), graph=head_graphs.tokens, task={"head": "classifier"})
    with pytest.raises(CheckpointError) as error:
        require_sound(folder)
    assert (
        "output_weights cannot be both: the .meta multiplies each hidden state with output_weights, then LogSoftmax, "
        "but task.json says classifier. Remove the file that is of another checkpoint." in str(error.value)
    )


def test_two_heads_for_tasks_are_both_carried(checkpoint):
    found = judged(checkpoint(bare(3) | variables("span")), "span")
    assert [(head.kind, head.assumed) for head in found.found] == [("classifier", True), ("span", False)]


def crf(g):
    logits = head_graphs.rows(g, "by_token", head_graphs.head(g, head_graphs.HIDDEN, 9), -1, 8, 9)
    g.add("spread", "ExpandDims", g.table("transitions", (9, 9), frozen=False))
    g.add("alphas", "Slice", logits, "input/labels", "input/labels")


def multiple_choice(g):
    logits = head_graphs.head(g, head_graphs.POOLED, 1)
    g.add("loss/Softmax", "Softmax", head_graphs.rows(g, "choices", logits, -1, 4))


@pytest.mark.parametrize(
    ("graph", "columns", "words"),
    [(crf, 9, "a CRF behind it (transitions)"), (multiple_choice, 1, "as BertForMultipleChoice has it")],
)
def test_layers_of_no_known_head_are_refused_by_name(checkpoint, graph, columns, words):
    folder = checkpoint(bare(columns), graph=graph)
    inspection = require_sound(folder)
    (refused,) = inspection.judged_heads.refused
    assert words in refused.why
    assert (refused.default, f"{refused.why} {refused.next_step}" in inspection.warnings) == (False, True)
    with pytest.raises(UsageError, match="--head says tokens, but: "):
        judged(folder, "tokens")


OTHER = {"weights": "task/weights", "bias": "task/bias"}


@pytest.mark.parametrize(
    ("reads", "columns", "what"),
    [("POOLED", 3, "classifier"), ("HIDDEN", 9, "tokens")],
)
def test_a_head_of_variables_with_other_names_is_named_and_not_mistaken(checkpoint, reads, columns, what):
    def graph(g):
        g.add("loss/Softmax", "Softmax", head_graphs.head(g, getattr(head_graphs, reads), columns, **OTHER))

    folder = checkpoint({"task/weights": (columns, 4), "task/bias": (columns,)}, graph=graph)
    inspection = require_sound(folder)
    assert inspection.judged_heads.found == ()
    (refused,) = inspection.judged_heads.refused
    assert refused.kinds == (what,)
    assert refused.why.startswith(
        f"The graph has a head of the kind {what} whose variables have other names: the .meta"
    )
    assert "task/weights, then Softmax. It is not built from." in refused.why
    assert (refused.default, f"{refused.why} {refused.next_step}" in inspection.warnings) == (False, True)
    assert "--frozen" in refused.next_step


def test_a_kind_that_no_variables_could_have_names_those_that_nothing_tells_of(checkpoint):
    folder = checkpoint({"task/weights": (3, 4), "task/bias": (3,)})
    with pytest.raises(UsageError) as error:
        judged(folder, "classifier")
    assert str(error.value).endswith("its heads: none; task/bias, task/weights are of no known head.")
    assert error.value.next_step == (
        "Leave --head out, or save a head's variables as output_weights [C, H] and output_bias [C]."
    )


def test_a_head_of_other_names_beside_one_that_is_known_changes_nothing_of_that(checkpoint):
    def both(g):
        head_graphs.classifier(g)
        g.add("other", "Sigmoid", head_graphs.head(g, head_graphs.POOLED, 2, **OTHER))

    found = judged(checkpoint(bare(3) | {"task/weights": (2, 4), "task/bias": (2,)}, graph=both))
    assert [(head.kind, head.assumed) for head in found.found] == [("classifier", False)]
    assert [one.weights for one in found.refused] == ["task/weights"]


def test_a_scaled_head_is_of_a_kind_only_if_somebody_says_so(checkpoint):
    def scaled(g):
        g.add("scaled", "RealDiv", head_graphs.head(g, head_graphs.POOLED, 3), g.scalar("temperature", 2.0))

    folder = checkpoint(bare(3), graph=scaled)
    (refused,) = judged(folder).refused
    assert "RealDiv behind it" in refused.why
    assert refused.next_step == "Say which it is: --head classifier or --head multi-label."
    assert only(folder, "classifier").kind == "classifier"


@pytest.mark.parametrize(
    ("shapes", "why"),
    [
        (
            {"output_weights": (4, 3), "output_bias": (3,)},
            "output_weights has shape [4, 3], and with output_bias [3] it must be [3, 4]: it is transposed.",
        ),
        (
            {"output_weights": (3, 4), "output_bias": (2,)},
            "output_weights has shape [3, 4], and with output_bias [2] it must be [2, 4].",
        ),
        (
            {"output_weights": (3, 8), "output_bias": (3,)},
            "output_weights has shape [3, 8], and with output_bias [3] it must be [3, 4].",
        ),
    ],
)
def test_weights_of_another_shape_are_refused(checkpoint, shapes, why):
    (refused,) = judged(checkpoint(shapes)).refused
    assert refused.why == why
    assert refused.next_step == "Use --output pooled or --output sequence, which need no head."


def test_a_head_without_its_bias_is_told(checkpoint):
    inspection = inspect_checkpoint(checkpoint({"output_weights": (3, 4)}))
    assert inspection.judged_heads.found == ()
    assert any("there is output_weights, but no output_bias" in text for text in inspection.warnings)


def test_labels_of_another_number_are_a_problem(checkpoint):
    with pytest.raises(CheckpointError, match=r"output_weights has 3 rows, but task\.json names 2 labels"):
        require_sound(checkpoint(bare(3), task={"task": "MRPC", "labels": ["0", "1"]}))


def test_a_second_classifier_is_told(checkpoint):
    second = {"output_weights_1": (5, 4), "output_bias_1": (5,)}
    assert judged(checkpoint(bare(3) | second)).warnings[0] == (
        "The checkpoint has more than one head: output_weights is taken, and output_weights_1 is left out."
    )


def test_a_meta_of_another_model_is_a_problem(checkpoint):
    with pytest.raises(CheckpointError) as error:
        require_sound(checkpoint(bare(5), graph=head_graphs.classifier))
    assert (
        "The .meta is of another model: its output_weights has shape [3, 4], the checkpoint's [5, 4], and 1 more "
        "differ; put the checkpoint's own .meta in its place, or remove it." in str(error.value)
    )


def test_a_task_that_is_no_json_is_refused(checkpoint):
    folder = checkpoint(bare(3))
    (folder / "task.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"task\.json"):
        judged(folder)


def test_json_has_the_kinds_with_their_reasons(checkpoint):
    facts = inspect_checkpoint(checkpoint(bare(3), graph=head_graphs.multi_label)).to_json()
    (head,) = facts["heads"]["found"]
    assert head == {
        "kind": "multi-label",
        "weights": "output_weights",
        "bias": "output_bias",
        "labels": 3,
        "why": "the .meta multiplies the pooled output with output_weights, then Sigmoid",
        "assumed": False,
    }
    assert facts["graph"]["heads"][0]["kinds"] == ["multi-label"]
    assert json.loads(json.dumps(facts)) == facts
