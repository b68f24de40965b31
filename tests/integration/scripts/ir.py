"""In the openvino environment: what an IR says of itself, and its answers, perhaps after a reshape.

Request: {"ir": folder, "runs": [{"inputs": npz, "answers": npz to write, "shape": [B, S] or null}, …]}.
"""

import json
import sys
from pathlib import Path

import numpy as np
import openvino

request = json.load(sys.stdin)
core = openvino.Core()
path = Path(request["ir"]) / "model.xml"


def ports(found):
    """Name → [names, element type, partial shape] in order."""
    return {
        port.get_any_name(): {
            "names": sorted(port.get_names()),
            "type": port.get_element_type().get_type_name(),
            "shape": str(port.get_partial_shape()),
        }
        for port in found
    }


model = core.read_model(path)
entries = model.get_rt_info(["bertbuild"]).value if model.has_rt_info(["bertbuild"]) else {}
answer = {
    "inputs": ports(model.inputs),
    "outputs": ports(model.outputs),
    "rt_info": {name: str(model.get_rt_info(["bertbuild", name]).value) for name in entries},
    "weights": sorted(
        {node.get_element_type().get_type_name() for node in model.get_ops() if node.get_type_name() == "Constant"}
    ),
    "version": openvino.__version__,
}
for run in request.get("runs", []):
    model = core.read_model(path)
    if run.get("shape"):
        model.reshape({port.get_any_name(): run["shape"] for port in model.inputs})
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    with np.load(run["inputs"]) as inputs:
        results = compiled({name: inputs[name] for name in inputs.files})
    np.savez(run["answers"], **{port.get_any_name(): results[port] for port in compiled.outputs})
json.dump(answer, sys.stdout)
