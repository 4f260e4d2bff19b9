#version 450
#extension GL_GOOGLE_include_directive : require
/* o = softmax(scale * q K^T [then cap * tanh(s / cap)] + slope * (j - p) + mask) V by online
 * softmax over blocks of KEYS keys. A workgroup owns ROWS query rows that share a K/V head (row =
 * token * GROUP + head of the group, so each K/V word is read once for all of them) and one chunk
 * of keys; with PARTIAL it writes (o, m, l) of its chunk for combine.comp, else the chunk is
 * everything and o is final.
 *
 *   m' = max(m, max_j s_j)
 *   l' = l e^(m-m') + sum_j e^(s_j-m')
 *   o' = o e^(m-m') + sum_j e^(s_j-m') V_j
 *
 * Scores: an invocation a key. Output: an invocation a word of the head. A fully masked row is 0.
 * Caches as in cache.glsl. Dispatch: x = ceil(tokens * GROUP / ROWS), y = K/V head, z = chunk.
 * Any token count, HEAD_DIM and key count; KEYS is a multiple of WG. */
#include "common.glsl"
#define QUANT_BINDING 7
#define SCALE_BINDING 8
#include "quantize.glsl"

layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const uint HEAD_DIM = 64;
layout(constant_id = 3) const uint GROUP = 1;
layout(constant_id = 4) const uint KEYS = 64;
layout(constant_id = 5) const uint PARTIAL = 0;
layout(constant_id = 6) const uint STORE = 1; /* write o, without PARTIAL */
layout(constant_id = 7) const uint QUANT = 0; /* packed-dot form of o, HEAD_DIM % 32 == 0 */

layout(binding = 1, std430) readonly buffer Query
{
    float q[];
};
layout(binding = 2, std430) readonly buffer KeyCache
{
    uint k_cache[];
};
layout(binding = 2, std430) readonly buffer KeyFetches
{
    uvec4 k_fetches[]; /* the same words */
};
layout(binding = 3, std430) readonly buffer ValueCache
{
    uint v_cache[];
};
layout(binding = 4, std430) readonly buffer Slopes
{
    float slopes[]; /* [heads] */
};
layout(binding = 5, std430) writeonly buffer Target
{
    float o[]; /* [tokens, heads * HEAD_DIM] */
};
layout(binding = 6, std430) writeonly buffer Partials
{
    float partials[]; /* [tokens * heads][chunk_max][HEAD_DIM + 2] */
};
#include "attention.glsl"
#include "cache.glsl"

const uint WORD_LANES = (ROW_WORDS + WG - 1) / WG; /* words of an invocation */
const uint ROW_FETCHES = ROW_WORDS / 4;
const uint ROW_LANES = WG > ROWS ? WG / ROWS : 1; /* invocations that share a row's statistics */

shared vec4 q_tile[(ROWS * HEAD_DIM + 3) / 4]; /* [ROWS][HEAD_DIM] numbers; later o */
#define Q(i) q_tile[(i) >> 2][(i) & 3u]
shared float score[ROWS * KEYS];
shared float part_max[ROWS * ROW_LANES];
shared float part_sum[ROWS * ROW_LANES];
shared float row_max[2 * ROWS];
shared float row_sum[ROWS];
shared float row_fix[ROWS];

cache_values output_sum[ROWS][WORD_LANES];

/* d of the block that word `word` of a row lies in. */
float key_scale(uint row, uint word)
{
#ifdef KV_Q8_0
    const uint block = word / BLOCK_WORDS, scales = kv_heads * context * ROW_WORDS;
    return unpackHalf2x16(k_cache[scales + row * SCALE_WORDS + block / 2])[block % 2];
#else
    return 1.0;
#endif
}

float value_scale(uint row, uint word)
{
#ifdef KV_Q8_0
    const uint block = word / BLOCK_WORDS, scales = kv_heads * context * ROW_WORDS;
    return unpackHalf2x16(v_cache[scales + row * SCALE_WORDS + block / 2])[block % 2];
#else
    return 1.0;
#endif
}

void load_queries()
{
    const uint width = kv_heads * GROUP * HEAD_DIM;
    for (uint r = 0; r < ROWS; r++)
        for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG)
            Q(r * HEAD_DIM + i) = q[row_token(r) * width + row_head(r) * HEAD_DIM + i];
    for (uint r = gl_LocalInvocationID.x; r < ROWS; r += WG) {
        row_max[r] = NONE;
        row_sum[r] = 0.0;
    }
    for (uint r = 0; r < ROWS; r++)
        for (uint i = 0; i < WORD_LANES; i++)
            output_sum[r][i] = cache_values(0.0);
    barrier();
}

