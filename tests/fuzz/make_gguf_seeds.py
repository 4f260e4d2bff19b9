#!/usr/bin/env python3
"""Makes the seeds of corpus/gguf: small GGUF files that reach every branch of the reader.

usage: make_gguf_seeds.py FOLDER. Files found by the fuzzer are added beside them by hand, as
regression-NAME.
"""
import pathlib
import struct
import sys

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?",
           U64: "Q", I64: "q", F64: "d"}


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def item(kind, value):
    return string(value) if kind == STRING else struct.pack("<" + FORMATS[kind], value)


def scalar(key, kind, value):
    return string(key) + struct.pack("<I", kind) + item(kind, value)


def array(key, kind, values):
    head = struct.pack("<IIQ", ARRAY, kind, len(values))
    return string(key) + head + b"".join(item(kind, value) for value in values)


def tensor(name, dims, dtype, offset):
    return (string(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
            + struct.pack("<IQ", dtype, offset))


def gguf(fields=(), tensors=(), data=0, version=3, magic=b"GGUF", alignment=32):
    head = magic + struct.pack("<IQQ", version, len(tensors), len(fields))
    head += b"".join(fields) + b"".join(tensors)
    if data:
        head += bytes(-len(head) % alignment + data)
    return head


def all_types():
    sizes = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
             12: (256, 144), 13: (256, 176), 14: (256, 210), 20: (32, 18), 23: (256, 136),
             26: (1, 4), 30: (1, 2)}
    offset, tensors = 0, []
    for dtype, (weights, size) in sizes.items():
        tensors.append(tensor(f"t{dtype}", [256], dtype, offset))
        offset += 256 // weights * size + (-(256 // weights * size) % 32)
    return gguf([], tensors)


SCALARS = [scalar("a.u8", U8, 255), scalar("a.i8", I8, -1), scalar("a.u16", U16, 65535),
           scalar("a.i16", I16, -1), scalar("a.u32", U32, 1 << 31), scalar("a.i32", I32, -1),
           scalar("a.f32", F32, 0.5), scalar("a.bool", BOOL, True),
           scalar("a.text", STRING, "llama"), scalar("a.u64", U64, 1 << 63),
           scalar("a.i64", I64, -1), scalar("a.f64", F64, 1e300)]
ARRAYS = [array(f"b.{kind}", kind, [1, 0, 1]) for kind in FORMATS] + [
    array("b.text", STRING, ["a", "", "\u4e2d\u6587"]), array("b.none", U32, [])]
SEEDS = {
    "empty-file": b"",
    "header-only": gguf(),
    "scalars": gguf(SCALARS),
    "arrays": gguf(ARRAYS),
    "tensor-f32": gguf([], [tensor("w", [3, 2], 0, 0)], 24),
    "tensors": gguf([scalar("general.architecture", STRING, "llama")],
                    [tensor("token_embd.weight", [64, 3], 2, 0),
                     tensor("output_norm.weight", [5], 0, 128),
                     tensor("blk.0.attn_q.weight", [256, 2, 2], 14, 160)], 1024),
    "all-types": all_types(),
    "alignment-8": gguf([scalar("general.alignment", U32, 8)], [tensor("w", [2], 0, 0)], 8,
                        alignment=8),
    "alignment-wrong-type": gguf([scalar("general.alignment", U64, 32)]),
    "alignment-huge": gguf([scalar("general.alignment", U32, 1 << 31)],
                           [tensor("w", [2], 0, 0)], 8),
    "split": gguf([scalar("split.no", U16, 0), scalar("split.count", U16, 2),
                   scalar("split.tensors.count", I32, 1)]),
    "vocabulary": gguf([scalar("tokenizer.ggml.model", STRING, "llama"),
                        array("tokenizer.ggml.tokens", STRING,
                              ["<unk>", "<s>", "<0x0A>", "\u2581a"]),
                        array("tokenizer.ggml.scores", F32, [0, 0, -1, -2.5]),
                        array("tokenizer.ggml.token_type", I32, [2, 3, 6, 1])]),
    "duplicate-key": gguf([scalar("k", U32, 1), scalar("k", U32, 2)]),
    "duplicate-tensor": gguf([], [tensor("w", [8], 0, 0), tensor("w", [8], 0, 32)], 64),
    "size-wraps": gguf([], [tensor("w", [4, (1 << 62) + 1, 4], 0, 0)], 64),
    "count-wraps": gguf([string("k") + struct.pack("<IIQ", ARRAY, U64, (1 << 61) + 1) + bytes(64)]),
    "nested-array": gguf([string("k") + struct.pack("<IIQ", ARRAY, ARRAY, 1) + bytes(12)]),
    "removed-type": gguf([], [tensor("w", [256], 31, 0)], 256),
    "version-2": gguf(version=2),
    "big-endian": gguf(version=3 << 24),
    "ggjt": gguf(magic=b"tjgg"),
    "terminal-escape": gguf([scalar(b"\x1b[31m\xff\x9b", STRING, b"\x1b]52;c;\x07"),
                             scalar(b"\x1b[31m\xff\x9b", STRING, b"")]),
}


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for name, data in SEEDS.items():
    (folder / name).write_bytes(data)
print(f"{len(SEEDS)} seeds in {folder}")
