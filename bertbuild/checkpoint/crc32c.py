"""CRC-32C (Castagnoli), the checksum of TensorFlow's checkpoints, at the speed of memory with numpy only.

A message is a polynomial M over GF(2), its first bit the highest; its CRC is the remainder of M·x³² by the polynomial
P = 0x11EDC6F41. So M may be changed by any multiple of P, and P has the sparse multiple x^6777 + x^484 + x^100 + 1
(found by a search over all exponents below 8192; no shorter four-term multiple has a leading block this wide). Over
GF(2) the square of a sum is the sum of the squares, so with u = 8·2^j for any j (u bits are 2^j bytes)

    x^(6777·u) ≡ x^(484·u) + x^(100·u) + 1   (mod P):

the first 6293·2^j bytes of a message (6293 = 6777 − 484) may be erased if they are first XORed into the places
6293·2^j, 6677·2^j and 6777·2^j bytes further on. Repeated from the start, in blocks that stay in the cache, this
shrinks a message of any length to 6777 bytes at three XORs per byte. Tables do the rest: rows of 128 bytes become
4 bytes each, up to three times over.

Source of polynomial, bit order and initial value: RFC 3720 appendix B.4; of the mask: leveldb's util/crc32c.h.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

_POLYNOMIAL: Final = 0x82F63B78  # P without x³², lowest bit first: bit 31 is x⁰
_ONES: Final = 0xFFFFFFFF
_MASK_DELTA: Final = 0xA282EAD8

_FOLD: Final = (6777 - 484, 6777 - 100, 6777)  # how far a block is moved, in units of 2^j bytes
_UNITS: Final = (16, 4, 1)  # blocks of 98 KB fit any L2 cache; the smaller ones shrink what is left
_COPY: Final = 1 << 22  # bytes copied at a time when the caller's buffer must not change
_ROW: Final = 128
_SHORT: Final = 64  # below this many bytes plain Python beats the overhead of numpy


def crc32c(data: bytes | bytearray | memoryview | npt.NDArray[np.generic], crc: int = 0) -> int:
    """The CRC-32C of `data` (any C-contiguous buffer), continuing from `crc`, that of the bytes before it."""
    if isinstance(data, np.ndarray):
        message: Bytes = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
    else:
        message = np.frombuffer(data, np.uint8)
    for start in range(0, len(message), _COPY):
        crc = crc32c_in_place(message[start : start + _COPY].copy(), crc)
    return crc


def crc32c_in_place(message: Bytes, crc: int = 0) -> int:
    """Like `crc32c`, of a one-dimensional uint8 array that is used as scratch space: its bytes are garbage after."""
    state = crc ^ _ONES
    if len(message) < _SHORT:
        for byte in message.tolist():
            state = _byte_table()[(state ^ byte) & 0xFF] ^ state >> 8
        return state ^ _ONES
    message[:4] ^= np.frombuffer(state.to_bytes(4, "little"), np.uint8)
    for unit in _UNITS:
        message = _folded(message, unit)
    return _remainder(message) ^ _ONES


def masked(crc: int) -> int:
    """The form in which leveldb and TensorFlow store a CRC, lest a CRC be taken of bytes that hold CRCs."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _ONES


def unmasked(stored: int) -> int:
    """The CRC that `masked` turned into `stored`."""
    rotated = (stored - _MASK_DELTA) & _ONES
    return (rotated >> 17 | rotated << 15) & _ONES


def _folded(message: Bytes, unit: int) -> Bytes:
    """The end of `message`, at most 6777·unit bytes long, changed to have the remainder of the whole."""
    shifts = tuple(distance * unit for distance in _FOLD)
    block, reach = shifts[0], shifts[-1]
    start = 0
    while (excess := len(message) - start - reach) > 0:
        end = start + min(block, excess)
        source = message[start:end]
        for shift in shifts:
            target = message[start + shift : end + shift]
            np.bitwise_xor(target, source, out=target)
        start = end
    return message[start:]


def _remainder(message: Bytes) -> int:
    """M·x³² mod P of at most 128 KiB."""
    for level in range(3):
        rows = -(-len(message) // _ROW)
        index = np.zeros((rows, _ROW), np.intp)  # zeros in front of a message do not change it as a polynomial
        index.reshape(-1)[rows * _ROW - len(message) :] = message
        index += _row_starts()
        reduced = np.bitwise_xor.reduce(_row_table(level).take(index), axis=1)
        if rows == 1:
            return int(reduced[0])
        message = reduced.view(np.uint8)
    raise AssertionError("three levels reduce 128 KiB")


@cache
def _row_starts() -> npt.NDArray[np.intp]:
    return np.arange(_ROW, dtype=np.intp) * 256


@cache
def _row_table(level: int) -> npt.NDArray[np.uint32]:
    """For each place in a row and each byte, 128 × 256 numbers: the byte times its power of x, mod P.

    At level 0 a row is 128 bytes of the message; at level 1 and 2 it is 32 remainders of rows of the level below,
    little-endian words whose lowest bit is x³¹.
    """
    if level == 0:
        exponents = [8 * (_ROW - 1 - place) + 32 for place in range(_ROW)]
    else:
        span = 8 * _ROW * 32 ** (level - 1)
        exponents = [span * (31 - place // 4) + 8 * (3 - place % 4) for place in range(_ROW)]
    bits = np.array([[_power(exponent + 7 - bit) for bit in range(8)] for exponent in exponents], np.uint32)
    table = np.zeros((_ROW, 256), np.uint32)
    for bit in range(8):
        table[:, 1 << bit : 2 << bit] = table[:, : 1 << bit] ^ bits[:, bit : bit + 1]
    return table.reshape(-1)


@cache
def _byte_table() -> tuple[int, ...]:
    def step(byte: int) -> int:
        for _ in range(8):
            byte = _times_x(byte)
        return byte

    return tuple(step(byte) for byte in range(256))


def _times_x(value: int) -> int:
    return value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)


def _product(left: int, right: int) -> int:
    """The product of two polynomials mod P."""
    total = 0
    for bit in range(31, -1, -1):  # bit 31 of `left` is x⁰
        if left >> bit & 1:
            total ^= right
        right = _times_x(right)
    return total


@cache
def _power(exponent: int) -> int:
    """The power of x mod P."""
    if exponent == 0:
        return 1 << 31
    if exponent % 32:
        return _times_x(_power(exponent - 1))
    half = _power(exponent // 2)
    return _product(half, half)
