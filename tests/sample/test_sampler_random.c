/* test_sampler_random.c: what must hold for any logits: one answer for the top candidates and for
 * the whole vocabulary, in any order; the same seed the same ids; a fair draw; no crash on
 * anything. */
#include "testing.h"

#include "sample_tools.h"

#include <math.h>
#include <stdlib.h>

enum { VOCAB = 64 };

static size_t below(uint64_t *seed, size_t limit)
{
    return (size_t)(test_random(seed) % limit);
}

static float one_of(uint64_t *seed, const float *values, size_t count)
{
    return values[below(seed, count)];
}

static void random_options(struct sampler_options *options, uint64_t *seed)
{
    static const float temperatures[] = {0, 0.01f, 0.8f, 1, 3},
                       shares[] = {1, 1, 0.95f, 0.5f, 0.1f};
    static const float penalties[] = {1, 1, 1.1f, 2}, pulls[] = {0, 0, 0.5f, 3};
    sampler_defaults(options);
    options->seed = test_random(seed);
    options->temperature = one_of(seed, temperatures, 5);
    options->top_k = (uint32_t)below(seed, 20);
    options->top_p = one_of(seed, shares, 5);
    options->typical_p = one_of(seed, shares, 5);
    options->min_p = one_of(seed, shares, 5) * 0.3f;
    options->repeat_penalty = one_of(seed, penalties, 4);
    options->presence_penalty = one_of(seed, pulls, 4);
    options->frequency_penalty = one_of(seed, pulls, 4);
    options->penalty_last = (int32_t)below(seed, 12) - 1;
    options->dry_multiplier = one_of(seed, pulls, 4);
    options->xtc_probability = one_of(seed, pulls, 3);
    options->mirostat = below(seed, 8) == 0;
}

static void random_logits(float *logits, uint64_t *seed)
{
    static const float special[] = {-INFINITY, 0, -0.0f, 1e-40f, -3e38f, 3e38f, 5, 5};
    bool many = below(seed, 4) == 0;
    for (size_t i = 0; i < VOCAB; i++) {
        logits[i] = 8 * test_uniform(seed);
        if (many && below(seed, 3) == 0)
            logits[i] = one_of(seed, special, 8);
        else if (below(seed, 10) == 0)
            logits[i] = 5; /* ties */
    }
}

static const float *sorting; /* qsort has no argument for it */

static int by_logit(const void *a, const void *b)
{
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
    if (sorting[left] != sorting[right])
        return sorting[left] > sorting[right] ? -1 : 1;
    return left < right ? -1 : left > right;
}

/* The ids of the `needed` largest logits, shuffled. */
static void top_ids(const float *logits, int32_t *ids, size_t needed, uint64_t *seed)
{
    for (int32_t i = 0; i < VOCAB; i++)
        ids[i] = i;
    sorting = logits;
    qsort(ids, VOCAB, sizeof *ids, by_logit);
    for (size_t i = needed; i > 1; i--) {
        size_t other = below(seed, i);
        int32_t moved = ids[i - 1];
        ids[i - 1] = ids[other];
        ids[other] = moved;
    }
}

static struct sampler *random_sampler(const struct sampler_options *options, uint64_t *seed)
{
    struct sampler *sampler;
    assert_true(sampler_create(options, VOCAB, &sampler, NULL));
    for (size_t i = below(seed, 12); i > 0; i--)
        assert_true(sampler_accept(sampler, (int32_t)below(seed, 4), NULL));
    return sampler;
}

