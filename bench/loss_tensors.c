/* loss_tensors.c: decodes the files piece by piece, each piece of the base once for all candidates.
 */
#include "loss_tensors.h"
#include "calibration.h"
#include "encode.h"
#include "gguf.h"
#include "loss_json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- outputs ---- */

/* Row i of H times w, and times e. */
static void moments_row(const float *moments, const float *base, const float *candidate,
                        size_t columns, double *with_base, double *with_error)
{
    double w = 0, e = 0;
    for (size_t k = 0; k < columns; k++) {
        w += (double)moments[k] * (double)base[k];
        e += (double)moments[k] * ((double)candidate[k] - (double)base[k]);
    }
    *with_base = w;
    *with_error = e;
}

void loss_output_add(struct loss_weights *sums, const float *base, const float *candidate,
                     size_t columns, const float *matrix, const float *diagonal)
{
    for (size_t i = 0; (matrix || diagonal) && i < columns; i++) {
        double w = (double)base[i], e = (double)candidate[i] - w, h_w, h_e;
        if (matrix) {
            moments_row(matrix + i * columns, base, candidate, columns, &h_w, &h_e);
        } else {
            h_w = (double)diagonal[i] * w;
            h_e = (double)diagonal[i] * e;
        }
        sums->output += w * h_w;
        sums->output_error += e * h_e;
        sums->output_product += w * h_e;
    }
}

/* ---- what the type should give ---- */

void loss_expected_add(struct loss_weights *sums, enum dtype dtype, const float *base,
                       const float *candidate, uint32_t columns, void *blocks)
{
    struct encode_stats stats = {0};
    if (!encode_supported(dtype))
        return;
    encode_row(dtype, base, NULL, columns, blocks, &stats);
    sums->expected_error += stats.error;
    for (size_t i = 0; i < columns; i++) {
        double e = (double)candidate[i] - (double)base[i];
        sums->sampled_error += e * e;
    }
}

double loss_shortfall_db(const struct loss_weights *sums)
{
    if (!(sums->expected_error > 0) || !(sums->sampled_error > 0))
        return (double)NAN;
    return 10 * log10(sums->sampled_error / sums->expected_error);
}

/* ---- a piece of a tensor ---- */

struct side {
    struct gguf *gguf;                /* own */
    const struct gguf_tensor *tensor; /* NULL = not compared */
};

