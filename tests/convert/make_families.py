#!/usr/bin/env python3
"""make_families.py OUT [NAME...]: tiny random checkpoints of every family as their original libraries
save them, with the logits of the original implementation (transformers, float32 on the CPU), for
test_source_families.c:

  OUT/NAME/config.json, model.safetensors (F16), golden.json {made_by, input_ids, logits of the last
  rows}

Families whose code is not in transformers are made from one that computes the same (the comment of
each says why): its weights are renamed and packed as the published code has them.
Not run by the tests. Needs torch, transformers (5.24 was used) and safetensors from PyPI."""
import json
import math
import os
import sys

import torch
import transformers
from safetensors.torch import save_file

VOCAB, TOKENS, ROWS = 96, 40, 4


def new_model(name, **keys):
    """A model of random F16 weights, far from its initial state."""
    config_class = getattr(transformers, name + "Config")
    config = config_class(**keys)
    config._attn_implementation = "eager"
    model_class = {"Gemma3Text": "Gemma3"}.get(name, name)
    suffix = "LMHeadModel" if name == "GPT2" else "ForCausalLM"
    model = getattr(transformers, model_class + suffix)(config).float().eval()
    generator = torch.Generator().manual_seed(sum(name.encode()) + len(keys))
    with torch.no_grad():
        for key, value in model.named_parameters():
            noise = torch.randn(value.shape, generator=generator)
            if value.dim() == 1:  # norms lie around 1 (Gemma: around 0), biases around 0
                center = 0 if "bias" in key or name.startswith("Gemma") else 1
                value.copy_((center + 0.2 * noise).half())
            else:
                value.copy_((noise * (0.7 / math.sqrt(value.shape[-1]))).half())
    return model


def run(model):
    ids = torch.tensor([[(7 * i * i + 3 * i + 1) % VOCAB for i in range(TOKENS)]])
    with torch.no_grad():
        logits = model(ids).logits[0].double()
    return ids[0].tolist(), logits[-ROWS:]


def write(folder, config, tensors, ids, logits):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
        file.write("\n")
    save_file({key: value.contiguous() for key, value in tensors.items()},
              os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(folder, "golden.json"), "w") as file:
        rows = ",\n".join("[" + ",".join(f"{x:.7g}" for x in row) + "]" for row in logits.tolist())
        file.write(f'{{"made_by": "transformers {transformers.__version__}",\n'
                   f'"input_ids": {ids},\n"logits": [\n{rows}]}}\n')


def tensors_of(model):
    """As save_pretrained writes them: without a tied head."""
    state = {key: value.half() for key, value in model.state_dict().items()
             if value.dtype.is_floating_point}
    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    return state


def config_of(model, old):
    """old: as transformers 4 wrote it, with rope_theta and rope_scaling."""
    config = json.loads(model.config.to_json_string(use_diff=False))
    for key in ("_name_or_path", "transformers_version", "id2label", "label2id", "problem_type",
                "output_attentions", "output_hidden_states", "return_dict", "chunk_size_feed_forward",
                "is_encoder_decoder", "_attn_implementation", "dtype"):
        config.pop(key, None)
    rope = config.get("rope_parameters")
    if old and rope and "rope_theta" in rope:
        rope = dict(config.pop("rope_parameters"))
        config["rope_theta"] = rope.pop("rope_theta")
        if "partial_rotary_factor" in rope:
            config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
        config["rope_scaling"] = None if rope.get("rope_type") == "default" else rope
        config["torch_dtype"] = "float16"
    return config


CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


def simple(label, name, old, keys):
    def make(folder):
        model = new_model(name, **keys)
        write(folder, config_of(model, old), tensors_of(model), *run(model))
    CASES[label] = make


BASE = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
            bos_token_id=1, eos_token_id=2, pad_token_id=0)


def base(**keys):
    return {**BASE, **keys}


