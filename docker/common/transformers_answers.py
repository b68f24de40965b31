"""What transformers' classes answer, by our names, whichever framework they are of."""

from stage import StageInputError, read_json

from bertbuild.heads.found import tensor_name

UNREAD = ("bert.pooler.", "albert.pooler.")
"""Weights that some classes do not read, and the folder keeps for who goes on from it."""
FAMILIES = {"bert": "Bert", "albert": "Albert", "electra": "Electra"}
"""config.json's model_type → what the names of its classes begin with."""
POOLED = "pooled_output"
ANSWERS = {
    "": ((POOLED, "pooler_output"),),
    "ForQuestionAnswering": (("start_logits", "start_logits"), ("end_logits", "end_logits")),
    "ForPreTraining": (
        ("masked_lm_logits", "prediction_logits"),
        ("next_sentence_logits", "sop_logits"),
        ("next_sentence_logits", "seq_relationship_logits"),
        ("replaced_token_logits", "logits"),  # of an ELECTRA
    ),
    "ForMaskedLM": (("masked_lm_logits", "logits"),),
    "ForNextSentencePrediction": (("next_sentence_logits", "logits"),),
}
"""Heads of a class → our name of an answer, and its class's; those of a head for a task are not among them."""


class Kinds(object):
    """What tells what a model's answers are.

    Attributes:
        heads: of its class, without the family: "ForMaskedLM"; empty for an encoder.
        problem: its config's problem_type.
    """

    def __init__(self, architecture, family, problem):
        heads = architecture[len(family) :]
        self.heads = "" if heads == "Model" else heads
        self.problem = problem


def declare(stage):
    """Declare what such a stage reads, and what it is told."""
    stage.input("huggingface", "folder of the stage convert-hf, or of hf-weights, which has no tokenizer; or anybody's")
    stage.param("output", "what is to be answered, with commas (default: what the class gives, and the last layer)")
    stage.param(
        "class", "of a folder that others made: the class that answers, which need not read all weights", dest="class_"
    )


def encoder_class(folder):
    """The class of a folder's encoder with its pooler: "BertModel"."""
    return family_of(read_json(folder, "config.json")) + "Model"


def family_of(told):
    """What the names of a model's classes begin with, by its config.json: "Bert".

    Raises:
        StageInputError: it is of another family than are asked here.
    """
    kind = told.get("model_type", "bert")
    if kind not in FAMILIES:
        raise StageInputError("config.json has model_type %s, none of %s" % (kind, ", ".join(FAMILIES)))
    return FAMILIES[kind]


def require_read(missing, unexpected, name):
    """The weights of a folder that a class does not read.

    Args:
        missing: those of the class that the folder lacks.
        unexpected: those of the folder that the class lacks.
        name: of the class.

    Raises:
        StageInputError: the folder lacks one.
    """
    lacking = sorted(key for key in missing if not key.endswith("position_ids"))
    if lacking:
        raise StageInputError("the folder has no %s, which %s has" % (", ".join(lacking), name))
    return sorted(key for key in unexpected if not key.startswith(UNREAD))


def named(given, kinds, pooled, wanted):
    """What a model gives, by the names of its outputs here.

    Args:
        given: by the model.
        kinds: `Kinds` of it.
        pooled: the pooled output, where it is asked for and the class does not give it.
        wanted: what is asked for, as --output calls it; None for what is usual.
    """
    import numpy as np

    found = {"sequence_output": given.hidden_states[-1]}
    found.update(_of_heads(given, kinds))
    if pooled is not None:
        found[POOLED] = pooled
    if wanted is not None:
        layers = {tensor_name("all-layers") % number: layer for number, layer in enumerate(given.hidden_states[1:])}
        names = {tensor_name(output) for output in wanted}
        found = {name: value for name, value in found.items() if name in names}
        found.update(layers if "all-layers" in wanted else {})
    return {output: np.asarray(value, np.float32) for output, value in found.items()}


def _of_heads(given, kinds):
    """What the heads of a class answer, or an encoder's pooler."""
    if kinds.heads not in ANSWERS:
        return _of_task(given.logits, kinds)
    there = [(name, getattr(given, theirs, None)) for name, theirs in ANSWERS[kinds.heads]]
    return {name: value for name, value in there if value is not None}


def _of_task(logits, kinds):
    """What is made of the logits of a head for a task: of one label a score, as transformers has it."""
    import numpy as np

    logits = np.asarray(logits, np.float32)
    problem = kinds.problem
    if problem is None and kinds.heads == "ForSequenceClassification" and logits.shape[-1] == 1:
        problem = "regression"
    if problem == "regression":
        return {"score": logits[:, 0]}
    return {"logits": logits, "probabilities": _probabilities(logits, problem)}


def _probabilities(logits, problem):
    """Of each label by itself, or of one of them."""
    import numpy as np

    if problem == "multi_label_classification":
        return 1 / (1 + np.exp(-logits))
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)