struct work {
    struct side base;
    struct side *candidates; /* [count], own */
    size_t count;
    const float *diagonal; /* [columns], the calibration's; NULL = unknown */
    float *matrix;         /* [columns, columns], own; NULL = unknown */
    uint64_t rows_a_piece;
    struct loss_weights *pieces; /* [piece_count, count] */
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

/* Of the piece that begins with row first. */
static bool sample_rows(const struct work *work, const struct gguf_tensor *tensor,
                        const float *base, const float *candidate, uint64_t first, uint64_t rows,
                        struct loss_weights *sums, struct fault *fault)
{
    uint64_t step = (tensor->rows + LOSS_SAMPLED - 1) / LOSS_SAMPLED;
    uint64_t next = (first + step - 1) / step * step, columns = tensor->dims[0];
    if (!encode_supported(tensor->dtype) || columns > UINT32_MAX || next >= first + rows)
        return true;
    void *blocks = malloc((size_t)tensor->row_size);
    if (!blocks)
        return fault_set(fault, FAULT_MEMORY, "out of memory for a row of %s",
                         work->base.tensor->name);
    for (uint64_t row = next; row < first + rows; row += step)
        loss_expected_add(sums, tensor->dtype, base + (row - first) * columns,
                          candidate + (row - first) * columns, (uint32_t)columns, blocks);
    free(blocks);
    return true;
}

static void compare_rows(const struct work *work, const float *base, const float *candidate,
                         uint64_t rows, struct loss_weights *sums)
{
    size_t columns = (size_t)work->base.tensor->dims[0];
    loss_weights_add(sums, base, candidate, (size_t)rows * columns);
    for (size_t i = 0; i < rows; i++)
        loss_output_add(sums, base + i * columns, candidate + i * columns, columns, work->matrix,
                        work->diagonal);
}

static void compare_piece(void *context, uint32_t item, uint32_t thread)
{
    (void)thread;
    struct work *work = context;
    uint64_t first = item * work->rows_a_piece, rows = work->base.tensor->rows - first;
    rows = rows < work->rows_a_piece ? rows : work->rows_a_piece;
    struct fault *fault = &work->faults[item];
    float *base = NULL;
    bool done = read_rows(&work->base, first, rows, &base, fault);
    for (size_t i = 0; done && i < work->count; i++) {
        float *candidate = NULL;
        if (!work->candidates[i].tensor)
            continue;
        done = read_rows(&work->candidates[i], first, rows, &candidate, fault);
        struct loss_weights *sums = &work->pieces[item * work->count + i];
        if (done)
            compare_rows(work, base, candidate, rows, sums);
        done = done && sample_rows(work, work->candidates[i].tensor, base, candidate, first, rows,
                                   sums, fault);
        free(candidate);
    }
    free(base);
}

static void add_sums(struct loss_weights *sums, const struct loss_weights *more)
{
    sums->base += more->base;
    sums->error += more->error;
    sums->candidate += more->candidate;
    sums->product += more->product;
    sums->output += more->output;
    sums->output_error += more->output_error;
    sums->output_product += more->output_product;
    sums->sampled_error += more->sampled_error;
    sums->expected_error += more->expected_error;
    sums->base_peak = fmax(sums->base_peak, more->base_peak);
    sums->error_peak = fmax(sums->error_peak, more->error_peak);
}

/* Adds to sums, [count]. */
static bool compare_tensor(struct work *work, struct parallel *parallel, struct loss_weights *sums,
                           struct fault *fault)
{
    const struct gguf_tensor *tensor = work->base.tensor;
    uint64_t piece = work->matrix ? PIECE_WEIGHTS / 16 : PIECE_WEIGHTS; /* of much work: smaller */
    uint64_t rows = piece / tensor->dims[0];
    work->rows_a_piece = rows ? rows : 1;
    uint64_t pieces = (tensor->rows + work->rows_a_piece - 1) / work->rows_a_piece;
    if (pieces > UINT32_MAX / work->count)
        return fault_set(fault, FAULT_UNSUPPORTED, "%s: too many rows", tensor->name);
    work->pieces = calloc((size_t)pieces * work->count, sizeof *work->pieces);
    work->faults = calloc((size_t)pieces, sizeof *work->faults);
    bool done = (work->pieces && work->faults) ||
                fault_set(fault, FAULT_MEMORY, "out of memory for %s", tensor->name);
    if (done)
        parallel_for(parallel, (uint32_t)pieces, compare_piece, work);
    for (uint64_t i = 0; done && i < pieces; i++) {
        for (size_t k = 0; k < work->count; k++)
            add_sums(&sums[k], &work->pieces[i * work->count + k]);
        if (work->faults[i].kind != FAULT_NONE)
            done = fault_set(fault, work->faults[i].kind, "%s", work->faults[i].text);
    }
    free(work->pieces);
    free(work->faults);
    return done;
}

static json_t *json_of_sums(const struct work *work, const struct gguf_tensor *candidate,
                            const struct loss_weights *sums)
{
    const struct gguf_tensor *base = work->base.tensor;
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "name", base->name, "type",
                  dtype_find(candidate->dtype)->name, "base_type", dtype_find(base->dtype)->name,
                  "weights", (json_int_t)(base->rows * base->dims[0]), "sqnr_db",
                  loss_json_real(10 * log10(sums->base / sums->error)), "relative_rmse",
                  loss_json_real(sqrt(sums->error / sums->base)), "cosine",
                  loss_json_real(sums->product / sqrt(sums->base * sums->candidate)), "peak",
                  loss_json_real(sums->error_peak / sums->base_peak));
    double shortfall = loss_shortfall_db(sums);
    if (object && isfinite(shortfall)) {
        json_object_set_new(object, "sqnr_expected_db",
                            loss_json_real(10 * log10(sums->base / sums->error) + shortfall));
        json_object_set_new(object, "below_expected", json_boolean(shortfall > LOSS_SHORTFALL));
    }
    if (!object || !(sums->output > 0))
        return object;
    /* w' = w + e, so w' H w' = w H w + 2 w H e + e H e */
    double candidate_output = sums->output + 2 * sums->output_product + sums->output_error;
    json_object_set_new(object, "output_error",
                        loss_json_real(sqrt(sums->output_error / sums->output)));
    json_object_set_new(object, "output_cosine",
                        loss_json_real((sums->output + sums->output_product) /
                                       sqrt(sums->output * candidate_output)));
    json_object_set_new(object, "moments", json_string(work->matrix ? "full" : "diagonal"));
    return object;
}

