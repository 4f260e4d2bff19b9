/* moment.c: see moment.h. As many rows of a tile as fit stay in registers over all tokens. */
#include "moment.h"

#include <string.h>

typedef float vector __attribute__((vector_size(4 * MOMENT_PANEL)));

#if defined(__AVX512F__)
enum { ROWS = 16 };
#else
enum { ROWS = 4 };
#endif

void IN_SET(moment_tile_sum)(const float *a, const float *b, uint32_t tokens,
                             float tile[MOMENT_PANEL][MOMENT_PANEL])
{
    for (uint32_t first = 0; first < MOMENT_PANEL; first += ROWS) {
        vector sum[ROWS] = {{0}};
        for (uint32_t t = 0; t < tokens; t++) {
            vector column;
            memcpy(&column, b + (size_t)t * MOMENT_PANEL, sizeof column);
            for (uint32_t i = 0; i < ROWS; i++)
                sum[i] += a[(size_t)t * MOMENT_PANEL + first + i] * column;
        }
        memcpy(tile + first, sum, sizeof sum);
    }
}
