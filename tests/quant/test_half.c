/* test_half.c: binary16 and bfloat16 against arithmetic in double, for every bit pattern and around
 * every rounding boundary. */
#include "testing.h"

#include "half.h"

#include <math.h>

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The value of a finite binary16 by its definition. */
static double half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    int mantissa = bits & 1023;
    double value = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return bits & 0x8000 ? -value : value;
}

static void test_every_half(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t bits = (uint16_t)i;
        float value = half_to_float(bits);
        if ((bits & 0x7fff) > 0x7c00) {
            assert_true(isnan(value));
            assert_true((half_from_float(value) & 0x7fff) > 0x7c00);
            continue;
        }
        if ((bits & 0x7fff) == 0x7c00)
            assert_true(isinf(value) && (value < 0) == (bits >> 15 == 1));
        else
            assert_true((double)value == half_value(bits));
        assert_int_equal(half_from_float(value), bits);
    }
}

/* Between neighbours: below the middle down, the middle to even, above it up. */
static void test_half_rounding(void **state)
{
    (void)state;
    for (uint16_t bits = 0; bits < 0x7bff; bits++) {
        double low = half_value(bits);
        double high = half_value((uint16_t)(bits + 1));
        float middle = (float)((low + high) / 2);
        assert_true((double)middle == (low + high) / 2);
        uint16_t even = bits & 1 ? (uint16_t)(bits + 1) : bits;
        assert_int_equal(half_from_float(middle), even);
        assert_int_equal(half_from_float(-middle), even | 0x8000);
        assert_int_equal(half_from_float(nextafterf(middle, 0)), bits);
        assert_int_equal(half_from_float(nextafterf(middle, INFINITY)), bits + 1);
    }
    assert_int_equal(half_from_float(65519.996f), 0x7bff);
    assert_int_equal(half_from_float(65520.0f), 0x7c00);
    assert_int_equal(half_from_float(-1e38f), 0xfc00);
    assert_int_equal(half_from_float(0x1p-25f), 0x0000);
    assert_int_equal(half_from_float(nextafterf(0x1p-25f, 1)), 0x0001);
    assert_int_equal(half_from_float(-0x1p-149f), 0x8000);
}

static void test_nan_stays_nan(void **state)
{
    (void)state;
    const uint32_t nans[] = {0x7f800001, 0x7f801fff, 0x7fc00000,
                             0xff800001, 0xffffffff, 0x7f80ffff};
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++) {
        assert_true((half_from_float(float_of(nans[i])) & 0x7fff) > 0x7c00);
        assert_true((bfloat_from_float(float_of(nans[i])) & 0x7fff) > 0x7f80);
        assert_int_equal(half_from_float(float_of(nans[i])) >> 15, nans[i] >> 31);
    }
}

static void test_every_bfloat(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t bits = (uint16_t)i;
        float value = bfloat_to_float(bits);
        if ((bits & 0x7fff) > 0x7f80) {
            assert_true(isnan(value));
            continue;
        }
        assert_int_equal(bits_of(value), i << 16);
        assert_int_equal(bfloat_from_float(value), bits);
        if ((bits & 0x7fff) == 0x7f80)
            continue;
        /* the middle to even, its neighbours to theirs */
        assert_int_equal(bfloat_from_float(float_of(i << 16 | 0x8000)), bits + (bits & 1));
        assert_int_equal(bfloat_from_float(float_of(i << 16 | 0x7fff)), bits);
        assert_int_equal(bfloat_from_float(float_of(i << 16 | 0x8001)), bits + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_half),
        cmocka_unit_test(test_half_rounding),
        cmocka_unit_test(test_nan_stays_nan),
        cmocka_unit_test(test_every_bfloat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
