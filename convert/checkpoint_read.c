/* checkpoint_read.c: rows of tensors. Whatever the strides, elements pass through a small window as
 * a dense sequence of bytes, which a sink turns into floats, integers or leaves alone. */
#include "checkpoint_private.h"
#include "checked.h"
#include "element.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOW = 24576 }; /* bytes; a multiple of every size of an element */

/* Where a dense sequence of elements goes. */
struct sink {
    const struct checkpoint_item *item;
    enum { SINK_FLOATS, SINK_INTEGERS, SINK_RAW } kind;
    void *dst;
};

static bool store(const struct sink *sink, uint64_t index, const uint8_t *src, size_t count,
                  struct fault *fault)
{
    enum element element = sink->item->tensor.element;
    uint32_t size = element_info(element)->size;
    if (sink->kind == SINK_FLOATS)
        element_to_floats(element, src, (float *)sink->dst + index, count);
    else if (sink->kind == SINK_RAW)
        memcpy((uint8_t *)sink->dst + index * size, src, count * size);
    else if (!element_to_integers(element, src, (int64_t *)sink->dst + index, count))
        return fault_set(fault, FAULT_FORMAT, "an integer above 9223372036854775807");
    return true;
}

static bool read_bytes(const struct checkpoint *checkpoint, const struct checkpoint_item *item,
                       uint64_t offset, void *dst, size_t size, struct fault *fault)
{
    const struct checkpoint_part *part = &checkpoint->parts[item->file];
    return part->gguf ? gguf_read(part->gguf, item->gguf_tensor, offset, dst, size, fault)
                      : file_read(part->file, offset, dst, size, fault);
}

static bool read_dense(const struct checkpoint *checkpoint, const struct sink *sink, uint64_t first,
                       uint64_t count, struct fault *fault)
{
    uint8_t window[WINDOW];
    uint32_t size = element_info(sink->item->tensor.element)->size;
    for (uint64_t done = 0; done < count;) {
        uint64_t left = count - done;
        size_t step = left < WINDOW / size ? (size_t)left : WINDOW / size;
        if (!read_bytes(checkpoint, sink->item, sink->item->offset + (first + done) * size, window,
                        step * size, fault) ||
            !store(sink, done, window, step, fault))
            return false;
        done += step;
    }
    return true;
}

/* Byte of the first element of a row. Cannot overflow: the source has checked the last one. */
static uint64_t row_offset(const struct checkpoint_item *item, uint64_t row)
{
    uint64_t elements = 0;
    for (uint32_t i = item->tensor.dim_count; i-- > 1;) {
        elements += row % item->tensor.dims[i - 1] * item->strides[i - 1];
        row /= item->tensor.dims[i - 1];
    }
    return item->offset + elements * element_info(item->tensor.element)->size;
}

/* Column by column, so that a transposed matrix is read in runs of row_count elements. */
static bool read_strided(const struct checkpoint *checkpoint, const struct sink *sink,
                         uint64_t first_row, uint64_t row_count, struct fault *fault)
{
    const struct checkpoint_item *item = sink->item;
    uint32_t size = element_info(item->tensor.element)->size;
    uint64_t columns = item->tensor.columns, start = 0, end = 0;
    uint64_t stride = item->tensor.dim_count ? item->strides[item->tensor.dim_count - 1] : 0;
    uint64_t run = row_count < WINDOW / size ? row_count * size : WINDOW;
    uint8_t window[WINDOW];
    for (uint64_t column = 0; column < columns; column++) {
        for (uint64_t row = 0; row < row_count; row++) {
            uint64_t offset = row_offset(item, first_row + row) + column * stride * size;
            if (offset < start || offset + size > end) {
                start = offset;
                end = item->end - offset < run ? item->end : offset + run;
                if (!read_bytes(checkpoint, item, start, window, (size_t)(end - start), fault))
                    return false;
            }
            if (!store(sink, row * columns + column, window + (offset - start), 1, fault))
                return false;
        }
    }
    return true;
}

