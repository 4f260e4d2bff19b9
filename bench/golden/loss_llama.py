#!/usr/bin/env python3
"""Loss by llama.cpp's prebuilt library, beside which lichen loss is checked.

usage: loss_llama.py FOLDER TEXT CTX CHUNKS BASE.gguf CANDIDATE.gguf... > golden.json
FOLDER holds libllama*.so (npm @node-llama-cpp/linux-x64). Give F32 expansions of the files
(dequant_gguf.py IN OUT f32): on quantized files llama.cpp rounds activations to 8 bits, and that
error would be in its numbers. Windows as llama-perplexity's; figures in float64 by numpy.
x86-64 Linux; needs numpy.
"""
import ctypes
import glob
import hashlib
import json
import sys

import numpy as np


class ModelParams(ctypes.Structure):  # llama_model_params, prefix
    _fields_ = [("devices", ctypes.c_void_p), ("overrides", ctypes.c_void_p),
                ("gpu_layers", ctypes.c_int32), ("rest", ctypes.c_char * 1004)]


class ContextParams(ctypes.Structure):  # llama_context_params, prefix
    _fields_ = [("context", ctypes.c_uint32), ("batch", ctypes.c_uint32),
                ("ubatch", ctypes.c_uint32), ("sequences", ctypes.c_uint32),
                ("rest", ctypes.c_char * 1008)]


class Batch(ctypes.Structure):  # llama_batch
    _fields_ = [("count", ctypes.c_int32), ("tokens", ctypes.POINTER(ctypes.c_int32)),
                ("embeddings", ctypes.c_void_p), ("positions", ctypes.POINTER(ctypes.c_int32)),
                ("sequence_counts", ctypes.POINTER(ctypes.c_int32)),
                ("sequences", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
                ("logits", ctypes.POINTER(ctypes.c_int8))]


def load(folder):
    libraries = []
    for name in ("libggml-base.so", "libggml.", "libllama."):
        path = next(path for path in sorted(glob.glob(f"{folder}/*.so")) if f"/{name}" in path)
        libraries.append(ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL))
    return libraries[2], libraries[1]


class Peer:
    def __init__(self, folder):
        self.llama, ggml = load(folder)
        pointer = ctypes.c_void_p
        for name, result, arguments in (
                ("llama_model_default_params", ModelParams, []),
                ("llama_context_default_params", ContextParams, []),
                ("llama_model_load_from_file", pointer, [ctypes.c_char_p, ModelParams]),
                ("llama_init_from_model", pointer, [pointer, ContextParams]),
                ("llama_model_get_vocab", pointer, [pointer]),
                ("llama_vocab_n_tokens", ctypes.c_int32, [pointer]),
                ("llama_vocab_bos", ctypes.c_int32, [pointer]),
                ("llama_vocab_get_add_bos", ctypes.c_bool, [pointer]),
                ("llama_get_memory", pointer, [pointer]),
                ("llama_memory_clear", None, [pointer, ctypes.c_bool]),
                ("llama_batch_init", Batch, [ctypes.c_int32] * 3),
                ("llama_decode", ctypes.c_int32, [pointer, Batch]),
                ("llama_get_logits_ith", ctypes.POINTER(ctypes.c_float),
                 [pointer, ctypes.c_int32]),
                ("llama_set_n_threads", None, [pointer, ctypes.c_int32, ctypes.c_int32]),
                ("llama_tokenize", ctypes.c_int32,
                 [pointer, ctypes.c_char_p, ctypes.c_int32, ctypes.POINTER(ctypes.c_int32),
                  ctypes.c_int32, ctypes.c_bool, ctypes.c_bool])):
            function = getattr(self.llama, name)
            function.restype, function.argtypes = result, arguments
        ggml.ggml_backend_load_all_from_path(folder.encode())
        self.llama.llama_backend_init()

    def open(self, path, ctx):
        model_params = self.llama.llama_model_default_params()
        model_params.gpu_layers = 0
        self.model = self.llama.llama_model_load_from_file(path.encode(), model_params)
        params = self.llama.llama_context_default_params()
        params.context, params.batch, params.ubatch = ctx, ctx, ctx
        self.context = self.llama.llama_init_from_model(self.model, params)
        self.llama.llama_set_n_threads(self.context, 2, 2)
        self.vocab = self.llama.llama_model_get_vocab(self.model)
        self.words = self.llama.llama_vocab_n_tokens(self.vocab)

    def tokenize(self, text):
        room = len(text) + 16
        tokens = (ctypes.c_int32 * room)()
        count = self.llama.llama_tokenize(self.vocab, text, len(text), tokens, room, True, False)
        return list(tokens[:count])

    def log_probabilities(self, tokens, first):
        """After positions first .. len - 2."""
        self.llama.llama_memory_clear(self.llama.llama_get_memory(self.context), True)
        batch = self.llama.llama_batch_init(len(tokens), 0, 1)
        batch.count = len(tokens)
        for i, token in enumerate(tokens):
            batch.tokens[i], batch.positions[i] = token, i
            batch.sequence_counts[i], batch.sequences[i][0] = 1, 0
            batch.logits[i] = first <= i < len(tokens) - 1
        if self.llama.llama_decode(self.context, batch) != 0:
            sys.exit("llama_decode failed")
        rows = np.stack([np.ctypeslib.as_array(self.llama.llama_get_logits_ith(self.context, i),
                                               (self.words,)).astype(np.float64)
                         for i in range(first, len(tokens) - 1)])
        top = rows.max(axis=1, keepdims=True)
        return rows - top - np.log(np.exp(rows - top).sum(axis=1, keepdims=True))


def main():
    folder, text_path, ctx, chunks = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    files = sys.argv[5:]
    text = open(text_path, "rb").read()
    peer, base, result = Peer(folder), [], []
    for number, path in enumerate(files):
        peer.open(path, ctx)
        if number == 0:
            tokens = peer.tokenize(text)
            bos = (peer.llama.llama_vocab_bos(peer.vocab)
                   if peer.llama.llama_vocab_get_add_bos(peer.vocab) else None)
        nll, kld, same = [], [], []
        for chunk in range(chunks):
            window = tokens[chunk * ctx:(chunk + 1) * ctx]
            targets = np.array(window[ctx // 2 + 1:])
            if bos is not None:
                window = [bos] + window[1:]
            logs = peer.log_probabilities(window, ctx // 2)
            if number == 0:
                base.append(logs)
            nll.append(-logs[np.arange(len(targets)), targets])
            kld.append((np.exp(base[chunk]) * (base[chunk] - logs)).sum(axis=1))
            same.append(base[chunk].argmax(axis=1) == logs.argmax(axis=1))
            print(f"{path}: window {chunk + 1}", file=sys.stderr)
        result.append({"file": path.rsplit("/", 1)[-1], "ppl": float(np.exp(np.mean(nll))),
                       "kld_mean": float(np.mean(kld)), "kld_median": float(np.median(kld)),
                       "kld_p99": float(np.percentile(np.concatenate(kld), 99)),
                       "top1": float(np.mean(same))})
    json.dump({"text": text_path.rsplit("/", 1)[-1], "sha256": hashlib.sha256(text).hexdigest(),
               "ctx": ctx, "chunks": chunks, "tokens": len(tokens), "files": result},
              sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
