/* test_sampler.c: every part of the chain against values worked out by hand, its order, its ties
 * and its refusals. Logits are logarithms of the probabilities named beside them. */
#include "testing.h"

#include "chain.h"
#include "sample_tools.h"

#include <math.h>

/* p = 0.4 0.1 0.25 0.05 0.2 */
static const float FIVE[] = {-0.916291f, -2.302585f, -1.386294f, -2.995732f, -1.609438f};
enum { A = 1, B = 2, C = 4, D = 8, E = 16, ALL = 31 };

static uint32_t five(const struct sampler_options *options)
{
    return drawn_set(options, FIVE, 5, NULL, 0, 3000);
}

static void test_plain(void **state)
{
    struct sampler_options options;
    (void)state;
    plain_options(&options);
    assert_int_equal(five(&options), ALL);
}

static void test_top_k(void **state)
{
    static const uint32_t expected[] = {ALL, A, A | C, A | C | E, A | B | C | E, ALL, ALL};
    struct sampler_options options;
    (void)state;
    plain_options(&options);
    for (uint32_t k = 0; k < 7; k++) {
        options.top_k = k;
        assert_int_equal(five(&options), expected[k]);
    }
}

static void test_top_p(void **state)
{
    static const struct {
        float top_p;
        uint32_t expected;
    } cases[] = {{0.01f, A},         {0.39f, A},
                 {0.41f, A | C},     {0.66f, A | C | E},
                 {0.84f, A | C | E}, {0.86f, A | B | C | E},
                 {0.96f, ALL},       {1, ALL}};
    struct sampler_options options;
    (void)state;
    plain_options(&options);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        options.top_p = cases[i].top_p;
        assert_int_equal(five(&options), cases[i].expected);
    }
}

/* The token that passes the sum stays, and a sum that meets it exactly is enough. */
static void test_top_p_exact(void **state)
{
    const float logits[] = {0, 0, 0, 0}; /* 0.25 each */
    struct sampler_options options;
    (void)state;
    plain_options(&options);
    options.top_p = 0.5f;
    assert_int_equal(drawn_set(&options, logits, 4, NULL, 0, 500), A | B);
    options.top_p = 0.51f;
    assert_int_equal(drawn_set(&options, logits, 4, NULL, 0, 500), A | B | C);
}

static void test_min_p(void **state)
{
    struct sampler_options options;
    (void)state;
    plain_options(&options);
    options.min_p = 0.12f; /* times 0.4 = 0.048 */
    assert_int_equal(five(&options), ALL);
    options.min_p = 0.13f; /* 0.052 */
    assert_int_equal(five(&options), A | B | C | E);
    options.min_p = 0.6f; /* 0.24 */
    assert_int_equal(five(&options), A | C);
    options.min_p = 1;
    assert_int_equal(five(&options), A);
}

/* Entropy 1.415: |surprise - entropy| is 0.499, 0.888, 0.029, 1.581, 0.194. */
static void test_typical(void **state)
{
    static const struct {
        float typical_p;
        uint32_t expected;
    } cases[] = {
        {0.24f, C}, {0.26f, C | E}, {0.46f, A | C | E}, {0.86f, A | B | C | E}, {0.96f, ALL}};
    struct sampler_options options;
    (void)state;
    plain_options(&options);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        options.typical_p = cases[i].typical_p;
        assert_int_equal(five(&options), cases[i].expected);
    }
}

static void test_xtc(void **state)
{
    struct sampler_options options;
    (void)state;
    plain_options(&options);
    options.xtc_probability = 1;
    options.xtc_threshold = 0.15f; /* A, C, E are above: E stays */
    assert_int_equal(five(&options), B | D | E);
    options.xtc_threshold = 0.3f; /* only A is above: nothing goes */
    assert_int_equal(five(&options), ALL);
    options.xtc_threshold = 0.15f;
    options.xtc_probability = 0.5f; /* by chance */
    assert_int_equal(five(&options), ALL);
}