static bool check_range(const struct checkpoint_tensor *tensor, uint64_t first_row,
                        uint64_t row_count, struct fault *fault)
{
    if (first_row <= tensor->rows && row_count <= tensor->rows - first_row)
        return true;
    return fault_set(fault, FAULT_ARGUMENT, "%llu rows from row %llu wanted, it has %llu",
                     (unsigned long long)row_count, (unsigned long long)first_row,
                     (unsigned long long)tensor->rows);
}

static bool refuse_element(const struct checkpoint_tensor *tensor, const char *wanted,
                           struct fault *fault)
{
    return fault_set(fault, FAULT_ARGUMENT, "its elements are %s, %s wanted",
                     element_info(tensor->element)->name, wanted);
}

static bool read_elements(const struct checkpoint *checkpoint, const struct sink *sink,
                          uint64_t first_row, uint64_t row_count, struct fault *fault)
{
    const struct checkpoint_item *item = sink->item;
    uint64_t columns = item->tensor.columns;
    if (row_count == 0 || columns == 0)
        return true;
    return item->is_dense
               ? read_dense(checkpoint, sink, first_row * columns, row_count * columns, fault)
               : read_strided(checkpoint, sink, first_row, row_count, fault);
}

/* Blocks of a GGUF tensor, decoded. */
static bool decode_blocks(const struct checkpoint *checkpoint, const struct checkpoint_item *item,
                          uint64_t first_row, uint64_t row_count, float *dst, struct fault *fault)
{
    const struct dtype_info *info = dtype_find(item->tensor.dtype);
    uint64_t row_size = item->gguf_tensor->row_size;
    uint64_t offset = first_row * row_size, left = row_count * row_size;
    uint8_t window[WINDOW];
    while (left > 0) {
        size_t fitting = WINDOW / info->block_size * info->block_size;
        size_t step = left < fitting ? (size_t)left : fitting, blocks = step / info->block_size;
        if (!read_bytes(checkpoint, item, offset, window, step, fault))
            return false;
        info->decode(window, dst, blocks);
        dst += blocks * info->block_weights;
        offset += step;
        left -= step;
    }
    return true;
}

/* Puts file and tensor before a fault. */
static bool name_tensor(const struct checkpoint *checkpoint, const struct checkpoint_tensor *tensor,
                        struct fault *fault)
{
    fault_context(fault, "%s: tensor '%s'", checkpoint_tensor_path(checkpoint, tensor),
                  tensor->name);
    return false;
}

bool checkpoint_read_floats(const struct checkpoint *checkpoint,
                            const struct checkpoint_tensor *tensor, uint64_t first_row,
                            uint64_t row_count, float *dst, struct fault *fault)
{
    const struct sink sink = {(const struct checkpoint_item *)tensor, SINK_FLOATS, dst};
    bool done;
    if (!element_info(tensor->element)->is_float)
        done = refuse_element(tensor, "floats", fault);
    else if (tensor->element == ELEMENT_BLOCK)
        done = check_range(tensor, first_row, row_count, fault) &&
               decode_blocks(checkpoint, sink.item, first_row, row_count, dst, fault);
    else
        done = check_range(tensor, first_row, row_count, fault) &&
               read_elements(checkpoint, &sink, first_row, row_count, fault);
    return done || name_tensor(checkpoint, tensor, fault);
}

bool checkpoint_read_integers(const struct checkpoint *checkpoint,
                              const struct checkpoint_tensor *tensor, uint64_t first_row,
                              uint64_t row_count, int64_t *dst, struct fault *fault)
{
    const struct sink sink = {(const struct checkpoint_item *)tensor, SINK_INTEGERS, dst};
    bool done;
    if (!element_info(tensor->element)->is_integer)
        done = refuse_element(tensor, "integers", fault);
    else
        done = check_range(tensor, first_row, row_count, fault) &&
               read_elements(checkpoint, &sink, first_row, row_count, fault);
    return done || name_tensor(checkpoint, tensor, fault);
}

