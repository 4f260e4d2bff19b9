#!/usr/bin/env python3
"""Makes the seeds of corpus/safetensors and corpus/pickle from the tiny golden models (ours) and a
few small ones.

usage: make_convert_seeds.py CORPUS_FOLDER GOLDEN_TINY_FOLDER
"""
import json
import pathlib
import struct
import sys
import zipfile


def safetensors(header, size=0):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


SAFETENSORS = {
    "empty": safetensors({}),
    "metadata": safetensors({"__metadata__": {"format": "pt"}}),
    "two": safetensors({"a": entry("F32", [2, 3], 0, 24), "b": entry("I8", [], 24, 25)}, 25),
    "hole": safetensors({"a": entry("BF16", [2], 0, 4), "b": entry("F64", [1], 5, 13)}, 13),
    "zero": safetensors({"a": entry("U16", [0, 1 << 62, 4], 0, 0)}),
    "huge": safetensors({"a": entry("I64", [1 << 40, 1 << 40], 0, 0)}),
    "odd": safetensors({"a": entry("F8_E4M3", [-1, 1.5, "x"], 3, 1), "é\n": None}),
}
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n(" \
          b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuK\6tQ" \
          b"K\0K\2K\3\x86K\3K\1\x86\x89ccollections\nOrderedDict\n)RtR"
PICKLES = {
    "opcodes": b"\x80\2}q\0(K\1M\1\2K\2J\xff\xff\xff\xffK\3\x8a\2\1\x80K\4G" + bytes(8) +
               b"K\5\x88K\6NK\7U\1xK\x08]K\1aK\x09](K\1K\2eK\x0a)K\x0bK\1\x85K\x0c\x8fu.",
    "nested": b"\x80\2}(X\1\0\0\0a" + REBUILD + b"X\1\0\0\0b}K\1" + REBUILD + b"su.",
    "parameter": b"\x80\2}X\1\0\0\0actorch._utils\n_rebuild_parameter\n(" + REBUILD +
                 b"\x88ccollections\nOrderedDict\n)RtRs.",
    "build": b"\x80\2ccollections\nOrderedDict\n)Rr\0\0\0\0}X\1\0\0\0mj\0\0\0\0sb.",
    "itself": b"\x80\2}q\0K\1h\0s.",
    "system": b"\x80\2cos\nsystem\nX\4\0\0\0true\x85R.",
}


def main():
    corpus, golden = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    for name, data in SAFETENSORS.items():
        (corpus / "safetensors" / name).write_bytes(data)
    for name, data in PICKLES.items():
        (corpus / "pickle" / name).write_bytes(data)
    for name in ("tiny-glm4", "tiny-moss-gptq-int4"):
        data = (golden / name / "model.safetensors").read_bytes()
        (corpus / "safetensors" / name).write_bytes(data[:8 + int.from_bytes(data[:8], "little")])
        with zipfile.ZipFile(golden / name / "pytorch_model.bin") as archive:
            (corpus / "pickle" / name).write_bytes(archive.read("pytorch_model/data.pkl"))


if __name__ == "__main__":
    main()
