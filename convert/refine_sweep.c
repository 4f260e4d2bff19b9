/* refine_sweep.c: see refine_sweep.h. Columns go in panels: inside one, G is kept at every step;
 * what the panel changed meets the other columns in one product when it is done. */
#include "refine_sweep.h"
#include "block.h"

#include <stdbool.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef float vector __attribute__((vector_size(4 * REFINE_LANES)));

#if defined(__AVX512F__)
enum { COLUMNS_AT_ONCE = 16 };
#else
enum { COLUMNS_AT_ONCE = 4 };
#endif

enum rounding { ROUND_HALF, ROUND_INTEGER };

struct panel {
    uint32_t first, width;
};

/* ---- products with H ---- */

/* out[j] = sum_i factor[i] H[row + i][column + j], j < width; or out[j] -= that. */
INLINE void product(const struct refine_rows *rows, uint32_t row, uint32_t column,
                    const refine_lane *factor, uint32_t count, uint32_t width, bool subtract,
                    refine_lane *out)
{
    for (uint32_t first = 0; first < width; first += COLUMNS_AT_ONCE) {
        vector sum[COLUMNS_AT_ONCE] = {{0}};
        const float *h = rows->hessian + (size_t)row * rows->columns + column + first;
        for (uint32_t i = 0; i < count; i++, h += rows->columns) {
            vector one;
            memcpy(&one, factor[i], sizeof one);
            for (uint32_t j = 0; j < COLUMNS_AT_ONCE; j++)
                sum[j] += one * h[j];
        }
        for (uint32_t j = 0; j < COLUMNS_AT_ONCE; j++) {
            vector before = {0};
            if (subtract)
                memcpy(&before, out[first + j], sizeof before);
            before = subtract ? before - sum[j] : sum[j];
            memcpy(out[first + j], &before, sizeof before);
        }
    }
}

void IN_SET(refine_begin_rows)(struct refine_rows *rows)
{
    enum { STEP = 32 };
    memset(rows->gradient, 0, rows->columns * sizeof *rows->gradient);
    for (uint32_t first = 0; first < rows->columns; first += STEP) {
        for (uint32_t i = 0; i < STEP; i++) {
            refine_lane value;
            refine_value(rows, first + i, value);
            for (int k = 0; k < REFINE_LANES; k++) /* minus the error: the product is subtracted */
                rows->change[i][k] = value[k] - rows->weight[first + i][k];
        }
        product(rows, first, 0, (const refine_lane *)rows->change, STEP, rows->columns, true,
                rows->gradient);
    }
}

/* ---- rounding ---- */

/* Beside 1.5 * 2^23 a float has no fraction. */
INLINE float nearest(float value)
{
    return (value + 12582912.0f) - 12582912.0f;
}

INLINE float clamp(float value, float low, float high)
{
    value = value < low ? low : value;
    return value > high ? high : value;
}

/* To the nearest binary16, never infinite: the product with 2^13 + 1 splits the 13 low bits off;
 * beside 0.75 a float has no bits below 2^-24, the step of subnormals. */
INLINE float nearest_half(float value)
{
    value = clamp(value, -65504.0f, 65504.0f);
    float split = value * 8193.0f;
    float normal = split - (split - value);
    float subnormal = (value + 0.75f) - 0.75f;
    return value < 0x1p-14f && value > -0x1p-14f ? subnormal : normal;
}

INLINE float nearest_of(enum rounding rounding, float value, float low, float high)
{
    return rounding == ROUND_HALF ? nearest_half(value) : clamp(nearest(value), low, high);
}

INLINE float nearest_level(const struct refine_type *type, float value)
{
    static const float values[16] = {BLOCK_IQ4_VALUES};
    if (type->level_low != type->level_high)
        return nearest(clamp(value, type->level_low, type->level_high));
    float level = values[0];
#pragma GCC unroll 15
    for (int i = 1; i < 16; i++)
        level = value > 0.5f * (values[i - 1] + values[i]) ? values[i] : level;
    return level;
}

/* ---- scales ---- */

struct sums { /* of the factors s and t: with G, and with each other by H */
    refine_lane gs, gt, ss, st, tt;
};

