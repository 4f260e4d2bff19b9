/* loss_tensors.c: decodes both files piece by piece. */
#include "loss_tensors.h"
#include "gguf.h"
#include "loss_json.h"
#include <math.h>
#include <stdlib.h>

enum { PIECE_WEIGHTS = 1 << 18 }; /* about so many weights a piece, whole rows */

void loss_weights_add(struct loss_weights *sums, const float *base, const float *candidate,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double w = (double)base[i], q = (double)candidate[i], e = q - w;
        sums->base += w * w;
        sums->candidate += q * q;
        sums->product += w * q;
        sums->error += e * e;
        sums->base_peak = fmax(sums->base_peak, fabs(w));
        sums->error_peak = fmax(sums->error_peak, fabs(e));
    }
}

struct side {
    const struct gguf *gguf;
    const struct gguf_tensor *tensor;
};

struct work {
    struct side base, candidate;
    uint64_t rows_a_piece;
    struct loss_weights *pieces; /* [piece_count] */
    struct fault *faults;        /* [piece_count] */
};

/* Rows first .. first + rows as floats; *dst is malloc'd. */
static bool read_rows(const struct side *side, uint64_t first, uint64_t rows, float **dst,
                      struct fault *fault)
{
    const struct dtype_info *type = dtype_find(side->tensor->dtype);
    size_t size = (size_t)(rows * side->tensor->row_size);
    size_t weights = (size_t)(rows * side->tensor->dims[0]);
    void *blocks = malloc(size);
    *dst = malloc(weights * sizeof **dst);
    bool done = (blocks && *dst) || fault_set(fault, FAULT_MEMORY, "out of memory for weights");
    done = done &&
           gguf_read(side->gguf, side->tensor, first * side->tensor->row_size, blocks, size, fault);
    if (done)
        type->decode(blocks, *dst, weights / type->block_weights);
    free(blocks);
    return done;
}

static void compare_piece(void *context, uint32_t item, uint32_t thread)
{
    (void)thread;
    struct work *work = context;
    const struct gguf_tensor *tensor = work->base.tensor;
    uint64_t first = item * work->rows_a_piece, rows = tensor->rows - first;
    rows = rows < work->rows_a_piece ? rows : work->rows_a_piece;
    float *base = NULL, *candidate = NULL;
    if (read_rows(&work->base, first, rows, &base, &work->faults[item]) &&
        read_rows(&work->candidate, first, rows, &candidate, &work->faults[item]))
        loss_weights_add(&work->pieces[item], base, candidate, (size_t)(rows * tensor->dims[0]));
    free(base);
    free(candidate);
}

static void add_sums(struct loss_weights *sums, const struct loss_weights *more)
{
    sums->base += more->base;
    sums->error += more->error;
    sums->candidate += more->candidate;
    sums->product += more->product;
    sums->base_peak = fmax(sums->base_peak, more->base_peak);
    sums->error_peak = fmax(sums->error_peak, more->error_peak);
}

/* Adds to sums. */
static bool compare_tensor(struct work *work, struct parallel *parallel, struct loss_weights *sums,
                           struct fault *fault)
{
    const struct gguf_tensor *tensor = work->base.tensor;
    uint64_t rows = PIECE_WEIGHTS / tensor->dims[0];
    work->rows_a_piece = rows ? rows : 1;
    uint64_t pieces = (tensor->rows + work->rows_a_piece - 1) / work->rows_a_piece;
    if (pieces > UINT32_MAX)
        return fault_set(fault, FAULT_UNSUPPORTED, "%s: too many rows", tensor->name);
    work->pieces = calloc((size_t)pieces, sizeof *work->pieces);
    work->faults = calloc((size_t)pieces, sizeof *work->faults);
    bool done = (work->pieces && work->faults) ||
                fault_set(fault, FAULT_MEMORY, "out of memory for %s", tensor->name);
    if (done)
        parallel_for(parallel, (uint32_t)pieces, compare_piece, work);
    for (uint64_t i = 0; done && i < pieces; i++) {
        add_sums(sums, &work->pieces[i]);
        if (work->faults[i].kind != FAULT_NONE)
            done = fault_set(fault, work->faults[i].kind, "%s", work->faults[i].text);
    }
    free(work->pieces);
    free(work->faults);
    return done;
}

static json_t *json_of_sums(const struct work *work, const struct loss_weights *sums)
{
    const struct gguf_tensor *base = work->base.tensor, *candidate = work->candidate.tensor;
    return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "name", base->name, "type",
                     dtype_find(candidate->dtype)->name, "base_type", dtype_find(base->dtype)->name,
                     "weights", (json_int_t)(base->rows * base->dims[0]), "sqnr_db",
                     loss_json_real(10 * log10(sums->base / sums->error)), "relative_rmse",
                     loss_json_real(sqrt(sums->error / sums->base)), "cosine",
                     loss_json_real(sums->product / sqrt(sums->base * sums->candidate)), "peak",
                     loss_json_real(sums->error_peak / sums->base_peak));
}

static bool is_matrix(const struct gguf_tensor *tensor)
{
    return tensor->dim_count >= 2 && tensor->rows > 1 && dtype_find(tensor->dtype)->decode;
}

static bool same_shape(const struct gguf_tensor *a, const struct gguf_tensor *b)
{
    for (int i = 0; i < 4; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

static bool compare_files(const struct gguf *base, const struct gguf *candidate,
                          struct parallel *parallel,
                          bool (*progress)(void *context, uint64_t done, uint64_t total),
                          void *context, json_t *array, struct fault *fault)
{
    uint32_t count = gguf_tensor_count(base);
    for (uint32_t i = 0; i < count; i++) {
        struct work work = {.base = {base, gguf_tensor_at(base, i)},
                            .candidate = {candidate, NULL}};
        struct loss_weights sums = {0};
        work.candidate.tensor = gguf_tensor_find(candidate, work.base.tensor->name);
        if (progress && !progress(context, i, count))
            return fault_set(fault, FAULT_CANCELLED, "interrupted");
        if (!is_matrix(work.base.tensor) || !work.candidate.tensor ||
            !dtype_find(work.candidate.tensor->dtype)->decode)
            continue;
        if (!same_shape(work.base.tensor, work.candidate.tensor))
            return fault_set(fault, FAULT_ARGUMENT,
                             "%s: %s has another shape than in the base: not the same model",
                             gguf_path(candidate), work.base.tensor->name);
        if (!compare_tensor(&work, parallel, &sums, fault))
            return false;
        if (json_array_append_new(array, json_of_sums(&work, &sums)) != 0)
            return fault_set(fault, FAULT_MEMORY, "out of memory for the report");
    }
    return true;
}

bool loss_tensors(const char *base_path, const char *candidate_path, struct parallel *parallel,
                  bool (*progress)(void *context, uint64_t done, uint64_t total), void *context,
                  json_t **out, struct fault *fault)
{
    struct gguf *base = NULL, *candidate = NULL;
    *out = json_array();
    bool done = (*out || fault_set(fault, FAULT_MEMORY, "out of memory")) &&
                gguf_open(base_path, &base, fault) &&
                gguf_open(candidate_path, &candidate, fault) &&
                compare_files(base, candidate, parallel, progress, context, *out, fault);
    gguf_close(base);
    gguf_close(candidate);
    if (done)
        return true;
    json_decref(*out);
    *out = NULL;
    return false;
}
