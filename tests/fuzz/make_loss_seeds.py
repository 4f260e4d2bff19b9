#!/usr/bin/env python3
"""Seeds of fuzz_loss: usage: make_loss_seeds.py FOLDER"""
import json
import pathlib
import struct
import sys

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
CTX, VOCAB, CHUNKS = 8, 5, 2


def logits(ctx=CTX, vocab=VOCAB, chunks=CHUNKS, token=1, scale=1e-4, cut=0):
    row = struct.pack("<ff", scale, -5.0) + struct.pack("<6H", 1, 2, 30000, 4, 65535, 0)
    out = b"_logits_" + struct.pack("<iii", ctx, vocab, chunks)
    out += struct.pack("<i", token) * (CTX * CHUNKS) + row * (CHUNKS * (CTX - 1 - CTX // 2))
    return out[:len(out) - cut]


result = {"text": "a", "chunks": 2, "tokens": 6, "ppl": 5.0, "ppl_base": 4.9, "top1": .9,
          "top5": .95, "top10": .97, "ppl_ratio": {"value": 1.02, "ci95": [1, 1.04]},
          "kld": {"mean": .01, "ci95": [.009, .011], "median": .005, "p99": .2, "max": 1},
          "delta_p": {"rms": .02, "histogram": [0, .2, .6, .2, 0]},
          "flips": {"right_to_wrong": .01, "wrong_to_right": .005},
          "positions": [{"from": 4, "to": 5, "kld": .01}, {"from": 6, "to": 7, "kld": .02}],
          "worst": [{"kld": 1, "before": "a<b", "token": "c", "likeliest": "d"}],
          "kld_chunks": [.009, .011]}
report = {"schema": 1, "protocol": "llama", "ctx": 512, "version": "0", "advice": "x",
          "device": {"name": "d"}, "texts": [{"name": "a", "chunks": 2, "scored": 6}],
          "base": {"label": "base", "sha256": "00", "results": [{"text": "a"}]},
          "candidates": [{"label": f"c{i}", "sha256": str(i), "bytes": 1e6 * (i + 1), "bpw": 4.5,
                          "results": [result], "kv": "f16",
                          "tensors": [{"name": "blk.0.attn_q.weight", "sqnr_db": 20 + i},
                                      {"name": "blk.99999.x.weight", "sqnr_db": 3}]}
                         for i in range(2)],
          "pairs": [{"a": 0, "b": 1, "text": "a", "verdict": "better",
                     "kld_difference": {"value": -.1, "ci95": [-.2, 0]}}]}
cases = {"logits": logits(), "logits-cut": logits(cut=1), "logits-ctx": logits(ctx=9),
         "logits-vocab": logits(vocab=-1), "logits-chunks": logits(chunks=2**31 - 1),
         "logits-token": logits(token=5), "logits-scale": logits(scale=float("nan")),
         "logits-none": b"_logits_"}
for name, change in {"report": {}, "report-empty": {"candidates": [], "texts": [], "pairs": []},
                     "report-odd": {"candidates": [None, 1, {"results": {}}, {"tensors": 4}],
                                    "pairs": [{"a": 1e300, "b": -5, "text": "a"}, None]},
                     "report-base": {"base": []}}.items():
    cases[name] = json.dumps({**report, **change}).encode()
for name, content in cases.items():
    (folder / name).write_bytes(content)