LLAMA3 = dict(rope_type="llama3", rope_theta=1000.0, factor=4.0, low_freq_factor=1.0,
              high_freq_factor=4.0, original_max_position_embeddings=32)
YARN = dict(rope_type="yarn", rope_theta=1000.0, factor=4.0, original_max_position_embeddings=16)

simple("llama", "Llama", True, base(head_dim=16, rope_parameters=LLAMA3))
simple("llama-bias", "Llama", False, base(attention_bias=True, mlp_bias=True,
                                          tie_word_embeddings=True, rms_norm_eps=1e-5,
                                          rope_parameters=dict(rope_type="linear", factor=2.0,
                                                               rope_theta=5000.0)))
simple("mistral", "Mistral", True, base(sliding_window=9))
simple("ministral", "Ministral", False, base(
    num_hidden_layers=3, sliding_window=9, head_dim=8,
    layer_types=["sliding_attention", "full_attention", "sliding_attention"]))
simple("qwen2", "Qwen2", True, base(tie_word_embeddings=True, rope_parameters=YARN))
simple("qwen3", "Qwen3", False, base(head_dim=16))
simple("gemma", "Gemma", True, base(hidden_size=64, head_dim=16, hidden_act="gelu_pytorch_tanh"))
simple("gemma2", "Gemma2", True, base(hidden_size=64, head_dim=16, sliding_window=8,
                                      query_pre_attn_scalar=16, num_hidden_layers=3))
simple("gemma2-scalar", "Gemma2", False, base(hidden_size=64, head_dim=16, sliding_window=8,
                                              query_pre_attn_scalar=24, attn_logit_softcapping=5.0,
                                              final_logit_softcapping=3.0))
simple("gemma3", "Gemma3Text", False, base(
    hidden_size=64, head_dim=16, sliding_window=8, query_pre_attn_scalar=16, num_hidden_layers=7,
    rope_parameters={"full_attention": dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
                     "sliding_attention": dict(rope_type="default", rope_theta=10000.0)}))
simple("phi", "Phi", True, base(num_key_value_heads=4, partial_rotary_factor=0.5))
simple("phi3", "Phi3", True, base(num_key_value_heads=2, sliding_window=11))
simple("phi3-longrope", "Phi3", True, base(
    num_key_value_heads=2, original_max_position_embeddings=48, tie_word_embeddings=True,
    rope_parameters=dict(rope_type="longrope", rope_theta=10000.0, partial_rotary_factor=0.75,
                         original_max_position_embeddings=48, long_factor=[1.5, 2.0, 4.0],
                         short_factor=[1.0, 1.1, 1.2])))
simple("starcoder2", "Starcoder2", True, base(sliding_window=12))
simple("stablelm", "StableLm", True, base(use_qkv_bias=True, partial_rotary_factor=0.25))
simple("granite", "Granite", True, base(embedding_multiplier=3.0, residual_multiplier=0.5,
                                        logits_scaling=4.0, attention_multiplier=0.2))
simple("ernie4-5", "Ernie4_5", True, base(head_dim=16))
simple("hunyuan", "HunYuanDenseV1", True, base(head_dim=16))
simple("hunyuan-alpha", "HunYuanDenseV1", True, base(
    head_dim=8, rope_parameters=dict(rope_type="dynamic", rope_theta=100.0, alpha=50.0,
                                     factor=1.0)))
simple("smollm3", "SmolLM3", True, base(num_hidden_layers=5))
simple("olmo2", "Olmo2", True, base())
simple("olmo3", "Olmo3", False, base(
    num_hidden_layers=4, sliding_window=8,
    rope_parameters={"full_attention": YARN,
                     "sliding_attention": dict(rope_type="default", rope_theta=1000.0)}))
simple("exaone4", "Exaone4", False, base(num_hidden_layers=4, sliding_window=8, head_dim=8))
simple("exaone4-full", "Exaone4", True, base(sliding_window=None, head_dim=8,
                                             layer_types=["full_attention"] * 2,
                                             tie_word_embeddings=True))
