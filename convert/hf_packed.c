/* hf_packed.c: codes, zeros and scales of packed integers, a panel of some rows (outputs) at a
 * time: w = scale[group][row] value[row][column], value = code - zero. */
#include "hf_packed.h"
#include "block.h"
#include "element.h"
#include "half.h"

#include <stdlib.h>
#include <string.h>

enum { PANEL_VALUES = 1 << 18, PANEL_ROWS_MAX = 256, WORD_SIZE = 4 };

struct panel {
    const struct checkpoint *checkpoint;
    const struct hf_weight *weight;
    struct fault *fault;
    uint64_t group_count;
    size_t rows_max;
    uint32_t *words;  /* raw words or bytes of a panel */
    int16_t *values;  /* [rows][columns] */
    int16_t *zeros;   /* [group_count][rows] */
    float *scales;    /* [group_count][rows] */
    void *raw_scales; /* as stored */
    int64_t *groups;  /* [columns], NULL when they follow one another */
    uint64_t first;
    size_t rows; /* of the panel that is loaded */
};

static uint32_t codes_in_word(const struct hf_weight *weight)
{
    return 32 / weight->bits;
}

/* Words of a row of qzeros, or of AWQ's qweight, that hold `rows` outputs from any first one on. */
static size_t words_across(const struct hf_weight *weight, size_t rows)
{
    return rows / codes_in_word(weight) + 2;
}

static bool is_words(const struct hf_weight *weight)
{
    return weight->packing == PACKING_GPTQ || weight->packing == PACKING_AWQ;
}

static size_t raw_size(const struct panel *panel)
{
    const struct hf_weight *weight = panel->weight;
    if (!is_words(weight))
        return panel->rows_max * weight->columns; /* bytes */
    size_t across = words_across(weight, panel->rows_max), codes, zeros;
    codes = weight->packing == PACKING_AWQ
                ? weight->columns * across
                : (weight->columns / codes_in_word(weight) + 1) * panel->rows_max;
    zeros = panel->group_count * across;
    return (codes > zeros ? codes : zeros) * WORD_SIZE;
}

static void panel_free(struct panel *panel)
{
    free(panel->words);
    free(panel->values);
    free(panel->zeros);
    free(panel->scales);
    free(panel->raw_scales);
    free(panel->groups);
}

static bool panel_init(struct panel *panel)
{
    const struct hf_weight *weight = panel->weight;
    size_t rows = PANEL_VALUES / weight->columns;
    panel->rows_max = rows < 8 ? 8 : rows > PANEL_ROWS_MAX ? PANEL_ROWS_MAX : rows;
    panel->group_count = is_words(weight) ? weight->scales->rows : 1;
    size_t scales = panel->group_count * panel->rows_max;
    panel->words = malloc(raw_size(panel));
    panel->values = malloc(panel->rows_max * weight->columns * sizeof *panel->values);
    panel->zeros = calloc(scales, sizeof *panel->zeros);
    panel->scales = malloc(scales * sizeof *panel->scales);
    panel->raw_scales = malloc(scales * sizeof(double));
    if (weight->groups)
        panel->groups = malloc(weight->columns * sizeof *panel->groups);
    return (panel->words && panel->values && panel->zeros && panel->scales && panel->raw_scales &&
            (panel->groups || !weight->groups)) ||
           fault_set(panel->fault, FAULT_MEMORY, "no memory to unpack rows of %llu",
                     (unsigned long long)weight->columns);
}

/* g_idx, checked each time: the file could have changed. */
static bool load_groups(struct panel *panel, const struct checkpoint_tensor *groups,
                        int64_t *values)
{
    if (!checkpoint_read_integers(panel->checkpoint, groups, 0, 1, values, panel->fault))
        return false;
    for (uint64_t i = 0; i < groups->columns; i++)
        if (values[i] < 0 || (uint64_t)values[i] >= panel->group_count)
            return fault_set(panel->fault, FAULT_FORMAT,
                             "tensor '%s': group %lld of input %llu, expected 0 to %llu",
                             groups->name, (long long)values[i], (unsigned long long)i,
                             (unsigned long long)panel->group_count - 1);
    return true;
}

