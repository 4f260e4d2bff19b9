/* exact.c: exp and log out of IEEE additions, multiplications and divisions alone, so that a seed
 * means the same on every machine. Relative error below 1e-15.
 *   exp(x) = 2^k exp(r), r = x - k ln 2, |r| <= ln 2 / 2, Taylor series to r^13
 *   log(m 2^k) = k ln 2 + 2 (s + s^3/3 + s^5/5 + ...), s = (m - 1) / (m + 1), m in [0.7, 1.42) */
#include "chain.h"

#include <math.h>

static const double LOG2E = 1.4426950408889634;
static const double LN2_HIGH = 6.93147180369123816490e-01; /* k times it is exact */
static const double LN2_LOW = 1.90821492927058770002e-10;

/* 1 / i! */
static const double INVERSE_FACTORIAL[14] = {
    1,
    1,
    0.5,
    0.16666666666666666,
    0.041666666666666664,
    0.008333333333333333,
    0.001388888888888889,
    0.0001984126984126984,
    2.48015873015873e-05,
    2.7557319223985893e-06,
    2.755731922398589e-07,
    2.505210838544172e-08,
    2.08767569878681e-09,
    1.6059043836821613e-10,
};

double exact_exp(double x)
{
    if (x < -700)
        return 0;
    double k = floor(x * LOG2E + 0.5);
    double r = (x - k * LN2_HIGH) - k * LN2_LOW;
    double sum = INVERSE_FACTORIAL[13];
    for (int i = 12; i >= 0; i--)
        sum = sum * r + INVERSE_FACTORIAL[i];
    return ldexp(sum, (int)k);
}

double exact_log(double x)
{
    int k;
    double m = frexp(x, &k);
    if (m < 0.7071067811865476) {
        m *= 2;
        k--;
    }
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    for (int i = 21; i > 0; i -= 2)
        sum = sum * square + 1.0 / i;
    return k * LN2_HIGH + (2 * s * sum + k * LN2_LOW);
}
