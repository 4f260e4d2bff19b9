/* half.c: binary16 and bfloat16 by integer arithmetic on the bit patterns.
 *   half     s eeeee mmmmmmmmmm       exponent bias 15
 *   bfloat   s eeeeeeee mmmmmmm       the upper half of a float */
#include "half.h"

#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t half_from_float(float value)
{
    uint32_t bits = bits_of(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) /* NaN: made quiet, so that a payload below bit 13 is no infinity */
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
    if (magnitude >= 0x477ff000) /* 65520, halfway to what would be 65536 */
        return sign | 0x7c00;
    if (magnitude < 0x38800000) /* below 2^-14: in [0.5, 1) a float's unit is 2^-24, ours */
        return (uint16_t)(sign | (bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f)));
    magnitude -= (127 - 15) << 23;
    magnitude += 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | magnitude >> 13);
}

float bfloat_to_float(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

uint16_t bfloat_from_float(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
