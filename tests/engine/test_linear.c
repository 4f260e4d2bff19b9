/* test_linear.c: the linear layers of a model through lichen.h: what they are given, and other
 * weights in their place. */
#include "engine_rig.h"

#include <math.h>

enum { TOKENS = 24, LINEARS = 35, DIM = 64, Q8_0 = 8, F32 = 0 };

struct watched {
    uint32_t calls, last, stop_at;
    double sum; /* of the squares of the first layer's input */
    uint32_t tokens;
};

static bool watch(void *context, uint32_t index, const float *inputs, uint32_t tokens)
{
    struct watched *watched = context;
    watched->last = index;
    watched->calls++;
    if (index == 0) {
        watched->tokens += tokens;
        for (uint32_t i = 0; i < tokens * DIM; i++)
            watched->sum += (double)inputs[i] * (double)inputs[i];
    }
    return index != watched->stop_at;
}

static void feed(struct rig *rig, struct fault *fault, bool expected)
{
    lichen_rewind(rig->session, 0);
    assert_int_equal(lichen_feed(rig->session, rig_golden(), TOKENS, fault), expected);
}

/* Every layer once a run, in order, with all tokens; the same inputs however they are cut. */
static void test_watch(void **state)
{
    (void)state;
    static const uint32_t batches[] = {TOKENS, 7, 1};
    double sums[3];
    for (int i = 0; i < 3; i++) {
        struct rig rig;
        struct watched watched = {.stop_at = UINT32_MAX};
        struct fault fault = {0};
        rig_open(&rig, "cpu", 64, batches[i]);
        assert_int_equal(lichen_linear_count(rig.engine), LINEARS);
        assert_true(lichen_session_watch(rig.session, watch, &watched, &fault));
        feed(&rig, &fault, true);
        uint32_t runs = (TOKENS + batches[i] - 1) / batches[i];
        assert_int_equal(watched.calls, LINEARS * runs);
        assert_int_equal(watched.last, LINEARS - 1);
        assert_int_equal(watched.tokens, TOKENS);
        sums[i] = watched.sum;
        assert_true(lichen_session_watch(rig.session, NULL, NULL, &fault));
        feed(&rig, &fault, true);
        assert_int_equal(watched.calls, LINEARS * runs);
        rig_close(&rig);
    }
    assert_true(sums[0] > 0 && sums[0] == sums[1] && sums[0] == sums[2]);
}

static void test_names(void **state)
{
    (void)state;
    struct rig rig;
    struct lichen_linear q, k, output, gate, down;
    rig_open(&rig, "cpu", 64, 64);
    lichen_linear(rig.engine, 0, &q);
    lichen_linear(rig.engine, 1, &k);
    lichen_linear(rig.engine, 3, &output);
    lichen_linear(rig.engine, 4, &gate);
    lichen_linear(rig.engine, 6, &down);
    assert_string_equal(q.weight, "blk.0.attn_q.weight");
    assert_string_equal(output.weight, "blk.0.attn_output.weight");
    assert_string_equal(down.weight, "blk.0.ffn_down.weight");
    assert_true(q.source == k.source && q.source != output.source && gate.source != down.source);
    assert_true(q.columns == DIM && down.rows == DIM && down.layer == 0);
    rig_close(&rig);
}

/* False from the watch ends the run; the session goes on afterwards. */
static void test_stop(void **state)
{
    (void)state;
    struct rig rig;
    struct watched watched = {.stop_at = 4};
    struct fault fault = {0};
    rig_open(&rig, "cpu", 64, 64);
    assert_true(lichen_session_watch(rig.session, watch, &watched, &fault));
    feed(&rig, &fault, false);
    assert_int_equal(fault.kind, FAULT_CANCELLED);
    assert_int_equal(watched.last, 4);
    assert_int_equal(lichen_session_count(rig.session), 0);
    watched.stop_at = UINT32_MAX;
    memset(&fault, 0, sizeof fault);
    feed(&rig, &fault, true);
    rig_close(&rig);
}

static void logits_of(struct rig *rig, float *logits)
{
    struct fault fault = {0};
    lichen_rewind(rig->session, 0);
    if (!lichen_feed_logits(rig->session, rig_golden(), TOKENS, 1, logits, &fault))
        fail_msg("%s", fault.text);
}

/* The file's own rows change nothing, zeros do, and NULL puts the file's back. */
static void test_replace(void **state)
{
    (void)state;
    static float before[STORIES_VOCAB], after[STORIES_VOCAB], rows[DIM * DIM];
    const char *name = "blk.2.attn_output.weight";
    struct rig rig;
    struct fault fault = {0};
    rig_open(&rig, "cpu", 64, 64);
    logits_of(&rig, before);
    assert_true(lichen_weight_rows(rig.engine, name, 0, DIM, rows, &fault));
    assert_true(lichen_weight_replace(rig.engine, name, F32, rows, &fault));
    logits_of(&rig, after);
    assert_memory_equal(before, after, sizeof before);
    memset(rows, 0, sizeof rows);
    logits_of(&rig, after);
    double difference = 0;
    for (int i = 0; i < STORIES_VOCAB; i++)
        difference += fabs((double)before[i] - (double)after[i]);
    assert_true(difference > 1);
    assert_true(lichen_weight_replace(rig.engine, name, F32, NULL, &fault));
    logits_of(&rig, after);
    assert_memory_equal(before, after, sizeof before);
    rig_close(&rig);
}

static void test_wrong_uses(void **state)
{
    (void)state;
    static float rows[DIM * DIM];
    struct rig rig;
    struct fault fault = {0};
    rig_open(&rig, "cpu", 64, 64);
    assert_false(lichen_weight_rows(rig.engine, "no.weight", 0, 1, rows, &fault));
    assert_non_null(strstr(fault.text, "no.weight"));
    memset(&fault, 0, sizeof fault);
    assert_false(lichen_weight_replace(rig.engine, "blk.0.attn_norm.weight", F32, rows, &fault));
    assert_non_null(strstr(fault.text, "a vector"));
    memset(&fault, 0, sizeof fault);
    assert_false(lichen_weight_replace(rig.engine, "blk.0.ffn_down.weight", Q8_0, rows, &fault));
    assert_non_null(strstr(fault.text, "172"));
    rig_close(&rig);
    rig_open(&rig, NULL, 64, 64);
    memset(&fault, 0, sizeof fault);
    assert_false(lichen_session_watch(rig.session, watch, NULL, &fault));
    assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watch),      cmocka_unit_test(test_names),
        cmocka_unit_test(test_stop),       cmocka_unit_test(test_replace),
        cmocka_unit_test(test_wrong_uses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
