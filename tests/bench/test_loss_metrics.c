/* test_loss_metrics.c: rows of a vocabulary of three, computed by hand, and pairs of known KLD. */
#include "loss_metrics.h"
#include "loss_window.h"
#include "testing.h"
#include <math.h>

/* Probabilities 1/2, 1/4, 1/4 and 1/4, 1/2, 1/4; a constant added to logits changes nothing. */
static const float base[3] = {0.6931472F + 5, 5, 5};
static const float candidate[3] = {-3, 0.6931472F - 3, -3};

static void near(double found, double expected, double bound)
{
    if (!(fabs(found - expected) <= bound))
        fail_msg("found %.17g, expected %.17g +- %g", found, expected, bound);
}

static void test_row(void **state)
{
    (void)state;
    struct loss_row row;
    struct loss_base_token token;
    loss_row_read(base, 3, false, &row);
    near(row.log_norm, 5 + log(4), 1e-6);
    near(row.entropy, 1.5 * log(2), 1e-6); /* 1/2 ln 2 + 2 * 1/4 ln 4 */
    assert_true(row.finite);
    assert_int_equal(row.top[0], 0);
    assert_int_equal(row.top[1], 1); /* a tie: lower id first */
    assert_int_equal(row.top[2], 2);
    assert_int_equal(row.top[3], -1);
    loss_row_score(base, &row, 1, &token);
    near(token.nll, log(4), 1e-6);
    assert_false(token.right);
    loss_row_score(base, &row, 0, &token);
    near(token.nll, log(2), 1e-6);
    assert_true(token.right);
    assert_int_equal(token.likeliest, 0);
}

/* KLD = 1/2 ln(2) + 1/4 ln(1/2) = 1/4 ln 2. m = 3/8, 3/8, 1/4, so
 * JSD = 1/2 ln(4/3) + 1/4 ln(2/3), the same from both sides. */
static void test_pair(void **state)
{
    (void)state;
    struct loss_row about_base, about_candidate;
    struct loss_token token;
    loss_row_read(base, 3, false, &about_base);
    loss_row_read(candidate, 3, false, &about_candidate);
    loss_row_compare(base, &about_base, candidate, &about_candidate, 3, 1, &token);
    near(token.kld, log(2) / 4, 1e-6);
    near(token.kld_cut, log(2) / 4, 1e-6);
    near(token.jsd, log(4.0 / 3) / 2 + log(2.0 / 3) / 4, 1e-6);
    near(token.nll, log(2), 1e-6);
    assert_int_equal(token.top1, 0);
    assert_int_equal(token.top5, 3); /* there are but three words */
    assert_int_equal(token.top10, 3);
    assert_int_equal(token.likeliest, 1);
    assert_true(token.right);
}

static void test_same(void **state)
{
    (void)state;
    enum { VOCAB = 1000 };
    float row[VOCAB];
    uint64_t seed = 7;
    struct loss_row about;
    struct loss_token token;
    for (int i = 0; i < VOCAB; i++)
        row[i] = 20 * test_uniform(&seed);
    loss_row_read(row, VOCAB, false, &about);
    loss_row_compare(row, &about, row, &about, VOCAB, 5, &token);
    assert_true(token.kld == 0 && token.kld_cut == 0 && token.jsd == 0);
    assert_int_equal(token.top1, 1);
    assert_int_equal(token.top5, 5);
    assert_int_equal(token.top10, 10);
}

/* A known offset vector: q_i ~ b_i exp(o_i), KLD = ln E_b[exp o] - E_b[o]. Here half of the words
 * of a uniform base get 1 more: ln((1 + e)/2) - 1/2. */
static void test_offset(void **state)
{
    (void)state;
    enum { VOCAB = 512 };
    float x[VOCAB], y[VOCAB];
    struct loss_row about_x, about_y;
    struct loss_token token;
    for (int i = 0; i < VOCAB; i++) {
        x[i] = 3;
        y[i] = (float)(3 + i % 2);
    }
    loss_row_read(x, VOCAB, false, &about_x);
    loss_row_read(y, VOCAB, false, &about_y);
    near(about_x.entropy, log(VOCAB), 1e-12);
    loss_row_compare(x, &about_x, y, &about_y, VOCAB, 0, &token);
    near(token.kld, log((1 + exp(1)) / 2) - 0.5, 1e-12);
    near(token.nll, log(VOCAB) + log((1 + exp(1)) / 2), 1e-12);
    assert_int_equal(token.top10, 5); /* 0 .. 9 and 1, 3 .. 19 share 1 3 5 7 9 */
}

/* What has probability 0 in the base costs nothing; what has it in the candidate alone costs all.
 */
