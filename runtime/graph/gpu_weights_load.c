/* gpu_weights_load.c: fills the weights of a device. Pieces of rows, small enough for a processor's
 * cache, are read and laid out into planes by all threads at once, straight into the device's
 * buffer where it is mapped, else into a piece of host memory that is then uploaded. */
#include "gpu_weights.h"
#include "parallel.h"
#include <stdlib.h>
#include <string.h>

enum { PIECE_SIZE = 1 << 20, PIECES_PER_THREAD = 4 };

struct piece {            /* rows of one weight that lie in one shard */
    uint32_t weight, row; /* first, inside the weight */
    uint32_t shard, shard_row;
    uint32_t row_count;
};

struct worker {
    struct piece piece;
    uint8_t *raw;               /* rows as in the file */
    uint8_t *planes[PLANE_MAX]; /* laid out, where the buffer is not mapped */
    struct fault fault;
};

struct loader {
    struct gpu_device *device;
    struct gpu_weights *weights;
    const struct gguf *gguf;
    struct parallel *parallel;
    progress_fn progress;
    void *context;
    struct worker *workers; /* [worker_count] */
    uint32_t worker_count;
    uint64_t done, total; /* bytes of the file */
};

static const struct gguf_tensor *weight_tensor(const struct loader *loader, uint32_t weight)
{
    return loader->weights->plan->weights[weight].tensor;
}

static uint32_t piece_rows(const struct loader *loader, uint32_t weight)
{
    const struct gpu_matrix *matrix = weights_matrix(loader->weights, weight);
    uint64_t group = planes_row_group(matrix->dtype, matrix->interleave);
    uint64_t rows = PIECE_SIZE / weight_tensor(loader, weight)->row_size / group * group;
    return (uint32_t)(rows ? rows : group);
}

static const struct gpu_matrix *piece_matrix(const struct loader *loader, const struct piece *piece)
{
    return weights_matrix(loader->weights, piece->weight);
}

/* ---- one piece ---- */

/* Where plane p of the piece begins inside the shard's plane. */
static uint64_t piece_offset(const struct gpu_matrix *matrix, const struct piece *piece, uint32_t p)
{
    return piece->shard_row
               ? planes_size(matrix->dtype, matrix->interleave, matrix->cols, piece->shard_row, p)
               : 0;
}

static void *plane_target(const struct loader *loader, struct worker *worker, uint32_t p)
{
    const struct piece *piece = &worker->piece;
    const struct gpu_matrix *matrix = piece_matrix(loader, piece);
    const struct gpu_range *range = &matrix->shards[piece->shard].plane[p];
    uint8_t *mapped = gpu_buffer_map(range->buffer);
    if (!mapped)
        return worker->planes[p];
    return mapped + range->offset + piece_offset(matrix, piece, p);
}

static void piece_pack(void *context, uint32_t item, uint32_t thread)
{
    struct loader *loader = context;
    struct worker *worker = &loader->workers[item];
    const struct piece *piece = &worker->piece;
    const struct gpu_matrix *matrix = piece_matrix(loader, piece);
    const struct gguf_tensor *tensor = weight_tensor(loader, piece->weight);
    void *target[PLANE_MAX] = {NULL};
    (void)thread;
    if (!gguf_read(loader->gguf, tensor, piece->row * tensor->row_size, worker->raw,
                   piece->row_count * tensor->row_size, &worker->fault))
        return;
    for (uint32_t p = 0; p < planes_count(matrix->dtype); p++)
        target[p] = plane_target(loader, worker, p);
    planes_pack(matrix->dtype, matrix->interleave, worker->raw, matrix->cols, piece->row_count,
                target);
}

static bool piece_upload(struct loader *loader, struct worker *worker, struct fault *fault)
{
    const struct piece *piece = &worker->piece;
    const struct gpu_matrix *matrix = piece_matrix(loader, piece);
    if (worker->fault.kind != FAULT_NONE)
        return fault_set(fault, worker->fault.kind, "%s", worker->fault.text);
    for (uint32_t p = 0; p < planes_count(matrix->dtype); p++) {
        const struct gpu_range *range = &matrix->shards[piece->shard].plane[p];
        if (gpu_buffer_map(range->buffer))
            continue;
        uint64_t size =
            planes_size(matrix->dtype, matrix->interleave, matrix->cols, piece->row_count, p);
        if (!gpu_upload(loader->device, range->buffer,
                        range->offset + piece_offset(matrix, piece, p), worker->planes[p], size,
                        fault))
            return false;
    }
    return true;
}

