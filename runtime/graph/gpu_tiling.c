/* gpu_tiling.c: the choice of kernel and tile.
 *
 *   packed dots wanted and there, up to 8 tokens   matmul_gemv with packed dots; matmul_lane with
 *                                                  their numbers on a software device without such
 *                                                  an instruction
 *   accelerated ones wanted, up to 32 tokens       matmul_gemv again, 8 tokens a workgroup
 *   else a software device                         matmul_lane
 *   else up to 8 tokens                            matmul_gemv
 *   more, or no subgroup operations                matmul_gemm */
#include "gpu_tiling.h"

#include <assert.h>

enum {
    GEMV_TOKENS_MAX = 8, /* of a workgroup */
    GEMV_PASSES_MAX = 4, /* that many times W is read before matmul_gemm is worth it */
    LANE_TOKENS_MAX = 4
};

struct variant {
    enum dtype dtype;
    enum shader_id shader[MATMUL_KIND_COUNT]; /* SHADER_COUNT: none */
};

#define BLOCKS(TYPE)                                                                               \
    {                                                                                              \
        DTYPE_##TYPE,                                                                              \
        {                                                                                          \
            SHADER_MATMUL_GEMV_##TYPE, SHADER_MATMUL_GEMV_A16_##TYPE,                              \
                SHADER_MATMUL_GEMV_A8_##TYPE, SHADER_MATMUL_LANE_##TYPE,                           \
                SHADER_MATMUL_LANE_A16_##TYPE, SHADER_MATMUL_LANE_A8_##TYPE,                       \
                SHADER_MATMUL_GEMM_##TYPE                                                          \
        }                                                                                          \
    }
#define PLAIN(TYPE)                                                                                \
    {                                                                                              \
        DTYPE_##TYPE,                                                                              \
        {                                                                                          \
            SHADER_MATMUL_GEMV_##TYPE, SHADER_COUNT, SHADER_COUNT, SHADER_MATMUL_LANE_##TYPE,      \
                SHADER_COUNT, SHADER_COUNT, SHADER_MATMUL_GEMM_##TYPE                              \
        }                                                                                          \
    }

static const struct variant variants[] = {
    PLAIN(F32),   PLAIN(F16),     PLAIN(BF16),    BLOCKS(Q4_0), BLOCKS(Q4_1),
    BLOCKS(Q5_0), BLOCKS(Q5_1),   BLOCKS(Q8_0),   BLOCKS(Q4_K), BLOCKS(Q5_K),
    BLOCKS(Q6_K), BLOCKS(IQ4_NL), BLOCKS(IQ4_XS),
};

static const struct variant *variant_find(enum dtype dtype)
{
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (variants[i].dtype == dtype)
            return &variants[i];
    return NULL;
}

enum matmul_kind gpu_matmul_choose(const struct gpu_info *info, enum dtype dtype,
                                   uint32_t tokens_max, enum activation_format format)
{
    const struct variant *variant = variant_find(dtype);
    assert(variant);
    if (!info->subgroup_arithmetic)
        return MATMUL_GEMM;
    bool packed = format != ACTIVATIONS_FLOAT && info->packed_dot &&
                  variant->shader[MATMUL_GEMV_16] != SHADER_COUNT;
    bool lanes = info->type == GPU_SOFTWARE;
    if (packed && tokens_max <= GEMV_TOKENS_MAX && lanes && !info->packed_dot_accelerated)
        return format == ACTIVATIONS_8 ? MATMUL_LANE_8 : MATMUL_LANE_16;
    uint32_t passes = info->packed_dot_accelerated ? GEMV_PASSES_MAX : 1;
    if (packed && tokens_max <= passes * GEMV_TOKENS_MAX)
        return format == ACTIVATIONS_8 ? MATMUL_GEMV_8 : MATMUL_GEMV_16;
    if (lanes)
        return MATMUL_LANE;
    return tokens_max <= GEMV_TOKENS_MAX ? MATMUL_GEMV : MATMUL_GEMM;
}

/* Where a lane owns rows, rows side by side are what memory reads ahead; matmul_gemv's subgroup
 * reads along a row. */