INLINE void sums_take(const struct refine_rows *rows, const struct panel *panel, uint32_t first,
                      uint32_t count, bool both, struct sums *sums)
{
    memset(sums, 0, sizeof *sums);
    for (uint32_t i = 0; i < count; i++) {
        const float *gradient = rows->gradient[first + i];
        const float *s = rows->factor[0][i], *t = rows->factor[1][i];
        const float *hs = rows->product[0][first - panel->first + i];
        const float *ht = rows->product[1][first - panel->first + i];
        for (int k = 0; k < REFINE_LANES; k++) {
            sums->gs[k] += gradient[k] * s[k];
            sums->ss[k] += hs[k] * s[k];
        }
        for (int k = 0; both && k < REFINE_LANES; k++) {
            sums->gt[k] += gradient[k] * t[k];
            sums->st[k] += hs[k] * t[k];
            sums->tt[k] += ht[k] * t[k];
        }
    }
}

INLINE float inverse_of(float value)
{
    return value > 0x1p-100f ? 1.0f / value : 0.0f;
}

/* What changes x of the scale and y of the offset take off the objective. */
INLINE float gain_of(const struct sums *sums, int k, float x, float y)
{
    return 2.0f * (x * sums->gs[k] + y * sums->gt[k]) - x * x * sums->ss[k] -
           2.0f * x * y * sums->st[k] - y * y * sums->tt[k];
}

struct limits {
    enum rounding rounding;
    float low, high; /* of the scale; integers only */
    float offset_low, offset_high;
};

/* The best scale and offset together, each alone where rounding spoils that; what does not lower
 * the objective is not done. */
INLINE void solve_lane(const struct sums *sums, int k, const struct limits *limits, bool both,
                       float *scale, float *offset, float *x, float *y)
{
    float det = sums->ss[k] * sums->tt[k] - sums->st[k] * sums->st[k];
    bool solvable = both && det > 1e-5f * sums->ss[k] * sums->tt[k];
    float inverse = solvable ? inverse_of(det) : 0.0f;
    float joint_x = (sums->gs[k] * sums->tt[k] - sums->gt[k] * sums->st[k]) * inverse;
    float joint_y = (sums->gt[k] * sums->ss[k] - sums->gs[k] * sums->st[k]) * inverse;
    float alone_x = sums->gs[k] * inverse_of(sums->ss[k]);
    float alone_y = both ? sums->gt[k] * inverse_of(sums->tt[k]) : 0.0f;
    const float low = limits->low, high = limits->high;
    const float trial_scale[3] = {
        nearest_of(limits->rounding, *scale + joint_x, low, high),
        nearest_of(limits->rounding, *scale + alone_x, low, high),
        *scale,
    };
    const float trial_offset[3] = {
        nearest_of(limits->rounding, *offset + joint_y, limits->offset_low, limits->offset_high),
        *offset,
        nearest_of(limits->rounding, *offset + alone_y, limits->offset_low, limits->offset_high),
    };
    float best = 0.0f, best_scale = *scale, best_offset = *offset;
    for (int i = 0; i < (both ? 3 : 2); i++) {
        float offset_here = both ? trial_offset[i] : *offset;
        float gain = gain_of(sums, k, trial_scale[i] - *scale, offset_here - *offset);
        bool better = gain > best;
        best = better ? gain : best;
        best_scale = better ? trial_scale[i] : best_scale;
        best_offset = better ? offset_here : best_offset;
    }
    *x = best_scale - *scale;
    *y = best_offset - *offset;
    *scale = best_scale;
    *offset = best_offset;
}

/* rows->factor holds s (and t) of `count` columns from first on; moves scale and offset. */
INLINE void pair_step(struct refine_rows *rows, const struct panel *panel, uint32_t first,
                      uint32_t count, const struct limits *limits, bool both, float *scale,
                      float *offset)
{
    struct sums sums;
    refine_lane x, y;
    for (int i = 0; i < (both ? 2 : 1); i++)
        product(rows, first, panel->first, (const refine_lane *)rows->factor[i], count,
                panel->width, false, rows->product[i]);
    sums_take(rows, panel, first, count, both, &sums);
    for (int k = 0; k < REFINE_LANES; k++)
        solve_lane(&sums, k, limits, both, &scale[k], &offset[k], &x[k], &y[k]);
    for (uint32_t j = 0; j < panel->width; j++)
        for (int k = 0; k < REFINE_LANES; k++) {
            float change = x[k] * rows->product[0][j][k];
            if (both)
                change += y[k] * rows->product[1][j][k];
            rows->gradient[panel->first + j][k] -= change;
        }
    for (uint32_t i = 0; i < count; i++)
        for (int k = 0; k < REFINE_LANES; k++) {
            float change = x[k] * rows->factor[0][i][k];
            if (both)
                change += y[k] * rows->factor[1][i][k];
            rows->change[first - panel->first + i][k] += change;
        }
}

