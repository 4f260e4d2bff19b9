#!/usr/bin/env python3
"""make_tiny.py FOLDER OUT.golden: float64 logits of the random models that the program tiny_write
put into FOLDER, for tests/model/test_families.c:

  "lichen tiny 1\\n\\0\\0"  u32 model_count, token_count, row_count, vocab
  i32 tokens[token_count]
  model_count x { char name[32], u64 file_size, u64 sum (FNV-1a of the file),
                  f32 logits[row_count][vocab] of the last row_count tokens }

Needs numpy and the PyPI package gguf."""
import os
import struct
import sys

import numpy as np

import forward

TOKENS = [(7 * i * i + 3 * i + 1) % 96 for i in range(200)]
ROWS = 6


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    out, vocab = [], 0
    names = sorted(name for name in os.listdir(sys.argv[1]) if name.endswith(".gguf"))
    for name in names:
        path = os.path.join(sys.argv[1], name)
        model = forward.Model.open(path)
        logits = model.run([(TOKENS, {})], ROWS)[0]
        vocab = logits.shape[1]
        data = open(path, "rb").read()
        out.append(struct.pack("<32sQQ", name[:-5].encode(), len(data), fnv(data)))
        out.append(logits.astype("<f4").tobytes())
        print(f"{name[:-5]:16} logits {logits.std():.3f} rms, largest {abs(logits).max():.2f}")
    with open(sys.argv[2], "wb") as file:
        file.write(b"lichen tiny 1\n\0\0" +
                   struct.pack("<IIII", len(names), len(TOKENS), ROWS, vocab) +
                   np.array(TOKENS, "<i4").tobytes() + b"".join(out))


if __name__ == "__main__":
    main()
