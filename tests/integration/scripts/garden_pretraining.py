"""The Model Garden's create_pretraining_data beside ours, under TensorFlow 2: where do the records differ?

Request: {"vocab": path, "work": folder, "cases": [{"flags": {…}, "text": [paths], "records": [paths of ours]}]}; the
flags are named as upstream's. Answer: for each case the number of equal examples and, for the first that is not, its
file, its number and the features that differ.
"""

import itertools
import json
import os
import random
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import tensorflow as tf
from official.nlp.data import create_pretraining_data as upstream
from official.nlp.tools import tokenization


def written(text, vocab, folder, flags, files):
    """What upstream writes; its global generator has the seed of its own one."""
    tokenizer = tokenization.FullTokenizer(vocab_file=vocab, do_lower_case=flags["do_lower_case"])
    random.seed(flags["random_seed"])
    instances = upstream.create_training_instances(
        text,
        tokenizer,
        upstream.get_processor_text_fn(is_sentence_piece=False, do_lower_case=flags["do_lower_case"]),
        flags["max_seq_length"],
        flags["dupe_factor"],
        flags["short_seq_prob"],
        flags["masked_lm_prob"],
        flags["max_predictions_per_seq"],
        random.Random(flags["random_seed"]),  # noqa: S311 - nothing secret
        flags["do_whole_word_mask"],
        flags["max_ngram_size"],
    )
    paths = [str(folder / f"{number}.tfrecord") for number in range(files)]
    upstream.write_instance_to_example_files(
        instances,
        tokenizer,
        flags["max_seq_length"],
        flags["max_predictions_per_seq"],
        paths,
        flags["gzip_compress"],
        flags["use_v2_feature_names"],
    )
    return paths


def examples(path, compression):
    """The examples of a file as TensorFlow reads them: feature → values."""
    for record in tf.data.TFRecordDataset(path, compression_type=compression).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        yield {name: list(feature.int64_list.value or feature.float_list.value) for name, feature in features.items()}


def compared(theirs, ours, compression):
    """(examples, None or the first difference)."""
    count = 0
    for path, other in zip(theirs, ours, strict=True):
        pairs = itertools.zip_longest(examples(path, compression), examples(other, compression), fillvalue={})
        for number, (left, right) in enumerate(pairs):
            if left != right:
                differing = [name for name in {*left, *right} if left.get(name) != right.get(name)]
                return count, [Path(other).name, number, sorted(differing)]
            count += 1
    return count, None


def main():
    """Read the request, answer it."""
    request = json.load(sys.stdin)
    answers = []
    for case in request["cases"]:
        flags = case["flags"]
        theirs = written(case["text"], request["vocab"], Path(request["work"]), flags, len(case["records"]))
        count, difference = compared(theirs, case["records"], "GZIP" if flags["gzip_compress"] else "")
        answers.append({"examples": count, "difference": difference})
    sys.stdout.write(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
