/* matmul_finish.glsl: what a workgroup does with the sums of its TILE rows when more than storing
 * them is wanted, for one token; done by its first subgroup:
 *
 *   GLU    y[i] = activation(a) * b, a = row i, b = row i + rows / 2 (the other way with SWAP)
 *   NORM   y[r] = x = sum + residual;  n[r] = x * gain[r];  squares[workgroup] = sum of x^2.
 *          Who multiplies n divides by the root of the mean square (input_factor): an RMS norm.
 *   HEADS  rows are heads of q, k and v: q and k are rotated (rope_store.comp), q goes to y, k and
 *          v into the caches
 *
 * GLU and NORM results: float32 (FLOATS), packed-dot form of blocks of 32 (quantize.glsl, the same
 * bits), or both. The includer defines TILE (a multiple of 4 with HEADS, of 32 with the packed-dot
 * form, twice that with GLU) and includes matmul.glsl before. */
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require

#define ACTIVATION_CHOICE (EPILOGUE >> MATMUL_ACTIVATION_SHIFT & 3u)
#include "activation.glsl"

const bool FUSED = (EPILOGUE & (MATMUL_GLU | MATMUL_NORM | MATMUL_HEADS)) != 0;
const bool PACKED = (EPILOGUE & (MATMUL_QUANTS_16 | MATMUL_QUANTS_8)) != 0;
const uint RESULTS = FUSED ? TILE : 1;
const uint HALF = TILE / 2;

layout(std430, binding = MATMUL_SQUARES) readonly buffer Squares
{
    float squares[]; /* of x */
};
layout(std430, binding = MATMUL_SQUARES_OUT) writeonly buffer SquaresOut
{
    float squares_out[]; /* [workgroups], of y */
};
layout(std430, binding = MATMUL_GAIN) readonly restrict buffer Gain
{
    float gain[];
};
layout(std430, binding = MATMUL_TABLE) readonly restrict buffer Table
{
    vec2 table[]; /* [position][head_dim / 2] */
};
layout(std430, binding = MATMUL_NORMED) writeonly restrict buffer Normed
{
    float normed[];
};
layout(std430, binding = MATMUL_KEYS) writeonly restrict buffer Keys
{
    uint k_cache[];
};
layout(std430, binding = MATMUL_QUANTS) writeonly restrict buffer Quants
{
    uint quants[];
};
layout(std430, binding = MATMUL_VALUES) writeonly restrict buffer Values
{
    uint v_cache[];
};
layout(std430, binding = MATMUL_SCALES) writeonly restrict buffer Scales
{
    vec2 scales[];
};

shared float results[RESULTS]; /* [TILE] */

/* The first squares of this lane, four fetches; to be called before the sums are made, so that they
 * are there when input_factor wants them. */
vec4 early_squares()
{
    if (push.square_count == 0)
        return vec4(0.0);
    const uint last = push.square_count - 1;
    const uvec4 at = gl_SubgroupInvocationID + gl_SubgroupSize * uvec4(0, 1, 2, 3);
    return vec4(squares[min(at.x, last)], squares[min(at.y, last)], squares[min(at.z, last)],
                squares[min(at.w, last)]);
}

/* The factor of all sums, by a whole subgroup. */
float input_factor(vec4 early)
{
    if (push.square_count == 0)
        return 1.0;
    const uvec4 at = gl_SubgroupInvocationID + gl_SubgroupSize * uvec4(0, 1, 2, 3);
    float part = dot(early, vec4(lessThan(at, uvec4(push.square_count))));
    for (uint i = at.w + gl_SubgroupSize; i < push.square_count; i += gl_SubgroupSize)
        part += squares[i];
    return 1.0 / sqrt(subgroupAdd(part) / float(push.cols) + push.eps);
}

