/* refine.c: the damped Hessian; rows in and blocks out, REFINE_LANES of them at a time. */
#include "refine.h"
#include "refine_sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_PER_COLUMN = 20, SWEEPS_DEFAULT = 3 };

struct refine {
    uint32_t columns, sweeps;
    double unit;     /* mean of the diagonal before damping: what 1 in `hessian` stands for */
    float *hessian;  /* [columns, columns], mean of the diagonal 1, damped */
    float *diagonal; /* [columns] of it: the importance of the start point */
};

static double diagonal_mean(const float *hessian, uint32_t columns)
{
    double sum = 0;
    for (uint32_t i = 0; i < columns; i++)
        sum += (double)hessian[(size_t)i * columns + i];
    return columns ? sum / columns : 0;
}

static void prepare(struct refine *refine, const float *hessian, float damping)
{
    uint32_t columns = refine->columns;
    bool dead = !(refine->unit > 0) || !isfinite(refine->unit); /* no activation: the identity */
    double factor = dead ? 0 : 1 / refine->unit;
    for (size_t i = 0; i < (size_t)columns * columns; i++)
        refine->hessian[i] = (float)((double)hessian[i] * factor);
    for (uint32_t i = 0; i < columns; i++) {
        float *diagonal = &refine->hessian[(size_t)i * columns + i];
        *diagonal = dead ? 1 : *diagonal + damping;
        refine->diagonal[i] = *diagonal;
    }
    if (dead)
        refine->unit = 1;
}

/* Measured: docs/quality.md, 3. */
static float damping_of(const struct refine_options *options, uint32_t columns, uint64_t tokens)
{
    if (options && options->damping > 0)
        return options->damping;
    if (tokens / TOKENS_PER_COLUMN < columns)
        return 1.0f;
    return options && options->dtype == DTYPE_Q4_0 ? 0.1f : 0.3f;
}

bool refine_create(const float *hessian, uint32_t columns, uint64_t tokens,
                   const struct refine_options *options, struct refine **out, struct fault *fault)
{
    struct refine *refine = calloc(1, sizeof *refine);
    *out = refine;
    if (refine) {
        refine->hessian = malloc((size_t)columns * columns * sizeof *refine->hessian);
        refine->diagonal = malloc(columns * sizeof *refine->diagonal);
    }
    if (!refine || !refine->hessian || !refine->diagonal) {
        refine_destroy(refine);
        *out = NULL;
        return fault_set(fault, FAULT_MEMORY, "no memory for a Hessian of %u columns", columns);
    }
    refine->columns = columns;
    refine->sweeps = options && options->sweeps ? options->sweeps : SWEEPS_DEFAULT;
    refine->unit = diagonal_mean(hessian, columns);
    prepare(refine, hessian, damping_of(options, columns, tokens));
    return true;
}

void refine_destroy(struct refine *refine)
{
    if (!refine)
        return;
    free(refine->hessian);
    free(refine->diagonal);
    free(refine);
}

bool refine_supported(enum dtype dtype)
{
    return refine_type_find(dtype) != NULL;
}

/* ---- scratch: the lanes, then one row as floats and as blocks ---- */

struct scratch {
    struct refine_rows rows;
    float *row;   /* [columns] */
    void *blocks; /* of a row, any type: never longer than float */
    size_t size;
};

static void *take(char *base, size_t *size, size_t count, size_t item)
{
    void *memory = base ? base + *size : NULL;
    *size += (count * item + 63) / 64 * 64;
    return memory;
}

/* base NULL: only the size. Groups are never smaller than 16 columns, blocks than 32. */
static void scratch_lay(char *base, uint32_t columns, struct scratch *scratch)
{
    struct refine_rows *rows = &scratch->rows;
    size_t *size = &scratch->size, lane = sizeof(refine_lane);
    rows->weight = take(base, size, columns, lane);
    rows->level = take(base, size, columns, lane);
    rows->gradient = take(base, size, columns, lane);
    rows->scale = take(base, size, columns / 16 + 1, lane);
    rows->offset = take(base, size, columns / 16 + 1, lane);
    rows->d = take(base, size, columns / 32 + 1, lane);
    rows->m = take(base, size, columns / 32 + 1, lane);
    rows->change = take(base, size, REFINE_PANEL_MAX, lane);
    for (int i = 0; i < 2; i++) {
        rows->factor[i] = take(base, size, REFINE_PANEL_MAX, lane);
        rows->product[i] = take(base, size, REFINE_PANEL_MAX, lane);
    }
    scratch->row = take(base, size, columns, sizeof(float));
    scratch->blocks = take(base, size, columns, sizeof(float));
}

size_t refine_scratch_size(const struct refine *refine, uint32_t row_count)
{
    struct scratch scratch = {.size = 0};
    (void)row_count; /* they go through a few at a time */
    scratch_lay(NULL, refine->columns, &scratch);
    return scratch.size;
}

/* ---- between rows of blocks and lanes ---- */

static void lane_put(struct refine_rows *rows, uint32_t lane, uint32_t at,
                     const struct refine_block *block)
{
    const struct refine_type *type = rows->type;
    uint32_t count = type->group * type->groups;
    rows->d[at][lane] = block->d;
    rows->m[at][lane] = block->m;
    for (uint32_t i = 0; i < type->groups; i++) {
        rows->scale[at * type->groups + i][lane] = block->scale[i];
        rows->offset[at * type->groups + i][lane] = block->offset[i];
    }
    for (uint32_t i = 0; i < count; i++)
        rows->level[at * count + i][lane] = block->level[i];
}

