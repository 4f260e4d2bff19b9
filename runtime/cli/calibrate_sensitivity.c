/* calibrate_sensitivity.c: what each kind of weight costs: the matrices of one name in one third of
 * the layers are put to a cheap type together, the dev text is run, and the KL divergence of the
 * logits is shared among them by their errors. The head and the embedding are kinds of their own.
 * Windows are the outer loop: the logits of one are in memory, and the blocks of one kind. */
#include "calibrate.h"
#include "sensitivity.h"
#include <stdlib.h>
#include <string.h>

enum { THIRDS = 3, ROWS_AT_ONCE = 256 };

struct matrix {
    const char *name; /* engine's */
    uint32_t rows, columns, kind;
    int64_t linear; /* index in the collector's weights, -1 = none */
};

struct kind {
    double kld, error; /* sums over windows; sum of relative errors over matrices */
};

struct probe {
    struct calibrate *calibrate;
    struct matrix *matrices; /* [matrix_count] */
    uint32_t matrix_count;
    struct kind *kinds; /* [kind_count], at most one a matrix */
    uint32_t kind_count;
    void **blocks;        /* [matrix_count] of those that are replaced */
    float *base, *logits; /* [rows, vocab] */
    uint32_t rows, vocab;
    double windows_done, windows_all; /* runs of a window, for progress */
};

static bool no_memory(struct probe *probe)
{
    return fault_set(&probe->calibrate->common.fault, FAULT_MEMORY,
                     "no memory to measure sensitivities");
}

/* ---- kinds ---- */

/* "blk.12.ffn_down.weight" -> 12 and "ffn_down.weight"; -1 and the whole name outside layers. */
static int64_t layer_of(const char *name, const char **rest)
{
    *rest = name;
    if (strncmp(name, "blk.", 4) != 0)
        return -1;
    char *end;
    long layer = strtol(name + 4, &end, 10);
    if (end == name + 4 || *end != '.')
        return -1;
    *rest = end + 1;
    return layer;
}

static bool same_kind(const char *a, const char *b, uint32_t layers)
{
    const char *rest_a, *rest_b;
    int64_t layer_a = layer_of(a, &rest_a), layer_b = layer_of(b, &rest_b);
    if (strcmp(rest_a, rest_b) != 0 || (layer_a < 0) != (layer_b < 0))
        return false;
    return layer_a < 0 || layer_a * THIRDS / layers == layer_b * THIRDS / layers;
}

static int64_t linear_of(const struct probe *probe, const char *name)
{
    for (uint32_t i = 0; i < probe->calibrate->weight_count; i++)
        if (strcmp(probe->calibrate->weights[i].name, name) == 0)
            return i;
    return -1;
}

/* Every linear layer, the head and the embedding. */
static bool matrices_find(struct probe *probe)
{
    struct lichen_engine *engine = probe->calibrate->engine;
    struct lichen_model_info info;
    lichen_model_info(engine, &info);
    probe->vocab = info.vocab;
    probe->matrices = calloc(info.tensor_count + 1, sizeof *probe->matrices);
    probe->kinds = calloc(info.tensor_count + 1, sizeof *probe->kinds);
    probe->blocks = calloc(info.tensor_count + 1, sizeof *probe->blocks);
    if (!probe->matrices || !probe->kinds || !probe->blocks)
        return no_memory(probe);
    for (uint32_t i = 0; i < info.tensor_count; i++) {
        struct lichen_tensor tensor;
        lichen_tensor(engine, i, &tensor);
        int64_t linear = linear_of(probe, tensor.name);
        bool outside = strcmp(tensor.name, "output.weight") == 0 ||
                       strcmp(tensor.name, "token_embd.weight") == 0;
        if ((linear < 0 && !outside) || tensor.dim_count != 2 ||
            sensitivity_type((uint32_t)tensor.dims[0]) == DTYPE_ID_COUNT)
            continue;
        struct matrix *matrix = &probe->matrices[probe->matrix_count++];
        *matrix = (struct matrix){tensor.name, (uint32_t)tensor.dims[1], (uint32_t)tensor.dims[0],
                                  probe->kind_count, linear};
        for (const struct matrix *other = probe->matrices; other < matrix; other++)
            if (same_kind(other->name, matrix->name, info.layers))
                matrix->kind = other->kind;
        probe->kind_count += matrix->kind == probe->kind_count;
    }
    return true;
}

/* ---- replacing ---- */

static bool matrix_encode(struct probe *probe, const struct matrix *matrix, void *dst,
                          struct weighted_error *sums)
{
    struct calibrate *calibrate = probe->calibrate;
    enum dtype dtype = sensitivity_type(matrix->columns);
    const struct dtype_info *info = dtype_find(dtype);
    size_t row_size = (size_t)(matrix->columns / info->block_weights) * info->block_size;
    size_t columns = matrix->columns;
    float *scratch = malloc((ROWS_AT_ONCE + 2) * columns * sizeof *scratch);
    float *importance = scratch + ROWS_AT_ONCE * columns, *row = importance + columns;
    bool done = scratch || no_memory(probe);
    if (done && matrix->linear >= 0)
        collector_importance(calibrate->collector, (uint32_t)matrix->linear, importance);
    for (uint32_t first = 0; done && first < matrix->rows; first += ROWS_AT_ONCE) {
        uint32_t left = matrix->rows - first, count = left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
        done = lichen_weight_rows(calibrate->engine, matrix->name, first, count, scratch,
                                  &calibrate->common.fault);
        if (done)
            sensitivity_encode(dtype, scratch, matrix->linear >= 0 ? importance : NULL, count,
                               matrix->columns, (char *)dst + first * row_size, row, sums);
    }
    free(scratch);
    return done;
}