static void test_extremes(void **state)
{
    (void)state;
    const float sure[3] = {0, -INFINITY, -1000}, even[3] = {0, 0, 0}, broken[3] = {0, NAN, 0};
    struct loss_row about_sure, about_even, about;
    struct loss_token token;
    loss_row_read(sure, 3, false, &about_sure);
    loss_row_read(even, 3, false, &about_even);
    loss_row_compare(sure, &about_sure, even, &about_even, 3, 0, &token);
    near(token.kld, log(3), 1e-12);
    loss_row_compare(even, &about_even, sure, &about_sure, 3, 0, &token);
    assert_true(isinf(token.kld) && token.kld > 0);
    near(token.jsd, log(2) / 6 + log(1.5) / 2, 1e-12); /* m = 2/3, 1/6, 1/6 */
    loss_row_read(broken, 3, false, &about);
    assert_false(about.finite);
    const float endless[2] = {INFINITY, 0}, nothing[2] = {-INFINITY, -INFINITY};
    loss_row_read(endless, 2, false, &about);
    assert_false(about.finite);
    loss_row_read(nothing, 2, false, &about);
    assert_false(about.finite);
}

/* Log probabilities at or below -16 are left out of kld_cut: base 1 - e^-17, e^-17. */
static void test_cut(void **state)
{
    (void)state;
    const float x[2] = {0, -17}, y[2] = {0, 0};
    struct loss_row about_x, about_y;
    struct loss_token token;
    loss_row_read(x, 2, false, &about_x);
    loss_row_read(y, 2, false, &about_y);
    loss_row_compare(x, &about_x, y, &about_y, 2, 0, &token);
    double p = 1 / (1 + exp(-17)), q = 1 - p;
    near(token.kld, p * log(2 * p) + q * (log(2) - 17 + log(p)), 1e-9);
    near(token.kld_cut, p * log(2 * p), 1e-12);
    assert_true(token.kld < token.kld_cut);
}

static void test_statistics(void **state)
{
    (void)state;
    const double values[5] = {1, 2, 4, 8, 16};
    double mean, deviation, error;
    near(loss_percentile(values, 5, 0), 1, 0);
    near(loss_percentile(values, 5, 0.5), 4, 0);
    near(loss_percentile(values, 5, 0.9), 8 + 0.6 * 8, 1e-12); /* 0.9 * 4 = 3.6 */
    near(loss_percentile(values, 5, 1), 16, 0);
    assert_true(isnan(loss_percentile(values, 0, 0.5)));
    loss_mean(values, 5, &mean, &deviation, &error);
    near(mean, 6.2, 1e-12);
    near(deviation, sqrt((27.04 + 17.64 + 4.84 + 3.24 + 96.04) / 4), 1e-12);
    near(error, deviation / sqrt(5), 1e-12);
    loss_mean(values, 1, &mean, &deviation, &error);
    near(mean, 1, 0);
    near(deviation, 0, 0);
}

/* ---- windows ---- */

static void test_llama_windows(void **state)
{
    (void)state;
    int32_t ids[35], window[10];
    struct loss_windows windows;
    struct fault fault = {0};
    for (int i = 0; i < 35; i++)
        ids[i] = 100 + i;
    assert_true(loss_windows_make(LOSS_LLAMA, ids, 35, 10, 0, 0, 1, &windows, &fault));
    assert_int_equal(windows.chunks, 3); /* the tail of 5 is dropped */
    assert_int_equal(windows.first, 5);  /* positions 5 .. 8 predict 6 .. 9 */
    assert_int_equal(windows.scored, 4);
    loss_window_tokens(&windows, 2, window);
    assert_int_equal(window[0], 1);
    assert_int_equal(window[1], 121);
    assert_int_equal(window[9], 129);
    assert_true(loss_windows_make(LOSS_LLAMA, ids, 35, 10, 0, 2, -1, &windows, &fault));
    assert_int_equal(windows.chunks, 2);
    loss_window_tokens(&windows, 1, window);
    assert_int_equal(window[0], 110);
    assert_true(loss_windows_make(LOSS_LLAMA, ids, 35, 11, 0, 0, -1, &windows, &fault));
    assert_int_equal(windows.first, 5);
    assert_int_equal(windows.scored, 5); /* n_ctx - 1 - n_ctx/2 */
    assert_false(loss_windows_make(LOSS_LLAMA, ids, 19, 10, 0, 0, 1, &windows, &fault));
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    assert_non_null(strstr(fault.text, "19 tokens; 20 are needed"));
}

static void test_hf_windows(void **state)
{
    (void)state;
    int32_t ids[25] = {7, 8}, window[10];
    struct loss_windows windows;
    struct fault fault = {0};
    assert_true(loss_windows_make(LOSS_HF, ids, 25, 10, 0, 0, 1, &windows, &fault));
    assert_int_equal(windows.chunks, 2);
    assert_int_equal(windows.first, 0);
    assert_int_equal(windows.scored, 9);
    loss_window_tokens(&windows, 0, window);
    assert_int_equal(window[0], 7); /* BOS stands in front of the text, in no other window */
}

