#!/usr/bin/env python3
"""peer_logits.py LIBRARIES MODEL.gguf...: forward.py against llama.cpp, whose prebuilt library
(npm @node-llama-cpp/linux-x64, the folder that holds libllama*.so) computes the same 200 tokens on
the CPU, with F32 cache and without flash attention. Prints the largest difference of a logit,
divided by the largest logit; exit 1 when it is above the bound of its row (bound_of) and the model
is not one where the two differ on purpose (DIFFERENT).

Not run by the tests. x86-64 Linux: the parameter structs of llama.h are larger than 16 bytes, so
they are passed in memory and a larger struct may stand for them; the members used are found by
their default values. Needs numpy and the PyPI package gguf."""
import ctypes
import glob
import os
import pickle
import subprocess
import sys
import tempfile

import gguf
import numpy as np

import forward
from make_tiny import TOKENS

DIFFERENT = {
    "llama-window": "llama.cpp reads no window of llama",
    "llama-scale": "llama.cpp reads no attention.scale of llama",
    "minicpm-old": "llama.cpp multiplies where it should divide by its default logit_scale",
    "exaone4-pattern": "llama.cpp knows a window only in 64 layers",
}


class Params(ctypes.Structure):
    _fields_ = [("words", ctypes.c_int32 * 256)]


class Batch(ctypes.Structure):
    _fields_ = [("count", ctypes.c_int32), ("tokens", ctypes.POINTER(ctypes.c_int32)),
                ("embeddings", ctypes.c_void_p), ("positions", ctypes.POINTER(ctypes.c_int32)),
                ("sequence_counts", ctypes.POINTER(ctypes.c_int32)),
                ("sequences", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
                ("logits", ctypes.POINTER(ctypes.c_int8))]


def load(folder):
    for prefix in ("libggml-base", "libggml.", "libllama."):
        path, = glob.glob(os.path.join(folder, prefix + "*so*"))
        library = ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
        if prefix == "libggml.":
            library.ggml_backend_load_all_from_path(folder.encode())
    for name, result, arguments in (
            ("llama_model_default_params", Params, []),
            ("llama_context_default_params", Params, []),
            ("llama_model_load_from_file", ctypes.c_void_p, [ctypes.c_char_p, Params]),
            ("llama_init_from_model", ctypes.c_void_p, [ctypes.c_void_p, Params]),
            ("llama_batch_init", Batch, [ctypes.c_int32] * 3),
            ("llama_decode", ctypes.c_int32, [ctypes.c_void_p, Batch]),
            ("llama_get_logits", ctypes.POINTER(ctypes.c_float), [ctypes.c_void_p]),
            ("llama_set_n_threads", None, [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32])):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def as_peer(model):
    """Where llama.cpp computes something else on purpose or for speed: GELU looked up by the half of
    its argument, Gemma's sqrt(dim) not rounded to bfloat16."""
    exact = model.act

    def gelu(x):
        table = exact(x.astype(np.float16).astype(np.float64)).astype(np.float16)
        return np.where(x <= -10, 0, np.where(x >= 10, x, table.astype(np.float64)))

    if model.activation == "gelu":
        model.act = gelu
    if model.arch.startswith("gemma"):
        model.embedding_scale = np.float64(np.sqrt(np.float32(model.dim)))


def index_of(words, pattern):
    for i in range(64):
        if list(words[i:i + len(pattern)]) == pattern:
            return i
    raise SystemExit("llama_context_params has another layout")


def context_params(library, count):
    """n_ctx n_batch n_ubatch first; type_k type_v are the two F16 (1) behind two null pointers, the
    flash attention type is the last of four enumerations that begin unspecified (-1)."""
    params = library.llama_context_default_params()
    words = params.words
    words[0] = words[1] = words[2] = count
    words[index_of(words, [-1, -1, -1, -1, 0, 0]) + 3] = 0
    types = index_of(words, [0, 0, 0, 0, 1, 1, 0, 0, 0, 0]) + 4
    words[types] = words[types + 1] = 0
    return params


def peer(folder, path, tokens, vocab):
    library = load(folder)
    model = library.llama_model_load_from_file(path.encode(), library.llama_model_default_params())
    if not model:
        raise SystemExit(f"{path} is refused")
    count = len(tokens)
    context = library.llama_init_from_model(model, context_params(library, max(count, 256)))
    library.llama_set_n_threads(context, 1, 1)
    batch = library.llama_batch_init(count, 0, 1)
    batch.count = count
    for i, token in enumerate(tokens):
        batch.tokens[i], batch.positions[i], batch.logits[i] = token, i, 1
        batch.sequence_counts[i], batch.sequences[i][0] = 1, 0
    if library.llama_decode(context, batch) != 0:
        raise SystemExit(f"{path}: llama_decode failed")
    flat = np.ctypeslib.as_array(library.llama_get_logits(context), (count * vocab,))
    return flat.reshape(count, vocab).astype(np.float64)


def peer_apart(folder, path, tokens, vocab):
    """In a process of its own, as the library may abort. None on failure."""
    call = f"import peer_logits, pickle, sys; pickle.dump(peer_logits.peer(*{(folder, path, tokens, vocab)!r}), sys.stdout.buffer)"
    run = subprocess.run([sys.executable, "-c", call], cwd=os.path.dirname(os.path.abspath(__file__)),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if run.returncode != 0:
        lines = [line for line in run.stderr.decode(errors="replace").splitlines()
                 if "error" in line or "ASSERT" in line or "refused" in line]
        return None, "; ".join(lines[:3]) or f"exit {run.returncode}"
    return pickle.loads(run.stdout), None


def twin(path, out, drop, change):
    """Copies a model: without the keys that end in one of drop, change(name, values) -> values."""
    reader = gguf.GGUFReader(path)
    writer = gguf.GGUFWriter(out, forward.field(reader, "general.architecture"))
    for name, entry in reader.fields.items():
        kind = entry.types[0] if entry.types else None
        if not name.startswith("GGUF.") and name != "general.architecture" and not name.endswith(drop):
            sub_type = entry.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, entry.contents(), kind, sub_type)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, change(tensor.name, np.array(tensor.data)))
    extra = change(None, None)
    if extra is not None:
        writer.add_tensor("rope_freqs.weight", extra)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def twin_without_ffn(path, out):
    """The feed-forward branch is zero, so nothing but its activation can differ from the whole."""
    zero = lambda name, values: values * 0 if name and "ffn_down" in name else values
    twin(path, out, (), zero)


