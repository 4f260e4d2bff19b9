/* gpu_matmul.c: y = W x as recorded dispatches, one a row shard. The kernels state their formula
 * and tails (shaders/matmul_*.comp); gpu_tiling.c chooses among them. */
#include "gpu_tiling.h"

#include "matmul.h"

#include <assert.h>
#include <stdlib.h>

enum { GROUP_COLUMNS = 32 };

struct part { /* one dispatch: a row shard */
    struct gpu_kernel *kernel;
    struct gpu_binding *binding;
    struct matmul_push push;
    uint32_t groups[3];
};

struct gpu_matmul {
    uint32_t part_count;
    uint32_t group_count; /* workgroups of the last part that have rows */
    struct part parts[];
};

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t divide_up(uint32_t a, uint32_t b)
{
    return a / b + (a % b != 0);
}

/* Bits of the epilogue constant. */
static uint32_t epilogue(const struct gpu_matmul_call *call)
{
    static const uint32_t quants[] = {0, MATMUL_QUANTS_16, MATMUL_QUANTS_8};
    static const uint32_t kinds[] = {0, MATMUL_GLU, MATMUL_NORM, MATMUL_HEADS};
    const struct gpu_matmul_finish *finish = &call->finish;
    uint32_t bits = (call->bias.buffer ? MATMUL_ADD_BIAS : 0U) |
                    (call->residual.buffer ? MATMUL_ADD_RESIDUAL : 0U) | kinds[finish->kind];
    if (finish->kind == FINISH_HEADS)
        return bits | (finish->cache_f32 ? MATMUL_CACHE_F32 : 0U);
    if (finish->kind == FINISH_GLU)
        bits |= finish->activation << MATMUL_ACTIVATION_SHIFT | (finish->swap ? MATMUL_SWAP : 0U);
    if (finish->kind != FINISH_STORE)
        bits |= quants[finish->quant] | (finish->floats ? MATMUL_FLOATS : 0U);
    return bits;
}

/* No more groups on their way than a lane has. */
static uint32_t depth(const struct gpu_matmul_call *call, const struct gpu_tiling *tiling,
                      const struct gpu_info *info)
{
    uint32_t lanes = tiling->subgroup_size ? tiling->subgroup_size : info->subgroup_size;
    uint32_t groups = (call->matrix->cols + 31) / 32, own = (groups + lanes - 1) / lanes;
    return tiling->depth < 2 || own < 2 ? 1 : own < tiling->depth ? own : tiling->depth;
}

static bool kernel_get(struct gpu_device *device, const struct gpu_matmul_call *call,
                       const struct gpu_tiling *tiling, struct gpu_kernel **out,
                       struct fault *fault)
{
    const struct shader *shader = shader_get(tiling->shader);
    struct gpu_kernel_request request = {
        .code = shader->code,
        .code_size = shader->size,
        .name = shader->name,
        .binding_count = shader->binding_count,
        .push_size = sizeof(struct matmul_push),
        .spec = {tiling->spec[0], tiling->spec[1], tiling->spec[2], epilogue(call), tiling->slots,
                 call->matrix->cols % 4 == 0, call->matrix->interleave,
                 depth(call, tiling, gpu_device_info(device))},
        .spec_count = 8,
        .subgroup_size = tiling->subgroup_size,
    };
    return gpu_kernel_get(device, &request, out, fault);
}

static void bind_finish(const struct gpu_matmul_finish *finish, struct gpu_range *ranges)
{
    if (finish->kind == FINISH_HEADS) {
        ranges[MATMUL_TABLE] = finish->table;
        ranges[MATMUL_KEYS] = finish->keys;
        ranges[MATMUL_VALUES] = finish->values;
        return;
    }
    if (finish->kind == FINISH_NORM) {
        ranges[MATMUL_SQUARES_OUT] = finish->squares;
        ranges[MATMUL_GAIN] = finish->gain;
    }
    if (finish->kind == FINISH_NORM && finish->floats)
        ranges[MATMUL_NORMED] = finish->normed;
    if (finish->kind != FINISH_STORE && finish->quant) {
        ranges[MATMUL_QUANTS] = finish->quants;
        ranges[MATMUL_SCALES] = finish->scales;
    }
}

/* What a variant may write by its text but does not: something that it does write, so that nobody
 * else's reads are near. */