simple("cohere", "Cohere", True, base(logit_scale=0.25))
simple("cohere2", "Cohere2", True, base(num_hidden_layers=4, sliding_window=8, logit_scale=0.25,
                                        head_dim=8))
simple("glm", "Glm", True, base(head_dim=8, partial_rotary_factor=0.5))
simple("glm4-0414", "Glm4", False, base(head_dim=16))
GPT = dict(vocab_size=VOCAB, n_positions=64, n_ctx=64, n_embd=32, n_layer=2, n_head=4,
           bos_token_id=1, eos_token_id=2)
simple("gpt2", "GPT2", True, GPT)
simple("codegen", "CodeGen", True, dict(GPT, rotary_dim=4))
simple("gptj", "GPTJ", True, dict(GPT, rotary_dim=8))


def renamed(tensors, *pairs):
    out = {}
    for key, value in tensors.items():
        for old, new in pairs:
            key = key.replace(old, new)
        out[key] = value
    return out


def layers_of(tensors, name):
    """(prefix, tensor) of each layer's tensor `name`."""
    return [(key[:-len(name)], value) for key, value in list(tensors.items()) if key.endswith(name)]


@case
def gpt2_bare(folder):
    """As the official repository has it: no prefix, the mask as a buffer."""
    model = new_model("GPT2", **dict(GPT, n_inner=80, tie_word_embeddings=False))
    tensors = renamed(tensors_of(model), ("transformer.", ""))
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 64, 64).half()
    write(folder, config_of(model, True), tensors, *run(model))


@case
def gemma3_vision(folder):
    """The text model inside Gemma3ForConditionalGeneration's checkpoint."""
    model = new_model("Gemma3Text", **base(hidden_size=64, head_dim=16, sliding_window=8,
                                           query_pre_attn_scalar=16, num_hidden_layers=2))
    tensors = {"language_model." + key: value for key, value in tensors_of(model).items()}
    tensors["vision_tower.vision_model.embeddings.position_embedding.weight"] = torch.ones(4, 4)
    tensors["multi_modal_projector.mm_soft_emb_norm.weight"] = torch.ones(4)
    text = {key: value for key, value in config_of(model, True).items()
            if key in ("model_type", "vocab_size", "hidden_size", "intermediate_size", "head_dim",
                       "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
                       "sliding_window", "query_pre_attn_scalar", "max_position_embeddings")}
    config = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
              "text_config": text, "vision_config": {"model_type": "siglip_vision_model"}}
    write(folder, config, tensors, *run(model))


@case
def internlm2(folder):
    """InternLM2 is Llama with q, k, v of each KV group in one matrix: wqkv rows are, a group,
    (heads / kv heads) query heads, k, v (modeling_internlm2.py, rearrange "(h gs d) -> h gs d")."""
    model = new_model("Llama", **base(head_dim=8, rope_parameters=dict(rope_type="default",
                                                                       rope_theta=500.0)))
    tensors = tensors_of(model)
    for prefix, q in layers_of(tensors, "self_attn.q_proj.weight"):
        k, v = (tensors.pop(f"{prefix}self_attn.{x}_proj.weight") for x in "kv")
        del tensors[prefix + "self_attn.q_proj.weight"]
        q, k, v = (x.reshape(2, -1, 8, 32) for x in (q, k, v))
        tensors[prefix + "attention.wqkv.weight"] = torch.cat([q, k, v], 1).reshape(-1, 32)
    tensors = renamed(tensors, ("embed_tokens", "tok_embeddings"), ("lm_head", "output"),
                      ("self_attn.o_proj", "attention.wo"), ("input_layernorm", "attention_norm"),
                      ("post_attention_layernorm", "ffn_norm"), ("mlp.gate_proj", "feed_forward.w1"),
                      ("mlp.up_proj", "feed_forward.w3"), ("mlp.down_proj", "feed_forward.w2"))
    config = dict(config_of(model, True), model_type="internlm2", bias=False,
                  architectures=["InternLM2ForCausalLM"],
                  rope_scaling={"type": "dynamic", "factor": 2.0})
    write(folder, config, tensors, *run(model))


