#!/usr/bin/env python3
"""Mean squares of every linear layer's input columns by llama.cpp's prebuilt library, beside which
lichen calibrate is checked.

usage: imatrix_llama.py FOLDER MODEL.gguf TEXT CTX CHUNKS [--flash] [IMATRIX.gguf | --header]
FOLDER holds libllama*.so (npm @node-llama-cpp/linux-x64); the offsets in context_params are those
of its v0.5.0. Give an F32 expansion of the model (lichen convert --type f32): on other types
llama.cpp rounds activations. Its attention is run in float32: cache in F32, no flash attention
(which rounds keys and values to F16 whatever the cache has). --flash: as it runs by default.
IMATRIX.gguf: a lichen calibration of the same text, compared. --header: tests/cli/calibrate_peer.h
for stories260K. x86-64 Linux; needs numpy, and gguf for the comparison.
"""
import ctypes
import struct
import sys

import numpy as np

import loss_llama

FLASH, CALLBACK, KEY_TYPE = 52, 88, 104  # bytes, in llama_context_params


class Tensor(ctypes.Structure):  # ggml_tensor
    _fields_ = [("type", ctypes.c_int32), ("buffer", ctypes.c_void_p),
                ("counts", ctypes.c_int64 * 4), ("strides", ctypes.c_size_t * 4),
                ("op", ctypes.c_int32), ("parameters", ctypes.c_int32 * 16),
                ("flags", ctypes.c_int32), ("src", ctypes.c_void_p * 10),
                ("view", ctypes.c_void_p), ("view_offset", ctypes.c_size_t),
                ("data", ctypes.c_void_p), ("name", ctypes.c_char * 64)]


class Collector:
    def __init__(self, ggml):
        self.sums, self.counts, self.ggml = {}, {}, ggml
        ggml.ggml_op_desc.argtypes, ggml.ggml_op_desc.restype = [ctypes.c_void_p], ctypes.c_char_p
        kind = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_bool, ctypes.c_void_p)
        self.callback = kind(self.collect)

    def collect(self, tensor, ask, _):
        """llama.cpp calls twice a node: whether it is wanted, then with its inputs computed."""
        if self.ggml.ggml_op_desc(tensor) != b"MUL_MAT":
            return not ask
        product = Tensor.from_address(tensor)
        name = Tensor.from_address(product.src[0]).name.decode()
        if not (name.startswith("blk.") and name.endswith(".weight")):
            return not ask
        if not ask:
            x = Tensor.from_address(product.src[1])
            shape = x.counts[1], x.counts[0]
            floats = (ctypes.c_float * (shape[0] * shape[1])).from_address(x.data)
            rows = np.ctypeslib.as_array(floats).reshape(shape).astype(np.float64)
            self.sums[name] = self.sums.get(name, 0) + (rows ** 2).sum(axis=0)
            self.counts[name] = self.counts.get(name, 0) + shape[0]
        return True

    def means(self):
        return {name: self.sums[name] / self.counts[name] for name in self.sums}


def run(folder, model, text, ctx, chunks, flash):
    peer = loss_llama.Peer(folder)
    collector = Collector(ctypes.CDLL(f"{folder}/libggml-base.so"))
    defaults = peer.llama.llama_context_default_params

    def parameters():
        filled = defaults()
        raw = (ctypes.c_ubyte * ctypes.sizeof(filled)).from_buffer(filled)
        struct.pack_into("<Q", raw, CALLBACK,
                         ctypes.cast(collector.callback, ctypes.c_void_p).value)
        if not flash:
            struct.pack_into("<i", raw, FLASH, 0)
            struct.pack_into("<ii", raw, KEY_TYPE, 0, 0)
        return filled

    peer.llama.llama_context_default_params = parameters
    peer.open(model, ctx)
    tokens = peer.tokenize(open(text, "rb").read())
    for chunk in range(chunks or len(tokens) // ctx):
        window = tokens[chunk * ctx:(chunk + 1) * ctx]
        if peer.llama.llama_vocab_get_add_bos(peer.vocab):
            window = [peer.llama.llama_vocab_bos(peer.vocab)] + window[1:]
        peer.log_probabilities(window, 0)  # logits of all: no layer drops a row but the last token's
    return collector.means()


def read_imatrix(path):
    from gguf import GGUFReader
    data = {tensor.name: tensor.data.astype(np.float64).ravel()
            for tensor in GGUFReader(path).tensors}
    return {name[:-8]: data[name] / data[name[:-8] + ".counts"][0]
            for name in data if name.endswith(".in_sum2")}


def compare(peers, ours):
    last = max(int(name.split(".")[1]) for name in peers)
    names = [name for name in peers if name in ours and not name.startswith(f"blk.{last}.")]
    lengths = [np.linalg.norm(ours[name] - peers[name]) / np.linalg.norm(peers[name])
               for name in names]
    columns = np.concatenate([np.abs(ours[name] / peers[name] - 1) for name in names])
    print(f"{len(names)} tensors, {len(columns)} columns: relative L2 difference at most "
          f"{max(lengths):.1e}; columns: 99 % within {np.quantile(columns, 0.99):.1e}, worst "
          f"{columns.max():.1e}")


def print_header(peers):
    print("""/* calibrate_peer.h: made by bench/golden/imatrix_llama.py --header: llama.cpp's mean squares of
 * stories260K's inputs, attention in float32, for the text of test_calibrate.c. */
#ifndef LICHEN_CALIBRATE_PEER_H
#define LICHEN_CALIBRATE_PEER_H

static const struct calibrate_peer {
    const char *weight; /* the first of those that share the input */
    unsigned columns;
    float squares[172];
} calibrate_peer[] = {""")
    last = max(int(name.split(".")[1]) for name in peers)
    for layer in range(last):
        for kind in ("attn_q", "attn_output", "ffn_gate", "ffn_down"):
            name = f"blk.{layer}.{kind}.weight"
            values = [f"{value:.8e}f" for value in peers[name]]
            print(f'    {{"{name}", {len(values)},')
            for i in range(0, len(values), 5):
                print(f"     {'{' if i == 0 else ' '}{', '.join(values[i:i + 5])}"
                      f"{',' if i + 5 < len(values) else '}},'}")
    print("};\n\n#endif")


def main():
    flash = "--flash" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--flash"]
    folder, model, text, ctx, chunks, what = arguments
    peers = run(folder, model, text, int(ctx), int(chunks), flash)
    if what == "--header":
        print_header(peers)
    else:
        compare(peers, read_imatrix(what))


if __name__ == "__main__":
    main()
