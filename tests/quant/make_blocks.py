#!/usr/bin/env python3
"""Makes blocks.bin: random blocks of every type and what the published decoder makes of them.

Run once by hand: pip install gguf==0.19.0 numpy; ./make_blocks.py. The decoder is gguf-py's
quants.dequantize, which shares no line with lichen. The blocks are random BYTES: codes, scales and
binary16 numbers that no quantizer writes (infinities, NaN, subnormals) are among them; the first
blocks hold chosen binary16 values, so that each class of number is there for certain.

Layout, little-endian, for each type: u32 dtype id, u32 block count, u32 block bytes, u32 weights of a
block, the blocks, the weights as binary32 (NaN as 0x7fc00000).
"""
import pathlib
import struct

import numpy as np
from gguf import GGMLQuantizationType as T, GGML_QUANT_SIZES, quants

# offsets of the binary16 numbers of a block
HALVES = {T.F16: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0]}
TYPES = [T.F32, T.F16, T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q4_K, T.Q5_K, T.Q6_K,
         T.IQ4_NL, T.IQ4_XS]
# zero, -zero, one, smallest and largest subnormal, largest, infinity, NaN
CHOSEN = [0x0000, 0x8000, 0x3C00, 0x0001, 0x83FF, 0x7BFF, 0xFC00, 0x7E01]


def make(dtype, random):
    weights, size = GGML_QUANT_SIZES[dtype]
    count = {1: 64, 32: 24, 256: 12}[weights]
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    for offset in HALVES.get(dtype, []):
        for i, value in enumerate(CHOSEN):
            blocks[i, offset:offset + 2] = list(struct.pack("<H", value))
    with np.errstate(all="ignore"):
        if dtype == T.F32:
            floats = blocks.view(np.float32)
        elif dtype == T.F16:
            floats = blocks.view(np.float16).astype(np.float32)
        else:
            floats = quants.dequantize(blocks, dtype)
    floats = np.ascontiguousarray(floats, dtype=np.float32).reshape(-1)
    assert floats.size == count * weights
    bits = floats.view(np.uint32).copy()
    bits[np.isnan(floats)] = 0x7FC00000
    head = struct.pack("<4I", int(dtype), count, size, weights)
    return head + blocks.tobytes() + bits.tobytes()


random = np.random.default_rng(20240607)
path = pathlib.Path(__file__).with_name("blocks.bin")
path.write_bytes(b"".join(make(dtype, random) for dtype in TYPES))
print(path, path.stat().st_size)
