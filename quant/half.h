/* half.h: IEEE 754 binary16 and bfloat16 to and from binary32, round to nearest even, NaN kept
 * NaN, subnormals exact. */
#ifndef LICHEN_HALF_H
#define LICHEN_HALF_H

#include <stdint.h>

float half_to_float(uint16_t bits);
uint16_t half_from_float(float value);
float bfloat_to_float(uint16_t bits);
uint16_t bfloat_from_float(float value);

#endif
