/* block_iq4.c: reference decode of the 4-bit types with a table of values (IQ4_NL, IQ4_XS).
 * Equations and layouts are in block.h. */
#include "block.h"
#include "decode.h"
#include "half.h"

#include <stddef.h>
#include <string.h>

static const int8_t values[16] = {BLOCK_IQ4_VALUES};

static void decode_32(float d, const uint8_t qs[16], float *dst)
{
    for (int j = 0; j < 16; j++) {
        dst[j] = d * (float)values[qs[j] & 15];
        dst[j + 16] = d * (float)values[qs[j] >> 4];
    }
}

void decode_iq4_nl(const void *blocks, float *dst, size_t count)
{
    const uint8_t *src = blocks;
    for (size_t i = 0; i < count; i++, dst += BLOCK_WEIGHTS) {
        const uint8_t *block = src + i * sizeof(struct block_iq4_nl);
        uint16_t d;
        memcpy(&d, block + offsetof(struct block_iq4_nl, d), sizeof d);
        decode_32(half_to_float(d), block + offsetof(struct block_iq4_nl, qs), dst);
    }
}

void decode_iq4_xs(const void *blocks, float *dst, size_t count)
{
    const uint8_t *src = blocks;
    for (size_t n = 0; n < count; n++, src += sizeof(struct block_iq4_xs)) {
        const uint8_t *qs = src + offsetof(struct block_iq4_xs, qs);
        struct block_iq4_xs block; /* all but qs */
        memcpy(&block, src, offsetof(struct block_iq4_xs, qs));
        for (int i = 0; i < 8; i++, dst += 32) {
            int low = block.scales_l[i / 2] >> 4 * (i % 2) & 15;
            int scale = low | (block.scales_h >> 2 * i & 3) << 4;
            decode_32(half_to_float(block.d) * (float)(scale - 32), qs + 16 * i, dst);
        }
    }
}
