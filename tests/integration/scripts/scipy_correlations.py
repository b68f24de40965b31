"""Pearson's and Spearman's correlation of pairs of lists, by SciPy."""

from __future__ import annotations

import json
import sys
import warnings

from scipy import stats

warnings.simplefilter("ignore")  # of constant lists
pairs = json.load(sys.stdin)["pairs"]
found = [[float(figure(a, b)[0]) for figure in (stats.pearsonr, stats.spearmanr)] for a, b in pairs]
json.dump(found, sys.stdout)
