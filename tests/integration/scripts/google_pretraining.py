"""bert-tensorflow's create_pretraining_data beside ours, under TensorFlow 1: where do the records differ?

Request: {"vocab": path, "work": folder, "cases": [{"flags": {…}, "text": [paths], "records": [paths of ours]}]}; the
flags are named as upstream's. Answer: for each case the number of equal examples and, for the first that is not, its
file, its number and the features that differ. A line of the vocabulary that is there a second time is counted, as in
google-research/bert's own tokenization.py; the package does not.
"""

import itertools
import json
import os
import random
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf
from absl import flags as absl_flags
from bert import create_pretraining_data as upstream
from bert import tokenization

tf.compat.v1.logging.set_verbosity("ERROR")


def by_line(path):
    with Path(path).open(encoding="utf-8", newline="\n") as file:
        return {line.strip(): number for number, line in enumerate(file)}


def written(text, vocab, folder, flags, files):
    """What upstream writes, as its main() does."""
    tokenization.load_vocab = by_line
    tokenizer = tokenization.FullTokenizer(vocab_file=vocab, do_lower_case=flags["do_lower_case"])
    instances = upstream.create_training_instances(
        text,
        tokenizer,
        flags["max_seq_length"],
        flags["dupe_factor"],
        flags["short_seq_prob"],
        flags["masked_lm_prob"],
        flags["max_predictions_per_seq"],
        random.Random(flags["random_seed"]),  # noqa: S311 - nothing secret
    )
    paths = [f"{folder}/{number}.tfrecord" for number in range(files)]
    upstream.write_instance_to_example_files(
        instances, tokenizer, flags["max_seq_length"], flags["max_predictions_per_seq"], paths
    )
    return paths


def examples(path):
    """The examples of a file as TensorFlow reads them: feature → values."""
    for record in tf.compat.v1.io.tf_record_iterator(path):
        features = tf.train.Example.FromString(record).features.feature
        yield {name: list(feature.int64_list.value or feature.float_list.value) for name, feature in features.items()}


def compared(theirs, ours):
    """(examples, None or the first difference)."""
    count = 0
    for path, other in zip(theirs, ours):  # noqa: B905 - Python 3.7
        pairs = itertools.zip_longest(examples(path), examples(other), fillvalue={})
        for number, (left, right) in enumerate(pairs):
            if left != right:
                differing = [name for name in {*left, *right} if left.get(name) != right.get(name)]
                return count, [Path(other).name, number, sorted(differing)]
            count += 1
    return count, None


def main():
    """Read the request, answer it."""
    absl_flags.FLAGS(["create_pretraining_data"])
    request = json.load(sys.stdin)
    answers = []
    for case in request["cases"]:
        theirs = written(case["text"], request["vocab"], request["work"], case["flags"], len(case["records"]))
        count, difference = compared(theirs, case["records"])
        answers.append({"examples": count, "difference": difference})
    sys.stdout.write(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
