/* half.h: IEEE 754 binary16 and bfloat16 to and from binary32, round to nearest even, NaN kept
 * NaN, subnormals exact. */
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

uint16_t half_from_float(float value);
float bfloat_to_float(uint16_t bits);
uint16_t bfloat_from_float(float value);

#endif
