"""What OpenVINO does with inputs outside a model's range: input name → what came of it, as numbers or an error's words.

The request: xml, and vocab, types, positions: the sizes of the model's tables.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import openvino

request = json.loads(sys.stdin.read())
compiled = openvino.Core().compile_model(request["xml"], "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def answer(ids, segments=None):
    """The first output, as a list; or the last line of the error."""
    ids = np.array([ids], np.int32).reshape(1, -1)
    segments = np.zeros_like(ids) if segments is None else np.full_like(ids, segments)
    feeds = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": segments}
    try:
        return np.array(compiled(feeds)[0]).ravel().tolist()
    except RuntimeError as error:
        return str(error).strip().splitlines()[-1]


vocab, types = request["vocab"], request["types"]
found = {
    "last": answer([1, vocab - 1, 2]),
    "-1": answer([1, -1, 2]),
    "-vocab": answer([1, -vocab, 2]),
    "first": answer([1, 0, 2]),
    "below": answer([1, -vocab - 1, 2]),
    "vocab": answer([1, vocab, 2]),
    "beyond": answer([1, vocab + 1000, 2]),
    "segment types": answer([1, 3, 2], types),
    "segment beyond": answer([1, 3, 2], types + 7),
    "segment 0": answer([1, 3, 2], 0),
    "segment -1": answer([1, 3, 2], -1),
    "segment last": answer([1, 3, 2], types - 1),
    "length 0": answer([]),
    "longest": answer([3] * request["positions"]),
    "too long": answer([3] * (request["positions"] + 1)),
}
sys.stdout.write(json.dumps({"version": openvino.__version__, **found}) + "\n")
