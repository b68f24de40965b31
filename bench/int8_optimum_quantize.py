"""Quantizes a classifier by Optimum-Intel's OVQuantizer. Started by int8_optimum.py, in Optimum-Intel's environment.

    python int8_optimum_quantize.py WEIGHTS EXAMPLES.npz OUT

WEIGHTS is a Hugging Face folder; EXAMPLES has int32 arrays input_ids, input_mask and segment_ids [N, S], each of which
it is calibrated on without its padding, as bertbuild does it. All else is Optimum-Intel's default for int8.
"""

from __future__ import annotations

import sys

import nncf
import numpy as np
from optimum.intel import OVConfig, OVModelForSequenceClassification, OVQuantizationConfig, OVQuantizer

ROLES = {"input_ids": "input_ids", "attention_mask": "input_mask", "token_type_ids": "segment_ids"}


def main() -> None:
    """Export, quantize, save."""
    weights, examples, out = sys.argv[1:]
    with np.load(examples) as file:
        columns = {name: file[name].astype(np.int64) for name in file.files}
    lengths = columns["input_mask"].sum(axis=1)
    feeds = [
        {name: columns[role][row : row + 1, :length] for name, role in ROLES.items()}
        for row, length in enumerate(lengths)
    ]
    model = OVModelForSequenceClassification.from_pretrained(weights, export=True, compile=False, load_in_8bit=False)
    config = OVConfig(quantization_config=OVQuantizationConfig(num_samples=len(feeds)))
    OVQuantizer.from_pretrained(model).quantize(
        calibration_dataset=nncf.Dataset(feeds), ov_config=config, save_directory=out
    )


if __name__ == "__main__":
    main()
