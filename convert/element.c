/* element.c: the elements of tensors: sizes, and conversion to float and int64. Bytes are
 * little-endian and of any alignment. */
#include "element.h"
#include "half.h"

#include <math.h>
#include <string.h>

static const struct element_info infos[ELEMENT_COUNT] = {
    [ELEMENT_F64] = {"F64", 8, true, false},
    [ELEMENT_F32] = {"F32", 4, true, false},
    [ELEMENT_F16] = {"F16", 2, true, false},
    [ELEMENT_BF16] = {"BF16", 2, true, false},
    [ELEMENT_F8_E4M3] = {"F8_E4M3", 1, true, false},
    [ELEMENT_F8_E5M2] = {"F8_E5M2", 1, true, false},
    [ELEMENT_I64] = {"I64", 8, false, true},
    [ELEMENT_U64] = {"U64", 8, false, true},
    [ELEMENT_I32] = {"I32", 4, false, true},
    [ELEMENT_U32] = {"U32", 4, false, true},
    [ELEMENT_I16] = {"I16", 2, false, true},
    [ELEMENT_U16] = {"U16", 2, false, true},
    [ELEMENT_I8] = {"I8", 1, false, true},
    [ELEMENT_U8] = {"U8", 1, false, true},
    [ELEMENT_BOOL] = {"BOOL", 1, false, true},
    [ELEMENT_BLOCK] = {"blocks", 0, true, false},
};

const struct element_info *element_info(enum element element)
{
    return &infos[element];
}

static uint64_t load(const uint8_t *bytes, uint32_t size)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* 1 sign, 4 exponent (bias 7), 3 mantissa bits: moved to a half's place they are 2^8 too small. */
static float e4m3_to_float(uint8_t bits)
{
    if ((bits & 0x7f) == 0x7f)
        return NAN;
    uint32_t half = (uint32_t)(bits & 0x80) << 8 | (uint32_t)(bits & 0x7f) << 7;
    return half_to_float((uint16_t)half) * 256.0f;
}

static float to_float(enum element element, uint64_t bits)
{
    switch (element) {
    case ELEMENT_F64:
        return (float)double_of_bits(bits);
    case ELEMENT_F32:
        return float_of_bits((uint32_t)bits);
    case ELEMENT_F16:
        return half_to_float((uint16_t)bits);
    case ELEMENT_BF16:
        return bfloat_to_float((uint16_t)bits);
    case ELEMENT_F8_E4M3:
        return e4m3_to_float((uint8_t)bits);
    default: /* ELEMENT_F8_E5M2 */
        return half_to_float((uint16_t)(bits << 8));
    }
}

void element_to_floats(enum element element, const uint8_t *src, float *dst, size_t count)
{
    uint32_t size = infos[element].size;
    for (size_t i = 0; i < count; i++)
        dst[i] = to_float(element, load(src + i * size, size));
}

bool element_to_integers(enum element element, const uint8_t *src, int64_t *dst, size_t count)
{
    bool is_signed = element == ELEMENT_I64 || element == ELEMENT_I32 || element == ELEMENT_I16 ||
                     element == ELEMENT_I8;
    uint32_t size = infos[element].size;
    uint64_t sign = (uint64_t)1 << (8 * size - 1);
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = load(src + i * size, size);
        if (is_signed)
            bits = (bits ^ sign) - sign; /* fills the high bits with the sign */
        else if (bits > INT64_MAX)
            return false;
        memcpy(&dst[i], &bits, sizeof bits);
    }
    return true;
}