static bool load_scales(struct panel *panel)
{
    const struct checkpoint_tensor *scales = panel->weight->scales;
    const struct checkpoint_panel part = {0, panel->first, panel->group_count, panel->rows};
    if (!checkpoint_read_panel(panel->checkpoint, scales, &part, panel->raw_scales, panel->fault))
        return false;
    element_to_floats(scales->element, panel->raw_scales, panel->scales,
                      panel->group_count * panel->rows);
    return true;
}

/* Which output of the 8 of a word AWQ's nibble k is. */
static const uint8_t awq_outputs[8] = {0, 2, 4, 6, 1, 3, 5, 7};

/* The nibble that holds output i of a word. */
static uint32_t position_in_word(const struct hf_weight *weight, uint32_t i)
{
    static const uint8_t nibbles[8] = {0, 4, 1, 5, 2, 6, 3, 7}; /* inverse of awq_outputs */
    return weight->packing == PACKING_AWQ ? nibbles[i] : i;
}

static bool read_words(struct panel *panel, const struct checkpoint_tensor *tensor,
                       uint64_t first_row, uint64_t row_count, uint64_t first, size_t count)
{
    const struct checkpoint_panel part = {first_row, first, row_count, count};
    return checkpoint_read_panel(panel->checkpoint, tensor, &part, panel->words, panel->fault);
}

static int16_t zero_of(const struct hf_weight *weight, uint32_t stored)
{
    int32_t zero = (int32_t)stored + weight->zero_add;
    return (int16_t)(weight->zero_wraps && zero == 1 << weight->bits ? 0 : zero);
}

static bool load_zeros(struct panel *panel)
{
    const struct hf_weight *weight = panel->weight;
    uint32_t in_word = codes_in_word(weight), mask = (uint32_t)((1ULL << weight->bits) - 1);
    uint64_t first_word = panel->first / in_word;
    size_t words = (size_t)((panel->first + panel->rows - 1) / in_word - first_word + 1);
    if (!read_words(panel, weight->zeros, 0, panel->group_count, first_word, words))
        return false;
    for (uint64_t group = 0; group < panel->group_count; group++)
        for (size_t i = 0; i < panel->rows; i++) {
            uint64_t output = panel->first + i;
            uint32_t word = panel->words[group * words + output / in_word - first_word];
            uint32_t place = position_in_word(weight, (uint32_t)(output % in_word));
            panel->zeros[group * panel->rows + i] =
                zero_of(weight, word >> (place * weight->bits) & mask);
        }
    return true;
}

static uint64_t group_of(const struct panel *panel, uint64_t column)
{
    return panel->groups ? (uint64_t)panel->groups[column] : column / panel->weight->group_size;
}

static bool load_gptq(struct panel *panel)
{
    const struct hf_weight *weight = panel->weight;
    uint32_t in_word = codes_in_word(weight), mask = (uint32_t)((1ULL << weight->bits) - 1);
    uint64_t word_rows = weight->columns / in_word;
    size_t rows = panel->rows;
    if (!read_words(panel, weight->data, 0, word_rows, panel->first, rows))
        return false;
    for (uint64_t column = 0; column < weight->columns; column++) {
        const uint32_t *words = panel->words + column / in_word * rows;
        const int16_t *zeros = panel->zeros + group_of(panel, column) * rows;
        uint32_t shift = (uint32_t)(column % in_word) * weight->bits;
        for (size_t i = 0; i < rows; i++)
            panel->values[i * weight->columns + column] =
                (int16_t)((int32_t)(words[i] >> shift & mask) - zeros[i]);
    }
    return true;
}

static bool load_awq(struct panel *panel)
{
    const struct hf_weight *weight = panel->weight;
    uint64_t first_word = panel->first / 8;
    size_t words = (size_t)((panel->first + panel->rows - 1) / 8 - first_word + 1);
    if (!read_words(panel, weight->data, 0, weight->columns, first_word, words))
        return false;
    for (uint64_t column = 0; column < weight->columns; column++) {
        const int16_t *zeros = panel->zeros + group_of(panel, column) * panel->rows;
        for (size_t word = 0; word < words; word++)
            for (uint32_t k = 0; k < 8; k++) {
                uint64_t output = (first_word + word) * 8 + awq_outputs[k];
                if (output < panel->first || output >= panel->first + panel->rows)
                    continue;
                uint64_t i = output - panel->first;
                uint32_t code = panel->words[column * words + word] >> (4 * k) & 15;
                panel->values[i * weight->columns + column] = (int16_t)((int32_t)code - zeros[i]);
            }
    }
    return true;
}