/* Adds fetch `fetch` of a key, four words, to the scores of all rows. */
void score_fetch(uint row, uint fetch, uvec4 words, inout float sums[ROWS])
{
    const float d = key_scale(row, 4 * fetch);
    const uint first = fetch * PACK;
#if defined(KV_F32)
    const vec4 key = uintBitsToFloat(words);
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        sums[r] += dot(q_tile[r * (HEAD_DIM / 4) + first], key);
#elif defined(KV_Q8_0)
    const vec4 key0 = unpack_word(words.x, d), key1 = unpack_word(words.y, d);
    const vec4 key2 = unpack_word(words.z, d), key3 = unpack_word(words.w, d);
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        const uint at = r * (HEAD_DIM / 4) + first;
        sums[r] += dot(q_tile[at], key0) + dot(q_tile[at + 1], key1) +
                   (dot(q_tile[at + 2], key2) + dot(q_tile[at + 3], key3));
    }
#else
    const vec4 key0 = vec4(unpackHalf2x16(words.x), unpackHalf2x16(words.y));
    const vec4 key1 = vec4(unpackHalf2x16(words.z), unpackHalf2x16(words.w));
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        const uint at = r * (HEAD_DIM / 4) + first;
        sums[r] += dot(q_tile[at], key0) + dot(q_tile[at + 1], key1);
    }
#endif
}

/* Rows of whole fetches: four at a time on their way, each in a variable of its own, since not
 * every compiler keeps an array in registers. */
void score_key_wide(uint row, inout float sums[ROWS])
{
    const uint base = row * ROW_FETCHES;
    uint f = 0;
    for (; f + 4 <= ROW_FETCHES; f += 4) {
        const uvec4 a = k_fetches[base + f], b = k_fetches[base + f + 1];
        const uvec4 c = k_fetches[base + f + 2], d = k_fetches[base + f + 3];
        score_fetch(row, f, a, sums);
        score_fetch(row, f + 1, b, sums);
        score_fetch(row, f + 2, c, sums);
        score_fetch(row, f + 3, d, sums);
    }
    for (; f < ROW_FETCHES; f++)
        score_fetch(row, f, k_fetches[base + f], sums);
}

/* Any row, word by word. */
void score_key_narrow(uint row, inout float sums[ROWS])
{
    float d = 1.0;
    for (uint w = 0; w < ROW_WORDS; w++) {
        if (w % BLOCK_WORDS == 0)
            d = key_scale(row, w);
        const cache_values values = unpack_word(k_cache[row * ROW_WORDS + w], d);
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            [[unroll]] for (uint c = 0; c < PACK; c++)
                if (HEAD_DIM % PACK == 0 || w * PACK + c < HEAD_DIM)
                    sums[r] += Q(r * HEAD_DIM + w * PACK + c) * values[c];
    }
}

