#!/usr/bin/env python3
"""check_forward.py SHARED/golden: forward.py against logits of the families' original programs: the
tiny checkpoints of MOSS, ChatGLM3 and GLM-4 (tiny/, random weights), minGPT's sorter and llama2.c's
stories260K (models/). Exit 1 when a logit of the tiny ones is off by more than 5e-6 or a greedy id
differs. Needs numpy and the PyPI package gguf."""
import json
import os
import struct
import sys

import numpy as np

import forward

TYPES = {"F16": np.float16, "F32": np.float32}


def safetensors(path):
    data = open(path, "rb").read()
    size, = struct.unpack("<Q", data[:8])
    out = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__" or entry["dtype"] not in TYPES:
            continue
        first, end = entry["data_offsets"]
        values = np.frombuffer(data[8 + size + first:8 + size + end], TYPES[entry["dtype"]])
        out[name] = values.reshape(entry["shape"]).astype(np.float64)
    return out


def renamed(tensors, names):
    """names: pairs of (original, GGUF) with N for the layer; tensors without a pair are left out."""
    out = {}
    for name, values in tensors.items():
        parts = name.split(".")
        layer = next((part for part in parts if part.isdigit()), None)
        plain = ".".join("N" if part == layer else part for part in parts)
        for old, new in names:
            for suffix in (".weight", ".bias"):
                if plain == old + suffix:
                    out[new.replace("N", layer or "") + suffix] = values
    return out


def model_of(arch, keys, weights):
    return forward.Model(arch, lambda name, default=None: keys.get(name, default), weights)


def moss(folder):
    config = json.load(open(folder + "/config.json"))
    weights = renamed(safetensors(folder + "/model.safetensors"), [
        ("transformer.wte", "token_embd"), ("transformer.ln_f", "output_norm"),
        ("lm_head", "output"), ("transformer.h.N.ln_1", "blk.N.attn_norm"),
        ("transformer.h.N.attn.qkv_proj", "blk.N.attn_qkv"),
        ("transformer.h.N.attn.out_proj", "blk.N.attn_output"),
        ("transformer.h.N.mlp.fc_in", "blk.N.ffn_up"),
        ("transformer.h.N.mlp.fc_out", "blk.N.ffn_down")])
    for name in weights:
        if "attn_qkv" in name:  # four groups of q, v, k -> q, k, v
            blocks = np.split(weights[name], 12)
            weights[name] = np.concatenate(blocks[0::3] + blocks[2::3] + blocks[1::3])
    return model_of("moss", {
        "block_count": config["n_layer"], "embedding_length": config["n_embd"],
        "attention.head_count": config["n_head"], "rope.dimension_count": config["rotary_dim"],
        "attention.layer_norm_epsilon": config["layer_norm_epsilon"]}, weights)


def chatglm(folder):
    config = json.load(open(folder + "/config.json"))
    at, to = "transformer.encoder.layers.N.", "blk.N."
    weights = renamed(safetensors(folder + "/model.safetensors"), [
        ("transformer.embedding.word_embeddings", "token_embd"),
        ("transformer.encoder.final_layernorm", "output_norm"),
        ("transformer.output_layer", "output"), (at + "input_layernorm", to + "attn_norm"),
        (at + "self_attention.query_key_value", to + "attn_qkv"),
        (at + "self_attention.dense", to + "attn_output"),
        (at + "post_attention_layernorm", to + "ffn_norm"),
        (at + "mlp.dense_h_to_4h", to + "ffn_up"), (at + "mlp.dense_4h_to_h", to + "ffn_down")])
    return model_of("chatglm", {
        "block_count": config["num_layers"], "embedding_length": config["hidden_size"],
        "attention.head_count": config["num_attention_heads"],
        "attention.head_count_kv": config["multi_query_group_num"],
        "attention.key_length": config["kv_channels"],
        "rope.dimension_count": config["kv_channels"] // 2,
        "rope.freq_base": 10000.0 * config.get("rope_ratio", 1),
        "attention.layer_norm_rms_epsilon": config["layernorm_epsilon"]}, weights)


