"""score: what a model's answers to the examples of a task are worth.

Writes scores.json: "metrics", figure by name, shares from 0 to 1 but for what docs/evaluate.md says of it; and "given",
what the model says of each thing that was asked, so that two models can be compared. Of questions also
predictions.json, nbest_predictions.json and null_odds.json, as run_squad writes them; of tags predictions.txt,
a sentence a line; of several labels predictions.tsv, their probabilities. Answers that are no numbers have no figures.
"""

import os
import zipfile

from stage import Stage, StageInputError, read_json, step, write_json

SCHEMES = ("IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU")

STAGE = Stage("score", __doc__.splitlines()[0])
STAGE.input("examples", "folder of the examples: features.npz with label_ids, and examples.json or questions.json")
STAGE.input("answers", "folder of an infer stage: answers.npz")
STAGE.param("head", "what answered", required=True, choices=("multi-label", "tokens", "span", "masked-lm"))
STAGE.param("tag-scheme", "tags: strict figures too, in this scheme (default: none)", choices=SCHEMES)
STAGE.param("n-best-size", "questions: spans that are looked at (default: 20)", type=int, default=20)
STAGE.param("max-answer-length", "questions: pieces of an answer (default: 30)", type=int, default=30)
STAGE.param("null-score-diff-threshold", "SQuAD 2.0 (default: 0.0)", type=float, default=0.0)


def run(args, report):
    """Read, score, write."""
    from importlib.metadata import version

    import numpy as np

    if args.n_best_size < 1 or args.max_answer_length < 1:
        raise StageInputError("--n-best-size and --max-answer-length must be at least 1")
    step("reading the answers")
    examples, answers = _arrays(args.examples, "features.npz"), _arrays(args.answers, "answers.npz")
    score, packages = SCORES[args.head]
    step("scoring")
    if all(np.isfinite(values).all() for values in answers.values()):
        metrics, given = score(args, examples, answers)
    else:
        metrics, given = {}, []
    write_json(args.out, "scores.json", {"metrics": metrics, "given": given})
    report.packages = {name: version(name) for name in packages}
    report.facts = {"examples": len(examples["input_ids"])}


def _arrays(folder, name):
    """The arrays of a file; raises `StageInputError` where it is none."""
    import numpy as np

    try:
        with np.load(os.path.join(folder, name)) as file:
            return dict(file)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise StageInputError("cannot read %s of %s: %s" % (name, folder, error)) from error


def _answer(answers, name, shape):
    """One of the answers; raises `StageInputError` where it is not there or has another shape (None: any size)."""
    if name not in answers:
        raise StageInputError("the answers have no %s, but %s" % (name, ", ".join(sorted(answers))))
    found = answers[name]
    if len(found.shape) != len(shape) or any(b not in (None, a) for a, b in zip(found.shape, shape)):
        sentence = "the answer %s has the shape %s, and the examples need %s"
        raise StageInputError(sentence % (name, list(found.shape), [size or "any" for size in shape]))
    return found


def _labels(args):
    return read_json(args.examples, "examples.json")["labels"]


def score_labels(args, examples, answers):
    """Any of several labels: micro and macro F1 of those above a half; mean average precision."""
    from stages._scores import label_metrics

    asked = examples["label_ids"]
    probabilities = _answer(answers, "probabilities", asked.shape)
    with open(os.path.join(args.out, "predictions.tsv"), "w") as file:
        file.writelines("\t".join(map(str, row)) + "\n" for row in probabilities)
    return label_metrics(asked, probabilities), (probabilities > 0.5).astype(int).tolist()


def score_tags(args, examples, answers):
    """Tags: entities, whole sentences at a time, and the share of words with the right tag."""
    from stages._scores import sentences_of, tag_metrics

    asked, labels = examples["label_ids"], _labels(args)
    name = "probabilities" if "probabilities" in answers else "logits"
    values = _answer(answers, name, (*asked.shape, len(labels)))
    given = values.argmax(axis=-1)
    right, told = (sentences_of(tags, examples, labels) for tags in (asked, given))
    with open(os.path.join(args.out, "predictions.txt"), "w", encoding="utf-8") as file:
        file.writelines(" ".join(tags) + "\n" for tags in told)
    return tag_metrics(right, told, args.tag_scheme), [tag for tags in told for tag in tags]


def score_spans(args, examples, answers):
    """Questions: exact match and F1, as the official scripts have them."""
    from bertbuild.text.answer_spans import Spans
    from stages._scores import span_metrics

    told = read_json(args.examples, "questions.json")
    shape = examples["input_ids"].shape
    logits = [_answer(answers, name, shape) for name in ("start_logits", "end_logits")]
    spans = Spans(
        told["articles"],
        examples,
        told["lower_case"],
        told["negatives"],
        n_best=args.n_best_size,
        longest=args.max_answer_length,
        threshold=args.null_score_diff_threshold,
    )
    found = spans.answers(*logits)
    predictions = {name: answer.text for name, answer in found.items()}
    odds = {name: answer.odds for name, answer in found.items()} if told["negatives"] else None
    _write(args.out, "predictions.json", predictions)
    _write(args.out, "nbest_predictions.json", {name: answer.nbest for name, answer in found.items()})
    if odds is not None:
        _write(args.out, "null_odds.json", odds)
    return span_metrics(told["articles"], predictions, odds), list(predictions.values())


def score_masked(_args, examples, answers):
    """Text: the pseudo-perplexity, e to the mean of what each piece, masked, is worth: less its log-probability."""
    import math

    count = (len(examples["input_ids"]),)
    mean = float(_answer(answers, "log_probabilities", count).mean(dtype="float64"))
    return {"pseudo_perplexity": math.exp(-mean)}, _answer(answers, "best", count).astype(int).tolist()


def _write(folder, name, value):
    """As run_squad writes it."""
    import json

    with open(os.path.join(folder, name), "w") as file:
        file.write(json.dumps(value, indent=4) + "\n")


NUMPY = ("numpy",)
SCORES = {
    "multi-label": (score_labels, (*NUMPY, "scikit-learn")),
    "tokens": (score_tags, (*NUMPY, "seqeval", "scikit-learn")),
    "span": (score_spans, NUMPY),
    "masked-lm": (score_masked, NUMPY),
}

if __name__ == "__main__":
    STAGE.main(run)
