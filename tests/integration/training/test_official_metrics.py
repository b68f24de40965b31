"""Our figures beside those of the official scripts, which the Model Garden carries, and of SciPy."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import types

import backends
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program import DATA

from bertbuild.metrics.correlation import pearson, spearman
from bertbuild.metrics.squad import evaluate_v1, evaluate_v2, questions

OURS = {"best_exact": "final_exact", "best_f1": "final_f1"}
"""What the Model Garden calls what evaluate-v2.0.py calls best_…"""
ODD_WORDS = (
    "the",
    "a",
    "An",
    "",
    " ",
    "...",
    "Ünïcode",
    "北京",
    "\u00a0",
    "–",
    "İstanbul",
    "ß",
    "e\u0301",
    "10,000",
    "«the»",
)

words = st.sampled_from((*ODD_WORDS, "cat", "sky", "blue", "Cat!"))
texts = st.one_of(st.lists(words, max_size=4).map(" ".join), st.text(max_size=8))
asked = st.tuples(st.lists(texts, max_size=3), st.none() | texts, st.integers(-6, 6).map(lambda n: n / 2))


@pytest.fixture(scope="session")
def official(bertbuild):
    """The Model Garden's squad_evaluate_v1_1 and squad_evaluate_v2_0, which need nothing but absl's logging."""
    assert bertbuild.artifacts.is_dir()
    (tools,) = backends.python("tf2").parent.parent.glob("lib/python3*/site-packages/official/nlp/tools")
    silent = types.ModuleType("absl")
    silent.logging = types.SimpleNamespace(error=lambda *_: None)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "absl", silent)
        for version in ("v1_1", "v2_0"):
            spec = importlib.util.spec_from_file_location(f"squad_{version}", tools / f"squad_evaluate_{version}.py")
            found.append(importlib.util.module_from_spec(spec))
            spec.loader.exec_module(found[-1])
    return found


def require_equal(official, articles, predictions, odds=None):
    v1, v2 = official
    if all(answers for _, answers in questions(articles)):
        theirs, ours = v1.evaluate(articles, predictions), evaluate_v1(articles, predictions)
        assert ours["exact_match"] == pytest.approx(100 * theirs["exact_match"], abs=1e-12)
        assert ours["f1"] == pytest.approx(100 * theirs["final_f1"], abs=1e-12)
    if any(name in predictions for name, _ in questions(articles)):
        predictions = {name: predictions[name] for name, _ in questions(articles) if name in predictions}
        theirs, ours = v2.evaluate(articles, predictions, odds), evaluate_v2(articles, predictions, odds)
        for name, value in ours.items():
            stem, _, end = name.partition("_thresh")
            assert value == theirs[OURS.get(stem, stem) + ("_thresh" if name.endswith("_thresh") else end)], name
        assert {"HasAns_f1", "NoAns_f1"} & ours.keys() == {"HasAns_f1", "NoAns_f1"} & theirs.keys()


def predicted(chance, answers):
    """An answer of one of the kinds that models give."""
    right = chance.choice(answers) if answers else "something"
    kinds = (
        right,
        right.upper() + "!",
        f"the {right}",
        " ".join(right.split()[:-1]),
        f"{right} {chance.choice(ODD_WORDS)}",
        chance.choice(ODD_WORDS),
        "",
        "wholly wrong",
    )
    return chance.choice(kinds)


def test_on_the_dev_set_of_squad_1_1(official):
    path = DATA / "squad" / "dev-v1.1.json"
    if not path.exists():
        pytest.skip("needs ../shared/data/squad/dev-v1.1.json beside the repository")
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    chance = random.Random(11)  # noqa: S311 - not for secrets
    predictions = {
        name: predicted(chance, answers) for name, answers in questions(articles) if chance.random() < 0.97
    } | {"unasked": "x"}
    require_equal(official, articles, predictions)
    # SQuAD 2.0 of the same questions: a third lose their answers.
    for article in articles:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                if chance.random() < 1 / 3:
                    question["answers"] = []
    odds = {name: round(chance.gauss(-1, 4), 3) for name, _ in questions(articles) if name in predictions}
    require_equal(official, articles, predictions, odds)


@settings(max_examples=300, deadline=None)
@given(st.lists(asked, min_size=1, max_size=6), st.booleans())
def test_on_any_questions_and_answers(official, rows, with_odds):
    qas = [{"id": str(i), "answers": [{"text": text} for text in answers]} for i, (answers, _, _) in enumerate(rows)]
    predictions = {str(i): given for i, (_, given, _) in enumerate(rows) if given is not None}
    odds = {str(i): number for i, (_, given, number) in enumerate(rows) if given is not None}
    require_equal(official, [{"paragraphs": [{"qas": qas}]}], predictions, odds if with_odds else None)


def test_correlations_beside_scipys(bertbuild):
    assert bertbuild.artifacts.is_dir()
    chance = np.random.default_rng(3)
    pairs = [
        (chance.integers(0, levels, count) / 4, chance.standard_normal(count).round(digits))
        for count in (3, 20, 1500)
        for levels in (2, 20)
        for digits in (0, 6)
    ]
    theirs = backends.run("tf2", "scipy_correlations", pairs=[[a.tolist(), b.tolist()] for a, b in pairs])
    ours = [[pearson(a, b), spearman(a, b)] for a, b in pairs]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
