/* half.h: IEEE 754 binary16 and bfloat16 to and from binary32, round to nearest even, NaN kept
 * NaN, subnormals exact.
 *   half     s eeeee mmmmmmmmmm       exponent bias 15
 *   bfloat   s eeeeeeee mmmmmmm       the upper half of a float */
#ifndef LICHEN_HALF_H
#define LICHEN_HALF_H

#include <stdint.h>
#include <string.h>

/* Inline because every block decodes one or two. Exponent and mantissa move to the float's place;
 * the product with 2^112 corrects the bias and makes subnormals normal, exactly; exponent 31
 * becomes 255. */
static inline float half_to_float(uint16_t bits)
{
    uint32_t magnitude = (uint32_t)(bits & 0x7fff) << 13, sign = (uint32_t)(bits & 0x8000) << 16;
    float value;
    memcpy(&value, &magnitude, sizeof value);
    value *= 0x1p112f;
    uint32_t scaled;
    memcpy(&scaled, &value, sizeof scaled);
    uint32_t special = 0U - (magnitude >= 0x0f800000); /* infinity, NaN */
    scaled |= sign | (special & 0x7f800000);
    memcpy(&value, &scaled, sizeof value);
    return value;
}

/* Inline for the same reason, in the encoders. */
static inline uint16_t half_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) /* NaN: made quiet, so that a payload below bit 13 is no infinity */
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
    if (magnitude >= 0x477ff000) /* 65520, halfway to what would be 65536 */
        return sign | 0x7c00;
    if (magnitude < 0x38800000) { /* below 2^-14: in [0.5, 1) a float's unit is 2^-24, ours */
        memcpy(&value, &magnitude, sizeof value);
        value += 0.5f;
        memcpy(&magnitude, &value, sizeof magnitude);
        return (uint16_t)(sign | (magnitude - 0x3f000000));
    }
    magnitude -= (127 - 15) << 23;
    magnitude += 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | magnitude >> 13);
}

float bfloat_to_float(uint16_t bits);
uint16_t bfloat_from_float(float value);

#endif