/* 25 tokens, windows of 10 every 4, as Hugging Face's guide counts them (begin, end, trg_len):
 *   0 10 10   4 14 4   8 18 4   12 22 4   16 25 3
 * The first token of all is no target: 9 + 4 + 4 + 4 + 3 = 24 targets, each once and in order. */
static void test_strided_windows(void **state)
{
    (void)state;
    int32_t ids[25], window[10];
    struct loss_windows windows;
    struct fault fault = {0};
    for (int i = 0; i < 25; i++)
        ids[i] = 100 + i;
    static const uint32_t sizes[5] = {10, 10, 10, 10, 9}, scored[5] = {9, 4, 4, 4, 3};
    assert_true(loss_windows_make(LOSS_STRIDED, ids, 25, 10, 4, 0, 1, &windows, &fault));
    assert_int_equal(windows.chunks, 5);
    int32_t target = 101;
    for (uint32_t chunk = 0; chunk < 5; chunk++) {
        struct loss_window at = loss_window_at(&windows, chunk);
        assert_int_equal(at.size, sizes[chunk]);
        assert_int_equal(at.scored, scored[chunk]);
        assert_int_equal(at.at, target - 101);
        loss_window_tokens(&windows, chunk, window);
        assert_int_equal(window[0], 100 + 4 * (int)chunk); /* no BOS inside the text */
        for (uint32_t i = 0; i < at.scored; i++) {
            assert_int_equal(loss_window_of(&windows, at.at + i), chunk);
            assert_int_equal(window[at.first + i + 1], target++);
        }
    }
    assert_int_equal(target, 125);
    assert_int_equal(loss_windows_scored(&windows, 5), 24);
    assert_int_equal(loss_windows_scored(&windows, 2), 13);
    assert_int_equal(loss_windows_scored(&windows, 0), 0);
    /* no tail: 0 10, 4 14, 8 18, 12 22 */
    assert_true(loss_windows_make(LOSS_STRIDED, ids, 22, 10, 4, 0, -1, &windows, &fault));
    assert_int_equal(windows.chunks, 4);
    assert_int_equal(loss_windows_scored(&windows, 4), 21);
    assert_true(loss_windows_make(LOSS_STRIDED, ids, 25, 10, 4, 3, -1, &windows, &fault));
    assert_int_equal(windows.chunks, 3);
    assert_int_equal(loss_windows_scored(&windows, 3), 17);
    /* 0 10 10, 9 19 9, 18 25 6 */
    assert_true(loss_windows_make(LOSS_STRIDED, ids, 25, 10, 9, 0, -1, &windows, &fault));
    assert_int_equal(windows.chunks, 3);
    assert_int_equal(loss_windows_scored(&windows, 3), 24);
    /* a text shorter than a window */
    assert_true(loss_windows_make(LOSS_STRIDED, ids, 7, 10, 4, 0, -1, &windows, &fault));
    assert_int_equal(windows.chunks, 1);
    assert_int_equal(loss_window_at(&windows, 0).size, 7);
    assert_int_equal(loss_windows_scored(&windows, 1), 6);
    assert_false(loss_windows_make(LOSS_STRIDED, ids, 25, 10, 10, 0, -1, &windows, &fault));
    assert_non_null(strstr(fault.text, "1 .. 9 are possible"));
    fault = (struct fault){0};
    assert_false(loss_windows_make(LOSS_STRIDED, ids, 3, 10, 4, 0, -1, &windows, &fault));
    assert_non_null(strstr(fault.text, "3 tokens; 4 are needed"));
}

/* Windows that score 9, 4 and 2 positions, means 1, 2 and 3.5: all positions have (9 + 8 + 7) / 15
 * = 1.6; shares of the mean window's 5 are 1.8, 0.8 and 0.4. */
static void test_weighed_windows(void **state)
{
    (void)state;
    int32_t ids[16] = {0};
    struct loss_windows windows;
    struct fault fault = {0};
    double values[3] = {1, 2, 3.5};
    assert_true(loss_windows_make(LOSS_LLAMA, ids, 16, 5, 0, 0, -1, &windows, &fault));
    loss_windows_weigh(&windows, 3, values);
    assert_true(values[0] == 1 && values[1] == 2 && values[2] == 3.5);
    assert_true(loss_windows_make(LOSS_STRIDED, ids, 16, 10, 4, 0, -1, &windows, &fault));
    assert_int_equal(windows.chunks, 3);
    loss_windows_weigh(&windows, 3, values);
    assert_true(fabs(values[0] - (1.6 - 1.8 * 0.6)) < 1e-12);
    assert_true(fabs(values[1] - (1.6 + 0.8 * 0.4)) < 1e-12);
    assert_true(fabs(values[2] - (1.6 + 0.4 * 1.9)) < 1e-12);
    assert_true(fabs(values[0] + values[1] + values[2] - 3 * 1.6) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_offset),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_llama_windows),
        cmocka_unit_test(test_hf_windows),
        cmocka_unit_test(test_strided_windows),
        cmocka_unit_test(test_weighed_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
