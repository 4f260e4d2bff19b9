/* matmul_fixture.c: see matmul_fixture.h. */
#include "matmul_fixture.h"

#include "half.h"
#include "run.h"

#include <math.h>
#include <stdlib.h>

const enum dtype fixture_types[FIXTURE_TYPE_COUNT] = {
    DTYPE_F32,  DTYPE_F16,    DTYPE_BF16, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0,   DTYPE_Q5_1,
    DTYPE_Q8_0, DTYPE_IQ4_NL, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_IQ4_XS,
};

enum { GUARD_BITS = 0x7F800123 }; /* a NaN no kernel writes */

static void put_half(uint8_t *dst, bool tiny, uint64_t *seed)
{
    float scale = tiny && test_random(seed) % 2 ? 2e-5F : 0.05F;
    uint16_t bits = half_from_float(test_uniform(seed) * scale);
    memcpy(dst, &bits, sizeof bits);
}

static void put_plain(enum dtype dtype, uint8_t *dst, uint64_t *seed)
{
    float value = test_uniform(seed);
    uint16_t half = dtype == DTYPE_F16 ? half_from_float(value) : bfloat_from_float(value);
    if (dtype == DTYPE_F32)
        memcpy(dst, &value, sizeof value);
    else
        memcpy(dst, &half, sizeof half);
}

void fixture_blocks(enum dtype dtype, uint8_t *blocks, size_t count, bool tiny, uint64_t *seed)
{
    const struct dtype_info *info = dtype_find((uint32_t)dtype);
    for (size_t i = 0; i < count; i++, blocks += info->block_size) {
        for (uint32_t j = 0; j < info->block_size; j++)
            blocks[j] = (uint8_t)(test_random(seed) >> 40);
        if (info->block_weights == 1)
            put_plain(dtype, blocks, seed);
        else
            put_half(dtype == DTYPE_Q6_K ? blocks + 208 : blocks, tiny, seed);
        if (dtype == DTYPE_Q4_1 || dtype == DTYPE_Q5_1 || dtype == DTYPE_Q4_K ||
            dtype == DTYPE_Q5_K)
            put_half(blocks + 2, tiny, seed);
    }
}

struct gpu_buffer *fixture_buffer(struct gpu_device *device, const void *bytes, uint64_t size)
{
    struct fault fault = {0};
    struct gpu_buffer *buffer = NULL;
    assert_ok(gpu_buffer_create(device, size, GPU_MEMORY_DEVICE, "test", &buffer, &fault), fault);
    assert_ok(gpu_upload(device, buffer, 0, bytes, size, &fault), fault);
    assert_ok(gpu_upload_finish(device, &fault), fault);
    return buffer;
}

/* ---- one case in memory ---- */

struct work {
    const struct matmul_case *matmul;
    uint64_t seed;
    uint8_t *blocks; /* W as in a file */
    size_t row_size;
    float *x;        /* [tokens_max * cols], what the kernel sees, dequantized */
    float *bias;     /* [rows] */
    float *residual; /* [tokens_max * row_count] */
    float *y;        /* [tokens_max * stride] */
    uint32_t stride, y_first;
    struct gpu_matrix matrix;
    struct gpu_matmul_call call;
    struct gpu_buffer *buffers[PLANE_MAX * GPU_SHARD_MAX + 8];
    uint32_t buffer_count;
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    assert_non_null(memory);
    return memory;
}