static int16_t signed_nibble(uint32_t nibble)
{
    return (int16_t)((int32_t)(nibble ^ 8) - 8);
}

/* int8, or two int4 a byte */
static bool load_bytes(struct panel *panel)
{
    const struct hf_weight *weight = panel->weight;
    const struct checkpoint_panel part = {panel->first, 0, panel->rows, weight->data->columns};
    const uint8_t *bytes = (const uint8_t *)panel->words;
    size_t count = panel->rows * (size_t)weight->data->columns;
    if (!checkpoint_read_panel(panel->checkpoint, weight->data, &part, panel->words, panel->fault))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (weight->packing == PACKING_INT8) {
            panel->values[i] = (int16_t)((int32_t)(bytes[i] ^ 128U) - 128);
            continue;
        }
        panel->values[2 * i] = signed_nibble(bytes[i] >> 4);
        panel->values[2 * i + 1] = signed_nibble(bytes[i] & 15);
    }
    return true;
}

static bool load_codes(struct panel *panel)
{
    switch (panel->weight->packing) {
    case PACKING_GPTQ:
        return load_gptq(panel);
    case PACKING_AWQ:
        return load_awq(panel);
    default:
        return load_bytes(panel);
    }
}

/* Zeros and scales of the rows at `first`, as many as fit. */
static bool load_grid(struct panel *panel, uint64_t first, uint64_t left)
{
    panel->first = first;
    panel->rows = left < panel->rows_max ? (size_t)left : panel->rows_max;
    return load_scales(panel) && (!panel->weight->zeros || load_zeros(panel));
}

static void panel_floats(const struct panel *panel, float *dst)
{
    uint64_t columns = panel->weight->columns;
    for (size_t i = 0; i < panel->rows; i++)
        for (uint64_t column = 0; column < columns; column++)
            dst[i * columns + column] = panel->scales[group_of(panel, column) * panel->rows + i] *
                                        (float)panel->values[i * columns + column];
}

/* values[32] */
static void encode_block(enum dtype dtype, uint16_t d, const int16_t *values, uint8_t *dst)
{
    if (dtype == DTYPE_Q8_0) {
        struct block_q8_0 block = {.d = d};
        for (int i = 0; i < BLOCK_WEIGHTS; i++)
            block.qs[i] = (int8_t)values[i];
        memcpy(dst, &block, sizeof block);
        return;
    }
    int32_t offset = dtype == DTYPE_Q5_0 ? 16 : 8;
    struct block_q5_0 block = {.d = d};
    for (int i = 0; i < BLOCK_WEIGHTS; i++) {
        uint32_t code = (uint32_t)(values[i] + offset);
        block.qs[i % 16] |= (uint8_t)((code & 15) << (i < 16 ? 0 : 4));
        block.qh[i / 8] |= (uint8_t)(code >> 4 << (i % 8));
    }
    if (dtype == DTYPE_Q5_0) {
        memcpy(dst, &block, sizeof block);
        return;
    }
    struct block_q4_0 small = {.d = d};
    memcpy(small.qs, block.qs, sizeof small.qs);
    memcpy(dst, &small, sizeof small);
}

static void panel_blocks(const struct panel *panel, uint8_t *dst)
{
    const struct hf_weight *weight = panel->weight;
    size_t size = dtype_find(weight->lossless)->block_size;
    for (size_t i = 0; i < panel->rows; i++)
        for (uint64_t column = 0; column < weight->columns; column += BLOCK_WEIGHTS) {
            float scale = panel->scales[group_of(panel, column) * panel->rows + i];
            encode_block(weight->lossless, half_from_float(scale),
                         panel->values + i * weight->columns + column, dst);
            dst += size;
        }
}