/* Row of the tile's place `place`; may lie behind the last row. */
uint tile_row(uint place)
{
    const uint tile = group_index();
    if (!FUSED || push.pair_span == 0)
        return tile * TILE + place;
    const uint pair = tile * HALF + place % HALF, half_span = push.pair_span / 2;
    return pair / half_span * push.pair_span + pair % half_span + (place < HALF ? 0 : half_span);
}

bool tile_is_empty()
{
    return group_index() * TILE >= push.rows;
}

/* The sum of a row, complete up to the factor. */
void deliver(uint token, uint place, uint row, float sum)
{
    if (!FUSED)
        store(token, row, sum);
    else if ((EPILOGUE & MATMUL_ADD_BIAS) != 0)
        results[place] = sum + bias[push.bias_first + row];
    else
        results[place] = sum;
}

float square_sum = 0.0; /* of this invocation's x */

/* Residual and gain of output i of the tile, with NORM. Apart from finish_one, so that those of
 * several outputs are fetched together: y may be the residual. */
vec2 finish_input(uint i)
{
    if ((EPILOGUE & MATMUL_GLU) != 0)
        return vec2(0.0);
    const uint row = min(group_index() * TILE + i, push.rows - 1);
    return vec2(residual[push.residual_first + row], gain[row]);
}

/* Output i of the tile, stored as float32 where that is wanted. It stays in results[i], for the same
 * invocation. */
float finish_one(uint i, vec2 given)
{
    float value;
    if ((EPILOGUE & MATMUL_GLU) != 0) {
        const uint output_row = group_index() * HALF + i;
        const bool swap = (EPILOGUE & MATMUL_SWAP) != 0;
        const float first = results[i], second = results[i + HALF];
        value = activate(swap ? second : first) * (swap ? first : second);
        if ((EPILOGUE & MATMUL_FLOATS) != 0 && output_row < push.rows / 2)
            y[output_row] = value;
    } else {
        const uint row = group_index() * TILE + i;
        if (row >= push.rows)
            return 0.0;
        const float x = results[i] + given.x;
        y[push.y_first + row] = x;
        square_sum += x * x;
        value = x * given.y;
        if ((EPILOGUE & MATMUL_FLOATS) != 0)
            normed[row] = value;
    }
    results[i] = value;
    return value;
}

/* Outputs first .. first + 31 of the tile, block `block` of the row; the numbers of quantize_write
 * (quantize.glsl). An invocation does whole words, so that none waits for another. */
void finish_block(uint first, uint block)
{
    const bool wide = (EPILOGUE & MATMUL_QUANTS_16) != 0;
    float steps = 127.0, largest = 0.0;
    if (wide)
        steps = 32639.0;
    for (uint w = gl_SubgroupInvocationID; w < 8; w += gl_SubgroupSize) {
        vec2 given[4];
        [[unroll]] for (uint i = 0; i < 4; i++)
            given[i] = finish_input(first + 4 * w + i);
        [[unroll]] for (uint i = 0; i < 4; i++)
            largest = max(largest, abs(finish_one(first + 4 * w + i, given[i])));
    }
    largest = subgroupMax(largest);
    const float inverse = largest > 0.0 ? steps / largest : 0.0;
    int total = 0;
    for (uint w = gl_SubgroupInvocationID; w < 8; w += gl_SubgroupSize) {
        uint lo = 0, hi = 0;
        for (uint i = 0; i < 4; i++) {
            const int q = int(roundEven(results[first + 4 * w + i] * inverse));
            total += q;
            lo |= (uint(q) & 0xFFu) << (8 * i);
            hi |= (uint((q + 128) >> 8) & 0xFFu) << (8 * i);
        }
        quants[block * (wide ? 16 : 8) + w] = lo;
        if (wide)
            quants[block * 16 + 8 + w] = hi;
    }
    total = subgroupAdd(total);
    const float d = largest / steps;
    if (subgroupElect())
        scales[block] = vec2(d, d * float(total));
}