def chatglm1(folder):
    config = json.load(open(folder + "/config.json"))
    at, to, heads = "transformer.layers.N.", "blk.N.", config["num_attention_heads"]
    weights = renamed(safetensors(folder + "/model.safetensors"), [
        ("transformer.word_embeddings", "token_embd"),
        ("transformer.final_layernorm", "output_norm"),
        (at + "input_layernorm", to + "attn_norm"),
        (at + "attention.query_key_value", to + "attn_qkv"),
        (at + "attention.dense", to + "attn_output"),
        (at + "post_attention_layernorm", to + "ffn_norm"),
        (at + "mlp.dense_h_to_4h", to + "ffn_up"), (at + "mlp.dense_4h_to_h", to + "ffn_down")])
    for name in weights:
        if "attn_qkv" in name:  # q | k | v of each head -> q, k, v
            values = weights[name]
            by_head = values.reshape((heads, 3, -1) + values.shape[1:])
            weights[name] = by_head.swapaxes(0, 1).reshape(values.shape)
    return model_of("chatglm1", {
        "block_count": config["num_layers"], "embedding_length": config["hidden_size"],
        "attention.head_count": heads, "residual_scale": 56 ** 0.5,
        "attention.layer_norm_epsilon": config["layernorm_epsilon"]}, weights)


def prompted(name, model, golden, bound):
    """The prompt but for its last token sees itself in both directions; then one token a time."""
    model.prefix, cache = len(golden["prompt_ids"]) - 1, {}
    rows = [model.run([(golden["prompt_ids"], cache)], len(golden["prompt_ids"]))[0]]
    rows += [model.run([([token], cache)], 1)[0] for token in golden["then_ids"]]
    error = abs(np.concatenate(rows) - np.array(golden["logits"])).max()
    print(f"{name:24} largest error {error:.2g}")
    return error <= bound


def gpt2(folder):
    config = json.load(open(folder + "/config.json"))
    weights = renamed(safetensors(folder + "/model.safetensors"), [
        (prefix + old, new) for prefix in ("", "transformer.") for old, new in (
            ("wte", "token_embd"), ("wpe", "position_embd"), ("ln_f", "output_norm"),
            ("lm_head", "output"), ("h.N.ln_1", "blk.N.attn_norm"),
            ("h.N.attn.c_attn", "blk.N.attn_qkv"), ("h.N.attn.c_proj", "blk.N.attn_output"),
            ("h.N.ln_2", "blk.N.ffn_norm"), ("h.N.mlp.c_fc", "blk.N.ffn_up"),
            ("h.N.mlp.c_proj", "blk.N.ffn_down"))])
    for name in weights:  # Conv1D keeps [in, out]
        if any(part in name for part in ("attn_qkv.w", "attn_output.w", "ffn_up.w", "ffn_down.w")):
            weights[name] = weights[name].T
    return model_of("gpt2", {
        "block_count": config["n_layer"], "embedding_length": config["n_embd"],
        "attention.head_count": config["n_head"],
        "attention.layer_norm_epsilon": config["layer_norm_epsilon"]}, weights)


def compare(name, model, ids, expected, bound):
    error = abs(model.run([(ids, {})], len(ids))[0] - np.array(expected)).max()
    print(f"{name:24} largest error {error:.2g}")
    return error <= bound


def greedy_same(name, model, prompts, answers):
    _, ids = forward.greedy(model, prompts, len(answers[0]))
    print(f"{name:24} {len(prompts)} greedy texts", "equal" if ids == answers else "DIFFER")
    return ids == answers


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    root, good = sys.argv[1], True
    for name, build in (("tiny-moss", moss), ("tiny-chatglm3", chatglm), ("tiny-glm4", chatglm)):
        folder = os.path.join(root, "tiny", name)
        golden = json.load(open(folder + "/golden.json"))
        model = build(folder)
        good &= compare(name, model, golden["input_ids"], golden["logits"], 5e-6)
        if "greedy_continuation" in golden:
            ids = golden["input_ids"]
            good &= greedy_same(name, model, [ids], [golden["greedy_continuation"][len(ids):]])
    folder = os.path.join(root, "tiny/tiny-chatglm1")
    golden = json.load(open(folder + "/golden.json"))
    good &= prompted("tiny-chatglm1", chatglm1(folder), golden, 5e-6)
    sorter = os.path.join(root, "models/gpt-nano-sort")
    cases = json.load(open(sorter + "/golden_greedy.json"))["cases"]
    good &= greedy_same("gpt-nano-sort", gpt2(sorter + "/derived-hf"),
                        [case["prompt_ids"] for case in cases],
                        [case["greedy_ids"] for case in cases])
    stories = os.path.join(root, "models/stories260K")
    golden = json.load(open(stories + "/golden_greedy.json"))
    good &= greedy_same("stories260K",
                        forward.Model.open(stories + "/derived-stories260K-f32.gguf"),
                        [golden["prompt_ids"]], [golden["greedy_ids"]])
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