/* To dst as floats, or as blocks. */
static bool read_panels(const struct checkpoint *checkpoint, const struct hf_weight *weight,
                        uint64_t first_row, uint64_t row_count, bool as_floats, void *dst,
                        struct fault *fault)
{
    struct panel panel = {.checkpoint = checkpoint, .weight = weight, .fault = fault};
    bool done = panel_init(&panel) &&
                (!weight->groups || load_groups(&panel, weight->groups, panel.groups));
    size_t row_size =
        as_floats ? weight->columns * sizeof(float)
                  : weight->columns / BLOCK_WEIGHTS * dtype_find(weight->lossless)->block_size;
    for (uint64_t row = 0; row < row_count && done; row += panel.rows) {
        done = load_grid(&panel, first_row + row, row_count - row) && load_codes(&panel);
        uint8_t *rows = (uint8_t *)dst + row * row_size;
        if (done && as_floats)
            panel_floats(&panel, (float *)(void *)rows);
        else if (done)
            panel_blocks(&panel, rows);
    }
    panel_free(&panel);
    return done;
}

bool hf_packed_read(const struct checkpoint *checkpoint, const struct hf_weight *weight,
                    uint64_t first_row, uint64_t row_count, float *dst, struct fault *fault)
{
    return read_panels(checkpoint, weight, first_row, row_count, true, dst, fault);
}

bool hf_packed_read_lossless(const struct checkpoint *checkpoint, const struct hf_weight *weight,
                             uint64_t first_row, uint64_t row_count, void *dst, struct fault *fault)
{
    return read_panels(checkpoint, weight, first_row, row_count, false, dst, fault);
}

/* inspection */

struct grid_range {
    int32_t zero_min, zero_max;
    bool scales_are_halves;
};

static void extend(const struct panel *panel, struct grid_range *range)
{
    size_t count = panel->group_count * panel->rows;
    for (size_t i = 0; i < count; i++) {
        float scale = panel->scales[i];
        range->scales_are_halves &= half_to_float(half_from_float(scale)) == scale;
        if (panel->zeros[i] < range->zero_min)
            range->zero_min = panel->zeros[i];
        if (panel->zeros[i] > range->zero_max)
            range->zero_max = panel->zeros[i];
    }
}

/* The smallest block type that has all values from least to most. */
static enum dtype type_of_values(int32_t least, int32_t most)
{
    if (least >= -8 && most <= 7)
        return DTYPE_Q4_0;
    if (least >= -16 && most <= 15)
        return DTYPE_Q5_0;
    return least >= -128 && most <= 127 ? DTYPE_Q8_0 : DTYPE_ID_COUNT;
}

static enum dtype find_lossless(const struct hf_weight *weight, const struct grid_range *range)
{
    if (!range->scales_are_halves || weight->groups || weight->group_size % BLOCK_WEIGHTS != 0 ||
        weight->columns % BLOCK_WEIGHTS != 0)
        return DTYPE_ID_COUNT;
    if (!is_words(weight))
        return weight->packing == PACKING_INT8 ? DTYPE_Q8_0 : DTYPE_Q4_0;
    return type_of_values(-range->zero_max, (1 << weight->bits) - 1 - range->zero_min);
}

/* Groups that follow one another need no list. */
static bool inspect_groups(struct panel *panel, struct hf_weight *weight)
{
    bool trivial = true;
    if (!weight->groups)
        return true;
    if (!load_groups(panel, weight->groups, panel->groups))
        return false;
    for (uint64_t i = 0; i < weight->columns; i++)
        trivial &= (uint64_t)panel->groups[i] == i / weight->group_size;
    if (trivial)
        weight->groups = NULL;
    return true;
}

bool hf_packed_inspect(const struct checkpoint *checkpoint, struct hf_weight *weight,
                       struct fault *fault)
{
    struct panel panel = {.checkpoint = checkpoint, .weight = weight, .fault = fault};
    struct grid_range range = {INT16_MAX, INT16_MIN, true};
    bool done = panel_init(&panel) && inspect_groups(&panel, weight);
    for (uint64_t row = 0; row < weight->rows && done; row += panel.rows) {
        done = load_grid(&panel, row, weight->rows - row);
        if (done)
            extend(&panel, &range);
    }
    panel_free(&panel);
    weight->lossless = done ? find_lossless(weight, &range) : DTYPE_ID_COUNT;
    weight->zero_is_full = is_words(weight) && range.zero_max == 1 << weight->bits;
    return done;
}
