#!/usr/bin/env python3
"""Makes plain.bin: rows of weights and what ggml's plain rounding makes of them.

Run once by hand: pip install gguf==0.19.0 numpy; ./make_plain.py. The rounding is gguf-py's
quants.quantize, which llama.cpp tests byte for byte against ggml's quantize_row_*_ref. Among the
rows are zeros, single weights, constants, ties, subnormal and overflowing scales; rows for which the
reference divides by a subnormal (and gets infinity, so an undefined code) are left out.

Layout, little-endian: u32 rows, the rows as 32 binary32 each; then for each type: u32 dtype id, u32
block bytes, one block a row.
"""
import pathlib
import struct

import numpy as np
from gguf import GGMLQuantizationType as T, GGML_QUANT_SIZES, quants

TYPES = [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0]

random = np.random.default_rng(20240608)
rows = [random.standard_normal(32) * 10.0**power for power in range(-12, 13) for _ in range(6)]
rows += [random.standard_t(2, 32) * 0.02 for _ in range(60)]
rows += [random.uniform(0, 1, 32) for _ in range(20)] + [random.uniform(-1, 0, 32) for _ in range(20)]
rows += [random.integers(-8, 9, 32) * 0.5 for _ in range(20)]           # ties between two largest
rows += [random.integers(-31, 32, 32) * 2.0**-24 for _ in range(10)]    # scale below binary16
rows += [np.zeros(32), np.full(32, 1.0), np.full(32, -1.0), np.full(32, 1e-3), np.full(32, 65504.0)]
rows += [np.eye(32)[i] * sign for i in (0, 15, 16, 31) for sign in (1, -1)]
rows += [np.full(32, 3e38), np.full(32, -1e30), np.where(np.arange(32) % 2, 1e6, -1e6)]
rows += [np.linspace(-1, 1, 32), np.linspace(1000, 1001, 32), np.arange(32) - 0.5]
rows = np.array(rows, dtype=np.float32)
parts = [struct.pack("<I", len(rows)), rows.tobytes()]
for dtype in TYPES:
    with np.errstate(over="ignore"):
        blocks = quants.quantize(rows, dtype)
    size = GGML_QUANT_SIZES[dtype][1]
    assert blocks.shape == (len(rows), size)
    parts += [struct.pack("<2I", int(dtype), size), blocks.tobytes()]
path = pathlib.Path(__file__).with_name("plain.bin")
path.write_bytes(b"".join(parts))
print(path, path.stat().st_size)
