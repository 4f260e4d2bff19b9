#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_vote : require
#extension GL_KHR_shader_subgroup_arithmetic : require
/* attention.comp (formula, caches, chunks, dispatch) for devices whose workgroup is one subgroup of
 * few lanes, that is for software: a fetch of a buffer costs as much as twenty multiply-adds there,
 * shared memory as well, and a loop's step a little more; a broadcast from a register is free.
 *
 * A block is WG keys. Scores: a lane a key, K fetched 8 numbers at a time, q broadcast. Output: a
 * lane 8 numbers of the head, e^(s-m) broadcast. m is raised only when a score exceeds it by more
 * than 8 (nothing overflows: e^8 is small), so the reference m may lie below the maximum.
 * WG is the subgroup size. HEAD_DIM is a multiple of 8 and of WG; f16 or 8-bit caches; float32
 * output. */
#include "common.glsl"

layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const uint HEAD_DIM = 64;
layout(constant_id = 3) const uint GROUP = 1;
layout(constant_id = 4) const uint PARTIAL = 0;

layout(binding = 1, std430) readonly buffer Query
{
    float q[];
};
#ifdef KV_Q8_0
#define unit_words uvec2 /* eight numbers of a cached head */
#else
#define unit_words uvec4
#endif
layout(binding = 2, std430) readonly buffer KeyCache
{
    unit_words k_cache[];
};
layout(binding = 3, std430) readonly buffer ValueCache
{
    unit_words v_cache[];
};
#ifdef KV_Q8_0
layout(binding = 2, std430) readonly buffer KeyScales
{
    uint k_scales[]; /* the same memory */
};
layout(binding = 3, std430) readonly buffer ValueScales
{
    uint v_scales[];
};
#endif
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

const uint UNITS = HEAD_DIM / 8;               /* of a cached head */
const uint UNIT_LANES = (UNITS + WG - 1) / WG; /* units of a lane */
const uint SUMS = UNIT_LANES * 8;              /* output numbers of a lane and row */
const uint QUERIES = HEAD_DIM / WG;
const float RISE = 8.0;

float query[ROWS * QUERIES]; /* lane l of word i: element i * WG + l */
float reference[ROWS];       /* m */
float weight_sum[ROWS];      /* l, of this lane's keys */
float sums[ROWS * SUMS];     /* o */

void load_rows()
{
    const uint width = kv_heads * GROUP * HEAD_DIM;
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        const uint base = row_token(r) * width + row_head(r) * HEAD_DIM;
        [[unroll]] for (uint i = 0; i < QUERIES; i++)
            query[r * QUERIES + i] = q[base + i * WG + gl_SubgroupInvocationID] * scale;
        reference[r] = NONE;
        weight_sum[r] = 0.0;
        [[unroll]] for (uint i = 0; i < SUMS; i++)
            sums[r * SUMS + i] = 0.0;
    }
}

/* d of the block of a unit. */
float key_scale(uint row, uint unit)
{
#ifdef KV_Q8_0
    const uint scales = kv_heads * context * ROW_WORDS;
    return unpackHalf2x16(k_scales[scales + row * SCALE_WORDS + unit / 8])[unit / 4 % 2];
#else
    return 1.0;
#endif
}

float value_scale(uint row, uint unit)
{
#ifdef KV_Q8_0
    const uint scales = kv_heads * context * ROW_WORDS;
    return unpackHalf2x16(v_scales[scales + row * SCALE_WORDS + unit / 8])[unit / 4 % 2];
#else
    return 1.0;
#endif
}

/* score[r] = q_r K^T of this lane's key. */
void score_keys(uint first, uint end, out float score[ROWS])
{
    const uint key = min(first + gl_SubgroupInvocationID, end - 1);
    const uint row = gl_WorkGroupID.y * context + key;
    float d = 1.0;
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        score[r] = 0.0;
    [[unroll]] for (uint u = 0; u < UNITS; u++) {
        const unit_words words = k_cache[row * UNITS + u];
        if (u % 4 == 0)
            d = key_scale(row, u);
        [[unroll]] for (uint j = 0; j < 8 / PACK; j++) {
            const cache_values values = unpack_word(words[j], d);
            [[unroll]] for (uint c = 0; c < PACK; c++) {
                const uint at = u * 8 + j * PACK + c;
                [[unroll]] for (uint r = 0; r < ROWS; r++)
                    score[r] +=
                        subgroupBroadcast(query[r * QUERIES + at / WG], at % WG) * values[c];
            }
        }
    }
}

