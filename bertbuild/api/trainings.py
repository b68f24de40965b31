"""Models and data fetched, prepared, trained on, and measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bertbuild.api.base import Base
from bertbuild.api.named import Checkpoint, Model, Path, TrainBegin, wanted

if TYPE_CHECKING:
    from bertbuild.catalogue.datasets import Dataset
    from bertbuild.catalogue.models import Model as CatalogueModel
    from bertbuild.commands.data import Asked as PrepareData
    from bertbuild.commands.data import PreparedData
    from bertbuild.commands.datasets import FetchedData
    from bertbuild.commands.evaluation import Evaluation, Figures
    from bertbuild.commands.finetune import Finetuned
    from bertbuild.commands.models import Fetched
    from bertbuild.commands.package import Packaged
    from bertbuild.commands.package_request import Package
    from bertbuild.commands.predict import Predicted
    from bertbuild.commands.predict_texts import Predict
    from bertbuild.commands.pretraining import PretrainingData
    from bertbuild.commands.train import Data as TrainData
    from bertbuild.commands.train import Trained
    from bertbuild.kinds.evaluated_data import Data as EvaluateData
    from bertbuild.kinds.evaluation import EvaluateRequest
    from bertbuild.plans.finetuning import FinetuneRequest
    from bertbuild.plans.finetuning import Named as FinetuneData
    from bertbuild.plans.pretraining_data import PretrainingRequest
    from bertbuild.plans.tf2_train import TrainRequest


class Trainings(Base):
    """The commands on models and data sets."""

    def models(self) -> tuple[CatalogueModel, ...]:
        """The models of the catalogue."""
        from bertbuild.commands.models import list_models

        with self._session() as session:
            return list_models(session)

    def datasets(self) -> tuple[Dataset, ...]:
        """The data sets of the catalogue."""
        from bertbuild.commands.datasets import list_datasets

        with self._session() as session:
            return list_datasets(session)

    def fetch(self, *models: str) -> Fetched:
        """Bring models of the catalogue to disk; every file is checked against the hash on record."""
        from bertbuild.commands.models import fetch

        with self._session() as session:
            return fetch(session, models)

    def fetch_data(self, *tasks: str) -> FetchedData:
        """Bring GLUE, SQuAD and XNLI, or some of their tasks, to disk."""
        from bertbuild.commands.datasets import fetch_data

        with self._session() as session:
            return fetch_data(session, tasks)

    def prepare_data(self, request: PrepareData, *, replace: bool = False) -> PreparedData:
        """Make TFRecords to fine-tune BERT with."""
        from bertbuild.commands.data import prepare_data

        with self._session(replace=replace) as session:
            return prepare_data(session, request)

    def prepare_pretraining_data(
        self,
        text: str,
        vocab: Path,
        request: PretrainingRequest | None = None,
        *,
        outputs: Sequence[Path] = (),
        name: str = "",
        replace: bool = False,
    ) -> PretrainingData:
        """Make TFRecords to pre-train BERT with.

        Args:
            text: files of text, with commas, or patterns of them.
            vocab: the model's vocab.txt.
            request: how; its defaults where it is left out.
            outputs: files that the records are copied to as well, one example to each in turn.
            name: what to call the results; empty: the vocabulary's name.
            replace: whether a name in out/ may pass to this text from another.
        """
        from dataclasses import replace as changed

        from bertbuild.commands.pretraining import prepare_pretraining_data
        from bertbuild.plans.pretraining_data import PretrainingRequest

        copies = tuple(map(str, outputs))
        with self._session(replace=replace) as session:
            asked = changed(request or PretrainingRequest(), shards=len(copies) or 1)
            return prepare_pretraining_data(session, text, str(vocab), copies, name, asked)

    def finetune(
        self,
        source: Checkpoint | Model,
        data: FinetuneData,
        request: FinetuneRequest | None = None,
        *,
        name: str = "",
        replace: bool = False,
        copy_to: Path = "",
    ) -> Finetuned:
        """Train with google-research/bert under TensorFlow 1; a training that was ended is resumed.

        Args:
            source: what to begin with.
            data: what to train on.
            request: how; its defaults where it is left out.
            name: what the results are called; empty: the source's own name.
            replace: whether a name in out/ may pass to this source from another.
            copy_to: folder that the result is copied to as well.
        """
        from bertbuild.commands.finetune import finetune
        from bertbuild.plans.finetuning import FinetuneRequest

        with self._session(replace=replace) as session:
            return finetune(session, wanted(source, name), data, request or FinetuneRequest(), str(copy_to))

    def train(
        self,
        source: Checkpoint | Model | TrainBegin,
        data: TrainData,
        request: TrainRequest | None = None,
        *,
        model_export_path: Path = "",
        name: str = "",
        replace: bool = False,
    ) -> Trained:
        """Train, evaluate, predict or export with the Model Garden under TensorFlow 2.

        Args:
            source: what to begin with: `TrainBegin` names models of TensorFlow 2.
            data: what to train on.
            request: how; its defaults where it is left out.
            model_export_path: folder that a SavedModel is exported to as well.
            name: what the results are called; empty: the source's own name.
            replace: whether a name in out/ may pass to this source from another.
        """
        from bertbuild.commands.train import train
        from bertbuild.plans.tf2_train import TrainRequest

        with self._session(replace=replace) as session:
            export_to = str(model_export_path)
            return train(session, wanted(source, name), data, request or TrainRequest(), model_export_path=export_to)

    def evaluate(
        self,
        source: Checkpoint | Model,
        data: EvaluateData | None = None,
        request: EvaluateRequest | None = None,
        *,
        max_drop: float = 0.01,
        name: str = "",
        reference: str = "",
    ) -> Evaluation:
        """Measure accuracy, agreement and latency of a model's targets on a dev set.

        Args:
            source: a fine-tuned model.
            data: the task and where its data are; left out: what the checkpoint was fine-tuned on.
            request: the targets, and how; left out: the targets that `bertbuild evaluate` measures.
            max_drop: how far a target's first metric may be below the source's.
            name: what the results are called; empty: the source's own name.
            reference: "1.15" or "2.20", which runs the source.

        Raises:
            AccuracyError: a target is further below.
        """
        from bertbuild.commands.evaluate import targets
        from bertbuild.kinds.evaluated_data import Data
        from bertbuild.kinds.evaluation import USUAL, EvaluateRequest

        with self._session(reference=reference) as session:
            asked = request or EvaluateRequest(targets=USUAL)
            return targets(session, wanted(source, name), data or Data(), asked, str(max_drop))

    def predict(self, request: Predict) -> Predicted:
        """What a built target answers to texts; the request names both.

        Raises:
            UsageError: there is no such target, or it does not answer such a question.
            DataError: a file of texts cannot be read, or the target has no tokenizer.
        """
        from bertbuild.commands.predict import predict

        with self._session() as session:
            return predict(session, request)

    def package(self, request: Package) -> Packaged:
        """A folder made of a built target that is complete in itself; the request names both.

        Raises:
            UsageError: there is no such target, it is stale, the layout cannot take it, or a licence forbids it.
            ParityError, NotVerifiedError: it did not pass its gate.
            DataError: it carries no tokenizer.
        """
        from bertbuild.commands.package import package

        with self._session() as session:
            return package(session, request)

    def evaluate_predictions(self, file: Path, task: str, *, data: Path = "") -> Figures:
        """Judge a test_results.tsv of a GLUE task's dev set, whose files are in the folder `data`, or are fetched."""
        from bertbuild.commands.evaluate_files import predictions
        from bertbuild.kinds.evaluated_data import Data

        with self._session() as session:
            return predictions(session, Data(task=task, data=str(data)), str(file))

    def evaluate_squad(
        self, file: Path, data_file: Path, *, null_odds: Path = "", version_2_with_negative: bool = False
    ) -> Figures:
        """Judge a predictions.json against SQuAD's dev-v1.1.json or dev-v2.0.json."""
        from bertbuild.commands.evaluate_files import squad

        with self._session() as session:
            files = str(file), str(data_file), str(null_odds)
            return squad(session, *files, with_negative=version_2_with_negative)