static void lane_get(const struct refine_rows *rows, uint32_t lane, uint32_t at,
                     struct refine_block *block)
{
    const struct refine_type *type = rows->type;
    uint32_t count = type->group * type->groups;
    block->d = rows->d[at][lane];
    block->m = rows->m[at][lane];
    for (uint32_t i = 0; i < type->groups; i++) {
        block->scale[i] = rows->scale[at * type->groups + i][lane];
        block->offset[i] = rows->offset[at * type->groups + i][lane];
    }
    for (uint32_t i = 0; i < count; i++)
        block->level[i] = rows->level[at * count + i][lane];
}

static void row_start(const struct refine *refine, enum dtype dtype, const float *src,
                      struct scratch *scratch, uint32_t lane)
{
    const struct dtype_info *info = dtype_find(dtype);
    for (uint32_t i = 0; i < refine->columns; i++)
        scratch->rows.weight[i][lane] = scratch->row[i] = isfinite(src[i]) ? src[i] : 0;
    encode_row(dtype, scratch->row, refine->diagonal, refine->columns, scratch->blocks, NULL);
    for (uint32_t i = 0; i < refine->columns / info->block_weights; i++) {
        struct refine_block block;
        refine_unpack(dtype, (const char *)scratch->blocks + (size_t)i * info->block_size, &block);
        lane_put(&scratch->rows, lane, i, &block);
    }
}

static void row_end(const struct refine *refine, enum dtype dtype, const struct scratch *scratch,
                    uint32_t lane, void *dst)
{
    const struct dtype_info *info = dtype_find(dtype);
    for (uint32_t i = 0; i < refine->columns / info->block_weights; i++) {
        struct refine_block block;
        lane_get(&scratch->rows, lane, i, &block);
        refine_pack(dtype, &block, (char *)dst + (size_t)i * info->block_size);
    }
}

static void row_measure(const float *src, const float *decoded, uint32_t columns,
                        struct encode_stats *stats)
{
    for (uint32_t i = 0; i < columns; i++) {
        double x = isfinite(src[i]) ? (double)src[i] : 0, error = fabs(x - (double)decoded[i]);
        stats->nonfinite += isfinite(src[i]) ? 0 : 1;
        stats->signal += x * x;
        stats->error += error * error;
        stats->error_max = error > stats->error_max ? error : stats->error_max;
    }
}

/* sum over the first row_count lanes of E G. */
static double objective_of(const struct refine_rows *rows, uint32_t row_count)
{
    double sum = 0;
    for (uint32_t i = 0; i < rows->columns; i++) {
        refine_lane value;
        refine_value(rows, i, value);
        for (uint32_t k = 0; k < row_count; k++)
            sum += ((double)rows->weight[i][k] - (double)value[k]) * (double)rows->gradient[i][k];
    }
    return sum;
}

static void lanes_refine(const struct refine *refine, struct refine_rows *rows, uint32_t row_count,
                         double objective[2])
{
    static refine_begin *const begin[INSTRUCTION_SET_COUNT] =
        INSTRUCTION_SET_TABLE(refine_begin_rows);
    static refine_sweep *const sweep[INSTRUCTION_SET_COUNT] =
        INSTRUCTION_SET_TABLE(refine_sweep_rows);
    enum instruction_set set = instruction_set_best();
    begin[set](rows);
    if (objective)
        objective[0] += objective_of(rows, row_count) * refine->unit;
    for (uint32_t i = 0; i < refine->sweeps; i++)
        sweep[set](rows);
    if (objective)
        objective[1] += objective_of(rows, row_count) * refine->unit;
}

void refine_rows(const struct refine *refine, enum dtype dtype, const float *src,
                 uint32_t row_count, void *dst, void *memory, struct encode_stats *stats,
                 double objective[2])
{
    const struct dtype_info *info = dtype_find(dtype);
    size_t row_size = (size_t)(refine->columns / info->block_weights) * info->block_size;
    struct scratch scratch = {.size = 0};
    scratch_lay(memory, refine->columns, &scratch);
    scratch.rows.type = refine_type_find(dtype);
    scratch.rows.hessian = refine->hessian;
    scratch.rows.columns = refine->columns;
    for (uint32_t first = 0; first < row_count; first += REFINE_LANES) {
        uint32_t left = row_count - first, count = left < REFINE_LANES ? left : REFINE_LANES;
        for (uint32_t k = 0; k < REFINE_LANES; k++) /* lanes without a row repeat the last one */
            row_start(refine, dtype,
                      src + (size_t)(first + (k < count ? k : count - 1)) * refine->columns,
                      &scratch, k);
        lanes_refine(refine, &scratch.rows, count, objective);
        for (uint32_t k = 0; k < count; k++) {
            char *row = (char *)dst + (size_t)(first + k) * row_size;
            row_end(refine, dtype, &scratch, k, row);
            info->decode(row, scratch.row, refine->columns / info->block_weights);
            if (stats)
                row_measure(src + (size_t)(first + k) * refine->columns, scratch.row,
                            refine->columns, stats);
        }
    }
}