void finish_outputs()
{
    const bool glu = (EPILOGUE & MATMUL_GLU) != 0;
    const uint count = glu ? HALF : TILE, all = glu ? push.rows / 2 : push.rows;
    if (PACKED) {
        for (uint b = 0; b < count / 32; b++) {
            const uint block = group_index() * (count / 32) + b;
            if (block < all / 32)
                finish_block(32 * b, block);
        }
    } else {
        for (uint i = gl_SubgroupInvocationID; i < count; i += gl_SubgroupSize)
            finish_one(i, finish_input(i));
    }
    if (!glu) {
        const float sum = subgroupAdd(square_sum);
        if (subgroupElect())
            squares_out[group_index()] = sum;
    }
}

/* Two neighbours of a head, at an even row. */
void store_two(uint row, float a, float b)
{
    if (row < push.k_first || row >= push.k_first + push.kv_rows)
        if (row < push.v_first || row >= push.v_first + push.kv_rows) {
            const uint before = (row > push.k_first ? push.kv_rows : 0) +
                                (row > push.v_first ? push.kv_rows : 0);
            y[row - before] = a;
            y[row - before + 1] = b;
            return;
        }
    const bool key = row >= push.k_first && row < push.k_first + push.kv_rows;
    const uint own = row - (key ? push.k_first : push.v_first);
    const uint at = (own / push.head_dim * push.context + run.position) * push.head_dim +
                    own % push.head_dim;
    if ((EPILOGUE & MATMUL_CACHE_F32) != 0) {
        if (key) {
            k_cache[at] = floatBitsToUint(a);
            k_cache[at + 1] = floatBitsToUint(b);
        } else {
            v_cache[at] = floatBitsToUint(a);
            v_cache[at + 1] = floatBitsToUint(b);
        }
    } else if (key) {
        k_cache[at / 2] = packHalf2x16(vec2(a, b));
    } else {
        v_cache[at / 2] = packHalf2x16(vec2(a, b));
    }
}

/* Pair `pair` of a head by the run's position: (a, b) as in rope_store.comp. */
vec2 turned(uint row, uint pair, vec2 ab)
{
    if (row >= push.v_first && row < push.v_first + push.kv_rows)
        return ab;
    const vec2 turn = table[run.position * (push.head_dim / 2) + pair];
    return vec2(ab.x * turn.x - ab.y * turn.y, ab.y * turn.x + ab.x * turn.y);
}

/* Two pairs at a time, so that a word of a cache has one writer. */
void finish_heads()
{
    for (uint i = gl_SubgroupInvocationID; i < TILE / 4; i += gl_SubgroupSize) {
        const bool apart = push.pair_span != 0;
        const uint place = apart ? 2 * i : 4 * i;
        const uint row = tile_row(place), in_head = row % push.head_dim;
        if (row >= push.rows)
            break;
        if (apart) {
            const vec2 p = turned(row, in_head, vec2(results[place], results[place + HALF]));
            const vec2 r =
                turned(row, in_head + 1, vec2(results[place + 1], results[place + 1 + HALF]));
            store_two(row, p.x, r.x);
            store_two(row + push.head_dim / 2, p.y, r.y);
        } else {
            const vec2 p = turned(row, in_head / 2, vec2(results[place], results[place + 1]));
            const vec2 r =
                turned(row, in_head / 2 + 1, vec2(results[place + 2], results[place + 3]));
            store_two(row, p.x, p.y);
            store_two(row + 2, r.x, r.y);
        }
    }
}

/* Called by every invocation of the workgroup when all sums are delivered. No barrier of any scope
 * may stand behind the return: lavapipe ends a workgroup with the subgroups that returned. */
void finish()
{
    if (!FUSED)
        return;
    barrier();
    if (gl_SubgroupID != 0)
        return;
    if ((EPILOGUE & MATMUL_HEADS) == 0)
        finish_outputs();
    else
        finish_heads();
}
