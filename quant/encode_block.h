/* encode_block.h: the encoders behind encode_row, one a type: a row of block_count blocks from
 * floats. Internal to quant, its tests and bench; others call encode_row (encode.h).
 *
 * The files that define them are compiled once for every instruction set (CMake gives ENCODE_SET
 * its name); all give the same bytes, because no sum is reordered and no product is fused. */
#ifndef LICHEN_ENCODE_BLOCK_H
#define LICHEN_ENCODE_BLOCK_H

#include "encode.h"

enum encode_set { ENCODE_SET_PLAIN, ENCODE_SET_AVX2, ENCODE_SET_AVX512, ENCODE_SET_COUNT };

/* The last one that this processor runs; it runs those before it, too. */
enum encode_set encode_set_best(void);
/* encode_row with a set up to encode_set_best(). */
void encode_row_with(enum encode_set set, enum dtype dtype, const float *src,
                     const float *importance, uint32_t cols, void *dst);

/* NaN and infinite weights count as 0. importance: [weights of the row] or NULL. dst needs no
 * alignment. */
typedef void encode_blocks(const float *src, const float *importance, size_t block_count,
                           void *dst);

/* Adds count weights and what their blocks decode to. */
typedef void encode_measure(const float *src, const float *decoded, size_t count,
                            struct encode_stats *stats);

#define ENCODE_JOIN(type, set) encode_##type##_##set
#define ENCODE_EXPAND(type, set) ENCODE_JOIN(type, set)
#ifdef ENCODE_SET
#define ENCODER(type) ENCODE_EXPAND(type, ENCODE_SET) /* encode_q4_0_avx2 */
#endif

#define ENCODERS_DECLARE(set)                                                                      \
    encode_blocks encode_q4_0_##set, encode_q4_1_##set, encode_q5_0_##set, encode_q5_1_##set,      \
        encode_q8_0_##set, encode_q4_k_##set, encode_q5_k_##set, encode_q6_k_##set,                \
        encode_iq4_nl_##set, encode_iq4_xs_##set;                                                  \
    encode_measure encode_measure_##set

ENCODERS_DECLARE(plain);
ENCODERS_DECLARE(avx2);
ENCODERS_DECLARE(avx512);

#endif