static void test_temperature(void **state)
{
    struct sampler_options options;
    size_t counts[5];
    (void)state;
    plain_options(&options);
    options.temperature = 0.5f; /* p^2: 0.16 0.01 0.0625 0.0025 0.04, sum 0.275 */
    drawn_counts(&options, FIVE, 5, 100000, counts);
    assert_in_range(counts[0], 57500, 58900); /* 58182 */
    assert_in_range(counts[3], 780, 1040);    /* 909 */
    options.temperature = 1e-6f;
    assert_int_equal(five(&options), A);
    options.temperature = 1e6f; /* flat */
    drawn_counts(&options, FIVE, 5, 100000, counts);
    assert_in_range(counts[3], 19500, 20500);
}

/* Filters look at probabilities before temperature: a low one does not narrow top-p. */
static void test_order_of_temperature(void **state)
{
    struct sampler_options options;
    (void)state;
    plain_options(&options);
    options.temperature = 5;
    options.top_p = 0.84f;
    assert_int_equal(five(&options), A | C | E);
}

/* top-k first: of A C E (0.85), 0.4/0.85 = 0.47 alone passes 0.45; without top-k it does not. */
static void test_order_of_filters(void **state)
{
    struct sampler_options options;
    (void)state;
    plain_options(&options);
    options.top_p = 0.45f;
    assert_int_equal(five(&options), A | C);
    options.top_k = 3;
    assert_int_equal(five(&options), A);
    /* typical before top-p: typical 0.46 leaves A C E */
    options.top_k = 0;
    options.typical_p = 0.46f;
    assert_int_equal(five(&options), A);
    /* min-p before XTC: min-p leaves A C; of them XTC keeps C */
    plain_options(&options);
    options.min_p = 0.6f;
    options.xtc_probability = 1;
    options.xtc_threshold = 0.1f;
    assert_int_equal(five(&options), C);
}

static int32_t greedy(struct sampler_options *options, const float *logits, size_t count,
                      const int32_t *tokens, size_t token_count)
{
    options->temperature = 0;
    uint32_t set = drawn_set(options, logits, count, tokens, token_count, 3);
    for (int32_t i = 0; i < 32; i++)
        if (set == 1u << i)
            return i;
    return -1;
}

static void test_greedy_ties(void **state)
{
    const float logits[] = {1, 5, 5, -INFINITY, 5};
    struct sampler_options options;
    (void)state;
    sampler_defaults(&options);
    assert_int_equal(greedy(&options, logits, 5, NULL, 0), 1);
}

static void test_top_k_ties(void **state)
{
    const float logits[] = {1, 3, 2, 2, 2, 1};
    struct sampler_options options;
    (void)state;
    plain_options(&options);
    options.top_k = 3;
    assert_int_equal(drawn_set(&options, logits, 6, NULL, 0, 500), B | C | D);
}

static void test_repeat_penalty(void **state)
{
    const float logits[] = {2.0f, 1.9f, -1.0f, -1.05f};
    const int32_t tokens[] = {0, 0, 2};
    struct sampler_options options;
    (void)state;
    sampler_defaults(&options);
    assert_int_equal(greedy(&options, logits, 4, tokens, 3), 0);
    options.repeat_penalty = 1.05f; /* 2.0 / 1.05 = 1.905, once though seen twice */
    assert_int_equal(greedy(&options, logits, 4, tokens, 3), 0);
    options.repeat_penalty = 1.06f; /* 1.887 */
    assert_int_equal(greedy(&options, logits, 4, tokens, 3), 1);
    const float negative[] = {-9, -9, -1.0f, -1.05f};
    options.repeat_penalty = 1.04f; /* -1.04 */
    assert_int_equal(greedy(&options, negative, 4, tokens, 3), 2);
    options.repeat_penalty = 1.06f; /* -1.06 */
    assert_int_equal(greedy(&options, negative, 4, tokens, 3), 3);
}

