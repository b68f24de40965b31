"""In the tf1 environment: run_squad's windows and answers of a SQuAD file, and what ours are.

Request: {"data", "vocab", "examples": folder of squad-examples, "sizes": [length, query, stride], "negatives",
"ties": whether many of the random logits are equal, "out": an empty folder}. Answers how many questions and windows
there are, and what differs.
"""

import itertools
import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import numpy as np
import tensorflow as tf
from absl import flags as absl_flags
from bert import run_squad, tokenization

from bertbuild.text.answer_spans import Spans

tf.compat.v1.logging.set_verbosity("ERROR")
THRESHOLD = 0.5
NAMES = ("predictions", "nbest", "odds")


def random_logits(features, length, ties):
    """Start and end logits [2, N, S]; some span is among the best: without one, upstream ends in an error."""
    logits = np.random.RandomState(0).normal(0, 1, (2, len(features), length)).astype(np.float32)
    for number, feature in enumerate(features):
        logits[:, number, [0, *feature.token_to_orig_map]] += 3
    return np.round(logits) if ties else logits


def upstreams(examples, features, logits, folder):
    files = [folder / (name + ".json") for name in NAMES]
    results = [
        run_squad.RawResult(feature.unique_id, first.tolist(), last.tolist())
        for feature, first, last in itertools.zip_longest(features, *logits)
    ]
    run_squad.write_predictions(examples, features, results, 20, 30, True, *map(str, files))
    return [json.loads(file.read_text()) if file.exists() else {} for file in files]


def ours(told, windows, logits, negatives):
    found = Spans(told["articles"], windows, told["lower_case"], negatives, threshold=THRESHOLD).answers(*logits)
    return [
        {name: answer.text for name, answer in found.items()},
        {name: [dict(entry) for entry in answer.nbest] for name, answer in found.items()},
        {name: answer.odds for name, answer in found.items()} if negatives else {},
    ]


request = json.load(sys.stdin)
length, query, stride = request["sizes"]
flags = {"version_2_with_negative": request["negatives"], "null_score_diff_threshold": THRESHOLD}
absl_flags.FLAGS(["run_squad", *(f"--{name}={value}" for name, value in flags.items())])
examples = run_squad.read_squad_examples(request["data"], is_training=False)
features = []
tokenizer = tokenization.FullTokenizer(request["vocab"], do_lower_case=True)
run_squad.convert_examples_to_features(examples, tokenizer, length, stride, query, False, features.append)

windows = np.load(str(Path(request["examples"]) / "features.npz"))
differing = [
    role
    for role in ("input_ids", "input_mask", "segment_ids")
    if not np.array_equal(windows[role], np.array([getattr(feature, role) for feature in features]))
]
logits = random_logits(features, length, request["ties"])
theirs = upstreams(examples, features, logits, Path(request["out"]))
told = json.loads((Path(request["examples"]) / "questions.json").read_text())
for kind, one, other in itertools.zip_longest(NAMES, ours(told, windows, logits, request["negatives"]), theirs):
    differing += [kind] if one.keys() != other.keys() else []
    differing += [[kind, name, one.get(name), other[name]] for name in other if one.get(name) != other[name]][:2]
json.dump({"questions": len(examples), "windows": len(features), "differing": differing}, sys.stdout)
