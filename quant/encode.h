/* encode.h: floats to blocks, the reverse of dtype_info.decode. Deterministic, one row at a time,
 * so that rows may be encoded by any number of threads with the same bytes. */
#ifndef LICHEN_ENCODE_H
#define LICHEN_ENCODE_H

#include "dtype.h"

struct encode_stats { /* sums over a row, added to what is there */
    double error;        /* sum (x - decode(encode(x)))^2 */
    double signal;       /* sum x^2 */
    double error_max;    /* largest |x - decode(encode(x))| */
    uint64_t nonfinite;  /* NaN and infinite inputs; encoded as 0 */
};

/* False for types lichen does not write (integers). */
bool encode_supported(enum dtype dtype);

/* Encodes one row of cols weights (a multiple of the type's block_weights).
 *   importance   [cols] >= 0, second moments of the activations that meet each column (an imatrix),
 *                or NULL: then the type's own weighting
 * The scales are searched by weighted least squares; F32, F16, BF16 and Q8_0 round to nearest.
 * stats may be NULL. */
void encode_row(enum dtype dtype, const float *src, const float *importance, uint32_t cols,
                void *dst, struct encode_stats *stats);

/* ggml's plain rounding (its *_ref functions, quantization.md section 1) for Q4_0 Q4_1 Q5_0 Q5_1
 * Q8_0, byte for byte; tests and `--type-for ...` comparisons use it. */
void encode_row_plain(enum dtype dtype, const float *src, uint32_t cols, void *dst);

#endif
