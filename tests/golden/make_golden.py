#!/usr/bin/env python3
"""make_golden.py MODEL.gguf OUT.golden: five prompts through forward.py, kept in the format of
golden.h. Needs numpy and the PyPI packages gguf and tokenizers (ids of the prompts)."""
import os
import struct
import sys

import numpy as np
import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers

import forward

ROWS = 8          # last rows of each prompt that are kept
GREEDY = 32       # ids that follow each prompt
BUCKETS = 64      # tokens that are not kept one by one are summed by id % BUCKETS
REST = 0.002      # at most so much probability is left to the buckets in a row
TOP = (256, 12288)  # fewest and most tokens kept one by one

CHAT = "<|im_start|>user\nWho wrote The Origin of Species?<|im_end|>\n<|im_start|>assistant\n"
TEXTS = [
    CHAT,
    "The lighthouse keeper climbed the stairs every evening, because the lamp had to be lit before "
    "the ships",
    "def fibonacci(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return",
    "北京是中国的首都，也是全国的政治和文化中心。",
    "Le petit déjeuner est prêt 🥐 : du café, du pain et de la confiture. Bonjour à",
]

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def tokenizer_of(reader):
    get = lambda name: forward.field(reader, "tokenizer.ggml." + name)
    tokens = get("tokens")
    merges = [tuple(merge.split(" ")) for merge in get("merges")]
    tokenizer = tokenizers.Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    if get("pre") == "qwen2":
        split = pre_tokenizers.Split(Regex(QWEN2), "isolated")
        bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    elif get("pre") == "smollm":
        split = pre_tokenizers.Digits(individual_digits=True)
        bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    else:
        raise SystemExit(f"pre-tokenizer {get('pre')}")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytewise])
    tokenizer.decoder = decoders.ByteLevel()
    types = get("token_type")
    tokenizer.add_special_tokens([t for t, kind in zip(tokens, types) if kind == 3])
    return tokenizer


def pack_row(logits):
    """float64 logits of one row -> bytes: the largest ones' ids and log-probabilities, then the
    log-probability of each bucket of the others."""
    largest = logits.max()
    total = largest + np.log(np.exp(logits - largest).sum())
    logp = logits - total
    order = np.argsort(-logp, kind="stable")
    mass = np.cumsum(np.exp(logp[order]))
    count = int(np.searchsorted(mass, 1 - REST)) + 1
    count = min(max(count, TOP[0]), TOP[1], len(logits))
    top = order[:count]
    rest = np.exp(logp)
    rest[top] = 0
    buckets = np.bincount(np.arange(len(logits)) % BUCKETS, rest, BUCKETS)
    with np.errstate(divide="ignore"):
        buckets = np.log(buckets)
    return (struct.pack("<dI", total, count) + top.astype("<u4").tobytes() +
            logp[top].astype("<f4").tobytes() + buckets.astype("<f4").tobytes()), count, 1 - mass[
                count - 1]


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    model = forward.Model.open(sys.argv[1])
    tokenizer = tokenizer_of(model.reader)
    prompts = [tokenizer.encode(text).ids for text in TEXTS]
    logits, ids = forward.greedy(model, prompts, GREEDY, ROWS)
    out = [b"lichen golden 1\n",
           struct.pack("<QIIII", os.path.getsize(sys.argv[1]), model.vocab, len(prompts), BUCKETS,
                       GREEDY)]
    for text, prompt, rows, answer in zip(TEXTS, prompts, logits, ids):
        out.append(struct.pack("<II", len(prompt), len(rows)))
        out.append(np.array(prompt, "<i4").tobytes() + np.array(answer, "<i4").tobytes())
        kept = []
        for row in rows:
            packed, count, rest = pack_row(row)
            out.append(packed)
            kept.append(f"{count}/{rest:.4f}")
        print(repr(text[:40]), len(prompt), "tokens; kept/rest:", *kept)
        print("   ", repr(tokenizer.decode(answer)))
        print("    ids", prompt)
    with open(sys.argv[2], "wb") as file:
        file.write(b"".join(out))


if __name__ == "__main__":
    main()
