/* planes.h: GGUF blocks laid out again for the device: quants in 16-byte words, scales apart, high
 * bits apart. Lossless and reversible; exists only in memory, made at load. The byte layout of each
 * type is stated in planes.c, and shaders/weights.glsl reads exactly that. */
#ifndef LICHEN_PLANES_H
#define LICHEN_PLANES_H

#include "dtype.h"
#include "fault.h"

enum { PLANE_MAX = 3 };

/* Rows that take turns, group by group, are `interleave` rows, a power of two: 1 puts row after
 * row; 8 puts side by side what 8 lanes read at once that own a row each. */

/* False when the type has no device layout (fault names it). */
bool planes_supported(enum dtype dtype, struct fault *fault);
/* Number of planes and bytes of each for `rows` rows of `cols` weights (a multiple of 4 each). */
uint32_t planes_count(enum dtype dtype);
uint64_t planes_size(enum dtype dtype, uint32_t interleave, uint32_t cols, uint64_t rows,
                     uint32_t plane);
/* Row ranges may be packed apart and in any order, in multiples of this many rows (the last range
 * may be shorter). */
uint32_t planes_row_group(enum dtype dtype, uint32_t interleave);
/* src: rows of blocks as in the file. dst[p]: where plane p of these rows begins; all of its
 * planes_size bytes are written. */
void planes_pack(enum dtype dtype, uint32_t interleave, const void *src, uint32_t cols,
                 uint64_t rows, void *const dst[PLANE_MAX]);
void planes_unpack(enum dtype dtype, uint32_t interleave, const void *const src[PLANE_MAX],
                   uint32_t cols, uint64_t rows, void *dst);

#endif