/* 100,000 vectors: the pick from the top `sampler_needs` is that from the full vector. */
static void test_needs(void **state)
{
    uint64_t seed = 11;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct sampler_options options;
        random_options(&options, &seed);
        uint64_t again = seed;
        struct sampler *full = random_sampler(&options, &seed);
        struct sampler *top = random_sampler(&options, &again);
        for (int pick = 0; pick < 5; pick++) {
            float logits[VOCAB], few[VOCAB];
            int32_t ids[VOCAB], a = -1, b = -1;
            random_logits(logits, &seed);
            uint32_t needed = sampler_needs(top);
            top_ids(logits, ids, needed, &seed);
            for (size_t i = 0; i < needed; i++)
                few[i] = logits[ids[i]];
            bool done = sampler_pick(full, NULL, logits, VOCAB, &a, NULL);
            assert_int_equal(done, sampler_pick(top, ids, few, needed, &b, NULL));
            assert_int_equal(a, b);
            if (done) {
                assert_true(a >= 0 && a < VOCAB && logits[a] > -INFINITY);
                assert_true(sampler_accept(full, a, NULL) && sampler_accept(top, b, NULL));
            }
        }
        sampler_destroy(full);
        sampler_destroy(top);
    }
}

static void test_needs_values(void **state)
{
    const struct logit_bias up = {1, 1}, down = {1, -1};
    struct sampler_options options;
    struct sampler *sampler;
    (void)state;
    static const struct {
        float temperature;
        uint32_t top_k;
        float repeat;
        bool mirostat;
        int bias;
        uint32_t expected;
    } cases[] = {
        {0, 40, 1, false, 0, 1},       {0, 0, 1, true, 0, 1},       {1, 40, 1, false, 0, 40},
        {1, 0, 1, false, 0, 1000},     {1, 40, 1, true, 0, 1000},   {1, 5000, 1, false, 0, 1000},
        {0, 40, 0.9f, false, 0, 1000}, {1, 40, 1.1f, false, 0, 43}, {0, 40, 1.1f, false, 0, 4},
        {1, 40, 1, false, 1, 1000},    {1, 40, 1, false, -1, 41},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sampler_defaults(&options);
        options.temperature = cases[i].temperature;
        options.top_k = cases[i].top_k;
        options.repeat_penalty = cases[i].repeat;
        options.mirostat = cases[i].mirostat;
        options.biases = cases[i].bias > 0 ? &up : &down;
        options.bias_count = cases[i].bias != 0;
        assert_true(sampler_create(&options, 1000, &sampler, NULL));
        for (int32_t id = 0; id < 3; id++)
            assert_true(sampler_accept(sampler, id, NULL));
        assert_int_equal(sampler_needs(sampler), cases[i].expected);
        sampler_destroy(sampler);
    }
}

/* A NaN or +Inf anywhere is a fault, and afterwards the sampler still works. */
static void test_specials(void **state)
{
    uint64_t seed = 12;
    struct sampler_options options;
    struct sampler *sampler;
    (void)state;
    plain_options(&options);
    assert_true(sampler_create(&options, VOCAB, &sampler, NULL));
    for (int round = 0; round < 100000; round++) {
        float logits[VOCAB];
        int32_t id;
        bool broken = round % 3 == 0;
        random_logits(logits, &seed);
        if (broken)
            logits[below(&seed, VOCAB)] = round % 2 ? NAN : INFINITY;
        assert_int_equal(sampler_pick(sampler, NULL, logits, VOCAB, &id, NULL), !broken);
    }
    sampler_destroy(sampler);
}

static void test_same_seed(void **state)
{
    /* Ids of seed 7, fixed for all time and machines: a changed one is a broken promise. */
    static const int32_t expected[] = {43, 32, 21, 59, 62, 63, 12, 51, 63, 15, 11, 49,
                                       33, 59, 28, 45, 19, 59, 5,  32, 29, 46, 38, 56};
    struct sampler_options options;
    struct sampler *sampler;
    float logits[VOCAB];
    (void)state;
    sampler_defaults(&options);
    options.seed = 7;
    options.top_k = 0;
    options.top_p = 0.9f;
    options.typical_p = 0.9f;
    options.xtc_probability = 0.3f;
    options.repeat_penalty = 1.1f;
    options.dry_multiplier = 0.8f;
    assert_true(sampler_create(&options, VOCAB, &sampler, NULL));
    uint64_t seed = 13;
    bool same = true;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        int32_t id;
        for (int j = 0; j < VOCAB; j++)
            logits[j] = 4 * test_uniform(&seed);
        assert_true(sampler_pick(sampler, NULL, logits, VOCAB, &id, NULL));
        assert_true(sampler_accept(sampler, id, NULL));
        same &= id == expected[i];
        if (!same)
            print_message("%d, ", id);
    }
    sampler_destroy(sampler);
    assert_true(same);
}

