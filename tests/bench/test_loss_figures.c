/* test_loss_figures.c: a series of two windows of two tokens, every figure by hand; a uniform
 * model. */
#include "loss_figures.h"
#include "testing.h"
#include <math.h>

static void near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-12 * (1 + fabs(expected))))
        fail_msg("found %.17g, expected %.17g", found, expected);
}

/* nll base 1 2 3 4, candidate 2 2 3 5, kld .1 .2 .3 .8 */
static struct loss_base_token base[4] = {{.nll = 1, .entropy = 4, .right = true},
                                         {.nll = 2, .entropy = 3, .right = true},
                                         {.nll = 3, .entropy = 2},
                                         {.nll = 4, .entropy = 1}};
static struct loss_token tokens[4] = {
    {.nll = 2,
     .kld = 0.1,
     .kld_cut = 0.1,
     .jsd = 0.01,
     .top1 = 1,
     .top5 = 5,
     .top10 = 10,
     .right = true},
    {.nll = 2, .kld = 0.2, .kld_cut = 0.1, .jsd = 0.02, .top1 = 1, .top5 = 4, .top10 = 9},
    {.nll = 3,
     .kld = 0.3,
     .kld_cut = 0.3,
     .jsd = 0.03,
     .top1 = 0,
     .top5 = 3,
     .top10 = 8,
     .right = true},
    {.nll = 5, .kld = 0.8, .kld_cut = 0.7, .jsd = 0.04, .top1 = 1, .top5 = 4, .top10 = 8}};

static struct loss_series series(void)
{
    struct loss_series made = {
        .windows = {.ctx = 5, .chunks = 2, .first = 2, .scored = 2}, .chunks = 2, .base = base};
    made.tokens[1] = tokens;
    return made;
}

static void test_by_hand(void **state)
{
    (void)state;
    struct loss_series made = series();
    struct loss_figures figures;
    struct fault fault = {0};
    assert_true(loss_figures_of(&made, 1, 2, 0.95, 1, &figures, &fault));
    assert_int_equal(figures.tokens, 4);
    near(figures.ppl_base.value, exp(2.5));
    near(figures.ppl.value, exp(3));
    near(figures.ppl.error, exp(3) * sqrt(2) / 2); /* deviation sqrt((1+1+0+4)/3) */
    near(figures.ln_ratio.value, 0.5);
    near(figures.ln_ratio.error, sqrt(1.0 / 3) / 2); /* 1 0 0 1 */
    near(figures.ln_ratio.interval.low, 0.5);        /* both windows have mean 0.5 */
    near(figures.ratio.high, exp(0.5));
    /* windows' means 1.5 3.5 and 2 4: D (1 - 1) and D (1 + 1) about D = e^3 - e^2.5, whose error is
     * D */
    double d = exp(3) - exp(2.5);
    near(figures.difference, d);
    assert_true(fabs(figures.difference_interval.low - (d - 12.7062 * d)) < 1e-3);
    assert_true(fabs(figures.difference_interval.high - (d + 12.7062 * d)) < 1e-3);
    near(figures.difference, exp(3) - exp(2.5));
    /* sums of squares about the means: base 5, candidate 6, product 1.5 + 0.5 + 0 + 3 = 5 */
    near(figures.correlation, 5 / sqrt(30));
    double p = exp(3), b = exp(2.5);
    near(figures.difference_error, sqrt((p * p * 6 + b * b * 5 - 2 * p * b * 5) / 12));
    near(figures.kld.value, 0.35);
    near(figures.kld_cut, 0.3);
    near(figures.jsd.value, 0.025);
    near(figures.kld_at[0], 0.1);
    near(figures.kld_at[5], 0.25);
    near(figures.kld_at[6], 0.3 + 0.7 * 0.5); /* 0.9 * 3 = 2.7 */
    near(figures.kld_at[LOSS_SHARES - 1], 0.8);
    near(figures.kld_chunks[0], 0.15);
    near(figures.kld_chunks[1], 0.55);
    near(figures.kld.interval.high, 0.35 + 12.706204736174698 * 0.2); /* t of 1 degree */
    near(figures.kld.interval.low, 0);                                /* never below */
    near(figures.top1.interval.high, 1);
    near(figures.top1.value, 0.75);
    near(figures.top5.value, 0.8);
    near(figures.top10.value, 0.875);
    near(figures.accuracy_base, 0.5);
    near(figures.accuracy, 0.5);
    near(figures.right_to_wrong, 0.25);
    near(figures.wrong_to_right, 0.25);
    double first = exp(-2) - exp(-1), last = exp(-5) - exp(-4);
    near(figures.dp.value, (first + last) / 4);
    near(figures.dp_rms, sqrt((first * first + last * last) / 4));
    near(figures.dp_at[0], first);
    near(figures.bins[LOSS_BINS / 2], 0.75); /* 0, 0 and the small one */
    loss_figures_free(&figures);
}

