/* decode_half.c: binary16 to floats, compiled once an instruction set: a conversion from F16 reads
 * everything through it. */
#include "decode_half.h"
#include "half.h"

void IN_SET(decode_halves)(const void *halves, float *dst, size_t count)
{
    const uint8_t *bytes = halves;
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, bytes + i * sizeof bits, sizeof bits);
        dst[i] = half_to_float(bits);
    }
}
