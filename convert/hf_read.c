/* hf_read.c: rows of a tensor from the segments that it is made of. Rows are gathered in runs that
 * lie together in the checkpoint; halves of heads that become pairs pass through a small scratch.
 */
#include "hf_builder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCRATCH_SIZE = 1 << 20 };

/* Floats or blocks: the same walk over rows. */
struct row_reader {
    const struct checkpoint *checkpoint;
    bool lossless;
    size_t row_size; /* bytes of a row at dst */
    struct fault *fault;
};

static bool read_rows(const struct row_reader *reader, const struct hf_weight *weight,
                      uint64_t first_row, uint64_t row_count, void *dst)
{
    return reader->lossless ? hf_weight_read_lossless(reader->checkpoint, weight, first_row,
                                                      row_count, dst, reader->fault)
                            : hf_weight_read(reader->checkpoint, weight, first_row, row_count, dst,
                                             reader->fault);
}

static uint64_t head_start(const struct hf_segment *segment, uint64_t head)
{
    return segment->first + head / segment->per_group * segment->group_stride +
           head % segment->per_group * segment->head_dim;
}

/* Rows d .. d + count of a head: row 2 i + j was row i of half j. */
static bool read_pairs(const struct row_reader *reader, const struct hf_segment *segment,
                       uint64_t start, uint64_t d, uint64_t count, uint8_t *dst)
{
    uint64_t half = segment->head_dim / 2, limit = SCRATCH_SIZE / reader->row_size;
    uint64_t step_max = limit ? limit : 1;
    uint8_t *scratch = malloc((size_t)(step_max < half ? step_max : half) * reader->row_size);
    bool done = scratch || fault_set(reader->fault, FAULT_MEMORY, "no memory to reorder rows");
    for (uint64_t j = 0; j < 2 && done; j++) {
        uint64_t i = (d + 1 - j) / 2, end = (d + count + 1 - j) / 2;
        for (uint64_t step; i < end && done; i += step) {
            step = end - i < step_max ? end - i : step_max;
            done = read_rows(reader, segment->weight, start + j * half + i, step, scratch);
            for (uint64_t k = 0; k < step && done; k++)
                memcpy(dst + (2 * (i + k) + j - d) * reader->row_size,
                       scratch + k * reader->row_size, reader->row_size);
        }
    }
    free(scratch);
    return done;
}

static bool read_segment(const struct row_reader *reader, const struct hf_segment *segment,
                         uint64_t first_row, uint64_t row_count, uint8_t *dst)
{
    for (uint64_t row = first_row, count; row_count > 0; row += count, row_count -= count) {
        uint64_t head = row / segment->head_dim, d = row % segment->head_dim;
        uint64_t left = segment->head_dim - d, start = head_start(segment, head);
        count = row_count < left ? row_count : left;
        bool done = segment->pairs ? read_pairs(reader, segment, start, d, count, dst)
                                   : read_rows(reader, segment->weight, start + d, count, dst);
        if (!done)
            return false;
        dst += count * reader->row_size;
    }
    return true;
}

static bool read_plan(const struct row_reader *reader, const struct hf_plan *plan,
                      uint64_t first_row, uint64_t row_count, void *dst)
{
    uint8_t *bytes = dst;
    for (uint32_t i = 0; i < plan->segment_count && row_count > 0; i++) {
        const struct hf_segment *segment = &plan->segments[i];
        if (first_row >= segment->rows) {
            first_row -= segment->rows;
            continue;
        }
        uint64_t left = segment->rows - first_row, count = row_count < left ? row_count : left;
        if (!read_segment(reader, segment, first_row, count, bytes))
            return false;
        bytes += count * reader->row_size;
        row_count -= count;
        first_row = 0;
    }
    return true;
}

/* Each row divided by its length, as torch's normalize does. */
static void normalize_rows(float *rows, uint64_t row_count, uint64_t columns)
{
    for (uint64_t i = 0; i < row_count; i++) {
        float *row = rows + i * columns;
        double sum = 0;
        for (uint64_t j = 0; j < columns; j++)
            sum += (double)row[j] * (double)row[j];
        double length = fmax(sqrt(sum), 1e-12);
        for (uint64_t j = 0; j < columns; j++)
            row[j] = (float)((double)row[j] / length);
    }
}

bool hf_source_read(const struct source *source, uint32_t index, uint64_t first_row,
                    uint64_t row_count, float *dst, struct fault *fault)
{
    const struct hf_source *hf = (const struct hf_source *)source;
    const struct source_tensor *tensor = &hf->tensors[index];
    const struct hf_plan *plan = &hf->plans[index];
    uint64_t columns = tensor->dims[0];
    struct row_reader reader = {hf->checkpoint, false, sizeof *dst, fault};
    if (!plan->vector)
        reader.row_size *= columns;
    bool done = plan->vector ? read_plan(&reader, plan, 0, columns, dst)
                             : read_plan(&reader, plan, first_row, row_count, dst);
    if (!done)
        return fault_context(fault, "%s", tensor->name);
    if (plan->plus_one)
        for (uint64_t i = 0; i < row_count * columns; i++)
            dst[i] += 1;
    if (plan->unit_rows)
        normalize_rows(dst, row_count, columns);
    return true;
}

bool hf_source_read_lossless(const struct source *source, uint32_t index, uint64_t first_row,
                             uint64_t row_count, void *dst, struct fault *fault)
{
    const struct hf_source *hf = (const struct hf_source *)source;
    const struct source_tensor *tensor = &hf->tensors[index];
    const struct dtype_info *info = dtype_find(tensor->lossless);
    const struct row_reader reader = {
        hf->checkpoint, true, tensor->dims[0] / info->block_weights * info->block_size, fault};
    return read_plan(&reader, &hf->plans[index], first_row, row_count, dst) ||
           fault_context(fault, "%s", tensor->name);
}
