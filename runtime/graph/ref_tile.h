/* ref_tile.h: the inner loop of exec_ref's matrix product, compiled once an instruction set:
 *   out[t][r] = sum_c W[r][c] x[t][c]
 * in eight partial sums, column c in sum c % 8, added as ((0 4) (2 6)) ((1 5) (3 7)), whatever the
 * number of tokens and the instruction set. */
#ifndef LICHEN_REF_TILE_H
#define LICHEN_REF_TILE_H

#include "instruction_set.h"

#include <stdint.h>

enum {
    REF_TILE_ROWS = 16, /* rows of W that are decoded and multiplied together */
    REF_PARTIAL_SUMS = 8,
};

/* rows: REF_TILE_ROWS rows of W packed as [column / 8][row][8], zeros behind the last column.
 * x: [tokens, cols].  out: [tokens, REF_TILE_ROWS]. */
typedef void ref_tile(const float *rows, const float *x, uint32_t cols, uint32_t tokens,
                      float *out);
INSTRUCTION_SET_DECLARE(ref_tile, ref_tile_product);

#endif