/* What is known of the tensor's inputs; nothing is no fault. */
static bool find_moments(struct work *work, const struct calibration *calibration,
                         struct fault *fault)
{
    const struct gguf_tensor *tensor = work->base.tensor;
    uint64_t tokens, columns = tensor->dims[0];
    if (!calibration || columns > UINT32_MAX)
        return true;
    if (!calibration_importance(calibration, tensor->name, (uint32_t)columns, &work->diagonal,
                                fault))
        return false;
    if (!calibration_has_hessian(calibration, tensor->name))
        return true;
    if (columns > SIZE_MAX / columns / sizeof *work->matrix)
        return fault_set(fault, FAULT_MEMORY, "%s: its moments are too large", tensor->name);
    work->matrix = malloc((size_t)(columns * columns) * sizeof *work->matrix);
    if (!work->matrix)
        return fault_set(fault, FAULT_MEMORY, "out of memory for the moments of %s", tensor->name);
    return calibration_hessian(calibration, tensor->name, (uint32_t)columns, work->matrix, &tokens,
                               fault);
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

/* Finds the tensor in every candidate; *found = in how many. */
static bool find_candidates(struct work *work, size_t *found, struct fault *fault)
{
    *found = 0;
    for (size_t i = 0; i < work->count; i++) {
        struct side *side = &work->candidates[i];
        side->tensor = gguf_tensor_find(side->gguf, work->base.tensor->name);
        if (side->tensor && !dtype_find(side->tensor->dtype)->decode)
            side->tensor = NULL;
        if (side->tensor && !same_shape(work->base.tensor, side->tensor))
            return fault_set(fault, FAULT_ARGUMENT,
                             "%s: %s has another shape than in the base: not the same model",
                             gguf_path(side->gguf), work->base.tensor->name);
        *found += side->tensor != NULL;
    }
    return true;
}

static bool append_sums(const struct work *work, const struct loss_weights *sums, json_t **arrays,
                        struct fault *fault)
{
    for (size_t i = 0; i < work->count; i++) {
        const struct gguf_tensor *tensor = work->candidates[i].tensor;
        if (tensor && json_array_append_new(arrays[i], json_of_sums(work, tensor, &sums[i])) != 0)
            return fault_set(fault, FAULT_MEMORY, "out of memory for the report");
    }
    return true;
}

/* sums: [count], scratch. */
static bool compare_files(struct work *work, const struct loss_tensors_options *options,
                          struct loss_weights *sums, json_t **arrays, struct fault *fault)
{
    uint32_t count = gguf_tensor_count(work->base.gguf);
    for (uint32_t i = 0; i < count; i++) {
        size_t found;
        work->base.tensor = gguf_tensor_at(work->base.gguf, i);
        if (options->progress && !options->progress(options->context, i, count))
            return fault_set(fault, FAULT_CANCELLED, "interrupted");
        if (!is_matrix(work->base.tensor))
            continue;
        if (!find_candidates(work, &found, fault))
            return false;
        if (!found)
            continue;
        work->diagonal = NULL;
        work->matrix = NULL;
        memset(sums, 0, work->count * sizeof *sums);
        bool done = find_moments(work, options->calibration, fault) &&
                    compare_tensor(work, options->parallel, sums, fault) &&
                    append_sums(work, sums, arrays, fault);
        free(work->matrix);
        if (!done)
            return false;
    }
    return true;
}

static bool open_files(struct work *work, const char *base, const char *const *candidates,
                       json_t **arrays, struct fault *fault)
{
    if (!gguf_open(base, &work->base.gguf, fault))
        return false;
    gguf_drop_arrays(work->base.gguf);
    for (size_t i = 0; i < work->count; i++) {
        if (!gguf_open(candidates[i], &work->candidates[i].gguf, fault))
            return false;
        gguf_drop_arrays(work->candidates[i].gguf);
        arrays[i] = json_array();
        if (!arrays[i])
            return fault_set(fault, FAULT_MEMORY, "out of memory for the report");
    }
    return true;
}

bool loss_tensors(const char *base, const char *const *candidates, size_t count,
                  const struct loss_tensors_options *options, json_t **arrays, struct fault *fault)
{
    struct work work = {.candidates = calloc(count, sizeof *work.candidates), .count = count};
    struct loss_weights *sums = calloc(count, sizeof *sums);
    memset(arrays, 0, count * sizeof *arrays);
    bool done =
        (work.candidates && sums) || fault_set(fault, FAULT_MEMORY, "out of memory for sums");
    done = done && open_files(&work, base, candidates, arrays, fault) &&
           compare_files(&work, options, sums, arrays, fault);
    gguf_close(work.base.gguf);
    for (size_t i = 0; i < count; i++) {
        if (work.candidates)
            gguf_close(work.candidates[i].gguf);
        if (!done) {
            json_decref(arrays[i]);
            arrays[i] = NULL;
        }
    }
    free(work.candidates);
    free(sums);
    return done;
}
