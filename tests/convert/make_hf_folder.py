#!/usr/bin/env python3
"""make_hf_folder.py IN.gguf OUT: a llama or qwen2 GGUF file turned back into the Hugging Face folder
that it could have come from: config.json, model.safetensors (F16, dequantized), tokenizer.json,
tokenizer_config.json, generation_config.json. For trying the converter on real weights where the
original checkpoint cannot be had. Needs numpy and the PyPI package gguf."""
import json
import os
import struct
import sys

import gguf
import numpy as np

NAMES = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
         "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj"}
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
# pre-tokenizers by llama.cpp's name for them
SPLIT = {"type": "Split", "behavior": "Isolated", "invert": False}
PRE = {
    "smollm": [{"type": "Digits", "individual_digits": True},
               {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                "use_regex": True}],
    "qwen2": [dict(SPLIT, pattern={"Regex": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
                                            r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|"
                                            r"\s+"}),
              {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
               "use_regex": False}],
}


def published(name):
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{NAMES[parts[2]]}.{parts[3]}"
    return f"{TOP[parts[0]]}.{parts[1]}"


def halves(rows, heads):
    """Pairs of rows of a head -> halves."""
    dim = rows.shape[0] // heads
    return rows.reshape(heads, dim // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def write_tensors(reader, key, path):
    header, offset, tensors = {}, 0, []
    llama = key("general.architecture") == "llama"
    for tensor in reader.tensors:
        rows = gguf.dequantize(tensor.data, tensor.tensor_type)
        rows = rows.reshape([int(x) for x in tensor.shape[::-1]]).astype(np.float16)
        if llama and ".attn_q." in tensor.name:
            rows = halves(rows, key("attention.head_count"))
        if llama and ".attn_k." in tensor.name:
            rows = halves(rows, key("attention.head_count_kv"))
        header[published(tensor.name)] = {"dtype": "F16", "shape": list(rows.shape),
                                          "data_offsets": [offset, offset + rows.nbytes]}
        offset += rows.nbytes
        tensors.append(rows)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for rows in tensors:
            file.write(np.ascontiguousarray(rows).tobytes())


def tokenizer(key):
    tokens, types = key("tokenizer.ggml.tokens"), key("tokenizer.ggml.token_type")
    added = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": kind == 3}
             for i, (token, kind) in enumerate(zip(tokens, types)) if kind in (3, 4)]
    there = {item["id"] for item in added}
    vocab = {token: i for i, (token, kind) in enumerate(zip(tokens, types))
             if kind != 5 and i not in there}
    pre = {"type": "Sequence", "pretokenizers": PRE[key("tokenizer.ggml.pre")]}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": None, "pre_tokenizer": pre,
            "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True,
                                                "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None,
                      "continuing_subword_prefix": "", "end_of_word_suffix": "",
                      "fuse_unk": False, "byte_fallback": False, "vocab": vocab,
                      "merges": key("tokenizer.ggml.merges")}}


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    reader, out = gguf.GGUFReader(sys.argv[1]), sys.argv[2]
    arch = reader.fields["general.architecture"].contents()

    def key(name, default=None):
        field = reader.fields.get(name if name[:8] in ("general.", "tokenize") else f"{arch}.{name}")
        return default if field is None else field.contents()

    os.makedirs(out, exist_ok=True)
    names = [tensor.name for tensor in reader.tensors]
    tokens = key("tokenizer.ggml.tokens")
    config = {"architectures": ["LlamaForCausalLM" if arch == "llama" else "Qwen2ForCausalLM"],
              "model_type": arch, "hidden_size": key("embedding_length"),
              "intermediate_size": key("feed_forward_length"),
              "num_hidden_layers": key("block_count"),
              "num_attention_heads": key("attention.head_count"),
              "num_key_value_heads": key("attention.head_count_kv"),
              "max_position_embeddings": key("context_length"),
              "rms_norm_eps": round(float(key("attention.layer_norm_rms_epsilon")), 12),
              "rope_theta": float(key("rope.freq_base", 10000.0)), "vocab_size": len(tokens),
              "hidden_act": "silu", "tie_word_embeddings": "output.weight" not in names,
              "bos_token_id": key("tokenizer.ggml.bos_token_id"),
              "eos_token_id": key("tokenizer.ggml.eos_token_id"), "torch_dtype": "float16"}
    settings = {"chat_template": key("tokenizer.chat_template"), "add_bos_token": False,
                "tokenizer_class": "GPT2Tokenizer",
                "eos_token": tokens[key("tokenizer.ggml.eos_token_id")],
                "bos_token": tokens[key("tokenizer.ggml.bos_token_id")]}
    for name, value in (("config", config), ("tokenizer", tokenizer(key)),
                        ("tokenizer_config", settings),
                        ("generation_config", {"eos_token_id": config["eos_token_id"]})):
        with open(os.path.join(out, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, indent=1)
    write_tensors(reader, key, os.path.join(out, "model.safetensors"))


if __name__ == "__main__":
    main()