static void test_presence_frequency(void **state)
{
    const float logits[] = {2.0f, 1.0f};
    const int32_t tokens[] = {0, 0, 0};
    struct sampler_options options;
    (void)state;
    sampler_defaults(&options);
    options.presence_penalty = 0.9f;
    assert_int_equal(greedy(&options, logits, 2, tokens, 3), 0);
    options.presence_penalty = 1.1f;
    assert_int_equal(greedy(&options, logits, 2, tokens, 3), 1);
    options.presence_penalty = 0;
    options.frequency_penalty = 0.3f; /* three times: 0.9 */
    assert_int_equal(greedy(&options, logits, 2, tokens, 3), 0);
    options.frequency_penalty = 0.35f;
    assert_int_equal(greedy(&options, logits, 2, tokens, 3), 1);
    options.penalty_last = 2; /* twice: 0.7 */
    assert_int_equal(greedy(&options, logits, 2, tokens, 3), 0);
    options.penalty_last = 0;
    options.presence_penalty = 5;
    assert_int_equal(greedy(&options, logits, 2, tokens, 3), 0);
    options.penalty_last = -1;
    assert_int_equal(greedy(&options, logits, 2, tokens, 3), 1);
}

/* History 1 2 3 4 1 2 3: 4 would repeat a run of three tokens and itself. */
static void test_dry(void **state)
{
    const float logits[] = {0, 0, 0, 0, 3, 0};
    const int32_t tokens[] = {1, 2, 3, 4, 1, 2, 3};
    const int32_t breaker[] = {1}, own[] = {4};
    struct sampler_options options;
    (void)state;
    sampler_defaults(&options);
    options.dry_multiplier = 1.5f; /* 1.5 * 1.75^(3 - 2) = 2.625 */
    assert_int_equal(greedy(&options, logits, 6, tokens, 7), 4);
    options.dry_multiplier = 1.8f; /* 3.15 */
    assert_int_equal(greedy(&options, logits, 6, tokens, 7), 0);
    options.dry_allowed = 3; /* 1.8 */
    assert_int_equal(greedy(&options, logits, 6, tokens, 7), 4);
    options.dry_allowed = 4; /* the run is not longer */
    options.dry_multiplier = 100;
    assert_int_equal(greedy(&options, logits, 6, tokens, 7), 4);
    options.dry_allowed = 2;
    options.dry_multiplier = 1.8f;
    options.dry_breakers = breaker; /* 2 3 is the run: 1.8 * 1.75^0 */
    options.dry_breaker_count = 1;
    assert_int_equal(greedy(&options, logits, 6, tokens, 7), 4);
    options.dry_multiplier = 100;
    options.dry_breakers = own; /* a breaker itself costs nothing */
    assert_int_equal(greedy(&options, logits, 6, tokens, 7), 4);
    options.dry_breaker_count = 0;
    options.dry_last = 5; /* 3 4 1 2 3: the run is 3 */
    assert_int_equal(greedy(&options, logits, 6, tokens, 7), 4);
    options.dry_last = 6; /* 2 3 4 1 2 3: 2 3 */
    assert_int_equal(greedy(&options, logits, 6, tokens, 7), 0);
}

static void test_bias(void **state)
{
    struct logit_bias biases[] = {{0, -INFINITY}, {3, 4.0f}};
    struct sampler_options options;
    (void)state;
    plain_options(&options);
    options.biases = biases;
    options.bias_count = 1;
    assert_int_equal(five(&options), B | C | D | E);
    options.bias_count = 2;
    assert_int_equal(greedy(&options, FIVE, 5, NULL, 0), 3);
}

/* Bias comes before the penalties: 2 - 3 = -1 is multiplied, not divided. */
static void test_order_of_bias(void **state)
{
    const float logits[] = {2.0f, -1.5f};
    const int32_t tokens[] = {0};
    const struct logit_bias bias = {0, -3};
    struct sampler_options options;
    (void)state;
    sampler_defaults(&options);
    options.biases = &bias;
    options.bias_count = 1;
    options.repeat_penalty = 1.6f;
    assert_int_equal(greedy(&options, logits, 2, tokens, 1), 1);
}