def twin_with_factors(path, out, model):
    """rope.scaling.type llama3 as converters write it for llama.cpp: one divisor a pair."""
    base, dims = model.key("rope.freq_base", 10000.0), model.rope_dims
    factor, low, high, context = (model.key("rope.scaling." + name) for name in (
        "factor", "low_freq_factor", "high_freq_factor", "original_context_length"))
    factors = np.empty(dims // 2, np.float32)
    for i in range(dims // 2):
        turns = context / (2 * np.pi * base ** (2 * i / dims))
        keep = min(max((turns - low) / (high - low), 0), 1)
        factors[i] = 1 / ((1 - keep) / factor + keep)
    twin(path, out, ("rope.scaling.type", "rope.scaling.factor"),
         lambda name, values: factors if name is None else values)


def bound_of(model, name):
    if name.endswith("-f16"):
        return 5e-3  # ggml rounds the activations to F16 too
    if model.activation == "gelu" and not name.endswith(" without ffn"):
        return 1e-2  # neighbours in ggml's table of GELU are 2^-11 apart
    return 6e-5 if model.layers > 10 else 2e-5


def compare(folder, name, model, file):
    ours = model.run([(TOKENS, {})], len(TOKENS))[0]
    theirs, why = peer_apart(folder, os.path.abspath(file), TOKENS, model.vocab)
    if theirs is None:
        print(f"{name:28} not run: {why}")
        return True
    error = (abs(ours - theirs).max(1) / abs(theirs).max()).max()
    known = DIFFERENT.get(name)
    print(f"{name:28} {error:.2g}", f"({known})" if known else "")
    return bool(known) or error <= bound_of(model, name)


def model_of(path):
    model = forward.Model.open(path)
    as_peer(model)
    return model


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    folder, good = sys.argv[1], True
    for path in sys.argv[2:]:
        name = os.path.basename(path)[:-5]
        model = model_of(path)
        with tempfile.TemporaryDirectory() as temporary:
            file = os.path.join(temporary, "twin.gguf")
            if model.key("rope.scaling.type") == "llama3":
                twin_with_factors(path, file, model)
                good &= compare(folder, name + " as factors", model, file)
                continue
            good &= compare(folder, name, model, path)
            if model.activation == "gelu" and model.arch != "moss":
                twin_without_ffn(path, file)
                good &= compare(folder, name + " without ffn", model_of(file), file)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
