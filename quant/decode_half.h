/* decode_half.h: decode_f16 for one instruction set; all give the same bits. Internal to quant and
 * its tests. */
#ifndef LICHEN_DECODE_HALF_H
#define LICHEN_DECODE_HALF_H

#include "instruction_set.h"

#include <stddef.h>

typedef void decode_half(const void *halves, float *dst, size_t count);
INSTRUCTION_SET_DECLARE(decode_half, decode_halves);

#endif
