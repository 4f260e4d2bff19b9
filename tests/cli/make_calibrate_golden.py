#!/usr/bin/env python3
"""Second moments of stories260K's linear layers by numpy (../shared/design/quant_exp/lm.py), for
test_calibrate.c. usage: make_calibrate_golden.py SHARED; prints calibrate_golden.h.
"""
import sys
import numpy as np

shared = sys.argv[1]
sys.path.insert(0, shared + "/design/quant_exp")
import lm  # noqa: E402

# `lichen tokenize` of the text in test_calibrate.c
IDS = """1 403 407 261 378 432 383 286 261 376 298 315 421 395 317 426 338 401 396 267 337 410 408 419
292 411 322 265 282 295 433 426 385 328 432 358 394 261 370 352 266 268 388 269 391 266 267 337 335
312 426 320 285 357 336 312 286 297 309 311 419 432 384 358 278 347 355 387 265 268 414 422 263 415
414 381 401 356 312 426 342 337 266 267 428 316 386 261 306 328 269 329 429 314 411 298 347 418 374
419 426 13"""
SIZE = 48
GGUF = {"wq": "attn_q", "wo": "attn_output", "w1": "ffn_gate", "w2": "ffn_down"}

ids = [int(i) for i in IDS.split()]
windows = np.array([ids[i:i + SIZE] for i in range(0, len(ids) - SIZE + 1, SIZE)])
windows[:, 0] = ids[0]
model = lm.load(shared + "/golden/models/stories260K/stories260K.bin")
inputs = {}
lm.forward(model, lm.weights(model), windows, inputs)
print("""/* calibrate_golden.h: made by make_calibrate_golden.py. */
#ifndef LICHEN_CALIBRATE_GOLDEN_H
#define LICHEN_CALIBRATE_GOLDEN_H

static const struct calibrate_golden {
    const char *weight; /* the first of those that share the input */
    unsigned columns, tokens;
    double squares, moment; /* sum of the mean squares m[c], of (c + 1) m[c] */
    double hessian;         /* sum of all H[i][j] (i + 1) / (j + 1) */
} calibrate_golden[] = {""")
for layer in range(model["L"]):
    for name, gguf in GGUF.items():
        x = np.concatenate(inputs[(name, layer)]).astype(np.float64)
        h = x.T @ x / len(x)
        up = np.arange(1, h.shape[0] + 1)
        print(f'    {{"blk.{layer}.{gguf}.weight", {h.shape[0]}, {len(x)}, {np.trace(h):.9e}, '
              f'{(np.diag(h) * up).sum():.9e}, {(h * up[:, None] / up[None]).sum():.9e}}},')
print("""};

#endif""")
