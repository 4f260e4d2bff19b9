/* hf_weight.c: float rows of plain, transposed and FP8 matrices; packed integers are in
 * hf_packed.c. */
#include "hf_weight.h"
#include "element.h"
#include "hf_packed.h"

#include <stdlib.h>
#include <string.h>

enum { SCRATCH_SIZE = 1 << 18 }; /* bytes */

/* data [columns, rows] -> dst[row_count][columns], in panels of SCRATCH_SIZE */
static bool read_transposed(const struct checkpoint *checkpoint, const struct hf_weight *weight,
                            uint64_t first_row, uint64_t row_count, float *dst, struct fault *fault)
{
    uint32_t size = element_info(weight->data->element)->size;
    uint64_t columns = weight->columns, width_max = SCRATCH_SIZE / size;
    uint8_t *raw = malloc(SCRATCH_SIZE);
    float *floats = malloc(SCRATCH_SIZE / size * sizeof *floats);
    bool done = (raw && floats) || fault_set(fault, FAULT_MEMORY, "no memory for a panel");
    for (uint64_t row = 0, width; row < row_count && done; row += width) {
        width = row_count - row < width_max ? row_count - row : width_max;
        for (uint64_t column = 0, height; column < columns && done; column += height) {
            height = columns - column < width_max / width ? columns - column : width_max / width;
            const struct checkpoint_panel panel = {column, first_row + row, height, width};
            done = checkpoint_read_panel(checkpoint, weight->data, &panel, raw, fault);
            if (!done)
                break;
            element_to_floats(weight->data->element, raw, floats, height * width);
            for (uint64_t i = 0; i < height; i++)
                for (uint64_t j = 0; j < width; j++)
                    dst[(row + j) * columns + column + i] = floats[i * width + j];
        }
    }
    free(raw);
    free(floats);
    return done;
}

/* One row of scales serves block_rows rows. */
static bool read_fp8(const struct checkpoint *checkpoint, const struct hf_weight *weight,
                     uint64_t first_row, uint64_t row_count, float *dst, struct fault *fault)
{
    const struct checkpoint_tensor *scales = weight->scales;
    if (!checkpoint_read_floats(checkpoint, weight->data, first_row, row_count, dst, fault))
        return false;
    float *row = malloc(scales->columns * sizeof *row);
    bool done = row || fault_set(fault, FAULT_MEMORY, "no memory for %llu scales",
                                 (unsigned long long)scales->columns);
    uint64_t loaded = UINT64_MAX;
    for (uint64_t i = 0; i < row_count && done; i++) {
        uint64_t block = (first_row + i) / weight->block_rows;
        if (block != loaded)
            done = checkpoint_read_floats(checkpoint, scales, block, 1, row, fault);
        loaded = block;
        for (uint64_t j = 0; j < weight->columns && done; j++)
            dst[i * weight->columns + j] *= row[j / weight->block_columns];
    }
    free(row);
    return done;
}

bool hf_weight_read(const struct checkpoint *checkpoint, const struct hf_weight *weight,
                    uint64_t first_row, uint64_t row_count, float *dst, struct fault *fault)
{
    switch (weight->packing) {
    case PACKING_NONE:
        if (weight->transposed)
            return read_transposed(checkpoint, weight, first_row, row_count, dst, fault);
        return checkpoint_read_floats(checkpoint, weight->data, first_row, row_count, dst, fault);
    case PACKING_CONSTANT:
        memcpy(dst, weight->constant + first_row, row_count * sizeof *dst);
        return true;
    case PACKING_FP8:
        return read_fp8(checkpoint, weight, first_row, row_count, dst, fault);
    case PACKING_GPTQ:
    case PACKING_AWQ:
    case PACKING_INT8:
    case PACKING_INT4:
        break;
    }
    return hf_packed_read(checkpoint, weight, first_row, row_count, dst, fault);
}

bool hf_weight_read_lossless(const struct checkpoint *checkpoint, const struct hf_weight *weight,
                             uint64_t first_row, uint64_t row_count, void *dst, struct fault *fault)
{
    return hf_packed_read_lossless(checkpoint, weight, first_row, row_count, dst, fault);
}

bool hf_weight_inspect(const struct checkpoint *checkpoint, struct hf_weight *weight,
                       struct fault *fault)
{
    weight->lossless = DTYPE_ID_COUNT;
    return weight->packing < PACKING_GPTQ || hf_packed_inspect(checkpoint, weight, fault);
}

enum dtype hf_weight_stored(const struct hf_weight *weight)
{
    if (weight->packing == PACKING_FP8)
        return DTYPE_BF16;
    if (weight->packing >= PACKING_GPTQ)
        return weight->lossless != DTYPE_ID_COUNT ? weight->lossless : DTYPE_F16;
    if (weight->packing == PACKING_CONSTANT)
        return DTYPE_F32;
    switch (weight->data->element) {
    case ELEMENT_F16:
        return DTYPE_F16;
    case ELEMENT_BF16:
    case ELEMENT_F8_E4M3:
    case ELEMENT_F8_E5M2:
        return DTYPE_BF16;
    case ELEMENT_BLOCK:
        return weight->data->dtype;
    default:
        return DTYPE_F32;
    }
}