/* mu begins at 2 tau: with tau 0.5 only p >= 1/2 of the largest surprise of 1 bit is left. */
static void test_mirostat(void **state)
{
    const float logits[] = {0, -0.1f, -3, -3};
    struct sampler_options options;
    size_t counts[4];
    (void)state;
    plain_options(&options);
    options.mirostat = true;
    options.mirostat_tau = 0.5f;
    options.mirostat_eta = 0;
    assert_int_equal(drawn_set(&options, logits, 4, NULL, 0, 300), A);
    options.mirostat_tau = 1;
    assert_int_equal(drawn_set(&options, logits, 4, NULL, 0, 300), A | B);
    options.mirostat_tau = 100;
    options.top_k = 1; /* replaced by mirostat */
    assert_int_equal(drawn_set(&options, logits, 4, NULL, 0, 3000), A | B | C | D);
    options.mirostat_tau = 1.2f;
    options.mirostat_eta = 0.1f;
    drawn_counts(&options, logits, 4, 20000, counts);
    double surprise = 0, sum = 0;
    for (int i = 0; i < 4; i++)
        sum += exp(logits[i]);
    for (int i = 0; i < 4; i++)
        surprise -= (double)counts[i] / 20000 * log2(exp(logits[i]) / sum);
    assert_true(fabs(surprise - 1.2) < 0.05); /* what mirostat is for */
}

static void expect_fault(const float *logits, size_t count, float bias, const char *word)
{
    const struct logit_bias biases[] = {{0, bias}};
    struct sampler_options options;
    struct sampler *sampler;
    struct fault fault = {0};
    int32_t id;
    plain_options(&options);
    options.biases = biases;
    options.bias_count = 1;
    assert_true(sampler_create(&options, (uint32_t)count, &sampler, &fault));
    assert_false(sampler_pick(sampler, NULL, logits, count, &id, &fault));
    assert_non_null(strstr(fault.text, word));
    sampler_destroy(sampler);
}

static void test_broken_logits(void **state)
{
    const float nan_logit[] = {0, NAN}, infinite[] = {0, INFINITY};
    const float none[] = {-INFINITY, -INFINITY}, one[] = {0, -INFINITY};
    (void)state;
    expect_fault(nan_logit, 2, 0, "token 1");
    expect_fault(infinite, 2, 0, "token 1");
    expect_fault(none, 2, 0, "no token");
    expect_fault(one, 2, -INFINITY, "no token");
}

static void refuse(size_t offset, float value, const char *name)
{
    struct sampler_options options;
    struct sampler *sampler;
    struct fault fault = {0};
    sampler_defaults(&options);
    memcpy((char *)&options + offset, &value, sizeof value);
    assert_false(sampler_check(&options, 10, &fault));
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    assert_non_null(strstr(fault.text, name));
    assert_false(sampler_create(&options, 10, &sampler, &fault));
    assert_null(sampler);
}

#define REFUSE(member, value) refuse(offsetof(struct sampler_options, member), value, #member)

static void test_refused_options(void **state)
{
    (void)state;
    REFUSE(temperature, NAN);
    REFUSE(temperature, -0.1f);
    REFUSE(temperature, INFINITY);
    REFUSE(top_p, 0);
    REFUSE(top_p, 1.01f);
    REFUSE(top_p, NAN);
    REFUSE(min_p, -0.1f);
    REFUSE(min_p, 1.1f);
    REFUSE(typical_p, 0);
    REFUSE(repeat_penalty, 0);
    REFUSE(repeat_penalty, NAN);
    REFUSE(presence_penalty, INFINITY);
    REFUSE(frequency_penalty, NAN);
    REFUSE(dry_multiplier, -1);
    REFUSE(dry_base, 0.5f);
    REFUSE(xtc_probability, 2);
    REFUSE(xtc_threshold, -1);
    REFUSE(mirostat_tau, 0);
    REFUSE(mirostat_eta, NAN);
}