def pack(tensors):
    for prefix, q in layers_of(tensors, "self_attn.q_proj.weight"):
        k, v = (tensors.pop(f"{prefix}self_attn.{x}_proj.weight") for x in "kv")
        del tensors[prefix + "self_attn.q_proj.weight"]
        tensors[prefix + "self_attn.W_pack.weight"] = torch.cat([q, k, v])
    return tensors


@case
def baichuan(folder):
    """Baichuan 7B is Llama without groups, W_pack the rows q | k | v."""
    model = new_model("Llama", **base(num_key_value_heads=4))
    config = dict(config_of(model, True), model_type="baichuan",
                  architectures=["BaiChuanForCausalLM"])
    write(folder, config, pack(tensors_of(model)), *run(model))


@case
def baichuan2(folder):
    """Baichuan 2's NormHead divides the head's rows by their lengths."""
    model = new_model("Llama", **base(num_key_value_heads=4))
    tensors = pack(tensors_of(model))
    with torch.no_grad():
        model.lm_head.weight.copy_(torch.nn.functional.normalize(model.lm_head.weight))
    config = dict(config_of(model, True), model_type="baichuan", z_loss_weight=0,
                  architectures=["BaichuanForCausalLM"])
    write(folder, config, tensors, *run(model))


@case
def baichuan_13b(folder):
    """40 layers: ALiBi instead of rotation. The bias enters Llama's mask, theta so large and the
    rotation so small (positions scaled by 1e6) that it turns nothing."""
    model = new_model("Llama", **base(num_key_value_heads=4, num_hidden_layers=40,
                                      hidden_size=16, intermediate_size=16, num_attention_heads=2,
                                      rope_parameters=dict(rope_type="linear", factor=1e12,
                                                           rope_theta=10000.0)) | {
                                          "num_key_value_heads": 2})
    slopes = torch.tensor([2.0 ** (-8 * (h + 1) / 2) for h in range(2)])
    places = torch.arange(TOKENS)
    mask = slopes[:, None, None] * (places[None, None, :] - places[None, :, None]).float()
    mask = mask.masked_fill(places[None, None, :] > places[None, :, None], -1e30)[None]
    ids = torch.tensor([[(7 * i * i + 3 * i + 1) % VOCAB for i in range(TOKENS)]])
    with torch.no_grad():
        logits = model(ids, attention_mask=mask).logits[0].double()[-ROWS:]
    config = dict(config_of(model, True), model_type="baichuan", rope_scaling=None,
                  architectures=["BaichuanForCausalLM"])
    write(folder, config, pack(tensors_of(model)), ids[0].tolist(), logits)


@case
def minicpm(folder):
    """MiniCPM's scale_emb, scale_depth / sqrt(layers) and hidden_size / dim_model_base are Granite's
    multipliers."""
    model = new_model("Granite", **base(
        num_hidden_layers=3, tie_word_embeddings=True, embedding_multiplier=12.0,
        residual_multiplier=1.4 / math.sqrt(3), logits_scaling=32 / 16,
        attention_multiplier=1 / math.sqrt(8)))
    config = config_of(model, True)
    for key in [key for key in config if "multiplier" in key or key in ("logits_scaling",
                                                                        "attention_bias")]:
        del config[key]
    config.update(model_type="minicpm", architectures=["MiniCPMForCausalLM"], scale_emb=12,
                  scale_depth=1.4, dim_model_base=16)
    write(folder, config, tensors_of(model), *run(model))