bool checkpoint_read_raw(const struct checkpoint *checkpoint,
                         const struct checkpoint_tensor *tensor, uint64_t first_row,
                         uint64_t row_count, void *dst, size_t size, struct fault *fault)
{
    const struct sink sink = {(const struct checkpoint_item *)tensor, SINK_RAW, dst};
    uint64_t row_size = tensor->rows ? tensor->size / tensor->rows : 0;
    if (!check_range(tensor, first_row, row_count, fault))
        return name_tensor(checkpoint, tensor, fault);
    if (size != row_count * row_size) {
        fault_set(fault, FAULT_ARGUMENT, "%zu bytes wanted, its %llu rows have %llu", size,
                  (unsigned long long)row_count, (unsigned long long)(row_count * row_size));
        return name_tensor(checkpoint, tensor, fault);
    }
    bool done;
    if (tensor->element == ELEMENT_BLOCK)
        done = read_bytes(checkpoint, sink.item, first_row * row_size, dst, size, fault);
    else if (sink.item->is_dense && size > 0)
        done = read_bytes(checkpoint, sink.item, sink.item->offset + first_row * row_size, dst,
                          size, fault);
    else
        done = read_elements(checkpoint, &sink, first_row, row_count, fault);
    return done || name_tensor(checkpoint, tensor, fault);
}

/* Rows of a tensor that is not dense, whole, of which the panel's columns are kept. */
static bool read_panel_strided(const struct checkpoint *checkpoint,
                               const struct checkpoint_item *item,
                               const struct checkpoint_panel *panel, uint8_t *dst,
                               struct fault *fault)
{
    uint32_t size = element_info(item->tensor.element)->size;
    size_t row_size = (size_t)item->tensor.columns * size, kept = panel->column_count * size;
    uint8_t *row = malloc(row_size);
    if (!row)
        return fault_set(fault, FAULT_MEMORY, "no memory for a row of %zu bytes", row_size);
    const struct sink sink = {item, SINK_RAW, row};
    bool done = true;
    for (uint64_t i = 0; i < panel->row_count && done; i++) {
        done = read_strided(checkpoint, &sink, panel->first_row + i, 1, fault);
        if (done)
            memcpy(dst + i * kept, row + panel->first_column * size, kept);
    }
    free(row);
    return done;
}

static bool read_panel(const struct checkpoint *checkpoint, const struct checkpoint_item *item,
                       const struct checkpoint_panel *panel, uint8_t *dst, struct fault *fault)
{
    const struct checkpoint_tensor *tensor = &item->tensor;
    uint32_t size = element_info(tensor->element)->size;
    if (tensor->element == ELEMENT_BLOCK)
        return refuse_element(tensor, "plain ones", fault);
    if (!check_range(tensor, panel->first_row, panel->row_count, fault))
        return false;
    if (panel->first_column > tensor->columns ||
        panel->column_count > tensor->columns - panel->first_column)
        return fault_set(fault, FAULT_ARGUMENT, "%zu columns from column %llu wanted, it has %llu",
                         panel->column_count, (unsigned long long)panel->first_column,
                         (unsigned long long)tensor->columns);
    if (!item->is_dense)
        return read_panel_strided(checkpoint, item, panel, dst, fault);
    for (uint64_t i = 0; i < panel->row_count; i++) {
        uint64_t first = (panel->first_row + i) * tensor->columns + panel->first_column;
        if (!read_bytes(checkpoint, item, item->offset + first * size,
                        dst + i * panel->column_count * size, panel->column_count * size, fault))
            return false;
    }
    return true;
}

bool checkpoint_read_panel(const struct checkpoint *checkpoint,
                           const struct checkpoint_tensor *tensor,
                           const struct checkpoint_panel *panel, void *dst, struct fault *fault)
{
    if (panel->row_count == 0 || panel->column_count == 0)
        return true;
    return read_panel(checkpoint, (const struct checkpoint_item *)tensor, panel, dst, fault) ||
           name_tensor(checkpoint, tensor, fault);
}