static bool kind_replace(struct probe *probe, uint32_t kind)
{
    double error = 0;
    for (uint32_t i = 0; i < probe->matrix_count; i++) {
        const struct matrix *matrix = &probe->matrices[i];
        const struct dtype_info *info = dtype_find(sensitivity_type(matrix->columns));
        struct weighted_error sums = {0, 0};
        if (matrix->kind != kind)
            continue;
        size_t size = (size_t)(matrix->columns / info->block_weights) * info->block_size;
        if (!(probe->blocks[i] = malloc(size * matrix->rows)))
            return no_memory(probe);
        if (!matrix_encode(probe, matrix, probe->blocks[i], &sums) ||
            !lichen_weight_replace(probe->calibrate->engine, matrix->name,
                                   (uint32_t)sensitivity_type(matrix->columns), probe->blocks[i],
                                   &probe->calibrate->common.fault))
            return false;
        error += sums.signal > 0 ? sums.error / sums.signal : 0;
    }
    probe->kinds[kind].error = error;
    return true;
}

static void restore(struct probe *probe)
{
    for (uint32_t i = 0; i < probe->matrix_count; i++) {
        if (!probe->blocks[i])
            continue;
        lichen_weight_replace(probe->calibrate->engine, probe->matrices[i].name, 0, NULL, NULL);
        free(probe->blocks[i]);
        probe->blocks[i] = NULL;
    }
}

/* ---- measuring ---- */

static bool run(struct probe *probe, const int32_t *ids, float *logits)
{
    struct calibrate *calibrate = probe->calibrate;
    probe->windows_done++;
    lichen_rewind(calibrate->session, 0);
    return (output_progress(&calibrate->common.output, (uint64_t)probe->windows_done,
                            (uint64_t)probe->windows_all) ||
            fault_set(&calibrate->common.fault, FAULT_CANCELLED, "interrupted")) &&
           lichen_feed_logits(calibrate->session, ids, calibrate->ctx, probe->rows, logits,
                              &calibrate->common.fault);
}

static bool measure_window(struct probe *probe, const int32_t *ids)
{
    bool done = run(probe, ids, probe->base);
    for (uint32_t kind = 0; done && kind < probe->kind_count; kind++) {
        done = kind_replace(probe, kind) && run(probe, ids, probe->logits);
        for (uint32_t i = 0; done && i < probe->rows; i++)
            probe->kinds[kind].kld +=
                sensitivity_kld(probe->base + (size_t)i * probe->vocab,
                                probe->logits + (size_t)i * probe->vocab, probe->vocab);
        restore(probe);
    }
    return done;
}

static bool measure(struct probe *probe)
{
    struct calibrate *calibrate = probe->calibrate;
    const struct windows *windows = &calibrate->dev_windows;
    bool done = true;
    probe->rows = calibrate->ctx / 2;
    probe->base = malloc((size_t)probe->rows * probe->vocab * sizeof *probe->base);
    probe->logits = malloc((size_t)probe->rows * probe->vocab * sizeof *probe->logits);
    if (!probe->base || !probe->logits)
        return no_memory(probe);
    calibrate->common.output.activity = "measuring";
    probe->windows_all = (double)windows->count * (probe->kind_count + 1);
    for (uint32_t i = 0; done && i < windows->count; i++)
        done = measure_window(probe, windows->ids + (size_t)i * windows->size);
    return done;
}

static void show(const struct probe *probe)
{
    for (uint32_t kind = 0; kind < probe->kind_count; kind++) {
        const struct matrix *first = probe->matrices;
        while (first->kind != kind)
            first++;
        double runs = (double)probe->calibrate->dev_windows.count * probe->rows;
        output_detail(&probe->calibrate->common.output, "%-28s KLD %.5f, error %.5f", first->name,
                      probe->kinds[kind].kld / runs, probe->kinds[kind].error);
    }
}

/* The names and values live as long as the collector: in calibrate. */
static bool keep(struct probe *probe)
{
    struct calibrate *calibrate = probe->calibrate;
    double runs = (double)calibrate->dev_windows.count * probe->rows;
    calibrate->sensitive = calloc(probe->matrix_count + 1, sizeof *calibrate->sensitive);
    calibrate->sensitivity = calloc(probe->matrix_count + 1, sizeof *calibrate->sensitivity);
    if (!calibrate->sensitive || !calibrate->sensitivity)
        return no_memory(probe);
    for (uint32_t i = 0; i < probe->matrix_count; i++) {
        const struct kind *kind = &probe->kinds[probe->matrices[i].kind];
        double value = kind->error > 0 ? kind->kld / runs / kind->error : 0;
        calibrate->sensitive[i] = probe->matrices[i].name;
        calibrate->sensitivity[i] = (float)(value > 0 ? value : 0);
    }
    collector_set_sensitivity(calibrate->collector, calibrate->sensitive, calibrate->sensitivity,
                              probe->matrix_count);
    return true;
}

bool calibrate_sensitivity(struct calibrate *calibrate)
{
    struct probe probe = {.calibrate = calibrate};
    bool done = matrices_find(&probe) && measure(&probe) && keep(&probe);
    if (done)
        show(&probe);
    restore(&probe);
    free(probe.matrices);
    free(probe.kinds);
    free(probe.blocks);
    free(probe.base);
    free(probe.logits);
    return done;
}