static void test_refused_lists(void **state)
{
    const struct logit_bias far = {10, 0}, infinite = {1, INFINITY};
    const int32_t breaker = -1;
    struct sampler_options options;
    struct fault fault = {0};
    (void)state;
    sampler_defaults(&options);
    assert_true(sampler_check(&options, 10, NULL));
    assert_false(sampler_check(&options, 0, NULL));
    options.biases = &far;
    options.bias_count = 1;
    assert_false(sampler_check(&options, 10, &fault));
    assert_true(sampler_check(&options, 11, NULL));
    options.biases = &infinite;
    assert_false(sampler_check(&options, 10, NULL));
    options.bias_count = 0;
    options.dry_breakers = &breaker;
    options.dry_breaker_count = 1;
    assert_false(sampler_check(&options, 10, NULL));
    options.dry_breaker_count = 0;
    options.penalty_last = -2;
    assert_false(sampler_check(&options, 10, NULL));
}

static void test_history(void **state)
{
    const float logits[] = {2, 1, 0};
    struct sampler_options options;
    struct sampler *sampler;
    struct fault fault = {0};
    int32_t id;
    (void)state;
    sampler_defaults(&options);
    options.temperature = 0;
    options.presence_penalty = 1.5f;
    assert_true(sampler_create(&options, 3, &sampler, &fault));
    assert_false(sampler_accept(sampler, 3, NULL));
    assert_false(sampler_accept(sampler, -1, NULL));
    for (int i = 0; i < 5000; i++)
        assert_true(sampler_accept(sampler, 0, &fault));
    assert_true(sampler_pick(sampler, NULL, logits, 3, &id, &fault));
    assert_int_equal(id, 1);
    sampler_rewind(sampler, 0);
    assert_true(sampler_pick(sampler, NULL, logits, 3, &id, &fault));
    assert_int_equal(id, 0);
    sampler_rewind(sampler, 100); /* more than there is: nothing happens */
    sampler_destroy(sampler);
    sampler_destroy(NULL);
}

/* Against libm, itself good to about 1e-16: the relative error that exact.c promises. */
static void test_exact(void **state)
{
    uint64_t seed = 5;
    (void)state;
    for (int i = 0; i < 200000; i++) {
        double x = 350 * (test_uniform(&seed) - 1.0), y = exp(x);
        assert_true(fabs(exact_exp(x) - y) <= 1e-15 * y);
        double z = exp(300 * test_uniform(&seed)), w = log(z);
        assert_true(fabs(exact_log(z) - w) <= 1e-15 * fmax(fabs(w), 1e-3));
    }
    assert_true(exact_exp(0) == 1 && exact_exp(-1e9) == 0 && exact_log(1) == 0);
    assert_true(exact_exp(-1e300) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_top_k),
        cmocka_unit_test(test_top_p),
        cmocka_unit_test(test_top_p_exact),
        cmocka_unit_test(test_min_p),
        cmocka_unit_test(test_typical),
        cmocka_unit_test(test_xtc),
        cmocka_unit_test(test_temperature),
        cmocka_unit_test(test_order_of_temperature),
        cmocka_unit_test(test_order_of_filters),
        cmocka_unit_test(test_greedy_ties),
        cmocka_unit_test(test_top_k_ties),
        cmocka_unit_test(test_repeat_penalty),
        cmocka_unit_test(test_presence_frequency),
        cmocka_unit_test(test_dry),
        cmocka_unit_test(test_bias),
        cmocka_unit_test(test_order_of_bias),
        cmocka_unit_test(test_mirostat),
        cmocka_unit_test(test_broken_logits),
        cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_refused_lists),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