static void test_where(void **state)
{
    (void)state;
    struct loss_series made = series();
    struct loss_figures figures;
    struct fault fault = {0};
    assert_true(loss_figures_of(&made, 1, 2, 0.95, 1, &figures, &fault));
    assert_int_equal(figures.position_count, 2);
    near(figures.positions[0].kld, 0.2); /* .1 and .3 */
    near(figures.positions[1].kld, 0.5);
    near(figures.positions[0].low, 2);
    near(figures.positions[1].high, 3);
    assert_int_equal(figures.entropy_count, 4);
    near(figures.entropies[0].kld, 0.8);
    near(figures.entropies[0].low, 1);
    assert_int_equal(figures.worst_count, 4);
    assert_int_equal(figures.worst[0], 3);
    assert_int_equal(figures.worst[3], 0);
    loss_figures_free(&figures);
}

/* After an interrupt only the first windows count; none is a fault. */
static void test_part(void **state)
{
    (void)state;
    struct loss_series made = series();
    struct loss_figures figures;
    struct fault fault = {0};
    assert_true(loss_figures_of(&made, 1, 1, 0.95, 1, &figures, &fault));
    near(figures.kld.value, 0.15);
    assert_false(figures.kld.interval.known); /* one window says nothing about windows */
    loss_figures_free(&figures);
    assert_false(loss_figures_of(&made, 1, 0, 0.95, 1, &figures, &fault));
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
}

/* A model that knows nothing: PPL = the size of its vocabulary. */
static void test_uniform_model(void **state)
{
    (void)state;
    enum { VOCAB = 512 };
    float row[VOCAB] = {0};
    struct loss_base_token uniform[4];
    struct loss_series made = series();
    struct loss_figures figures;
    struct loss_row about;
    struct fault fault = {0};
    loss_row_read(row, VOCAB, false, &about);
    for (int i = 0; i < 4; i++)
        loss_row_score(row, &about, i * 100, &uniform[i]);
    made.base = uniform;
    assert_true(loss_figures_of(&made, 0, 2, 0.95, 1, &figures, &fault));
    near(figures.ppl_base.value, VOCAB);
    loss_figures_free(&figures);
}

/* 6 tokens, windows of 4 every 2: targets 1 2 3 at positions 0 1 2, and 4 5 at positions 1 2. KLD
 * .1 .2 .3, .4 .5: mean .3. The windows' means .2 and .45 as values of 3 and 2 targets: .3 - 1.2 *
 * .1 = .18 and .3 + .8 * .15 = .42, whose mean has the error .12; Student's t of 1 degree
 * is 12.7062. */
static void test_strided_by_hand(void **state)
{
    (void)state;
    static struct loss_base_token bases[5];
    static struct loss_token divergent[5] = {
        {.kld = 0.1}, {.kld = 0.2}, {.kld = 0.3}, {.kld = 0.4}, {.kld = 0.5}};
    static const double expected[3] = {0.1, 0.3, 0.4};
    int32_t ids[6] = {0};
    struct loss_series made = {.chunks = 2, .base = bases};
    struct loss_figures figures;
    struct fault fault = {0};
    made.tokens[1] = divergent;
    assert_true(loss_windows_make(LOSS_STRIDED, ids, 6, 4, 2, 0, -1, &made.windows, &fault));
    assert_int_equal(made.windows.chunks, 2);
    assert_true(loss_figures_of(&made, 1, 2, 0.95, 1, &figures, &fault));
    assert_int_equal(figures.tokens, 5);
    near(figures.kld.value, 0.3);
    near(figures.kld_chunks[0], 0.2);
    near(figures.kld_chunks[1], 0.45);
    assert_true(figures.kld.interval.low == 0);
    assert_true(fabs(figures.kld.interval.high - (0.3 + 12.7062 * 0.12)) < 1e-4);
    assert_int_equal(figures.position_count, 3);
    for (int i = 0; i < 3; i++) {
        near(figures.positions[i].low, i);
        near(figures.positions[i].kld, expected[i]);
    }
    loss_figures_free(&figures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strided_by_hand), cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_where),           cmocka_unit_test(test_part),
        cmocka_unit_test(test_uniform_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
