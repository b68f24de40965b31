"""bertbuild from Python: each method is a command, takes what its flags say, gives a typed result, raises our errors.

    from bertbuild.api import Checkpoint, Ir, Project

    project = Project(artifacts="artifacts")
    built = project.build(Checkpoint("path/to/model"), Ir(precision="fp16"))
    print(built.targets[0].path)

Nothing is printed, no process is ended, no signal is handled. docs/api.md has examples.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bertbuild.api.base import Listener
from bertbuild.api.builds import Builds
from bertbuild.api.looks import Looks
from bertbuild.api.named import Checkpoint, FrozenGraph, Model, SavedModelFolder, TrainBegin
from bertbuild.api.trainings import Trainings
from bertbuild.api.upkeep import Upkeep
from bertbuild.errors import BertbuildError

if TYPE_CHECKING:
    from bertbuild.commands.build import FileBuilt
    from bertbuild.commands.buildfile import Schema
    from bertbuild.commands.cluster import Certificates
    from bertbuild.commands.data import Asked as PrepareData
    from bertbuild.commands.data import PreparedData
    from bertbuild.commands.datasets import FetchedData
    from bertbuild.commands.doctor import Diagnosis
    from bertbuild.commands.dry_run import DryRun
    from bertbuild.commands.environments import Environments
    from bertbuild.commands.evaluation import Evaluation, Figures
    from bertbuild.commands.finetune import Finetuned
    from bertbuild.commands.gc import Audited, Swept
    from bertbuild.commands.graph import Drawn
    from bertbuild.commands.init import Initiated
    from bertbuild.commands.log import Logs
    from bertbuild.commands.models import Fetched, Inspection
    from bertbuild.commands.package import Packaged
    from bertbuild.commands.package_request import Package
    from bertbuild.commands.predict import Predicted
    from bertbuild.commands.predict_texts import Predict
    from bertbuild.commands.pretraining import PretrainingData
    from bertbuild.commands.provenance import Provenance, Sboms
    from bertbuild.commands.remote import Generated, Pulled, Pushed, RemoteStatus, RemoteSwept
    from bertbuild.commands.report import Page
    from bertbuild.commands.status import Status
    from bertbuild.commands.target import Built
    from bertbuild.commands.train import Data as TrainData
    from bertbuild.commands.train import Trained
    from bertbuild.commands.verify import Verified
    from bertbuild.commands.why import Why
    from bertbuild.kinds.evaluated_data import Data as EvaluateData
    from bertbuild.kinds.evaluation import EvaluateRequest
    from bertbuild.kinds.frozen import Frozen
    from bertbuild.kinds.hf import HuggingFace
    from bertbuild.kinds.hub import Hub
    from bertbuild.kinds.ir_request import Ir
    from bertbuild.kinds.neuron import Neuron
    from bertbuild.kinds.neuron_ready import NeuronReady
    from bertbuild.kinds.onnx import Onnx
    from bertbuild.kinds.saved_model import SavedModel
    from bertbuild.kinds.tf2 import Tf2
    from bertbuild.kinds.tf2_savedmodel import Tf2SavedModel
    from bertbuild.plans.finetuning import FinetuneRequest
    from bertbuild.plans.finetuning import Named as FinetuneData
    from bertbuild.plans.pretraining_data import PretrainingRequest
    from bertbuild.plans.tf2_train import TrainRequest

__all__ = [
    "Audited",
    "BertbuildError",
    "Built",
    "Certificates",
    "Checkpoint",
    "Diagnosis",
    "Drawn",
    "DryRun",
    "Environments",
    "EvaluateData",
    "EvaluateRequest",
    "Evaluation",
    "Fetched",
    "FetchedData",
    "Figures",
    "FileBuilt",
    "FinetuneData",
    "FinetuneRequest",
    "Finetuned",
    "Frozen",
    "FrozenGraph",
    "Generated",
    "Hub",
    "HuggingFace",
    "Initiated",
    "Inspection",
    "Ir",
    "Listener",
    "Logs",
    "Model",
    "Neuron",
    "NeuronReady",
    "Onnx",
    "Package",
    "Packaged",
    "Page",
    "Predict",
    "Predicted",
    "PrepareData",
    "PreparedData",
    "PretrainingData",
    "PretrainingRequest",
    "Project",
    "Provenance",
    "Pulled",
    "Pushed",
    "RemoteStatus",
    "RemoteSwept",
    "SavedModel",
    "SavedModelFolder",
    "Sboms",
    "Schema",
    "Status",
    "Swept",
    "Tf2",
    "Tf2SavedModel",
    "TrainBegin",
    "TrainData",
    "TrainRequest",
    "Trained",
    "Verified",
    "Why",
]

_PLACES = {
    "Audited": "commands.gc.Audited",
    "Built": "commands.target.Built",
    "Certificates": "commands.cluster.Certificates",
    "Diagnosis": "commands.doctor.Diagnosis",
    "Drawn": "commands.graph.Drawn",
    "DryRun": "commands.dry_run.DryRun",
    "Environments": "commands.environments.Environments",
    "EvaluateData": "kinds.evaluated_data.Data",
    "EvaluateRequest": "kinds.evaluation.EvaluateRequest",
    "Evaluation": "commands.evaluation.Evaluation",
    "Fetched": "commands.models.Fetched",
    "FetchedData": "commands.datasets.FetchedData",
    "Figures": "commands.evaluation.Figures",
    "FileBuilt": "commands.build.FileBuilt",
    "FinetuneData": "plans.finetuning.Named",
    "FinetuneRequest": "plans.finetuning.FinetuneRequest",
    "Finetuned": "commands.finetune.Finetuned",
    "Frozen": "kinds.frozen.Frozen",
    "Generated": "commands.remote.Generated",
    "Hub": "kinds.hub.Hub",
    "Initiated": "commands.init.Initiated",
    "Inspection": "commands.models.Inspection",
    "Ir": "kinds.ir_request.Ir",
    "Logs": "commands.log.Logs",
    "Neuron": "kinds.neuron.Neuron",
    "NeuronReady": "kinds.neuron_ready.NeuronReady",
    "Onnx": "kinds.onnx.Onnx",
    "Package": "commands.package_request.Package",
    "Packaged": "commands.package.Packaged",
    "Page": "commands.report.Page",
    "Predict": "commands.predict_texts.Predict",
    "Predicted": "commands.predict.Predicted",
    "PrepareData": "commands.data.Asked",
    "PreparedData": "commands.data.PreparedData",
    "PretrainingData": "commands.pretraining.PretrainingData",
    "PretrainingRequest": "plans.pretraining_data.PretrainingRequest",
    "Provenance": "commands.provenance.Provenance",
    "Pulled": "commands.remote.Pulled",
    "Pushed": "commands.remote.Pushed",
    "RemoteStatus": "commands.remote.RemoteStatus",
    "RemoteSwept": "commands.remote.RemoteSwept",
    "SavedModel": "kinds.saved_model.SavedModel",
    "Sboms": "commands.provenance.Sboms",
    "Schema": "commands.buildfile.Schema",
    "Status": "commands.status.Status",
    "Swept": "commands.gc.Swept",
    "Tf2": "kinds.tf2.Tf2",
    "HuggingFace": "kinds.hf.HuggingFace",
    "Tf2SavedModel": "kinds.tf2_savedmodel.Tf2SavedModel",
    "TrainData": "commands.train.Data",
    "TrainRequest": "plans.tf2_train.TrainRequest",
    "Trained": "commands.train.Trained",
    "Verified": "commands.verify.Verified",
    "Why": "commands.why.Why",
}
"""Where the classes of requests and of results are; each is loaded when it is first asked for."""


def __getattr__(name: str) -> Any:
    """A class of `_PLACES`, loaded now."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, there = _PLACES[name].rpartition(".")
    return getattr(importlib.import_module(f"bertbuild.{module}"), there)


class Project(Builds, Looks, Trainings, Upkeep):
    """A store, and how stages run. Holds nothing open: it may be used often, and from any thread.

    Every method raises `BertbuildError`, of which `bertbuild.errors` lists the kinds. After a KeyboardInterrupt all
    that was started has ended, and the same call goes on with what is finished.

    Args:
        artifacts: the store's folder.
        isolation: where stages run: "docker", "venv" or "auto".
        offline: whether the network must not be used.
        jobs: how many stages run at once.
        memory: how much memory they may take together, as "16g".
        mirror: base URL that takes the place of the public one.
        local: folder with downloaded models and data sets.
        listener: gets each event; what it raises ends the command.

    What is None is as variables and bertbuild.toml say, else as the command line's default.
    """