/* d and m of a block: s = scale level, t = offset. */
INLINE void block_step(struct refine_rows *rows, const struct panel *panel, uint32_t block)
{
    const struct refine_type *type = rows->type;
    uint32_t count = type->group * type->groups, first = block * count;
    bool both = type->offset_low != 0 || type->offset_high != 0;
    const struct limits limits = {.rounding = ROUND_HALF};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t group = (first + i) / type->group;
        for (int k = 0; k < REFINE_LANES; k++) {
            rows->factor[0][i][k] = rows->scale[group][k] * rows->level[first + i][k];
            rows->factor[1][i][k] = rows->offset[group][k];
        }
    }
    pair_step(rows, panel, first, count, &limits, both, rows->d[block], rows->m[block]);
}

/* The integers of a group: s = d level, t = m. */
INLINE void group_step(struct refine_rows *rows, const struct panel *panel, uint32_t group)
{
    const struct refine_type *type = rows->type;
    uint32_t count = type->group, first = group * count, block = group / type->groups;
    bool both = type->offset_low != 0;
    const struct limits limits = {ROUND_INTEGER, type->scale_low, type->scale_high,
                                  type->offset_low, type->offset_high};
    for (uint32_t i = 0; i < count; i++)
        for (int k = 0; k < REFINE_LANES; k++) {
            rows->factor[0][i][k] = rows->d[block][k] * rows->level[first + i][k];
            rows->factor[1][i][k] = rows->m[block][k];
        }
    pair_step(rows, panel, first, count, &limits, both, rows->scale[group], rows->offset[group]);
}

/* ---- codes ---- */

INLINE void code_step(struct refine_rows *rows, const struct panel *panel, uint32_t column)
{
    uint32_t group = column / rows->type->group, block = group / rows->type->groups;
    const float *h = rows->hessian + (size_t)column * rows->columns;
    float inverse_h = 1.0f / h[column], *level = rows->level[column];
    refine_lane change;
    float moved = 0.0f;
    for (int k = 0; k < REFINE_LANES; k++) {
        float scale = rows->d[block][k] * rows->scale[group][k];
        bool flat = scale < 0x1p-100f && scale > -0x1p-100f;
        float inverse = flat ? 0.0f : 1.0f / scale;
        float wanted = level[k] + rows->gradient[column][k] * inverse_h * inverse;
        float found = nearest_level(rows->type, wanted);
        found = flat ? level[k] : found;
        change[k] = scale * (found - level[k]);
        level[k] = found;
        moved = change[k] != 0.0f ? 1.0f : moved;
    }
    if (moved == 0.0f)
        return;
    for (uint32_t j = 0; j < panel->width; j++)
        for (int k = 0; k < REFINE_LANES; k++)
            rows->gradient[panel->first + j][k] -= change[k] * h[panel->first + j];
    for (int k = 0; k < REFINE_LANES; k++)
        rows->change[column - panel->first][k] += change[k];
}

void IN_SET(refine_sweep_rows)(struct refine_rows *rows)
{
    const struct refine_type *type = rows->type;
    uint32_t count = type->group * type->groups;
    uint32_t width = count < REFINE_PANEL_MAX / 2 ? REFINE_PANEL_MAX / 2 : REFINE_PANEL_MAX;
    for (uint32_t first = 0; first < rows->columns; first += width) {
        uint32_t left = rows->columns - first;
        const struct panel panel = {first, left < width ? left : width};
        uint32_t end = panel.first + panel.width;
        memset(rows->change, 0, panel.width * sizeof *rows->change);
        for (uint32_t column = first; column < end; column += count) {
            block_step(rows, &panel, column / count);
            for (uint32_t i = 0; type->groups > 1 && i < type->groups; i++)
                group_step(rows, &panel, column / type->group + i);
            for (uint32_t i = 0; i < count; i++)
                code_step(rows, &panel, column + i);
        }
        const refine_lane *change = (const refine_lane *)rows->change;
        product(rows, first, 0, change, panel.width, first, true, rows->gradient);
        product(rows, first, end, change, panel.width, rows->columns - end, true,
                rows->gradient + end);
    }
}
