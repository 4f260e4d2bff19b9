/* hf_weight.h: one published matrix y = W x as float rows, however it is stored: plain numbers,
 * transposed, FP8 with a scale a block, or packed integers (GPTQ, AWQ, ChatGLM's).
 *
 *   FP8      w = x scale_inv[row / block_rows][column / block_columns]
 *   GPTQ     qweight [in / p, out] int32, p = 32 / bits codes of inputs in a word, low bits first;
 *            qzeros [groups, out / p], low bits first, zero - 1 ("v1") or zero ("v2");
 *            scales [groups, out]; g_idx [in] the group of each input
 *            w[out][in] = scales[g][out] (q - zero[g][out])
 *   AWQ      qweight [in, out / 8] int32: nibble k of a word is output 0 2 4 6 1 3 5 7; qzeros
 *            likewise, the zero itself
 *   ChatGLM  int8 [out, in], or int4 [out, in / 2], the even column in the high nibble;
 *            weight_scale [out]
 *
 * A vector is a matrix of one column. */
#ifndef LICHEN_HF_WEIGHT_H
#define LICHEN_HF_WEIGHT_H

#include "checkpoint.h"

enum hf_packing {
    PACKING_NONE,
    PACKING_CONSTANT, /* numbers that the converter computed */
    PACKING_FP8,
    PACKING_GPTQ,
    PACKING_AWQ,
    PACKING_INT8,
    PACKING_INT4,
};

struct hf_weight {
    enum hf_packing packing;
    bool transposed; /* NONE: data is [columns, rows] */
    uint64_t rows, columns;
    const struct checkpoint_tensor *data, *scales, *zeros, *groups; /* NULL where there is none */
    const float *constant;                                          /* [rows] of CONSTANT */
    uint64_t block_rows, block_columns;                             /* FP8 */
    uint32_t bits;                                                  /* GPTQ, AWQ */
    uint64_t group_size; /* inputs a group, when groups is NULL or trivial */
    int32_t zero_add;    /* 1: the stored zero is one less */
    bool zero_wraps;     /* a zero of 2^bits is 0 */
    bool zero_is_full;   /* one of 2^bits occurs: readers differ (found) */
    enum dtype lossless; /* DTYPE_ID_COUNT = none */
};

/* The description is complete but for lossless, which is found by reading zeros and groups; ranges
 * of both are checked here. */
bool hf_weight_inspect(const struct checkpoint *checkpoint, struct hf_weight *weight,
                       struct fault *fault);
/* What source_tensor.stored says. */
enum dtype hf_weight_stored(const struct hf_weight *weight);
/* dst[row_count * columns] */
bool hf_weight_read(const struct checkpoint *checkpoint, const struct hf_weight *weight,
                    uint64_t first_row, uint64_t row_count, float *dst, struct fault *fault);
/* dst[row_count * columns / weights of a block] blocks of weight->lossless */
bool hf_weight_read_lossless(const struct checkpoint *checkpoint, const struct hf_weight *weight,
                             uint64_t first_row, uint64_t row_count, void *dst,
                             struct fault *fault);

#endif
