#!/usr/bin/env python3
"""Writes peer_types.txt: which type llama.cpp gives each tensor of the models that
`convert_recipe FOLDER` writes: the matrices in the order of the file, runs as TYPE*COUNT, a line a preset.

usage: make_peer_types.py FOLDER_OF_LIBLLAMA FOLDER_OF_MODELS > peer_types.txt
Runs llama_model_quantize without writing (dry_run) and reads what it logs.
"""
import ctypes
import itertools
import pathlib
import re
import struct
import sys

FILE_TYPES = {"f32": 0, "f16": 1, "bf16": 32, "q8_0": 7, "q4_0": 2, "q4_1": 3, "q5_0": 8,
              "q5_1": 9, "q4_k_s": 14, "q4_k_m": 15, "q5_k_s": 16, "q5_k_m": 17, "q6_k": 18,
              "iq4_nl": 25, "iq4_xs": 30}
LINE = re.compile(r"\[ *\d+/ *\d+\] +(\S+) +- \[ *\d+, +(\d+),.*?\], type = +(\S+), size = +\S+ MiB"
                  r"(?: -> +\S+ MiB \((\S+)\))?")


class Parameters(ctypes.Structure):
    _fields_ = [("threads", ctypes.c_int32), ("file_type", ctypes.c_int),
                ("output_type", ctypes.c_int), ("embedding_type", ctypes.c_int),
                ("allow_requantize", ctypes.c_bool), ("quantize_output", ctypes.c_bool),
                ("only_copy", ctypes.c_bool), ("pure", ctypes.c_bool),
                ("keep_split", ctypes.c_bool), ("dry_run", ctypes.c_bool),
                ("pointers", ctypes.c_void_p * 8)]


def load(folder):
    """libllama with its backends, and the list that its log lines are put into."""
    lines = []
    log_type = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    log = log_type(lambda level, text, data: lines.append(text.decode(errors="replace")))
    ctypes.CDLL(str(folder / "libggml-base.so"), mode=ctypes.RTLD_GLOBAL)
    ggml = ctypes.CDLL(str(next(folder.glob("libggml*v0*.so"))), mode=ctypes.RTLD_GLOBAL)
    llama = ctypes.CDLL(str(next(folder.glob("libllama*v0*.so"))), mode=ctypes.RTLD_GLOBAL)
    llama.llama_log_set(log, None)
    ggml.ggml_backend_load_all_from_path(str(folder).encode())
    llama.llama_model_quantize_default_params.restype = Parameters
    llama.keep = log
    return llama, lines


def peer_types(llama, lines, path, file_type):
    lines.clear()
    parameters = llama.llama_model_quantize_default_params()
    parameters.file_type = file_type
    parameters.allow_requantize = True
    parameters.dry_run = True
    status = llama.llama_model_quantize(str(path).encode(), b"/nonexistent/out.gguf",
                                        ctypes.byref(parameters))
    text = "".join(lines)
    if status != 0:
        sys.exit(f"{path}: {text[-500:]}")
    return {match[1]: (match[4] or match[3]).upper() for match in LINE.finditer(text)
            if match[2] != "1"}


def in_file_order(path, types):
    data = path.read_bytes()
    places = sorted((data.index(struct.pack("<Q", len(name)) + name.encode()), name)
                    for name in types)
    return [types[name] for _, name in places]


def main():
    llama, lines = load(pathlib.Path(sys.argv[1]))
    for path in sorted(pathlib.Path(sys.argv[2]).glob("recipe-*.gguf")):
        for preset, file_type in FILE_TYPES.items():
            types = in_file_order(path, peer_types(llama, lines, path, file_type))
            runs = ((name, len(list(run))) for name, run in itertools.groupby(types))
            text = " ".join(name if count == 1 else f"{name}*{count}" for name, count in runs)
            print(path.stem.removeprefix("recipe-"), preset, text)


if __name__ == "__main__":
    main()
