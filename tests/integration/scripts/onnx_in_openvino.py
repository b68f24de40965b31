"""In the openvino environment: the answers of an ONNX model, computed in float32.

Request: {"onnx": file, "inputs": npz of <probe>/<input>, "answers": npz of <probe>/<output> to write}.
An output has the name of each tensor that it is, where an operator of ONNX only hands it on.
"""

import json
import sys

import numpy as np
import openvino

request = json.load(sys.stdin)
compiled = openvino.Core().compile_model(request["onnx"], "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
answers = {}
with np.load(request["inputs"]) as inputs:
    for probe in sorted({name.split("/")[0] for name in inputs.files}):
        results = compiled({port.any_name: inputs[probe + "/" + port.any_name] for port in compiled.inputs})
        answers.update({probe + "/" + name: results[port] for port in compiled.outputs for name in port.names})
np.savez(request["answers"], **answers)
json.dump({"version": openvino.__version__}, sys.stdout)
