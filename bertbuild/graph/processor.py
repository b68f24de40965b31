"""The instruction set that OpenVINO computes with on this machine, which decides how int8 products are added up.

The names are oneDNN's, which OpenVINO's kernels are chosen by; the variable ONEDNN_MAX_CPU_ISA takes the same ones and
makes a processor compute as a smaller one would. https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html

It stands here because stages and the host must name it alike.
"""

from __future__ import annotations

import os
from pathlib import Path

LIMIT = "ONEDNN_MAX_CPU_ISA"
CPUINFO = "/proc/cpuinfo"

_AVX2 = frozenset(["avx2"])
_AVX2_VNNI = _AVX2 | {"avx_vnni"}
_AVX512 = _AVX2 | {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
_AVX512_BF16 = _AVX512 | {"avx512_vnni", "avx512_bf16"}
_AVX512_FP16 = _AVX512_BF16 | {"avx512_fp16", "avx_vnni"}

INSTRUCTION_SETS = {
    "SSE41": frozenset(["sse4_1"]),
    "AVX": frozenset(["avx"]),
    "AVX2": _AVX2,
    "AVX2_VNNI": _AVX2_VNNI,
    "AVX2_VNNI_2": _AVX2_VNNI | {"avx_vnni_int8", "avx_ne_convert"},
    "AVX512_CORE": _AVX512,
    "AVX512_CORE_VNNI": _AVX512 | {"avx512_vnni"},
    "AVX512_CORE_BF16": _AVX512_BF16,
    "AVX512_CORE_FP16": _AVX512_FP16,
    "AVX512_CORE_AMX": _AVX512_FP16 | {"amx_tile", "amx_int8", "amx_bf16"},
}
"""Name → the flags of /proc/cpuinfo that it takes; the best one last."""

_VNNI = ("avx_vnni", "avx512_vnni")


def instruction_set(cpuinfo: str = CPUINFO) -> str:
    """The best of `INSTRUCTION_SETS` that the processor has and ONEDNN_MAX_CPU_ISA allows; "" where it has none."""
    flags = _flags(cpuinfo)
    allowed = INSTRUCTION_SETS.get(os.environ.get(LIMIT, "").upper())
    if allowed is not None:
        flags &= allowed
    return next((name for name, needed in reversed(list(INSTRUCTION_SETS.items())) if needed <= flags), "")


def has_vnni(name: str) -> bool:
    """Whether an instruction set adds products of 8-bit numbers up in 32 bits, so that none is cut off."""
    return any(flag in INSTRUCTION_SETS.get(name, ()) for flag in _VNNI)


def has_avx(cpuinfo: str | None = None) -> bool:
    """Whether the processor has AVX; one whose flags are not told is taken for one that has.

    Args:
        cpuinfo: path of its description; None: this machine's.
    """
    flags = _flags(cpuinfo or CPUINFO)
    return not flags or "avx" in flags


def _flags(cpuinfo: str) -> frozenset[str]:
    try:
        with Path(cpuinfo).open(encoding="utf-8", errors="replace") as file:
            line = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return frozenset()
    return frozenset(line.partition(":")[2].split())
