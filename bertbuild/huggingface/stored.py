"""A tensor that lies in a file: read when it is asked for, so that no more than one is held."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

FLOATS: Final = {"float32": "<f4", "float16": "<f2", "float64": "<f8", "bfloat16": "<u2"}
"""Dtypes that a weight may have → how its numbers lie in the file; a bfloat16 is the upper half of a float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One tensor.

    Attributes:
        path: the file.
        offset: where in the file its first number lies, in bytes.
        dtype: "float32", "float16", "bfloat16", "float64", or what else the file says.
        shape: its sizes.
        strides: numbers from one element to the next along each axis; () where it lies in C order.
    """

    path: Path
    offset: int
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...] = ()

    def read(self) -> Floats:
        """The numbers as float32, C-contiguous, of `shape`; the dtype must be one of `FLOATS`."""
        span = math.prod(self.shape)
        if self.strides and span:
            span = 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        numbers = np.fromfile(self.path, FLOATS[self.dtype], span, offset=self.offset)
        if self.strides:
            steps = [stride * numbers.itemsize for stride in self.strides]
            numbers = np.lib.stride_tricks.as_strided(numbers, self.shape, steps, writeable=False)
        if self.dtype == "bfloat16":
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        return np.ascontiguousarray(numbers, np.float32).reshape(self.shape)
