#!/usr/bin/env python3
"""Compare llama.cpp's ids for a GGUF vocabulary with a golden file of gen_tokenizer_golden.py.

usage: compare_tokenizer_peer.py LIBRARIES FILE.gguf GOLDEN.json
LIBRARIES   the folder of npm @node-llama-cpp/linux-x64 with libllama*.so (bins/linux-x64)
Prints the texts that differ. Not a test: llama.cpp ignores Unicode forms and Metaspace's rules, and bends the o200k pattern
around combining marks, so some texts must differ for such vocabularies. x86-64 Linux.
"""
import ctypes
import glob
import json
import os
import sys

if len(sys.argv) != 4:
    sys.exit(__doc__)
folder, model, golden = sys.argv[1:]
for pattern in ("libggml-base.so", "libggml.*so*", "libllama.*so*"):
    library = ctypes.CDLL(sorted(glob.glob(os.path.join(folder, pattern)))[0], mode=ctypes.RTLD_GLOBAL)


class Params(ctypes.Structure):  # llama_model_params; a larger struct has the callee's as its prefix
    _fields_ = [("head", ctypes.c_char * 72), ("vocab_only", ctypes.c_bool), ("rest", ctypes.c_char * 951)]


library.llama_model_default_params.restype = Params
library.llama_model_load_from_file.restype = ctypes.c_void_p
library.llama_model_load_from_file.argtypes = [ctypes.c_char_p, Params]
library.llama_model_get_vocab.restype = ctypes.c_void_p
library.llama_model_get_vocab.argtypes = [ctypes.c_void_p]
library.llama_tokenize.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.POINTER(ctypes.c_int32),
                                   ctypes.c_int32, ctypes.c_bool, ctypes.c_bool]
quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
library.llama_log_set(quiet, None)
library.llama_backend_init()
params = library.llama_model_default_params()
params.vocab_only = True
loaded = library.llama_model_load_from_file(model.encode(), params)
if not loaded:
    sys.exit(model + ": llama.cpp refuses it")
vocab = library.llama_model_get_vocab(loaded)
rows = json.load(open(golden, encoding="utf-8"))
wrong = 0
for text, expected, special in rows:
    raw = text.encode()
    ids = (ctypes.c_int32 * (len(raw) + 64))()
    count = library.llama_tokenize(vocab, raw, len(raw), ids, len(ids), True, special)
    if list(ids[:count]) != expected:
        wrong += 1
        print(ascii(text), "expected", expected, "llama.cpp", list(ids[:count]))
print("%d of %d texts differ" % (wrong, len(rows)))
