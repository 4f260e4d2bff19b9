#!/usr/bin/env python3
"""Write the seeds of fuzz_tokenizer_json and fuzz_spm_model. usage: make_tokenizer_seeds.py CORPUS_DIR"""
import json
import os
import struct
import sys

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False}
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
VOCAB = {"<s>": 0, "a": 1, "b": 2, "ab": 3, "\u2581": 4, "\u2581a": 5, "<0x0A>": 6, "##a": 7}
MERGES = ["a b", ["\u2581", "a"]]
TEMPLATE = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                                                     {"Sequence": {"id": "A", "type_id": 0}}]}
ADDED = [{"id": 0, "content": "<s>", "special": True, "lstrip": False, "rstrip": True, "normalized": False},
         {"id": 9, "content": "<tool>", "special": False}]


def bpe(**more):
    return dict({"type": "BPE", "dropout": None, "unk_token": "<s>", "byte_fallback": True, "fuse_unk": True,
                 "ignore_merges": False, "vocab": VOCAB, "merges": MERGES}, **more)


def split(regex):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False},
        dict(BYTE_LEVEL, use_regex=False)]}


REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
JSON = {
    "bytes": {"added_tokens": ADDED, "normalizer": {"type": "NFC"}, "pre_tokenizer": BYTE_LEVEL, "model": bpe()},
    "split": {"pre_tokenizer": split(LLAMA3), "post_processor": {"type": "Sequence", "processors": [BYTE_LEVEL, TEMPLATE]},
              "model": bpe(ignore_merges=True)},
    "unknown": {"pre_tokenizer": split("x"), "model": bpe()},
    "prepend": {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, REPLACE]},
                "added_tokens": ADDED, "model": bpe()},
    "metaspace": {"pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True},
                  "model": bpe(merges=["a b"], vocab={"<s>": 0, "a": 1, "b": 2, "ab": 3})},
    "unigram": {"normalizer": REPLACE, "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": True,
                                                 "vocab": [["<unk>", 0], ["a", -1.5], ["<0x0A>", -3]]}},
    "wordpiece": {"normalizer": {"type": "BertNormalizer", "lowercase": True}, "pre_tokenizer": {"type": "BertPreTokenizer"},
                  "model": {"type": "WordPiece", "unk_token": "<s>", "continuing_subword_prefix": "##", "vocab": VOCAB}},
}


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def piece(text, score=0.0, kind=1):
    return field(1, field(1, text.encode()) + field(2, score) + field(3, kind))


PIECES = (piece("<unk>", 0.0, 2) + piece("<s>", 0.0, 3) + piece("</s>", 0.0, 3) + piece("<0x0A>", 0.0, 6) +
          piece("\u2581", -1.0) + piece("a", -2.0) + piece("\u2581a", -0.5) + piece("<n>", 0.0, 4) +
          piece("<|blank_2|>", 0.0, 4))
MODELS = {
    "bpe": PIECES + field(2, field(3, 2) + field(35, 1)) + field(3, field(3, 1) + field(4, 0)),
    "unigram": PIECES + field(2, field(3, 1) + field(43, 5)) + field(3, field(1, b"nmt_nfkc") + field(2, b"\4\0\0\0abcde\0")),
    "suffix": PIECES + field(2, field(24, 1)),
    "ranks": b"YQ== 0\nYg== 1\nYWI= 2\n",
}

for name, value in JSON.items():
    os.makedirs(os.path.join(sys.argv[1], "tokenizer_json"), exist_ok=True)
    with open(os.path.join(sys.argv[1], "tokenizer_json", name), "w", encoding="utf-8") as out:
        json.dump(value, out, ensure_ascii=name != "split")
for name, value in MODELS.items():
    os.makedirs(os.path.join(sys.argv[1], "spm_model"), exist_ok=True)
    with open(os.path.join(sys.argv[1], "spm_model", name), "wb") as out:
        out.write(value)
