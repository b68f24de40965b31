"""In the onnx environment: what the package onnx, and the optimizer of onnxruntime, see in a model.

Request: {"onnx": file, "heads": of attention, "hidden": H}.
"""

import json
import sys

import onnx
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

request = json.load(sys.stdin)
path = request["onnx"]
onnx.checker.check_model(path, full_check=True)
model = onnx.load(path)
options = FusionOptions("bert")
options.enable_shape_inference = False  # which takes a package more
sizes = {"num_heads": request["heads"], "hidden_size": request["hidden"]}
fused = optimizer.optimize_model(path, "bert", opt_level=0, optimization_options=options, **sizes)


def ports(found):
    """Name → sizes, a name for a free one."""
    return {port.name: [size.dim_param or size.dim_value for size in port.type.tensor_type.shape.dim] for port in found}


answer = {
    "ir_version": model.ir_version,
    "opset": [[one.domain, one.version] for one in model.opset_import],
    "metadata": [[one.key, one.value] for one in model.metadata_props],
    "operators": sorted({node.op_type for node in model.graph.node}),
    "inputs": ports(model.graph.input),
    "outputs": ports(model.graph.output),
    "fused": fused.get_fused_operator_statistics(),
}
json.dump(answer, sys.stdout)
