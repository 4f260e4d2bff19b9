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

static bool kernel_get(struct gpu_device *device, const struct gpu_matmul_call *call,
                       const struct gpu_tiling *tiling, struct gpu_kernel **out,
                       struct fault *fault)
{
    const struct shader *shader = shader_get(tiling->shader);
    uint32_t epilogue = (call->bias.buffer ? MATMUL_ADD_BIAS : 0U) |
                        (call->residual.buffer ? MATMUL_ADD_RESIDUAL : 0U);
    struct gpu_kernel_request request = {
        .code = shader->code,
        .code_size = shader->size,
        .name = shader->name,
        .binding_count = MATMUL_BINDINGS,
        .push_size = sizeof(struct matmul_push),
        .spec = {tiling->spec[0], tiling->spec[1], tiling->spec[2], epilogue, tiling->slots,
                 call->matrix->cols % 4 == 0, call->matrix->interleave},
        .spec_count = 7,
        .subgroup_size = tiling->subgroup_size,
    };
    return gpu_kernel_get(device, &request, out, fault);
}

static bool bind(struct gpu_device *device, const struct gpu_matmul_call *call,
                 enum matmul_kind kind, const struct gpu_matrix_shard *shard, struct part *part,
                 struct fault *fault)
{
    struct gpu_range ranges[MATMUL_BINDINGS];
    bool packed = matmul_kind_packed(kind);
    for (uint32_t i = 0; i < MATMUL_BINDINGS; i++)
        ranges[i] = call->run; /* what a variant does not read */
    for (uint32_t p = 0; p < planes_count(call->matrix->dtype); p++)
        ranges[p] = shard->plane[p];
    ranges[MATMUL_X] = packed ? call->x_quants : call->x;
    if (packed)
        ranges[MATMUL_X_SCALES] = call->x_scales;
    ranges[MATMUL_Y] = call->y;
    if (call->bias.buffer)
        ranges[MATMUL_BIAS] = call->bias;
    if (call->residual.buffer)
        ranges[MATMUL_RESIDUAL] = call->residual;
    return gpu_bind(device, part->kernel, ranges, MATMUL_BINDINGS, &part->binding, fault);
}

/* Rows first .. first + count of W, all of this shard. */
static void describe(const struct gpu_info *info, const struct gpu_matmul_call *call,
                     const struct gpu_tiling *tiling, uint32_t first, uint32_t count,
                     uint32_t shard_first, struct part *part)
{
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
        !bind(device, call, tiling->kind, shard, part, fault))
        return false;
    describe(gpu_device_info(device), call, tiling, first, end - first, shard->row_first, part);
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

const char *gpu_matmul_name(const struct gpu_matmul *matmul)
{
    return gpu_kernel_name(matmul->parts[0].kernel);
}

uint32_t gpu_matmul_dispatches(const struct gpu_matmul *matmul)
{
    return matmul->part_count;
}

/* ---- what a caller asks before ---- */

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