uint32_t gpu_matmul_interleave(const struct gpu_info *info)
{
    return info->type == GPU_SOFTWARE ? 8 : 1;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The widest subgroup, but not Intel's 32: two registers a value there. */
static uint32_t preferred_subgroup(const struct gpu_info *info)
{
    const uint32_t intel = 0x8086;
    if (!info->subgroup_size_control)
        return info->subgroup_size;
    if (info->vendor_id == intel && info->subgroup_min <= 16)
        return min_u32(info->subgroup_max, 16);
    return info->subgroup_max;
}

/* 2 rows a subgroup: 4 save few instructions more and halve the number of workgroups. */
static void tile_gemv(const struct gpu_info *info, uint32_t tokens_max, struct gpu_tiling *tiling)
{
    uint32_t subgroup = preferred_subgroup(info);
    uint32_t local = subgroup < 64 && info->invocations_max >= 64 ? 64 : subgroup;
    uint32_t slots = local / subgroup;
    tiling->rows = 2 * slots;
    tiling->tokens = min_u32(tokens_max, GEMV_TOKENS_MAX);
    tiling->spec[0] = local;
    tiling->spec[1] = 2;
    tiling->spec[2] = tiling->tokens;
    tiling->slots = slots;
    tiling->depth = tokens_max == 1 ? 2 : 1;
    tiling->subgroup_size = info->subgroup_size_control ? subgroup : 0;
}

/* Measured on lavapipe (Mesa 25.0.7, docs/kernels.md): the loop must stay in the first-level
 * instruction cache, and a fetch of a plane is long there. */
static void tile_lane(const struct gpu_info *info, enum dtype dtype, uint32_t tokens_max,
                      struct gpu_tiling *tiling)
{
    bool blocks = planes_count(dtype) > 1;
    uint32_t rows = blocks && tokens_max > 1 ? 3 : 2;
    tiling->rows = info->subgroup_size * rows;
    tiling->tokens = min_u32(tokens_max, LANE_TOKENS_MAX);
    tiling->spec[0] = info->subgroup_size;
    tiling->spec[1] = rows;
    tiling->spec[2] = tiling->tokens;
    tiling->subgroup_size = info->subgroup_size_control ? info->subgroup_size : 0;
}

/* 64 rows; as many tokens as are there, so that 9 do not cost as 64. 4 x 4 results a thread. */
static void tile_gemm(const struct gpu_info *info, uint32_t tokens_max, struct gpu_tiling *tiling)
{
    uint32_t limit = info->invocations_max >= 256 ? 64 : 32;
    tiling->rows = 64;
    tiling->tokens = min_u32(tokens_max <= 16 ? 16 : tokens_max <= 32 ? 32 : 64, limit);
    tiling->spec[0] = tiling->rows / 4 * (tiling->tokens / 4);
    tiling->spec[1] = tiling->rows;
    tiling->spec[2] = tiling->tokens;
}

struct gpu_tiling gpu_matmul_tile(const struct gpu_info *info, enum dtype dtype,
                                  uint32_t tokens_max, enum matmul_kind kind)
{
    struct gpu_tiling tiling = {
        .kind = kind, .shader = variant_find(dtype)->shader[kind], .slots = 1};
    assert(tiling.shader != SHADER_COUNT);
    if (kind == MATMUL_GEMM)
        tile_gemm(info, tokens_max, &tiling);
    else if (kind == MATMUL_LANE || kind == MATMUL_LANE_16 || kind == MATMUL_LANE_8)
        tile_lane(info, dtype, tokens_max, &tiling);
    else
        tile_gemv(info, tokens_max, &tiling);
    return tiling;
}

/* Rows that a workgroup should have a multiple of: a block of 32 outputs where they are quantized,
 * two turning pairs of a cache word; and not too many parts of a sum of squares. */
static uint32_t finish_unit(const struct gpu_matmul_finish *finish, bool lane)
{
    switch (finish->kind) {
    case FINISH_GLU:
        return finish->quant ? 64 : 2;
    case FINISH_NORM:
        return finish->quant || !lane ? 32 : 1;
    case FINISH_HEADS:
        return 4;
    default:
        return 1;
    }
}

/* Invocations of a workgroup that finishes many rows, measured on an H200 (docs/kernels.md): the
 * norm's are few workgroups, 256 would leave the device half empty. */
static void widen_gemv(const struct gpu_info *info, uint32_t local, struct gpu_tiling *tiling)
{
    uint32_t subgroup = tiling->subgroup_size ? tiling->subgroup_size : info->subgroup_size;
    uint32_t most = min_u32(info->invocations_max, local) / subgroup;
    tiling->spec[0] = subgroup * min_u32(tiling->slots, most > 1 ? most : 1);
}

void gpu_tiling_finish(const struct gpu_info *info, const struct gpu_matmul_finish *finish,
                       struct gpu_tiling *tiling)
{
    if (finish->kind == FINISH_GLU || finish->kind == FINISH_HEADS)
        tiling->depth = 1; /* many workgroups: the device is full without */
    bool lane = tiling->kind == MATMUL_LANE || tiling->kind == MATMUL_LANE_16 ||
                tiling->kind == MATMUL_LANE_8;
    uint32_t unit = finish_unit(finish, lane), set = tiling->rows / tiling->slots;
    if (tiling->rows % unit == 0)
        return;
    tiling->rows = unit > tiling->rows ? unit : tiling->rows * unit;
    tiling->slots = tiling->rows / set;
    if (lane)
        return;
    widen_gemv(info, finish->kind == FINISH_NORM ? 512 : 256, tiling);
}
