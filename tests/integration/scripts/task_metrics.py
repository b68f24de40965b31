"""In the data environment: seqeval's and scikit-learn's figures.

Request: {"tags": [[right, given], …], each of sentences of tags; "labels": [[labels, scores], …], each [N][C]}.
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
from seqeval import metrics
from sklearn.metrics import average_precision_score

warnings.simplefilter("ignore")  # of tags that are no entity's, of labels without an example
request = json.load(sys.stdin)
found = {
    "tags": [float(metrics.f1_score(right, given, zero_division=0)) for right, given in request["tags"]],
    "labels": [
        float(average_precision_score(np.array(labels), np.array(scores), average="macro"))
        for labels, scores in request["labels"]
    ],
}
json.dump(found, sys.stdout)
