#!/usr/bin/env python3
"""forward.py: logits of a GGUF language model in numpy float64, written from the definitions of the
families and sharing nothing with lichen: the truth behind the golden files of this folder.

    forward.py MODEL.gguf IDS...        prints the ten best next tokens with their logits
    make_golden.py uses it as a module.

Needs numpy and the PyPI package gguf (parsing and dequantization to float32, which is exact in
float64). Weights are kept in float64: 8 bytes a weight."""
import math
import sys

import gguf
import numpy as np

F = np.float64


def field(reader, key, default=None):
    entry = reader.fields.get(key)
    if entry is None:
        return default
    return entry.contents()


class Model:
    """arch: general.architecture; key(name, default): metadata behind "ARCH."; weights: float64
    arrays by GGUF tensor name."""

    def __init__(self, arch, key, weights):
        self.arch, self.key, self.w = arch, key, weights
        self.layers = key("block_count")
        self.dim = key("embedding_length")
        self.heads = key("attention.head_count")
        self.kv_heads = key("attention.head_count_kv", self.heads)
        self.head_dim = key("attention.key_length", self.dim // self.heads)
        self.eps = F(np.float32(key("attention.layer_norm_rms_epsilon",
                                    key("attention.layer_norm_epsilon"))))
        self.vocab = self.w["token_embd.weight"].shape[0]
        self.rope_dims = key("rope.dimension_count", self.head_dim)
        self.prefix = 0  # chatglm1: tokens that see each other in both directions
        self.describe()

    @staticmethod
    def open(path):
        reader = gguf.GGUFReader(path)
        arch = field(reader, "general.architecture")
        weights = {}
        for tensor in reader.tensors:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            weights[tensor.name] = values.astype(F)
        key = lambda name, default=None: field(reader, f"{arch}.{name}", default)
        model = Model(arch, key, weights)
        model.reader = reader
        return model

    # ---- what distinguishes the families, in the words of their papers and reference code ----

    def describe(self):
        arch, key = self.arch, self.key
        gemma = arch in ("gemma", "gemma2", "gemma3")
        cohere = arch in ("command-r", "cohere2")
        self.adjacent = cohere or arch in ("llama", "chatglm", "glm4", "moss", "minicpm", "ernie4_5",
                                           "internlm2", "baichuan", "granite", "smollm3")
        self.layer_norm = cohere or arch in ("chatglm1", "gpt2", "moss", "phi2", "starcoder2", "stablelm")
        self.parallel = cohere or arch in ("moss", "phi2")
        self.pre_norms = arch not in ("olmo2", "exaone4")
        self.post_norms = arch in ("gemma2", "gemma3", "glm4", "olmo2", "exaone4")
        self.qk_norm = {"qwen3": "before", "gemma3": "before", "exaone4": "before",
                        "olmo2": "all", "hunyuan-dense": "after"}.get(arch)
        plain = arch in ("chatglm1", "gpt2", "moss", "phi2", "starcoder2")
        self.activation = "gelu" if gemma or plain else "silu"
        self.ffn = ("plain" if plain else
                    "fused" if arch in ("chatglm", "glm4", "phi3") else "gated")
        self.embedding_scale = F(1)
        if gemma:  # the original multiplies by sqrt(dim) in bfloat16
            bits = np.float32(math.sqrt(self.dim)).view(np.uint32).astype(np.uint64)
            bits = (bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) & np.uint64(0xFFFF0000)
            self.embedding_scale = F(np.uint32(bits).view(np.float32))
        self.residual_scale, self.logit_scale = F(1), F(1)
        if arch == "minicpm":
            self.embedding_scale = F(key("embedding_scale", 12.0))
            self.residual_scale = F(np.float32(key("residual_scale", 1.4 / math.sqrt(self.layers))))
            self.logit_scale = 1 / F(key("logit_scale", self.dim / 256))
        if arch == "granite":
            self.embedding_scale = F(key("embedding_scale"))
            self.residual_scale = F(key("residual_scale"))
            self.logit_scale = 1 / F(key("logit_scale"))
        if arch == "chatglm1":  # alpha of the residual
            self.residual_scale = F(np.float32(key("residual_scale")))
            self.rope_dims = self.head_dim // 2
        if cohere:
            self.logit_scale = F(key("logit_scale"))
        self.window = key("attention.sliding_window", 4096 if arch == "gemma2" else 0)
        period = {"gemma2": 2, "gemma3": 6, "olmo2": 4, "exaone4": 4, "cohere2": 4}.get(arch, 1)
        self.pattern = key("attention.sliding_window_pattern", period)  # or a list of bool
        dims = self.head_dim
        if (arch, self.layers) in (("gemma2", 46), ("gemma3", 62)):
            dims = self.dim / self.heads
        self.scale = F(key("attention.scale", 0) or 1 / math.sqrt(dims))
        caps = (50, 30) if arch == "gemma2" else (0, 0)  # old files do not say
        self.softcap = F(key("attn_logit_softcapping", caps[0]))
        self.final_softcap = F(key("final_logit_softcapping", caps[1]))
        self.alibi = None
        if arch == "baichuan" and self.layers == 40:
            self.alibi = alibi_slopes(self.heads)
        self.rope = [self.rope_table(False), self.rope_table(True)]

    def local(self, layer):
        if not self.window:
            return False
        if isinstance(self.pattern, list):
            return self.pattern[layer]
        return self.pattern == 1 or (layer + 1) % self.pattern != 0

    def rotates(self, layer):
        if self.arch == "gpt2" or self.alibi is not None:
            return False
        if self.arch == "smollm3":
            return (layer + 1) % 4 != 0
        if self.arch in ("cohere2", "exaone4") and self.window:
            return self.local(layer)
        return True

    def rope_table(self, local):
        """(inverse frequencies, factor of cos and sin)"""
        key, dims = self.key, self.rope_dims
        base = F(key("rope.freq_base", 10000.0))
        own = self.arch in ("gemma3", "olmo2") and local  # these do not stretch local layers
        if local:
            base = F(key("rope.freq_base_swa", 10000.0 if self.arch == "gemma3" else base))
        if key("rope.scaling.alpha"):  # NTK-aware
            base = base * F(key("rope.scaling.alpha")) ** F(dims / (dims - 2))
        freq = base ** (-np.arange(0, dims, 2, dtype=F) / dims)
        if self.arch == "chatglm1":  # held in half precision
            freq = freq.astype(np.float16).astype(F)
        kind = key("rope.scaling.type", "linear")
        factor = F(key("rope.scaling.factor", key("rope.scale_linear", 1.0)))
        magnitude = F(key("rope.scaling.attn_factor", 1.0))
        if own:
            return freq, F(1)
        if kind == "none":
            return freq, magnitude
        if kind == "linear":
            freq = freq / factor
        elif kind == "yarn":
            context = key("rope.scaling.original_context_length", key("context_length"))
            pair = lambda turns: dims * math.log(context / (turns * 2 * math.pi)) / (
                2 * math.log(base))
            low = max(math.floor(pair(key("rope.scaling.yarn_beta_fast", 32.0))), 0)
            high = min(math.ceil(pair(key("rope.scaling.yarn_beta_slow", 1.0))), dims - 1)
            ramp = np.clip((np.arange(dims // 2) - low) / max(high - low, 0.001), 0, 1)
            freq = freq / factor * ramp + freq * (1 - ramp)
            magnitude = magnitude * (1 + 0.1 * math.log(factor))
        elif kind == "longrope":
            pass  # by the tensors below
        elif kind == "llama3":
            context = key("rope.scaling.original_context_length", key("context_length"))
            low = F(key("rope.scaling.low_freq_factor", 1.0))
            high = F(key("rope.scaling.high_freq_factor", 4.0))
            wave = 2 * math.pi / freq
            smooth = (context / wave - low) / (high - low)
            blended = (1 - smooth) * freq / factor + smooth * freq
            freq = np.where(wave > context / low, freq / factor,
                            np.where(wave < context / high, freq, blended))
        else:
            raise SystemExit(f"rope scaling {kind}")
        if "rope_freqs.weight" in self.w:
            freq = freq / self.w["rope_freqs.weight"]
        if "rope_factors_short.weight" in self.w:  # longrope, up to the original context
            freq = freq / self.w["rope_factors_short.weight"]
        return freq, magnitude

    # ---- operations on rows ----

    def norm(self, x, name):
        if self.layer_norm:
            x = x - x.mean(-1, keepdims=True)
            x = x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps)
            y = x * self.w[name + ".weight"]
            return y + self.w[name + ".bias"] if name + ".bias" in self.w else y
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.w[name + ".weight"]

    def linear(self, x, name):
        y = x @ self.w[name + ".weight"].T
        return y + self.w[name + ".bias"] if name + ".bias" in self.w else y

    def act(self, x):
        if self.activation == "silu":
            return x / (1 + np.exp(-x))
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))

    def rotate(self, x, positions, layer):
        """x [tokens, heads, head_dim]"""
        if self.arch == "chatglm1" and x.shape[-1] == self.head_dim:
            half = self.head_dim // 2
            stopped = np.minimum(positions, max(self.prefix, 1) - 1)
            return np.concatenate([self.rotate(x[..., :half], stopped, layer),
                                   self.rotate(x[..., half:], positions - stopped, layer)], -1)
        freq, magnitude = self.rope[1 if self.local(layer) else 0]
        angle = positions[:, None].astype(F) * freq[None]
        c = (np.cos(angle) * magnitude)[:, None]
        s = (np.sin(angle) * magnitude)[:, None]
        dims, out = self.rope_dims, x.copy()
        if self.adjacent:
            a, b = x[..., 0:dims:2], x[..., 1:dims:2]
            out[..., 0:dims:2], out[..., 1:dims:2] = a * c - b * s, b * c + a * s
        else:
            a, b = x[..., :dims // 2], x[..., dims // 2:dims]
            out[..., :dims // 2], out[..., dims // 2:dims] = a * c - b * s, b * c + a * s
        return out

    def attend(self, q, k, v, first, layer):
        """q [n, heads, d] at positions first.., k v [all, kv_heads, d]"""
        group = self.heads // self.kv_heads
        positions = first + np.arange(q.shape[0])
        keys = np.arange(k.shape[0])
        distance = positions[:, None] - keys[None]
        hidden = (distance < 0) & (keys[None] >= self.prefix)
        if self.local(layer):
            hidden |= distance >= self.window
        out = np.empty_like(q)
        for head in range(self.heads):
            score = q[:, head] @ k[:, head // group].T * self.scale
            if self.softcap:
                score = self.softcap * np.tanh(score / self.softcap)
            if self.alibi is not None:
                score = score - self.alibi[head] * distance
            score = np.where(hidden, -np.inf, score)
            score = np.exp(score - score.max(-1, keepdims=True))
            out[:, head] = score / score.sum(-1, keepdims=True) @ v[:, head // group]
        return out

    # ---- the decoder ----

    def qkv(self, a, at):
        sizes = [self.heads * self.head_dim, self.kv_heads * self.head_dim]
        if at + "attn_qkv.weight" in self.w:
            joined = self.linear(a, at + "attn_qkv")
            q, k, v = np.split(joined, [sizes[0], sizes[0] + sizes[1]], axis=-1)
        else:
            q, k, v = (self.linear(a, at + "attn_" + name) for name in "qkv")
        shape = lambda x, heads: x.reshape(len(a), heads, self.head_dim)
        return shape(q, self.heads), shape(k, self.kv_heads), shape(v, self.kv_heads)

    def attention(self, a, layer, runs):
        """runs: (first row, count, first position, cache)"""
        at = f"blk.{layer}."
        q, k, v = self.qkv(a, at)
        if self.qk_norm == "all":
            flat = lambda x: x.reshape(len(a), -1)
            q = self.norm(flat(q), at + "attn_q_norm").reshape(q.shape)
            k = self.norm(flat(k), at + "attn_k_norm").reshape(k.shape)
        if self.qk_norm == "before":
            q, k = self.norm(q, at + "attn_q_norm"), self.norm(k, at + "attn_k_norm")
        positions = np.concatenate([first + np.arange(count) for _, count, first, _ in runs])
        if self.rotates(layer):
            q, k = self.rotate(q, positions, layer), self.rotate(k, positions, layer)
        if self.qk_norm == "after":
            q, k = self.norm(q, at + "attn_q_norm"), self.norm(k, at + "attn_k_norm")
        out = np.empty_like(q)
        for row, count, first, cache in runs:
            here = slice(row, row + count)
            old = cache.get(layer)
            kk, vv = k[here], v[here]
            if old is not None:
                kk, vv = np.concatenate([old[0], kk]), np.concatenate([old[1], vv])
            cache[layer] = (kk, vv)
            out[here] = self.attend(q[here], kk, vv, first, layer)
        return self.linear(out.reshape(len(a), -1), at + "attn_output")

    def feed_forward(self, f, layer):
        at = f"blk.{layer}."
        if self.ffn == "plain":
            return self.linear(self.act(self.linear(f, at + "ffn_up")), at + "ffn_down")
        if self.ffn == "fused":
            gate, up = np.split(self.linear(f, at + "ffn_up"), 2, axis=-1)
        else:
            gate, up = self.linear(f, at + "ffn_gate"), self.linear(f, at + "ffn_up")
        return self.linear(self.act(gate) * up, at + "ffn_down")

    def layer(self, x, layer, runs):
        at = f"blk.{layer}."
        a = self.norm(x, at + "attn_norm") if self.pre_norms else x
        branch = self.attention(a, layer, runs)
        if self.arch == "chatglm1":
            x = self.residual_scale * a + branch
            f = self.norm(x, at + "ffn_norm")
            return self.residual_scale * f + self.feed_forward(f, layer)
        if self.parallel:
            return x + branch + self.feed_forward(a, layer)
        if self.post_norms:
            branch = self.norm(branch, at + "post_attention_norm")
        x = x + self.residual_scale * branch
        f = self.norm(x, at + "ffn_norm") if self.pre_norms else x
        branch = self.feed_forward(f, layer)
        if self.post_norms:
            branch = self.norm(branch, at + "post_ffw_norm")
        return x + self.residual_scale * branch

    def run(self, sequences, rows):
        """sequences: [(ids, cache)], a cache is a dict that starts empty. Returns for each the
        logits of its last `rows` tokens."""
        runs, ids, row = [], [], 0
        for tokens, cache in sequences:
            first = cache.get("count", 0)
            runs.append((row, len(tokens), first, cache))
            cache["count"] = first + len(tokens)
            ids += list(tokens)
            row += len(tokens)
        x = self.w["token_embd.weight"][ids] * self.embedding_scale
        if self.arch == "gpt2":
            positions = np.concatenate([first + np.arange(count) for _, count, first, _ in runs])
            x = x + self.w["position_embd.weight"][positions]
        for layer in range(self.layers):
            x = self.layer(x, layer, runs)
        keep = [slice(max(row, row + count - rows), row + count) for row, count, _, _ in runs]
        x = np.concatenate([x[part] for part in keep])
        head = "output" if "output.weight" in self.w else "token_embd"
        logits = self.linear(self.norm(x, "output_norm"), head) * self.logit_scale
        if self.final_softcap:
            logits = self.final_softcap * np.tanh(logits / self.final_softcap)
        return np.split(logits, np.cumsum([part.stop - part.start for part in keep])[:-1])


def alibi_slopes(heads):
    """Press et al.: a geometric series for a power of two, else interleaved with the next one's."""
    def series(n):
        start = 2 ** (-8 / n)
        return [start ** (i + 1) for i in range(n)]
    power = 2 ** math.floor(math.log2(heads))
    slopes = series(power)
    if power != heads:
        slopes += series(2 * power)[0::2][:heads - power]
    return np.array(slopes, dtype=F)


def greedy(model, prompts, count, rows=1):
    """Continues all prompts together; returns (logits of the prompts' last rows, ids)."""
    caches = [{} for _ in prompts]
    first = model.run(list(zip(prompts, caches)), rows)
    logits, ids = first, [[] for _ in prompts]
    for step in range(count):
        for i, row in enumerate(logits):
            ids[i].append(int(row[-1].argmax()))
        if step + 1 < count:
            logits = model.run([([ids[i][-1]], caches[i]) for i in range(len(prompts))], 1)
    return first, ids


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    model = Model.open(sys.argv[1])
    logits = model.run([([int(i) for i in sys.argv[2:]], {})], 1)[0][-1]
    for i in np.argsort(-logits)[:10]:
        print(i, float(logits[i]))


if __name__ == "__main__":
    main()