static float *random_floats(size_t count, uint64_t *seed)
{
    float *values = allocate(count, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = test_uniform(seed) * (i % 37 == 0 ? 20.0F : 1.0F);
    return values;
}

static struct gpu_range upload(struct gpu_device *device, struct work *work, const void *bytes,
                               uint64_t size)
{
    struct gpu_buffer *buffer = fixture_buffer(device, bytes, size);
    work->buffers[work->buffer_count++] = buffer;
    return (struct gpu_range){buffer, 0, size};
}

static void make_shard(struct gpu_device *device, struct work *work, uint32_t first,
                       struct gpu_matrix_shard *shard)
{
    const struct matmul_case *matmul = work->matmul;
    uint32_t left = matmul->rows - first;
    void *planes[PLANE_MAX] = {NULL, NULL, NULL};
    shard->row_first = first;
    shard->row_count = left < matmul->shard_rows ? left : matmul->shard_rows;
    uint64_t rows = shard->row_count;
    for (uint32_t p = 0; p < planes_count(matmul->dtype); p++)
        planes[p] = allocate(
            1, (size_t)planes_size(matmul->dtype, work->matrix.interleave, matmul->cols, rows, p));
    planes_pack(matmul->dtype, work->matrix.interleave, work->blocks + first * work->row_size,
                matmul->cols, rows, planes);
    for (uint32_t p = 0; p < planes_count(matmul->dtype); p++) {
        shard->plane[p] =
            upload(device, work, planes[p],
                   planes_size(matmul->dtype, work->matrix.interleave, matmul->cols, rows, p));
        free(planes[p]);
    }
}

static void make_weights(struct gpu_device *device, struct work *work)
{
    const struct matmul_case *matmul = work->matmul;
    const struct dtype_info *info = dtype_find((uint32_t)matmul->dtype);
    size_t blocks = matmul->cols / info->block_weights;
    work->row_size = blocks * info->block_size;
    work->blocks = allocate(matmul->rows, work->row_size);
    fixture_blocks(matmul->dtype, work->blocks, blocks * matmul->rows, false, &work->seed);
    uint32_t count = (matmul->rows + matmul->shard_rows - 1) / matmul->shard_rows;
    work->matrix = (struct gpu_matrix){
        .dtype = matmul->dtype,
        .rows = matmul->rows,
        .cols = matmul->cols,
        .interleave = matmul->interleave ? matmul->interleave
                                         : gpu_matmul_interleave(gpu_device_info(device)),
        .shard_count = count,
        .shards = allocate(count, sizeof *work->matrix.shards),
    };
    for (uint32_t i = 0; i < count; i++)
        make_shard(device, work, i * matmul->shard_rows, &work->matrix.shards[i]);
}

/* x of one group to integers and back (the layout of gpu_matmul.h), so that the kernel alone is
 * judged. */
static void quantize_group(float *x, bool wide, int8_t *quants, float scale[2])
{
    float largest = 0, steps = wide ? 32639.0F : 127.0F;
    int sum = 0;
    for (int i = 0; i < 32; i++)
        largest = fmaxf(largest, fabsf(x[i]));
    scale[0] = largest / steps;
    for (int i = 0; i < 32; i++) {
        int q = largest > 0 ? (int)lrintf(x[i] / scale[0]) : 0;
        int hi = wide ? (q + 128) >> 8 : 0;
        quants[i] = (int8_t)(q - 256 * hi);
        if (wide)
            quants[32 + i] = (int8_t)hi;
        sum += q;
        x[i] = scale[0] * (float)q;
    }
    scale[1] = scale[0] * (float)sum;
}

static void make_quants(struct gpu_device *device, struct work *work, bool wide)
{
    const struct matmul_case *matmul = work->matmul;
    size_t groups = matmul->cols / 32 * matmul->tokens_max, size = wide ? 64 : 32;
    int8_t *quants = allocate(groups, size);
    float(*scales)[2] = allocate(groups, sizeof *scales);
    for (size_t i = 0; i < groups; i++)
        quantize_group(work->x + 32 * i, wide, quants + size * i, scales[i]);
    enum activation_format format = wide ? ACTIVATIONS_16 : ACTIVATIONS_8;
    assert_int_equal(groups * size, gpu_quants_size(matmul->cols, format) * matmul->tokens_max);
    work->call.x_quants = upload(device, work, quants, groups * size);
    work->call.x_scales = upload(device, work, scales, groups * sizeof *scales);
    free(quants);
    free(scales);
}

static void make_call(struct gpu_device *device, struct work *work, enum matmul_kind kind)
{
    const struct matmul_case *matmul = work->matmul;
    struct gpu_matmul_call *call = &work->call;
    uint32_t tokens = matmul->tokens_max;
    size_t results = (size_t)tokens * matmul->row_count;
    work->x = random_floats((size_t)tokens * matmul->cols, &work->seed);
    for (size_t i = 0; matmul->one_group && i < (size_t)tokens * matmul->cols; i++)
        if (i % matmul->cols / 32 != i / matmul->cols)
            work->x[i] = 0;
    work->bias = random_floats(matmul->rows, &work->seed);
    work->residual = random_floats(results, &work->seed);
    work->stride = matmul->in_place ? matmul->row_count : matmul->row_count + 5;
    work->y_first = matmul->in_place ? 0 : 2;
    size_t y_count = (size_t)tokens * work->stride;
    work->y = allocate(y_count, sizeof *work->y);
    uint32_t guard = GUARD_BITS;
    for (size_t i = 0; i < y_count; i++)
        memcpy(&work->y[i], matmul->in_place ? (void *)&work->residual[i] : (void *)&guard, 4);
    if (matmul_kind_packed(kind))
        make_quants(device, work, kind == MATMUL_GEMV_16 || kind == MATMUL_LANE_16);
    struct run_params run = {.count = matmul->outputs ? tokens : matmul->tokens,
                             .outputs = matmul->outputs ? matmul->tokens : 0};
    call->matrix = &work->matrix;
    call->row_first = matmul->row_first;
    call->row_count = matmul->row_count;
    call->tokens_max = tokens;
    call->x = upload(device, work, work->x, (uint64_t)tokens * matmul->cols * sizeof *work->x);
    call->y = upload(device, work, work->y, y_count * sizeof *work->y);
    call->y_stride = work->stride;
    call->y_first = work->y_first;
    if (matmul->bias)
        call->bias = upload(device, work, work->bias, matmul->rows * sizeof *work->bias);
    if (matmul->residual)
        call->residual = matmul->in_place
                             ? call->y
                             : upload(device, work, work->residual, results * sizeof(float));
    call->run = upload(device, work, &run, sizeof run);
    call->outputs = matmul->outputs;
}

static void execute(struct gpu_device *device, struct work *work, const struct gpu_tiling *tiling)
{
    struct fault fault = {0};
    struct gpu_matmul *prepared = NULL;
    struct gpu_commands *commands = NULL;
    assert_ok(gpu_matmul_prepare_tiling(device, &work->call, tiling, &prepared, &fault), fault);
    assert_ok(gpu_commands_create(device, &commands, &fault), fault);
    assert_ok(gpu_record_begin(commands, &fault), fault);
    gpu_matmul_record(prepared, commands);
    gpu_record_host_barrier(commands);
    assert_ok(gpu_record_end(commands, &fault), fault);
    assert_ok(gpu_submit(device, commands, &fault), fault);
    assert_ok(gpu_wait(device, &fault), fault);
    size_t size = (size_t)work->matmul->tokens_max * work->stride * sizeof *work->y;
    assert_ok(gpu_download(device, work->call.y.buffer, 0, work->y, size, &fault), fault);
    gpu_commands_destroy(device, commands);
    gpu_matmul_release(device, prepared);
}

/* ---- the verdict ---- */

static double reference(const struct work *work, const float *weights, uint32_t token, uint32_t row,
                        double *size)
{
    const struct matmul_case *matmul = work->matmul;
    double sum = 0;
    *size = 0;
    for (uint32_t c = 0; c < matmul->cols; c++) {
        double product = (double)weights[c] * (double)work->x[(size_t)token * matmul->cols + c];
        sum += product;
        *size += fabs(product);
    }
    if (matmul->bias) {
        sum += (double)work->bias[matmul->row_first + row];
        *size += fabs((double)work->bias[matmul->row_first + row]);
    }
    if (matmul->residual) {
        double residual = (double)work->residual[(size_t)token * matmul->row_count + row];
        sum += residual;
        *size += fabs(residual);
    }
    return sum;
}

static void check_row(const struct work *work, const float *weights, uint32_t row, double bound)
{
    const struct matmul_case *matmul = work->matmul;
    for (uint32_t t = 0; t < matmul->tokens; t++) {
        double size, expected = reference(work, weights, t, row, &size);
        double found = (double)work->y[(size_t)t * work->stride + work->y_first + row];
        if (!(fabs(found - expected) <= bound * size))
            fail_msg("%s %ux%u, tokens %u of %u, kind %s: row %u token %u is %g, expected %g, "
                     "error / sum|wx| %.2e",
                     dtype_find((uint32_t)matmul->dtype)->name, matmul->rows, matmul->cols,
                     matmul->tokens, matmul->tokens_max,
                     work->call.x_quants.buffer ? "packed" : "float", row, t, found, expected,
                     fabs(found - expected) / size);
    }
}

static void check_untouched(const struct work *work)
{
    const struct matmul_case *matmul = work->matmul;
    for (uint32_t t = 0; t < matmul->tokens_max && !matmul->in_place; t++)
        for (uint32_t i = 0; i < work->stride; i++) {
            uint32_t bits, row = i - work->y_first;
            memcpy(&bits, &work->y[(size_t)t * work->stride + i], sizeof bits);
            if (t >= matmul->tokens || i < work->y_first || row >= matmul->row_count)
                assert_int_equal(bits, GUARD_BITS);
        }
}

static struct work *work_run(struct gpu_device *device, const struct gpu_info *info,
                             const struct matmul_case *matmul, enum matmul_kind kind)
{
    struct work *work = allocate(1, sizeof *work);
    work->matmul = matmul;
    work->seed = 1 + matmul->rows * 31 + matmul->cols * 7 + matmul->tokens;
    make_weights(device, work);
    make_call(device, work, kind);
    struct gpu_tiling tiling = gpu_matmul_tile(info, matmul->dtype, matmul->tokens_max, kind);
    execute(device, work, &tiling);
    return work;
}

static void work_free(struct gpu_device *device, struct work *work)
{
    for (uint32_t i = 0; i < work->buffer_count; i++)
        gpu_buffer_destroy(device, work->buffers[i]);
    free(work->matrix.shards);
    free(work->blocks);
    free(work->x);
    free(work->bias);
    free(work->residual);
    free(work->y);
    free(work);
}

void fixture_matmul(struct gpu_device *device, const struct gpu_info *info,
                    const struct matmul_case *matmul, enum matmul_kind kind, double bound)
{
    const struct dtype_info *type = dtype_find((uint32_t)matmul->dtype);
    struct work *work = work_run(device, info, matmul, kind);
    float *weights = allocate(matmul->cols, sizeof *weights);
    for (uint32_t r = 0; r < matmul->row_count; r++) {
        type->decode(work->blocks + (matmul->row_first + r) * work->row_size, weights,
                     matmul->cols / type->block_weights);
        check_row(work, weights, r, bound);
    }
    check_untouched(work);
    free(weights);
    work_free(device, work);
}

void fixture_matmul_pair(struct gpu_device *device, const struct gpu_info *info,
                         const struct matmul_case *matmul, const enum matmul_kind kinds[2],
                         float *results[2])
{
    for (uint32_t i = 0; i < 2; i++) {
        struct work *work = work_run(device, info, matmul, kinds[i]);
        for (uint32_t t = 0; t < matmul->tokens; t++)
            memcpy(results[i] + (size_t)t * matmul->row_count,
                   work->y + (size_t)t * work->stride + work->y_first,
                   matmul->row_count * sizeof(float));
        work_free(device, work);
    }
}
