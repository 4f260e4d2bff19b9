/* moment.h: sums of x x^T over tokens, compiled once an instruction set. Columns go in panels of
 * MOMENT_PANEL; a tile of the matrix is a pair of panels, summed over the tokens in their order. */
#ifndef LICHEN_MOMENT_H
#define LICHEN_MOMENT_H

#include "instruction_set.h"

#include <stdint.h>

enum { MOMENT_PANEL = 16 };

/* tile[i][j] = sum_t a[t][i] b[t][j]; a, b: [tokens, MOMENT_PANEL]. */
typedef void moment_tile(const float *a, const float *b, uint32_t tokens,
                         float tile[MOMENT_PANEL][MOMENT_PANEL]);
INSTRUCTION_SET_DECLARE(moment_tile, moment_tile_sum);

#endif