static void test_seeds_differ(void **state)
{
    const float logits[VOCAB] = {0};
    struct sampler_options options;
    int32_t first[20], id;
    size_t equal = 0;
    (void)state;
    plain_options(&options);
    for (uint64_t seed = 0; seed < 2; seed++) {
        struct sampler *sampler;
        options.seed = seed;
        assert_true(sampler_create(&options, VOCAB, &sampler, NULL));
        for (int i = 0; i < 20; i++) {
            assert_true(sampler_pick(sampler, NULL, logits, VOCAB, &id, NULL));
            equal += seed == 1 && id == first[i];
            first[i] = id;
        }
        sampler_destroy(sampler);
    }
    assert_true(equal < 5);
}

/* 63 degrees of freedom: chi-square below 120 fails by chance once in 10^5 seeds. */
static void test_fair_draw(void **state)
{
    uint64_t seed = 14;
    struct sampler_options options;
    float logits[VOCAB];
    double weights[VOCAB], sum = 0, chi = 0;
    size_t counts[VOCAB], picks = 400000;
    (void)state;
    plain_options(&options);
    for (int i = 0; i < VOCAB; i++) {
        logits[i] = 2 * test_uniform(&seed);
        weights[i] = exp(logits[i]);
        sum += weights[i];
    }
    drawn_counts(&options, logits, VOCAB, picks, counts);
    for (int i = 0; i < VOCAB; i++) {
        double expected = weights[i] / sum * (double)picks, off = (double)counts[i] - expected;
        chi += off * off / expected;
    }
    assert_true(chi < 120 && chi > 25);
}

/* Successive draws are independent: pairs of a fair 8-sided draw, 63 degrees of freedom. */
static void test_independent_draws(void **state)
{
    const float logits[8] = {0};
    struct sampler_options options;
    struct sampler *sampler;
    size_t pairs[64] = {0}, picks = 200000;
    int32_t last = 0, id;
    double chi = 0;
    (void)state;
    plain_options(&options);
    options.seed = 99;
    assert_true(sampler_create(&options, 8, &sampler, NULL));
    for (size_t i = 0; i < picks; i++) {
        assert_true(sampler_pick(sampler, NULL, logits, 8, &id, NULL));
        pairs[8 * last + id]++;
        last = id;
    }
    for (int i = 0; i < 64; i++) {
        double off = (double)pairs[i] - (double)picks / 64;
        chi += off * off / ((double)picks / 64);
    }
    sampler_destroy(sampler);
    assert_true(chi < 120 && chi > 25);
}

static void test_wrong_candidates(void **state)
{
    const float logits[] = {1, 2, 3};
    const int32_t twice[] = {1, 0, 1}, far[] = {0, 1, VOCAB};
    struct sampler_options options;
    struct sampler *sampler;
    int32_t id;
    (void)state;
    plain_options(&options);
    assert_true(sampler_create(&options, VOCAB, &sampler, NULL));
    assert_false(sampler_pick(sampler, twice, logits, 3, &id, NULL));
    assert_false(sampler_pick(sampler, far, logits, 3, &id, NULL));
    assert_false(sampler_pick(sampler, NULL, logits, 0, &id, NULL));
    assert_false(sampler_pick(sampler, NULL, logits, VOCAB + 1, &id, NULL));
    sampler_destroy(sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_needs_values),
        cmocka_unit_test(test_specials),
        cmocka_unit_test(test_same_seed),
        cmocka_unit_test(test_seeds_differ),
        cmocka_unit_test(test_fair_draw),
        cmocka_unit_test(test_independent_draws),
        cmocka_unit_test(test_wrong_candidates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