static void bind_targets(const struct gpu_matmul_call *call, struct gpu_range *ranges)
{
    static const uint32_t targets[] = {MATMUL_Y, MATMUL_NORMED, MATMUL_QUANTS, MATMUL_SCALES,
                                       MATMUL_SQUARES_OUT};
    bool quants_only = call->finish.kind == FINISH_GLU && !call->finish.floats;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        ranges[targets[i]] = quants_only ? call->finish.quants : call->y;
}

static bool bind(struct gpu_device *device, const struct gpu_matmul_call *call,
                 const struct gpu_tiling *tiling, const struct gpu_matrix_shard *shard,
                 struct part *part, struct fault *fault)
{
    struct gpu_range ranges[MATMUL_BINDINGS];
    bool packed = matmul_kind_packed(tiling->kind);
    for (uint32_t i = 0; i < MATMUL_BINDINGS; i++)
        ranges[i] = call->run; /* what a variant does not read */
    for (uint32_t p = 0; p < planes_count(call->matrix->dtype); p++)
        ranges[p] = shard->plane[p];
    bind_targets(call, ranges);
    ranges[MATMUL_X] = packed ? call->x_quants : call->x;
    if (packed)
        ranges[MATMUL_X_SCALES] = call->x_scales;
    if (call->bias.buffer)
        ranges[MATMUL_BIAS] = call->bias;
    if (call->residual.buffer)
        ranges[MATMUL_RESIDUAL] = call->residual;
    if (call->square_count)
        ranges[MATMUL_SQUARES] = call->squares;
    bind_finish(&call->finish, ranges);
    return gpu_bind(device, part->kernel, ranges, shader_get(tiling->shader)->binding_count,
                    &part->binding, fault);
}

/* Rows first .. first + count of W, all of this shard. */
static void describe(const struct gpu_info *info, const struct gpu_matmul_call *call,
                     const struct gpu_tiling *tiling, uint32_t first, uint32_t count,
                     uint32_t shard_first, struct part *part)
{
    const struct gpu_matmul_finish *finish = &call->finish;
    uint32_t before = first - call->row_first;
    part->push = (struct matmul_push){
        .cols = call->matrix->cols,
        .groups = divide_up(call->matrix->cols, GROUP_COLUMNS),
        .rows = count,
        .plane_row = first - shard_first,
        .y_stride = call->y_stride,
        .y_first = call->y_first + before,
        .bias_first = first,
        .residual_stride = call->row_count,
        .residual_first = before,
        .outputs = call->outputs,
        .square_count = call->square_count,
        .eps = call->eps,
        .pair_span = finish->kind == FINISH_GLU                          ? count
                     : finish->kind == FINISH_HEADS && !finish->adjacent ? finish->head_dim
                                                                         : 0,
        .head_dim = finish->head_dim,
        .k_first = finish->k_first,
        .v_first = finish->v_first,
        .kv_rows = finish->kv_rows,
        .context = finish->context,
    };
    uint32_t groups = divide_up(count, tiling->rows);
    part->groups[1] = divide_up(groups, info->group_count_max[0]);
    part->groups[0] = divide_up(groups, part->groups[1]);
    part->groups[2] = divide_up(call->tokens_max, tiling->tokens);
}

static bool add_shard(struct gpu_device *device, const struct gpu_matmul_call *call,
                      const struct gpu_tiling *tiling, const struct gpu_matrix_shard *shard,
                      struct gpu_matmul *matmul, struct fault *fault)
{
    uint32_t first = shard->row_first, end = shard->row_first + shard->row_count;
    uint32_t call_end = call->row_first + call->row_count;
    if (first < call->row_first)
        first = call->row_first;
    end = min_u32(end, call_end);
    if (first >= end)
        return true;
    struct part *part = &matmul->parts[matmul->part_count];
    if (!kernel_get(device, call, tiling, &part->kernel, fault) ||
        !bind(device, call, tiling, shard, part, fault))
        return false;
    describe(gpu_device_info(device), call, tiling, first, end - first, shard->row_first, part);
    matmul->group_count = divide_up(end - first, tiling->rows);
    matmul->part_count++;
    return true;
}