@case
def pangu(folder):
    """openPangu-Embedded is Llama with biases of q, k, v and o."""
    model = new_model("Llama", **base(attention_bias=True))
    config = dict(config_of(model, True), model_type="PanguEmbedded", bias=True,
                  architectures=["PanguEmbeddedForCausalLM"])
    for key in ("attention_bias", "mlp_bias", "head_dim", "pretraining_tp"):
        config.pop(key, None)
    write(folder, config, tensors_of(model), *run(model))


@case
def exaone(folder):
    """EXAONE 3 is Llama under GPT-2's names."""
    model = new_model("Llama", **base(rope_parameters=LLAMA3))
    tensors = renamed(tensors_of(model), ("model.layers.", "transformer.h."),
                      ("model.norm", "transformer.ln_f"), ("model.embed_tokens", "transformer.wte"),
                      ("input_layernorm", "ln_1"), ("post_attention_layernorm", "ln_2"),
                      ("self_attn.o_proj", "attn.attention.out_proj"),
                      ("self_attn.", "attn.attention."), ("mlp.gate_proj", "mlp.c_fc_0"),
                      ("mlp.up_proj", "mlp.c_fc_1"), ("mlp.down_proj", "mlp.c_proj"))
    config = config_of(model, True)
    config.update(model_type="exaone", architectures=["ExaoneForCausalLM"],
                  activation_function="silu", layer_norm_epsilon=config.pop("rms_norm_eps"),
                  num_layers=config.pop("num_hidden_layers"))
    for key in ("hidden_act", "head_dim"):
        config.pop(key, None)
    write(folder, config, tensors, *run(model))


@case
def ernie4_5_fused(folder):
    """The form that Paddle writes: qkv_proj and up_gate_proj, names beginning with "ernie."."""
    model = new_model("Ernie4_5", **base(head_dim=16, tie_word_embeddings=True))
    tensors = tensors_of(model)
    for prefix, q in layers_of(tensors, "self_attn.q_proj.weight"):
        k, v = (tensors.pop(f"{prefix}self_attn.{x}_proj.weight") for x in "kv")
        gate, up = (tensors.pop(f"{prefix}mlp.{x}_proj.weight") for x in ("gate", "up"))
        del tensors[prefix + "self_attn.q_proj.weight"]
        tensors[prefix + "self_attn.qkv_proj.weight"] = torch.cat([q, k, v])
        tensors[prefix + "mlp.up_gate_proj.weight"] = torch.cat([gate, up])
    write(folder, config_of(model, True), renamed(tensors, ("model.", "ernie.")), *run(model))


def chatglm_parts(model):
    """ChatGLM2 and 3 are GlmForCausalLM with q | k | v in one matrix, under Megatron's names."""
    tensors = tensors_of(model)
    for prefix, q in layers_of(tensors, "self_attn.q_proj.weight"):
        for suffix in ("weight", "bias"):
            parts = [tensors.pop(f"{prefix}self_attn.{x}_proj.{suffix}") for x in "qkv"]
            tensors[f"{prefix}self_attention.query_key_value.{suffix}"] = torch.cat(parts)
    tensors = renamed(tensors, ("model.layers.", "transformer.encoder.layers."),
                      ("model.norm", "transformer.encoder.final_layernorm"),
                      ("model.embed_tokens", "transformer.embedding.word_embeddings"),
                      ("lm_head", "transformer.output_layer"),
                      ("self_attn.o_proj", "self_attention.dense"),
                      ("mlp.gate_up_proj", "mlp.dense_h_to_4h"),
                      ("mlp.down_proj", "mlp.dense_4h_to_h"))
    tensors["transformer.rotary_pos_emb.inv_freq"] = torch.ones(2).half()
    config = {"model_type": "chatglm", "architectures": ["ChatGLMModel"], "num_layers": 2,
              "padded_vocab_size": VOCAB, "hidden_size": 32, "ffn_hidden_size": 48,
              "kv_channels": 8, "num_attention_heads": 4, "multi_query_attention": True,
              "multi_query_group_num": 2, "seq_length": 64, "layernorm_epsilon": 1e-5,
              "rmsnorm": True, "post_layer_norm": True, "add_bias_linear": False,
              "add_qkv_bias": True, "apply_residual_connection_post_layernorm": False,
              "rope_ratio": 50, "tie_word_embeddings": False, "eos_token_id": 2,
              "pad_token_id": 0}
    return config, tensors


