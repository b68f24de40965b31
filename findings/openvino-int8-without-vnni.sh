#!/usr/bin/env bash
# An int8 model of NNCF 2.14.1 answers half of what it should in OpenVINO 2024.6.0 on a processor without VNNI,
# and NNCF's default for that (overflow_fix FIRST_LAYER) is the same as DISABLE for a product that is no first convolution.
#
# Products of u8 and i8 are added up by twos in 16 bits (vpmaddubsw) and cut off at 32767: 2 * 255 * 127 = 64770. With
# overflow_fix ENABLE weights have 7 bits, and no sum reaches that. oneDNN's variable ONEDNN_MAX_CPU_ISA=AVX2, which
# OpenVINO heeds, shows it on any x86_64 processor with AVX2.
#
# Seen with openvino 2024.6.0, nncf 2.14.1, Python 3.11, on AVX512_BF16 limited to AVX2 (share of the right answer):
#     default 0.506, FIRST_LAYER 0.506, DISABLE 0.506, ENABLE 0.963
# Exit code 0: it is still so. 1: it is not.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet --python 3.11 "$folder/venv"
uv pip install --quiet --python "$folder/venv/bin/python" openvino==2024.6.0 nncf==2.14.1 numpy==1.26.4 matplotlib==3.9.4 setuptools==68.0.0

cat > "$folder/saturate.py" <<'PYTHON'
import logging
import sys

import nncf
import numpy as np
import openvino as ov
from openvino.runtime import opset13 as ops

nncf.set_log_level(logging.ERROR)
examples = np.random.default_rng(0).random((20, 1, 64), dtype=np.float32)
examples[:, 0, 0], examples[:, 0, 1] = 0.0, 1.0


def model():
    """y = x · W, all of W 1: every product has the same sign."""
    x = ops.parameter([1, 64], np.float32, name="x")
    return ov.Model([ops.result(ops.matmul(x, ops.constant(np.ones((64, 32), np.float32)), False, False))], [x])


def share(**advanced):
    """What part of the right answer the quantized model gives."""
    quantized = nncf.quantize(
        model(),
        nncf.Dataset(list(examples)),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(examples),
        advanced_parameters=nncf.AdvancedQuantizationParameters(**advanced),
    )
    compiled = ov.Core().compile_model(quantized, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return float(compiled(np.ones((1, 64), np.float32))[0][0, 0]) / 64


found = {"default": share()}
for name in ("FIRST_LAYER", "DISABLE", "ENABLE"):
    found[name] = share(overflow_fix=getattr(nncf.OverflowFix, name))
print(", ".join("%s %.3f" % item for item in found.items()))
cut_off = all(0.45 < found[name] < 0.55 for name in ("default", "FIRST_LAYER", "DISABLE"))
sys.exit(0 if cut_off and abs(found["ENABLE"] - 1) < 0.1 else 1)
PYTHON

echo "openvino 2024.6.0, nncf 2.14.1, ONEDNN_MAX_CPU_ISA=AVX2; share of the right answer:"
CI=true ONEDNN_MAX_CPU_ISA=AVX2 "$folder/venv/bin/python" "$folder/saturate.py" 2>&1 | tail -1