/* Packs and uploads the pieces of the first count workers. */
static bool pieces_run(struct loader *loader, uint32_t count, struct fault *fault)
{
    parallel_for(loader->parallel, count, piece_pack, loader);
    for (uint32_t i = 0; i < count; i++) {
        const struct piece *piece = &loader->workers[i].piece;
        if (!piece_upload(loader, &loader->workers[i], fault))
            return false;
        loader->done += piece->row_count * weight_tensor(loader, piece->weight)->row_size;
    }
    if (loader->progress && !loader->progress(loader->context, loader->done, loader->total))
        return fault_set(fault, FAULT_CANCELLED, "loading was cancelled");
    return true;
}

/* ---- all pieces ---- */

/* The piece that begins at a row of a weight: as many rows as one piece and its shard hold. */
static struct piece piece_at(const struct loader *loader, uint32_t weight, uint32_t row)
{
    const struct gpu_matrix *matrix = weights_matrix(loader->weights, weight);
    uint32_t at = loader->weights->places[weight].row + row, shard = 0;
    uint32_t left = loader->weights->plan->weights[weight].rows - row;
    uint32_t most = piece_rows(loader, weight);
    while (at >= matrix->shards[shard].row_first + matrix->shards[shard].row_count)
        shard++;
    uint32_t shard_row = at - matrix->shards[shard].row_first;
    uint32_t shard_left = matrix->shards[shard].row_count - shard_row;
    left = left < shard_left ? left : shard_left;
    return (struct piece){weight, row, shard, shard_row, left < most ? left : most};
}

static bool matrix_load(struct loader *loader, uint32_t weight, uint32_t *waiting,
                        struct fault *fault)
{
    uint32_t rows = loader->weights->plan->weights[weight].rows;
    for (uint32_t row = 0; row < rows;) {
        struct piece piece = piece_at(loader, weight, row);
        loader->workers[(*waiting)++].piece = piece;
        row += piece.row_count;
        if (*waiting < loader->worker_count)
            continue;
        *waiting = 0;
        if (!pieces_run(loader, loader->worker_count, fault))
            return false;
    }
    return true;
}

static bool matrices_load(struct loader *loader, struct fault *fault)
{
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < loader->weights->plan->weight_count; i++)
        if (loader->weights->places[i].matrix != PLAN_NONE &&
            !matrix_load(loader, i, &waiting, fault))
            return false;
    return waiting == 0 || pieces_run(loader, waiting, fault);
}

/* ---- vectors ---- */

/* Numbers first .. first + count of a vector, decoded, into a range. */
static bool vector_load(struct loader *loader, uint32_t weight, struct gpu_range range,
                        uint32_t first, uint32_t count, struct fault *fault)
{
    const struct gguf_tensor *tensor = weight_tensor(loader, weight);
    const struct dtype_info *info = dtype_find(tensor->dtype);
    uint8_t *raw = malloc(tensor->row_size);
    float *values = malloc(tensor->dims[0] * sizeof *values);
    bool loaded = (raw && values)
                      ? gguf_read(loader->gguf, tensor, 0, raw, tensor->row_size, fault)
                      : fault_set(fault, FAULT_MEMORY, "no memory for tensor %s", tensor->name);
    if (loaded) {
        info->decode(raw, values, tensor->dims[0] / info->block_weights);
        loaded = gpu_upload(loader->device, range.buffer, range.offset, values + first,
                            count * sizeof *values, fault);
    }
    free(raw);
    free(values);
    return loaded;
}

/* The bias of a step, behind one another as the rows of its matrix. */
static bool bias_load(struct loader *loader, const struct step *step, struct fault *fault)
{
    const struct weight_ref *ref = &step->weight[0];
    struct gpu_range range = loader->weights->biases[loader->weights->places[ref->weight].matrix];
    range.offset += weights_row(loader->weights, *ref) * sizeof(float);
    return vector_load(loader, step->weight[1].weight, range, ref->row_first, ref->row_count,
                       fault);
}

/* Rows whose step has no bias add 0; memory that is not mapped is cleared already. */
static void biases_clear(struct gpu_weights *weights)
{
    for (uint32_t i = 0; i < weights->matrix_count; i++) {
        const struct gpu_range *range = &weights->biases[i];
        uint8_t *mapped = range->size ? gpu_buffer_map(range->buffer) : NULL;
        if (mapped)
            memset(mapped + range->offset, 0, range->size);
    }
}

