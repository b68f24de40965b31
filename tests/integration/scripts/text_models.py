"""In the openvino environment: an IR with models that take strings, asked in both ways.

Request: {"folder", "batches": [{"text": […], "text_pair": […] or absent}, …]}. For each batch: the tokenizer's arrays,
what text_model.xml or text_pair_model.xml answers, and whether model.xml, fed by the tokenizer, answers the same bits.
"""

import json
import sys
from pathlib import Path

import numpy as np
import openvino
import openvino_tokenizers  # noqa: F401 - the operators

request = json.load(sys.stdin)
core = openvino.Core()
loaded = {
    name: core.compile_model(str(Path(request["folder"]) / f"{name}.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for name in ("model", "tokenizer", "tokenizer_pair", "text_model", "text_pair_model")
}


def run(name, feeds):
    found = loaded[name](feeds)
    return {port.any_name: np.array(found[port]) for port in loaded[name].outputs}


answered = []
for batch in request["batches"]:
    two = ("tokenizer_pair", "text_pair_model") if "text_pair" in batch else ("tokenizer", "text_model")
    read, joined = (run(name, batch) for name in two)
    apart = run("model", read)
    same = all(apart[name].tobytes() == joined[name].tobytes() for name in joined) and apart.keys() == joined.keys()
    rows = {name: value.tolist() for name, value in read.items()}
    answered.append({**rows, "answers": {name: value.tolist() for name, value in joined.items()}, "same": same})
names = {name: [port.any_name for port in model.inputs] for name, model in loaded.items()}
json.dump({"answered": answered, "inputs": names}, sys.stdout)
