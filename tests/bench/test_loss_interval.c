/* test_loss_interval.c: do intervals say what they claim? 1,000 experiments whose truth is known.
 */
#include "loss_interval.h"
#include "loss_metrics.h"
#include "testing.h"
#include <math.h>

enum { EXPERIMENTS = 1000 };

static double normal(uint64_t *seed)
{
    double u = ((double)(test_random(seed) >> 11) + 0.5) / 9007199254740992.0;
    double v = (double)(test_random(seed) >> 11) / 9007199254740992.0;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* Mean of a chunk of `tokens` tokens that follow each other as AR(1) around the chunk's own level:
 * what text does. Truth: 0.2. */
static double chunk_mean(uint64_t *seed, int tokens)
{
    double level = 0.05 * normal(seed), x = normal(seed), sum = 0;
    for (int i = 0; i < tokens; i++) {
        x = 0.8 * x + 0.6 * normal(seed);
        sum += 0.2 + level + 0.3 * x;
    }
    return sum / tokens;
}

/* KLD of chunks is skewed: exp of a normal of deviation 0.5, truth exp(0.125). */
static double skewed_mean(uint64_t *seed, int tokens)
{
    (void)tokens;
    return exp(0.5 * normal(seed));
}

static double coverage(double (*chunk)(uint64_t *seed, int tokens), double truth, size_t chunks)
{
    uint64_t seed = 12345;
    int covered = 0;
    double values[128];
    for (int i = 0; i < EXPERIMENTS; i++) {
        for (size_t k = 0; k < chunks; k++)
            values[k] = chunk(&seed, 30);
        struct loss_interval found = loss_interval_of(values, chunks, 0.95, 1);
        assert_true(found.known && found.low < found.high);
        covered += found.low <= truth && truth <= found.high;
    }
    print_message("%zu chunks: the truth lies inside %.1f times of 100\n", chunks,
                  100.0 * covered / EXPERIMENTS);
    return (double)covered / EXPERIMENTS;
}

/* 1 2 3 4: mean 2.5, error sqrt(5/3)/2; Student's t of 3 degrees: 1.6377 inside 80 %, 2.3534 inside
 * 90 %, 3.1824 inside 95 %. */
static void test_levels(void **state)
{
    (void)state;
    static const double values[] = {1, 2, 3, 4}, levels[] = {0.8, 0.9, 0.95};
    static const double reach[] = {1.637744, 2.353363, 3.182446};
    double scratch[4];
    for (size_t i = 0; i < 3; i++) {
        struct loss_interval found = loss_interval_of(values, 4, levels[i], 1);
        assert_true(fabs(found.high - 2.5 - reach[i] * sqrt(5.0 / 3) / 2) < 1e-5);
        assert_true(fabs(found.low - 2.5 + reach[i] * sqrt(5.0 / 3) / 2) < 1e-5);
    }
    /* differences 0 1 2 3: mean 1.5, the same error 0.6455: 1.5 / 0.6455 = 2.324 lies between the
     * t of 80 % and of 90 % */
    static const double zeros[] = {0, 0, 0, 0}, differences[] = {0, 1, 2, 3};
    assert_int_equal(loss_pair_of(differences, zeros, 4, 0.8, 1, scratch).verdict, LOSS_WORSE);
    assert_int_equal(loss_pair_of(differences, zeros, 4, 0.9, 1, scratch).verdict, LOSS_SAME);
}

static void test_coverage(void **state)
{
    (void)state;
    static const size_t counts[] = {4, 20, 60};
    for (size_t i = 0; i < 3; i++) {
        double share = coverage(chunk_mean, 0.2, counts[i]);
        assert_true(share >= 0.93 && share <= 0.97);
    }
}

static void test_coverage_skewed(void **state)
{
    (void)state;
    static const size_t counts[] = {20, 60};
    for (size_t i = 0; i < 2; i++) {
        double share = coverage(skewed_mean, exp(0.125), counts[i]);
        assert_true(share >= 0.93 && share <= 0.97);
    }
}

/* Tokens of a chunk depend on each other: taking them as independent gives an error far too small.
 */
static void test_tokens_are_not_independent(void **state)
{
    (void)state;
    enum { CHUNKS = 50, TOKENS = 100 };
    static double tokens[CHUNKS * TOKENS];
    double means[CHUNKS], by_token, by_chunk;
    uint64_t seed = 99;
    for (int k = 0; k < CHUNKS; k++) {
        double x = normal(&seed);
        for (int i = 0; i < TOKENS; i++) {
            x = 0.8 * x + 0.6 * normal(&seed);
            tokens[k * TOKENS + i] = x;
        }
        loss_mean(tokens + (ptrdiff_t)k * TOKENS, TOKENS, &means[k], NULL, NULL);
    }
    loss_mean(tokens, CHUNKS * TOKENS, NULL, NULL, &by_token);
    loss_mean(means, CHUNKS, NULL, NULL, &by_chunk);
    assert_true(by_chunk > 2 * by_token); /* sqrt((1 + 0.8)/(1 - 0.8)) = 3 */
}

static void test_few(void **state)
{
    (void)state;
    const double values[3] = {1, 2, 3};
    struct loss_interval found = loss_interval_of(values, 3, 0.95, 1);
    double reach = 4.302652729911275 / sqrt(3); /* t of 2 degrees, 97.5 % */
    assert_true(fabs(found.low - (2 - reach)) < 1e-6 && fabs(found.high - (2 + reach)) < 1e-6);
    assert_false(loss_interval_of(values, 1, 0.95, 1).known);
    assert_true(fabs(loss_student(0.975, 1) - 12.706204736) < 1e-5);
    assert_true(fabs(loss_student(0.95, 6) - 1.943180281) < 1e-6);
}

static void test_repeatable(void **state)
{
    (void)state;
    double values[30];
    uint64_t seed = 3;
    for (int i = 0; i < 30; i++)
        values[i] = normal(&seed);
    struct loss_interval a = loss_interval_of(values, 30, 0.95, 1);
    struct loss_interval b = loss_interval_of(values, 30, 0.95, 1);
    assert_true(a.low == b.low && a.high == b.high);
    for (int i = 0; i < 30; i++)
        values[i] = 4;
    a = loss_interval_of(values, 30, 0.95, 1);
    assert_true(a.low == 4 && a.high == 4);
}

/* Both suffer from hard chunks alike; the pair sees only the difference. */
static void test_pair(void **state)
{
    (void)state;
    double a[40], b[40], scratch[40];
    uint64_t seed = 5;
    for (int i = 0; i < 40; i++) {
        double hard = exp(normal(&seed));
        a[i] = 0.1 * hard + 0.001 * normal(&seed);
        b[i] = a[i] + 0.002 + 0.002 * normal(&seed);
    }
    struct loss_pair pair = loss_pair_of(a, b, 40, 0.95, 1, scratch);
    assert_int_equal(pair.verdict, LOSS_BETTER);
    assert_true(pair.chunks_needed == 0 && pair.interval.high < 0);
    assert_int_equal(loss_pair_of(b, a, 40, 0.95, 1, scratch).verdict, LOSS_WORSE);
    pair = loss_pair_of(a, a, 40, 0.95, 1, scratch);
    assert_int_equal(pair.verdict, LOSS_EQUAL);
    assert_true(pair.difference == 0);
}

/* Differences alternate 1 - 0.9 and -1 - 0.9 ... : mean 0.1 of deviation about 1. By the normal
 * law it takes (1.96 * 1 / 0.1)^2 = 385 chunks. */
static void test_chunks_needed(void **state)
{
    (void)state;
    double a[20], b[20] = {0}, scratch[20];
    for (int i = 0; i < 20; i++)
        a[i] = 0.1 + (i % 2 ? 1 : -1);
    struct loss_pair pair = loss_pair_of(a, b, 20, 0.95, 1, scratch);
    assert_int_equal(pair.verdict, LOSS_SAME);
    assert_true(pair.chunks_needed > 300 && pair.chunks_needed < 650);
    for (int i = 0; i < 20; i++)
        a[i] = i % 2 ? 1 : -1;
    pair = loss_pair_of(a, b, 20, 0.95, 1, scratch);
    assert_int_equal(pair.verdict, LOSS_SAME);
    assert_true(isinf(pair.chunks_needed));
}

/* .02 .032 are .01 above the floor in both windows, .011 .021 are .001 above and .001 below. */
static void test_at_floor(void **state)
{
    (void)state;
    static const double floor[2] = {0.01, 0.022}, above[2] = {0.02, 0.032}, at[2] = {0.011, 0.021};
    static const double loud[2] = {0.01, 0.09}, none[2] = {0, 0}, least[2] = {0, 1e-9};
    double scratch[2];
    assert_false(loss_at_floor(above, floor, 2, 0.95, 1, scratch)); /* surely more */
    assert_true(loss_at_floor(at, floor, 2, 0.95, 1, scratch));
    assert_true(loss_at_floor(none, floor, 2, 0.95, 1, scratch)); /* less */
    assert_true(loss_at_floor(floor, floor, 2, 0.95, 1, scratch));
    assert_true(loss_at_floor(none, none, 2, 0.95, 1, scratch));
    /* not sure to be more, but three times as much */
    assert_false(loss_at_floor(loud, floor, 2, 0.95, 1, scratch));
    assert_false(loss_at_floor(least, none, 2, 0.95, 1, scratch));
    assert_true(loss_at_floor(at, floor, 1, 0.95, 1, scratch)); /* one window: the means alone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_coverage_skewed),
        cmocka_unit_test(test_tokens_are_not_independent),
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_at_floor),
        cmocka_unit_test(test_chunks_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