static bool vectors_load(struct loader *loader, struct fault *fault)
{
    const struct plan *plan = loader->weights->plan;
    biases_clear(loader->weights);
    for (uint32_t i = 0; i < plan->weight_count; i++)
        if (loader->weights->vectors[i].size &&
            !vector_load(loader, i, loader->weights->vectors[i], 0, plan->weights[i].cols, fault))
            return false;
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].op == OP_MATMUL && plan->steps[i].weight[1].weight != PLAN_NONE &&
            !bias_load(loader, &plan->steps[i], fault))
            return false;
    return true;
}

/* ---- memory of the loader ---- */

static bool workers_create(struct loader *loader, struct fault *fault)
{
    const struct plan *plan = loader->weights->plan;
    uint64_t raw = 1, planes[PLANE_MAX] = {1, 1, 1};
    for (uint32_t i = 0; i < plan->weight_count; i++) {
        if (loader->weights->places[i].matrix == PLAN_NONE)
            continue;
        const struct gpu_matrix *matrix = weights_matrix(loader->weights, i);
        uint64_t rows = piece_rows(loader, i), size = rows * weight_tensor(loader, i)->row_size;
        raw = size > raw ? size : raw;
        for (uint32_t p = 0; p < planes_count(matrix->dtype); p++) {
            size = planes_size(matrix->dtype, matrix->interleave, matrix->cols, rows, p);
            planes[p] = size > planes[p] ? size : planes[p];
        }
        loader->total += weight_tensor(loader, i)->size;
    }
    loader->workers = calloc(loader->worker_count, sizeof *loader->workers);
    bool created = loader->workers != NULL;
    for (uint32_t i = 0; created && i < loader->worker_count; i++) {
        created = (loader->workers[i].raw = malloc(raw)) != NULL;
        for (uint32_t p = 0; created && p < PLANE_MAX; p++)
            created = (loader->workers[i].planes[p] = malloc(planes[p])) != NULL;
    }
    return created || fault_set(fault, FAULT_MEMORY, "no memory to load the weights");
}

static void workers_destroy(struct loader *loader)
{
    for (uint32_t i = 0; loader->workers && i < loader->worker_count; i++) {
        free(loader->workers[i].raw);
        for (uint32_t p = 0; p < PLANE_MAX; p++)
            free(loader->workers[i].planes[p]);
    }
    free(loader->workers);
}

/* Ranges become valid with the pool's buffers. */
static void ranges_resolve(struct gpu_weights *weights)
{
    for (uint32_t i = 0; i < weights->matrix_count; i++) {
        uint32_t item = weights->matrix_items[i];
        struct gpu_matrix *matrix = &weights->matrices[i];
        for (uint32_t s = 0; s < matrix->shard_count; s++)
            for (uint32_t p = 0; p < planes_count(matrix->dtype); p++)
                matrix->shards[s].plane[p] = gpu_pool_range(weights_pool(weights, i), item++);
        if (weights->biases[i].size)
            weights->biases[i] = gpu_pool_range(&weights->pool, weights->bias_items[i]);
    }
    for (uint32_t i = 0; i < weights->plan->weight_count; i++)
        if (weights->vectors[i].size)
            weights->vectors[i] = gpu_pool_range(&weights->pool, weights->vector_items[i]);
}

static bool weights_fill(struct loader *loader, struct fault *fault)
{
    if (!gpu_pool_allocate(&loader->weights->pool, loader->device, fault) ||
        !gpu_pool_allocate(&loader->weights->host, loader->device, fault))
        return false;
    ranges_resolve(loader->weights);
    return workers_create(loader, fault) && matrices_load(loader, fault) &&
           vectors_load(loader, fault) && gpu_upload_finish(loader->device, fault);
}

bool gpu_weights_load(struct gpu_device *device, const struct plan *plan, const struct gguf *gguf,
                      uint32_t host_layers, struct parallel *parallel, progress_fn progress,
                      void *context, struct gpu_weights **out, struct fault *fault)
{
    struct gpu_weights *weights;
    *out = NULL;
    if (!gpu_weights_place(device, plan, host_layers, &weights, fault)) {
        gpu_weights_free(device, weights);
        return false;
    }
    struct loader loader = {
        .device = device,
        .weights = weights,
        .gguf = gguf,
        .parallel = parallel,
        .progress = progress,
        .context = context,
        .worker_count = PIECES_PER_THREAD * parallel_thread_count(parallel),
    };
    bool loaded = weights_fill(&loader, fault);
    workers_destroy(&loader);
    if (!loaded)
        gpu_weights_free(device, weights);
    else
        *out = weights;
    return loaded;
}
