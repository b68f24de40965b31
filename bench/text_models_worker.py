"""What text_models.py starts in an environment with openvino-tokenizers and tokenizers: both sides, in turn."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import openvino
import openvino_tokenizers  # noqa: F401 - the operators
from tokenizers import Tokenizer

OURS, THEIRS = "text_model.xml", "tokenizers and model.xml"
IN_FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}


def main() -> None:
    """Read the request, answer, time."""
    request = json.load(sys.stdin)
    folder, size = Path(request["folder"]), request["batch"]
    core = openvino.Core()
    joined, model = (
        core.compile_model(str(folder / f"{name}.xml"), "CPU", IN_FLOAT32) for name in ("text_model", "model")
    )
    reader = core.compile_model(str(folder / "tokenizer.xml"), "CPU")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = request["texts"]
    batches = [texts[start : start + size] for start in range(0, len(texts), size)]

    def read(batch: list[str]) -> dict[str, np.ndarray]:
        rows = tokenizer.encode_batch(batch)
        return {
            "input_ids": np.array([row.ids for row in rows], np.int32),
            "input_mask": np.array([row.attention_mask for row in rows], np.int32),
            "segment_ids": np.array([row.type_ids for row in rows], np.int32),
        }

    sides = {OURS: lambda batch: joined({"text": batch}), THEIRS: lambda batch: model(read(batch))}
    other_ids = sum(
        not np.array_equal(reader({"text": batch})["input_ids"], read(batch)["input_ids"]) for batch in batches
    )
    other = sum(sides[OURS](batch)[0].tobytes() != sides[THEIRS](batch)[0].tobytes() for batch in batches)
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(request["rounds"]):
        taken = dict.fromkeys(sides, 0.0)
        for place, batch in enumerate(batches):
            for side in (OURS, THEIRS) if (number + place) % 2 else (THEIRS, OURS):
                begun = time.perf_counter()
                sides[side](batch)
                taken[side] += time.perf_counter() - begun
        for side, value in taken.items():
            seconds[side].append(value)
    print(json.dumps({"seconds": seconds, "other_ids": other_ids, "other": other}))


if __name__ == "__main__":
    main()
