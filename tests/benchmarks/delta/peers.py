"""What others would make of the same tensors: the size of each exact alternative, in bytes."""

from __future__ import annotations

import zlib

import numpy as np
from pcodec import ChunkConfig, standalone


def xor_planes_zstd(base: np.ndarray, new: np.ndarray) -> int | None:
    """XOR with the base, high and low bytes apart, zstd level 12."""
    try:
        import zstandard
    except ImportError:
        return None
    planes = np.ascontiguousarray((base ^ new).reshape(-1).view(np.uint8).reshape(-1, 2).T)
    return len(zstandard.ZstdCompressor(level=12, threads=2).compress(planes.tobytes()))


def zipnn(base: np.ndarray, new: np.ndarray) -> int | None:
    """ZipNN on the trained values."""
    return _zipnn(new)


def zipnn_xor(base: np.ndarray, new: np.ndarray) -> int | None:
    """ZipNN on the XOR with the base."""
    return _zipnn(base ^ new)


def _zipnn(values: np.ndarray) -> int | None:
    try:
        from zipnn import ZipNN
    except ImportError:
        return None
    packer = ZipNN(input_format="byte", bytearray_dtype="bfloat16", threads=2)
    raw = values.tobytes()
    packed = packer.compress(bytearray(raw))  # it works in place on what it is given
    return len(packed)


def pcodec_values(base: np.ndarray, new: np.ndarray) -> int:
    """pcodec, all automatic, on the trained bit patterns."""
    return len(standalone.simple_compress(new.reshape(-1), ChunkConfig(compression_level=8)))


def pcodec_difference(base: np.ndarray, new: np.ndarray) -> int:
    """pcodec, all automatic, on the difference of bit patterns."""
    return len(standalone.simple_compress((new - base).view(np.int16).reshape(-1), ChunkConfig(compression_level=8)))


def deflate_xor(base: np.ndarray, new: np.ndarray) -> int:
    """XOR with the base, then zlib."""
    return len(zlib.compress((base ^ new).tobytes(), 6))


PEERS = {
    "XOR + byte planes + zstd -12": xor_planes_zstd,
    "ZipNN on values": zipnn,
    "ZipNN on XOR": zipnn_xor,
    "pcodec on values": pcodec_values,
    "pcodec on differences": pcodec_difference,
    "XOR + zlib": deflate_xor,
}


def bound_bits(base: np.ndarray, new: np.ndarray) -> float:
    """H(difference | exponent of the base) in bits, with Miller and Madow's correction."""
    exponent, difference = (base >> 7) & 0xFF, new - base
    bits = 0.0
    for value in np.unique(exponent):
        counts = np.unique(difference[exponent == value], return_counts=True)[1].astype(np.float64)
        total = counts.sum()
        bits += total * np.log2(total) - counts @ np.log2(counts) + (len(counts) - 1) / (2 * np.log(2))
    return bits