CHATGLM = base(head_dim=8, rms_norm_eps=1e-5,
               rope_parameters=dict(rope_type="default", rope_theta=500000.0,
                                    partial_rotary_factor=0.5))


@case
def chatglm(folder):
    model = new_model("Glm", **CHATGLM)
    write(folder, *chatglm_parts(model), *run(model))


def chatglm_packed(bits):
    """One scale a row; int4 has the even column in the high nibble (models.md 7.1)."""
    def make(folder):
        model = new_model("Glm", **dict(CHATGLM, hidden_size=64, head_dim=16, intermediate_size=96))
        packed, top = {}, 2 ** (bits - 1) - 1
        with torch.no_grad():
            for key, weight in model.named_parameters():
                if "layers." in key and key.endswith("proj.weight"):
                    scale = (weight.abs().max(1).values / top).half()
                    codes = torch.round(weight / scale.float()[:, None]).clamp(-top - 1, top)
                    codes[0, 3] = -top - 1  # the code that no packer writes
                    weight.copy_(codes * scale.float()[:, None])
                    packed[key] = (codes.to(torch.int8), scale)
        config, tensors = chatglm_parts(model)
        config.update(hidden_size=64, ffn_hidden_size=96, kv_channels=16, quantization_bit=bits)
        for layer in range(2):
            put_packed(tensors, packed, layer, bits)
        write(folder, config, tensors, *run(model))
    CASES[f"chatglm-int{bits}"] = make


def put_packed(tensors, packed, layer, bits):
    there = f"transformer.encoder.layers.{layer}."
    for name, parts in (("self_attention.query_key_value", "qkv"), ("self_attention.dense", "o"),
                        ("mlp.dense_h_to_4h", ("gate_up",)), ("mlp.dense_4h_to_h", ("down",))):
        block = "self_attn" if "attention" in name else "mlp"
        found = [packed[f"model.layers.{layer}.{block}.{part}_proj.weight"] for part in parts]
        codes, scale = (torch.cat([x[i] for x in found]) for i in range(2))
        if bits == 4:
            codes = (codes[:, ::2] << 4) | (codes[:, 1::2] & 15)
        tensors[f"{there}{name}.weight"] = codes
        tensors[f"{there}{name}.weight_scale"] = scale


chatglm_packed(8)
chatglm_packed(4)


def words(codes, bits, order=None):
    """Columns of codes -> int32 words, low bits first."""
    count = 32 // bits
    parts = codes.to(torch.int64).reshape(codes.shape[0], -1, count)
    out = torch.zeros(parts.shape[:2], dtype=torch.int64)
    for k in range(count):
        out |= parts[:, :, order[k] if order else k] << (bits * k)
    return torch.where(out >= 2 ** 31, out - 2 ** 32, out).to(torch.int32)