bool gpu_matmul_prepare_tiling(struct gpu_device *device, const struct gpu_matmul_call *call,
                               const struct gpu_tiling *tiling, struct gpu_matmul **out,
                               struct fault *fault)
{
    const struct gpu_matrix *matrix = call->matrix;
    assert(call->tokens_max > 0 && call->row_count > 0);
    assert(call->row_first + call->row_count <= matrix->rows);
    assert(call->finish.kind == FINISH_STORE || gpu_matmul_finishes(call));
    *out = NULL;
    struct gpu_matmul *matmul =
        calloc(1, sizeof *matmul + matrix->shard_count * sizeof *matmul->parts);
    if (!matmul)
        return fault_set(fault, FAULT_MEMORY, "no memory for a matrix product");
    for (uint32_t i = 0; i < matrix->shard_count; i++)
        if (!add_shard(device, call, tiling, &matrix->shards[i], matmul, fault)) {
            gpu_matmul_release(device, matmul);
            return false;
        }
    *out = matmul;
    return true;
}

bool gpu_matmul_prepare(struct gpu_device *device, const struct gpu_matmul_call *call,
                        enum activation_format format, struct gpu_matmul **out, struct fault *fault)
{
    enum dtype dtype = call->matrix->dtype;
    if (!planes_supported(dtype, fault))
        return false;
    const struct gpu_info *info = gpu_device_info(device);
    if (!call->x_quants.buffer)
        format = ACTIVATIONS_FLOAT;
    enum matmul_kind kind = gpu_matmul_choose(info, dtype, call->tokens_max, format);
    struct gpu_tiling tiling = gpu_matmul_tile(info, dtype, call->tokens_max, kind);
    gpu_tiling_finish(info, &call->finish, &tiling);
    return gpu_matmul_prepare_tiling(device, call, &tiling, out, fault);
}

void gpu_matmul_release(struct gpu_device *device, struct gpu_matmul *matmul)
{
    if (!matmul)
        return;
    for (uint32_t i = 0; i < matmul->part_count; i++)
        gpu_unbind(device, matmul->parts[i].binding);
    free(matmul);
}

void gpu_matmul_record(const struct gpu_matmul *matmul, struct gpu_commands *commands)
{
    for (uint32_t i = 0; i < matmul->part_count; i++) {
        const struct part *part = &matmul->parts[i];
        gpu_record_dispatch(commands, part->kernel, part->binding, &part->push, part->groups[0],
                            part->groups[1], part->groups[2]);
    }
}

uint32_t gpu_matmul_groups(const struct gpu_matmul *matmul)
{
    assert(matmul->part_count == 1);
    return matmul->group_count;
}

const char *gpu_matmul_name(const struct gpu_matmul *matmul)
{
    return gpu_kernel_name(matmul->parts[0].kernel);
}

uint32_t gpu_matmul_dispatches(const struct gpu_matmul *matmul)
{
    return matmul->part_count;
}

/* ---- what a caller asks before ---- */

bool gpu_matmul_finishes(const struct gpu_matmul_call *call)
{
    const struct gpu_matrix *matrix = call->matrix;
    if (call->tokens_max != 1)
        return false;
    for (uint32_t i = 0; i < matrix->shard_count; i++)
        if (call->row_first >= matrix->shards[i].row_first &&
            call->row_first + call->row_count <=
                matrix->shards[i].row_first + matrix->shards[i].row_count)
            return true;
    return false;
}

bool gpu_matmul_can_finish(struct gpu_device *device, enum dtype dtype)
{
    return gpu_matmul_choose(gpu_device_info(device), dtype, 1, ACTIVATIONS_FLOAT) != MATMUL_GEMM;
}

bool gpu_matmul_wants_quants(struct gpu_device *device, enum dtype dtype, uint32_t tokens_max,
                             enum activation_format format)
{
    return matmul_kind_packed(
        gpu_matmul_choose(gpu_device_info(device), dtype, tokens_max, format));
}

uint64_t gpu_quants_size(uint32_t cols, enum activation_format format)
{
    uint64_t bytes = format == ACTIVATIONS_8 ? 1 : 2;
    return bytes * divide_up(cols, GROUP_COLUMNS) * GROUP_COLUMNS;
}

uint64_t gpu_scales_size(uint32_t cols)
{
    return (uint64_t)divide_up(cols, GROUP_COLUMNS) * 2 * sizeof(float);
}
