"""In the data environment: seqeval's and scikit-learn's figures.

Request: {"tags": [[right, given], …], each of sentences of tags; "labels": [[labels, given], …], each [N][C] of 0, 1}.
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
from seqeval import metrics
from sklearn.metrics import f1_score

warnings.simplefilter("ignore")  # of tags that are no entity's
request = json.load(sys.stdin)
found = {
    "tags": [float(metrics.f1_score(right, given, zero_division=0)) for right, given in request["tags"]],
    "labels": [
        float(f1_score(np.array(labels), np.array(given), average="micro", zero_division=0))
        for labels, given in request["labels"]
    ],
}
json.dump(found, sys.stdout)
