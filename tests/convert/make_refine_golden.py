#!/usr/bin/env python3
"""Objectives that refine must reach: ../shared/design/quant_exp/quant.py on the matrices of
test_refine.c. usage: make_refine_golden.py FOLDER_OF_QUANT_EXP; prints the lines of refine_golden.h.
"""
import sys
import numpy as np

sys.path.insert(0, sys.argv[1])
import quant  # noqa: E402

MASK = (1 << 64) - 1
ROWS, COLUMNS, TOKENS = 24, 128, 600


class Random:
    """xorshift64* and test_uniform of testing.h."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        s = self.state
        s ^= s >> 12
        s ^= s << 25 & MASK
        s ^= s >> 27
        self.state = s
        value = s * 2685821657736338717 & MASK
        return np.float32((value >> 11) / 4503599627370496.0 - 1.0)


def matrices(seed):
    random = Random(seed)
    weight = np.array([[random.uniform() for _ in range(COLUMNS)] for _ in range(ROWS)], np.float64)
    weight = (weight ** 3 * 0.05).astype(np.float32).astype(np.float64)
    hessian = np.zeros((COLUMNS, COLUMNS))
    for _ in range(TOKENS):
        x = np.zeros(COLUMNS)
        before = 0.0
        for j in range(COLUMNS):
            before = 0.8 * before + float(random.uniform()) * (4.0 if j % 17 == 0 else 1.0)
            x[j] = before
        hessian += np.outer(x, x)
    return weight, (hessian / TOKENS).astype(np.float32).astype(np.float64)


for name, codebook in (("Q4_0", quant.Q4_0), ("Q5_0", quant.Q5_0), ("IQ4_NL", quant.IQ4_NL)):
    for damping in (0.1, 1.0):
        w, h = matrices(20261125)
        d, q = quant.q_lsq(w, h, codebook)
        start = quant.objective(w, d, q, quant.damped(h, damping))
        d, q = quant.refine(w, d, q, h, codebook, damp=damping)
        end = quant.objective(w, d, q, quant.damped(h, damping))
        print(f"    {{DTYPE_{name}, {damping}f, {start:.6e}, {end:.6e}}},")
