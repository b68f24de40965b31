"""What a training has learnt, against what is right without having learnt anything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertbuild.errors import DataError
from bertbuild.gate.prediction_files import read_answers, read_squad
from bertbuild.metrics.squad import evaluate_v1, evaluate_v2, questions

ERROR = "eval_mean_squared_error"
"""The figure that is better when it is lower."""
ROUNDING = 1e-6
"""Of figures that TensorFlow adds up in float32; what is better by no more is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """A figure of the dev set, and the same of who has learnt nothing.

    Attributes:
        metric: what the figure is called.
        value: the model's.
        baseline: of who has learnt nothing.
        of: who that is: "the majority class".
        learnt: whether the model is better.
    """

    metric: str
    value: float
    baseline: float
    of: str
    learnt: bool

    @property
    def words(self) -> str:
        """Both figures, for people."""
        return f"{self.metric} is {self.value:.4f}; of {self.of} alone it is {self.baseline:.4f}"

    @property
    def line(self) -> str:
        """It as a last line of a command."""
        return f"{'learnt' if self.learnt else 'learnt nothing'}: {self.words}"

    def tell(self, task: str, report: Callable[[dict[str, Any]], None]) -> None:
        """Warn of a training that has learnt nothing of its task."""
        if not self.learnt:
            text = f"It has learnt nothing of {task}: {self.words}. Try a lower learning rate, or more steps."
            report({"event": "warning", "text": text})


def what_was_learnt(folder: Path, facts: Mapping[str, Any], asked: Path | None) -> Learnt | None:
    """What the result of a training says of it; None where nothing was evaluated.

    Args:
        folder: the result.
        facts: of the stage: `eval` and `baseline`; of SQuAD `version_2_with_negative`.
        asked: SQuAD's questions that were answered, or None.
    """
    told, baseline = facts.get("eval"), facts.get("baseline")
    if told and baseline and baseline["metric"] in told:
        return _compared(baseline["metric"], told[baseline["metric"]], baseline["value"], baseline["of"])
    answers = folder / "predictions.json"
    if asked is None or not answers.exists():
        return None
    with contextlib.suppress(DataError):  # questions without answers; the training is none the worse
        return _of_squad(asked, answers, negatives=bool(facts.get("version_2_with_negative")))
    return None


def _of_squad(asked: Path, answers: Path, *, negatives: bool) -> Learnt | None:
    """F1 of the answers, from 0 to 1 as all figures of a dev set; None where questions lack an answer that all need."""
    articles, given = read_squad(asked), read_answers(answers)
    nothing, of = 0.0, "no answer to any question"
    if negatives:
        nothing = evaluate_v2(articles, dict.fromkeys(given, ""), None)["f1"]
        return _compared("f1", evaluate_v2(articles, given, None)["f1"] / 100, nothing / 100, of)
    if not all(right for _, right in questions(articles)):
        return None
    return _compared("f1", evaluate_v1(articles, given)["f1"] / 100, nothing, of)


def _compared(metric: str, value: float, baseline: float, of: str) -> Learnt:
    gain = baseline - value if metric == ERROR else value - baseline
    better = gain > ROUNDING * max(1.0, abs(baseline))
    return Learnt(metric=metric, value=value, baseline=baseline, of=of, learnt=better)