/* Scores of keys first .. first + KEYS; keys from `end` on are masked. */
void score_block(uint first, uint end)
{
    for (uint i = gl_LocalInvocationID.x; i < KEYS; i += WG) {
        const uint key = first + i;
        const uint row = gl_WorkGroupID.y * context + min(key, end - 1);
        float sums[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            sums[r] = 0.0;
        if (ROW_WORDS % 4 == 0 && HEAD_DIM % (4 * PACK) == 0)
            score_key_wide(row, sums);
        else
            score_key_narrow(row, sums);
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            score[r * KEYS + i] = key < end ? adjusted(sums[r] * scale, key, r) : NONE;
    }
    barrier();
}

/* Replaces scores by e^(s - m'); `turn` says which half of row_max holds the old maxima. */
void soften_block(uint turn)
{
    const uint lane = gl_LocalInvocationID.x, sub = lane % ROW_LANES;
    for (uint r = lane / ROW_LANES; r < ROWS; r += WG / ROW_LANES) {
        float top = NONE;
        for (uint i = sub; i < KEYS; i += ROW_LANES)
            top = max(top, score[r * KEYS + i]);
        part_max[r * ROW_LANES + sub] = top;
    }
    barrier();
    for (uint r = lane / ROW_LANES; r < ROWS; r += WG / ROW_LANES) {
        const float old = row_max[turn * ROWS + r];
        float top = old, total = 0.0;
        for (uint i = 0; i < ROW_LANES; i++)
            top = max(top, part_max[r * ROW_LANES + i]);
        for (uint i = sub; i < KEYS; i += ROW_LANES) {
            const float s = score[r * KEYS + i];
            const float e = s > NONE ? exp(s - top) : 0.0;
            score[r * KEYS + i] = e;
            total += e;
        }
        part_sum[r * ROW_LANES + sub] = total;
        if (sub == 0) {
            row_max[(1 - turn) * ROWS + r] = top;
            row_fix[r] = exp(old - top);
        }
    }
    barrier();
}

/* Adds word `word` of V of the block's key j, times its e^(s - m'). */
void add_value(uint base, uint j, uint word, uint bits, inout cache_values sums[ROWS])
{
    const cache_values values = unpack_word(bits, value_scale(base + j, word));
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        sums[r] += score[r * KEYS + j] * values;
}

/* l' and o' of a block of `count` keys. */
void add_block(uint first, uint count)
{
    const uint base = gl_WorkGroupID.y * context + first;
    for (uint i = 0; i < WORD_LANES; i++) {
        const uint word = min(gl_LocalInvocationID.x + i * WG, ROW_WORDS - 1);
        cache_values sums[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            sums[r] = output_sum[r][i] * row_fix[r];
        uint j = 0;
        for (; j + 8 <= count; j += 8) { /* eight words on their way */
            const uint at = (base + j) * ROW_WORDS + word;
            const uint v0 = v_cache[at], v1 = v_cache[at + ROW_WORDS];
            const uint v2 = v_cache[at + 2 * ROW_WORDS], v3 = v_cache[at + 3 * ROW_WORDS];
            const uint v4 = v_cache[at + 4 * ROW_WORDS], v5 = v_cache[at + 5 * ROW_WORDS];
            const uint v6 = v_cache[at + 6 * ROW_WORDS], v7 = v_cache[at + 7 * ROW_WORDS];
            add_value(base, j, word, v0, sums);
            add_value(base, j + 1, word, v1, sums);
            add_value(base, j + 2, word, v2, sums);
            add_value(base, j + 3, word, v3, sums);
            add_value(base, j + 4, word, v4, sums);
            add_value(base, j + 5, word, v5, sums);
            add_value(base, j + 6, word, v6, sums);
            add_value(base, j + 7, word, v7, sums);
        }
        for (; j < count; j++)
            add_value(base, j, word, v_cache[(base + j) * ROW_WORDS + word], sums);
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            output_sum[r][i] = sums[r];
    }
    for (uint r = gl_LocalInvocationID.x; r < ROWS; r += WG) {
        float total = row_sum[r] * row_fix[r];
        for (uint i = 0; i < ROW_LANES; i++)
            total += part_sum[r * ROW_LANES + i];
        row_sum[r] = total;
    }
    barrier();
}

void write_partial(uint turn)
{
    for (uint r = 0; r < ROWS; r++) {
        if (!row_valid(r))
            continue;
        const uint row = row_token(r) * kv_heads * GROUP + row_head(r);
        const uint base = (row * chunk_max + gl_WorkGroupID.z) * (HEAD_DIM + 2);
        for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG)
            partials[base + i] = Q(r * HEAD_DIM + i);
        if (gl_LocalInvocationID.x == 0) {
            partials[base + HEAD_DIM] = row_max[turn * ROWS + r];
            partials[base + HEAD_DIM + 1] = row_sum[r];
        }
    }
}

void write_output()
{
    const uint width = kv_heads * GROUP * HEAD_DIM;
    for (uint r = 0; r < ROWS; r++) {
        if (!row_valid(r))
            continue;
        const uint base = row_token(r) * width + row_head(r) * HEAD_DIM;
        for (uint i = gl_LocalInvocationID.x; i < HEAD_DIM; i += WG)
            o[base + i] = Q(r * HEAD_DIM + i);
    }
}

void write_quants()
{
    const uint head_blocks = HEAD_DIM / 32;
    for (uint i = gl_LocalInvocationID.x; i < ROWS * head_blocks; i += WG) {
        const uint r = i / head_blocks, b = i % head_blocks;
        if (!row_valid(r))
            continue;
        vec4 x[8];
        [[unroll]] for (uint j = 0; j < 8; j++) {
            x[j] = q_tile[(r * HEAD_DIM + b * 32) / 4 + j];
        }
        const uint row = row_token(r) * kv_heads * GROUP + row_head(r);
        quantize_write(row * head_blocks + b, x, QUANT);
    }
}

/* Moves o (divided by l, or raw with PARTIAL) into q_tile, whose queries are used up. */
void stage_output()
{
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        const float total = row_sum[r];
        const float factor = PARTIAL != 0 ? 1.0 : total > 0.0 ? 1.0 / total : 0.0;
        for (uint i = 0; i < WORD_LANES; i++) {
            const uint word = gl_LocalInvocationID.x + i * WG;
            const cache_values values = output_sum[r][i] * factor;
            if (word >= ROW_WORDS)
                continue;
            [[unroll]] for (uint c = 0; c < PACK; c++)
                if (word * PACK + c < HEAD_DIM)
                    Q(r * HEAD_DIM + word * PACK + c) = values[c];
        }
    }
    barrier();
}

void main()
{
    if (gl_WorkGroupID.x * ROWS >= run.count * GROUP)
        return;
    uint first, end, turn = 0;
    key_range(KEYS, first, end);
    if (PARTIAL != 0 && gl_WorkGroupID.z * chunk >= end)
        return;
    load_queries();
    for (; first < end; first += KEYS) {
        score_block(first, end);
        soften_block(turn);
        add_block(first, min(KEYS, end - first));
        turn = 1 - turn;
    }
    stage_output();
    if (PARTIAL != 0) {
        write_partial(turn);
    } else {
        if (STORE != 0)
            write_output();
        if (QUANT != 0)
            write_quants();
    }
}
