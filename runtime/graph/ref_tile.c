/* ref_tile.c: see ref_tile.h. A vector holds the eight sums of two rows; a few such vectors and a
 * few tokens are kept in registers over all columns. */
#include "ref_tile.h"

#include <string.h>

typedef float vector_8 __attribute__((vector_size(32)));
typedef float vector_16 __attribute__((vector_size(64)));

enum { PAIRS = REF_TILE_ROWS / 2 };
#if defined(__AVX512F__)
enum { PAIR_TILE = 4, TOKEN_TILE = 6 };
#else
enum { PAIR_TILE = 2, TOKEN_TILE = 3 };
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE void twice(const float *x, vector_16 *both)
{
    vector_8 one;
    memcpy(&one, x, sizeof one);
    *both = __builtin_shufflevector(one, one, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
}

INLINE float sum_partial(const float *sum)
{
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

/* Eight columns of every row and token. */
INLINE void add_columns(const float *rows, const float *const *x, uint32_t tokens, uint32_t column,
                        vector_16 sum[][PAIR_TILE])
{
    vector_16 pair[PAIR_TILE];
    memcpy(pair, rows + (size_t)column * REF_TILE_ROWS, sizeof pair);
    for (uint32_t t = 0; t < tokens; t++) {
        vector_16 both;
        twice(x[t] + column, &both);
        for (uint32_t i = 0; i < PAIR_TILE; i++)
            sum[t][i] += pair[i] * both;
    }
}

/* PAIR_TILE pairs of rows (rows points at the first) and `tokens` <= TOKEN_TILE tokens. */
INLINE void tile(const float *rows, const float *x, uint32_t cols, uint32_t tokens, float *out)
{
    vector_16 sum[TOKEN_TILE][PAIR_TILE] = {{{0}}};
    const float *token[TOKEN_TILE];
    for (uint32_t t = 0; t < tokens; t++)
        token[t] = x + (size_t)t * cols;
    uint32_t whole = cols - cols % REF_PARTIAL_SUMS;
    for (uint32_t c = 0; c < whole; c += REF_PARTIAL_SUMS)
        add_columns(rows, token, tokens, c, sum);
    if (whole < cols) {
        float rest[TOKEN_TILE][REF_PARTIAL_SUMS] = {{0}};
        for (uint32_t t = 0; t < tokens; t++) {
            memcpy(rest[t], token[t] + whole, (cols - whole) * sizeof(float));
            token[t] = rest[t];
        }
        add_columns(rows + (size_t)whole * REF_TILE_ROWS, token, tokens, 0, sum);
    }
    for (uint32_t t = 0; t < tokens; t++)
        for (uint32_t i = 0; i < PAIR_TILE; i++) {
            float parts[2 * REF_PARTIAL_SUMS];
            memcpy(parts, &sum[t][i], sizeof parts);
            out[(size_t)t * REF_TILE_ROWS + 2 * i] = sum_partial(parts);
            out[(size_t)t * REF_TILE_ROWS + 2 * i + 1] = sum_partial(parts + REF_PARTIAL_SUMS);
        }
}

void IN_SET(ref_tile_product)(const float *rows, const float *x, uint32_t cols, uint32_t tokens,
                              float *out)
{
    for (uint32_t first = 0; first < tokens; first += TOKEN_TILE) {
        const float *token = x + (size_t)first * cols;
        for (uint32_t pair = 0; pair < PAIRS; pair += PAIR_TILE) {
            const float *packed = rows + (size_t)pair * 2 * REF_PARTIAL_SUMS;
            float *dst = out + (size_t)first * REF_TILE_ROWS + 2 * pair;
            if (tokens - first >= TOKEN_TILE)
                tile(packed, token, cols, TOKEN_TILE, dst);
            else
                for (uint32_t t = 0; t < tokens - first; t++)
                    tile(packed, token + (size_t)t * cols, cols, 1,
                         dst + (size_t)t * REF_TILE_ROWS);
        }
    }
}
