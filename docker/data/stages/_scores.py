"""The figures of answers, by the libraries that define them."""

import warnings

from stage import StageInputError


def label_metrics(labels, probabilities):
    """micro_f1, macro_f1 and macro_average_precision, by scikit-learn.

    A label that is never right and never given counts 0 in both means, as there.

    Args:
        labels: int array [N, C] of 0 and 1.
        probabilities: float array [N, C]; above a half a label is given.
    """
    from sklearn.metrics import average_precision_score, f1_score

    given = probabilities > 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels without an example
        precision = average_precision_score(labels, probabilities, average="macro")
    return {
        "micro_f1": float(f1_score(labels, given, average="micro", zero_division=0)),
        "macro_f1": float(f1_score(labels, given, average="macro", zero_division=0)),
        "macro_average_precision": float(precision),
    }


def sentences_of(tags, examples, labels):
    """The tags of each sentence: what stands where a label is asked for, the parts of a long sentence joined.

    Args:
        tags: int array [N, S].
        examples: arrays with label_ids [N, S], below 0 where nothing is asked, and sentence_id [N].
        labels: the tags' names.
    """
    sentences = {}
    asked = examples["label_ids"] >= 0
    for number, row, places in zip(examples["sentence_id"].tolist(), tags, asked):
        sentences.setdefault(number, []).extend(labels[tag] for tag in row[places])
    return list(sentences.values())


def tag_metrics(right, given, scheme=None):
    """Entity figures by seqeval, over all entities (micro), and token_accuracy.

    seqeval has two ways to read entities. Its default is that of conlleval, which takes what begins wrongly for an
    entity; the strict one counts those alone that are written as the scheme has them. It needs both its arguments, mode
    and scheme: with one of them alone, seqeval 1.2.2 gives the default without a word.

    Args:
        right: for each sentence the names of its tags.
        given: likewise.
        scheme: name of a class of seqeval.scheme, for strict_entity_f1; or None.

    Raises:
        StageInputError: a tag is none of the scheme's.
    """
    from seqeval import metrics
    from seqeval import scheme as schemes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tags that are no entity's
        found = {
            "entity_f1": float(metrics.f1_score(right, given, zero_division=0)),
            "entity_precision": float(metrics.precision_score(right, given, zero_division=0)),
            "entity_recall": float(metrics.recall_score(right, given, zero_division=0)),
            "token_accuracy": float(metrics.accuracy_score(right, given)),
        }
        if scheme:
            try:
                strict = metrics.f1_score(right, given, mode="strict", scheme=getattr(schemes, scheme), zero_division=0)
            except ValueError as error:
                raise StageInputError("the tags are not those of %s: %s" % (scheme, error)) from error
            found["strict_entity_f1"] = float(strict)
    return found


def span_metrics(articles, predictions, odds):
    """exact_match and f1 of SQuAD 1.1; of 2.0 (`odds` is a dict) all that evaluate-v2.0.py tells; as shares.

    Thresholds are differences of logits.
    """
    from bertbuild.metrics.squad import evaluate_v1, evaluate_v2

    found = evaluate_v1(articles, predictions) if odds is None else evaluate_v2(articles, predictions, odds)
    return {
        name: float(value) if name.endswith("thresh") else value / 100
        for name, value in found.items()
        if not name.endswith("total")
    }