/* Raises m of the rows whose scores left it behind. */
void raise(float score[ROWS])
{
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        const float top = subgroupMax(score[r]);
        const bool rises = top > reference[r] + RISE;
        const float factor = rises ? exp(reference[r] - top) : 1.0;
        reference[r] = rises ? top : reference[r];
        weight_sum[r] *= factor;
        [[unroll]] for (uint i = 0; i < SUMS; i++)
            sums[r * SUMS + i] *= factor;
    }
}

/* Scores to weights e^(s-m). */
void soften(uint key, uint end, inout float score[ROWS])
{
    bool behind = false;
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        score[r] = key < end ? adjusted(score[r], key, r) : NONE;
        behind = behind || score[r] > reference[r] + RISE;
    }
    if (subgroupAny(behind))
        raise(score);
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        score[r] = score[r] > NONE ? exp(score[r] - reference[r]) : 0.0;
        weight_sum[r] += score[r];
    }
}

void add_values(uint first, uint end, float weight[ROWS])
{
    [[unroll]] for (uint j = 0; j < WG; j++) {
        const uint row = gl_WorkGroupID.y * context + min(first + j, end - 1);
        [[unroll]] for (uint i = 0; i < UNIT_LANES; i++) {
            const uint unit = min(gl_SubgroupInvocationID + i * WG, UNITS - 1);
            const unit_words words = v_cache[row * UNITS + unit];
            const float d = value_scale(row, unit);
            [[unroll]] for (uint n = 0; n < 8 / PACK; n++) {
                const cache_values values = unpack_word(words[n], d);
                [[unroll]] for (uint r = 0; r < ROWS; r++) {
                    const float w = subgroupBroadcast(weight[r], j);
                    [[unroll]] for (uint c = 0; c < PACK; c++)
                        sums[r * SUMS + i * 8 + n * PACK + c] += w * values[c];
                }
            }
        }
    }
}

/* The lane's numbers of row r, times factor. */
void write_sums(uint r, float factor, uint base, bool partial)
{
    [[unroll]] for (uint i = 0; i < UNIT_LANES; i++) {
        const uint unit = gl_SubgroupInvocationID + i * WG;
        if (unit < UNITS)
            [[unroll]] for (uint n = 0; n < 8; n++) {
                if (partial)
                    partials[base + unit * 8 + n] = sums[r * SUMS + i * 8 + n] * factor;
                else
                    o[base + unit * 8 + n] = sums[r * SUMS + i * 8 + n] * factor;
            }
    }
}

void write_row(uint r)
{
    const float total = subgroupAdd(weight_sum[r]);
    const uint row = row_token(r) * kv_heads * GROUP + row_head(r);
    if (!row_valid(r))
        return;
    if (PARTIAL == 0) {
        write_sums(r, total > 0.0 ? 1.0 / total : 0.0, row * HEAD_DIM, false);
        return;
    }
    const uint base = (row * chunk_max + gl_WorkGroupID.z) * (HEAD_DIM + 2);
    write_sums(r, 1.0, base, true);
    if (gl_SubgroupInvocationID == 0) {
        partials[base + HEAD_DIM] = reference[r];
        partials[base + HEAD_DIM + 1] = total;
    }
}

void main()
{
    if (gl_WorkGroupID.x * ROWS >= run.count * GROUP)
        return;
    uint first, end;
    key_range(WG, first, end);
    if (PARTIAL != 0 && gl_WorkGroupID.z * chunk >= end)
        return;
    load_rows();
    for (; first < end; first += WG) {
        float score[ROWS];
        score_keys(first, end, score);
        soften(first + gl_SubgroupInvocationID, end, score);
        add_values(first, end, score);
    }
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        write_row(r);
}