PACKED = base(hidden_size=64, intermediate_size=96, num_hidden_layers=1)
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def packed_llama(label, quantization, bits=4, zeros=None, order=False, add=1, awq=False, bias=False):
    """Round to nearest in groups of 32 inputs, packed as the public packers do (quantization.md 1.1).
    zeros: range of the zero points; order: inputs belong to groups in a shuffled order."""
    def make(folder):
        model = new_model("Llama", **PACKED)
        generator = torch.Generator().manual_seed(5)
        tensors, packed = tensors_of(model), {}
        with torch.no_grad():
            for key, weight in model.named_parameters():
                if not key.endswith("proj.weight"):
                    continue
                out, count = weight.shape
                groups = count // 32
                group = torch.arange(count) // 32
                if order:
                    group = group[torch.randperm(count, generator=generator)]
                zero = torch.randint(zeros[0], zeros[1] + 1, (groups, out), generator=generator)
                scale = torch.stack([weight[:, group == g].abs().max(1).values for g in
                                     range(groups)]).div(2 ** (bits - 1)).half()
                s, z = scale.float()[group].T, zero[group].T
                codes = torch.round(weight / s + z).clamp(0, 2 ** bits - 1)
                weight.copy_((codes - z) * s)
                packed[key[:-7]] = (codes.long(), zero, scale, group)
        for name, (codes, zero, scale, group) in packed.items():
            del tensors[name + ".weight"]
            if awq:
                tensors[name + ".qweight"] = words(codes.T, 4, AWQ_ORDER)
                tensors[name + ".qzeros"] = words(zero, 4, AWQ_ORDER)
            else:
                tensors[name + ".qweight"] = words(codes, bits).T
                tensors[name + ".qzeros"] = words(zero - add, bits)
                tensors[name + ".g_idx"] = group.to(torch.int32)
            tensors[name + ".scales"] = scale
            if bias:
                tensors[name + ".bias"] = torch.zeros(codes.shape[0]).half()
        config = config_of(model, True)
        config["quantization_config"] = quantization
        write(folder, config, tensors, *run(model))
    CASES[label] = make


def gptq(bits, **more):
    return dict(quant_method="gptq", bits=bits, group_size=32, **more)


packed_llama("gptq-symmetric", gptq(4, sym=True, desc_act=False), zeros=(8, 8), bias=True)
packed_llama("gptq-zeros", gptq(4, sym=False, desc_act=False), zeros=(1, 16))
packed_llama("gptq-v2", gptq(4, checkpoint_format="gptq_v2"), zeros=(0, 15), add=0)
packed_llama("gptq-order", gptq(4, desc_act=True), zeros=(6, 9), order=True)
packed_llama("gptq-8bit", gptq(8, sym=True), bits=8, zeros=(128, 128))
packed_llama("gptq-8bit-zeros", gptq(8, sym=False), bits=8, zeros=(90, 140))
packed_llama("awq", dict(quant_method="awq", bits=4, group_size=32, version="gemm",
                         zero_point=True), zeros=(0, 15), awq=True)


def fp8_llama(label, block):
    """FP8 E4M3; block: one scale_inv a block, None: one scale a matrix."""
    def make(folder):
        model = new_model("Llama", **PACKED)
        tensors = {}
        with torch.no_grad():
            for key, weight in model.named_parameters():
                if not key.endswith("proj.weight"):
                    continue
                rows, columns = block or weight.shape
                scale = torch.empty(-(-weight.shape[0] // rows), -(-weight.shape[1] // columns))
                codes = torch.empty(weight.shape, dtype=torch.float8_e4m3fn)
                for i in range(scale.shape[0]):
                    for j in range(scale.shape[1]):
                        at = slice(i * rows, (i + 1) * rows), slice(j * columns, (j + 1) * columns)
                        scale[i, j] = weight[at].abs().max() / 448
                        codes[at] = (weight[at] / scale[i, j]).to(torch.float8_e4m3fn)
                        weight[at] = codes[at].float() * scale[i, j]
                tensors[key] = codes
                name = key + ("_scale_inv" if block else "_scale")
                tensors[name] = scale if block else scale.reshape(())
        tensors = {**tensors_of(model), **tensors}
        config = config_of(model, True)
        config["quantization_config"] = dict(quant_method="fp8", activation_scheme="dynamic",
                                             weight_block_size=block)
        write(folder, config, tensors, *run(model))
    CASES[label] = make


fp8_llama("fp8", [32, 48])
fp8_llama("fp8-tensor", None)


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    torch.set_num_threads(1)
    for name in sys.argv[2:] or CASES:
        CASES[name](os.path.join(sys.argv[1], name))
        print(name)


if __name__ == "__main__":
    main()
