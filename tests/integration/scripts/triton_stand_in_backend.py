"""A stand-in for Triton's backend for OpenVINO, whose library is on no package index: it runs model.xml by the package.

Triton loads it as the backend's model.py; the packages are in PACKAGES, for its Python is not theirs.
"""

import json
import os
import sys

sys.path.append(os.environ["PACKAGES"])

import numpy as np
import openvino
import triton_python_backend_utils as utils


class TritonPythonModel:
    """What Triton calls."""

    def initialize(self, args):
        """Compile the version's model."""
        path = os.path.join(args["model_repository"], args["model_version"], "model.xml")  # noqa: PTH118 - Triton's text
        self._model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        self._outputs = [output["name"] for output in json.loads(args["model_config"])["output"]]

    def execute(self, requests):
        """Answer each request."""
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        answers = self._model({tensor.name(): tensor.as_numpy() for tensor in request.inputs()})
        return utils.InferenceResponse([utils.Tensor(name, np.array(answers[name])) for name in self._outputs])
