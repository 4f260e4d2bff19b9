/* test_kernels_time.c: made-up models run; the times of their kernels add up to their run. */
#include "testing.h"
#include "bench_kernels.h"
#include "lichen.h"
#include "shape.h"
#include <math.h>

static struct lichen_engine *open_engine(const char *device)
{
    struct fault fault = {0};
    struct shape_header header;
    struct lichen_engine_options options;
    struct lichen_engine *engine;
    assert_true(shape_make("smollm2", "q4_k_m", &header, &fault));
    const struct lichen_synthetic synthetic = {header.bytes, header.size};
    lichen_engine_defaults(&options);
    options.model = header.name;
    options.synthetic = &synthetic;
    options.device = device;
    if (!lichen_engine_open(&options, &engine, &fault))
        fail_msg("%s", fault.text);
    free(header.bytes); /* read at open only */
    return engine;
}

static struct lichen_session *open_session(struct lichen_engine *engine)
{
    struct fault fault = {0};
    struct lichen_session_options options;
    struct lichen_session *session;
    lichen_session_defaults(&options);
    options.context = 64;
    options.sampler.temperature = 0;
    if (!lichen_session_open(engine, &options, &session, &fault))
        fail_msg("%s", fault.text);
    return session;
}

static const int32_t prompt[] = {1000, 7, 49151, 0, 300};

/* Logits of the last token of the prompt. */
static float *logits_of(const char *device, uint32_t *vocab)
{
    struct fault fault = {0};
    struct lichen_model_info info;
    struct lichen_engine *engine = open_engine(device);
    struct lichen_session *session = open_session(engine);
    lichen_model_info(engine, &info);
    *vocab = info.vocab;
    float *logits = malloc(info.vocab * sizeof *logits);
    assert_non_null(logits);
    if (!lichen_feed_logits(session, prompt, 5, 1, logits, &fault))
        fail_msg("%s", fault.text);
    lichen_session_close(session);
    lichen_engine_close(engine);
    return logits;
}

/* The same weights every time and on every device, and activations that stay finite. */
static void test_shape_runs(void **state)
{
    (void)state;
    uint32_t vocab;
    float *gpu = logits_of(NULL, &vocab), *again = logits_of(NULL, &vocab);
    float *cpu = logits_of("cpu", &vocab);
    double difference = 0, size = 0;
    assert_memory_equal(gpu, again, vocab * sizeof *gpu);
    for (uint32_t i = 0; i < vocab; i++) {
        assert_true(isfinite(gpu[i]) && isfinite(cpu[i]));
        difference = fmax(difference, fabs((double)gpu[i] - cpu[i]));
        size = fmax(size, fabs((double)cpu[i]));
    }
    assert_true(size > 0.1);
    assert_true(difference < 0.02 * size);
    free(gpu);
    free(again);
    free(cpu);
}

static void check_sums(const struct bench_kernels *kernels, uint32_t dispatches, uint64_t bytes)
{
    double share = 0, longest = INFINITY;
    uint64_t weights = 0, products = 0;
    uint32_t count = 0;
    for (size_t i = 0; i < kernels->count; i++) {
        const struct bench_kernel *kernel = &kernels->items[i];
        assert_true(kernel->what.time_ns > 0 && kernel->what.time_ns <= longest);
        assert_true(kernel->p10_ns <= kernel->what.time_ns &&
                    kernel->what.time_ns <= kernel->p90_ns);
        longest = kernel->what.time_ns;
        share += kernel->share;
        count += kernel->what.dispatches;
        products += kernel->what.products;
        if (kernel->what.products)
            weights += kernel->what.bytes;
    }
    assert_true(fabs(share - 1) < 1e-9);
    assert_int_equal(count, kernels->dispatches);
    assert_int_equal(kernels->dispatches, dispatches);
    if (bytes)
        assert_int_equal(weights, bytes);
    assert_true(products >= 134515008ull * kernels->tokens / 2);
    assert_true(kernels->empty_ns >= 0 && kernels->empty_ns < kernels->sum_ns);
}

static void test_decode(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct lichen_engine *engine = open_engine(NULL);
    struct lichen_session *session = open_session(engine);
    struct bench_kernels kernels;
    struct lichen_stats stats;
    int32_t before, after;
    assert_false(bench_kernels_measure(session, 1, &kernels, &fault)); /* nothing was run */
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    fault = (struct fault){0};
    assert_true(bench_kernels_check(session, &fault));
    assert_true(lichen_feed(session, prompt, 5, &fault));
    assert_true(lichen_next(session, &before, &fault));
    assert_true(lichen_pick(session, &before, &fault));
    lichen_stats(session, &stats);
    if (!bench_kernels_measure(session, 3, &kernels, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(kernels.tokens, 1);
    check_sums(&kernels, stats.dispatches_per_token, stats.bytes_per_token);
    bench_kernels_free(&kernels);
    assert_true(lichen_pick(session, &after, &fault)); /* the session is as before */
    assert_int_equal(before, after);
    assert_int_equal(lichen_session_count(session), 6);
    lichen_session_close(session);
    lichen_engine_close(engine);
}

static void test_prefill(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct lichen_engine *engine = open_engine(NULL);
    struct lichen_session *session = open_session(engine);
    struct bench_kernels kernels;
    int32_t ids[33];
    for (int i = 0; i < 33; i++)
        ids[i] = 100 + i;
    assert_true(lichen_feed(session, ids, 33, &fault));
    if (!bench_kernels_measure(session, 2, &kernels, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(kernels.tokens, 33);
    check_sums(&kernels, kernels.dispatches, 0);
    bench_kernels_free(&kernels);
    lichen_session_close(session);
    lichen_engine_close(engine);
}

static void test_cpu_is_refused(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct lichen_engine *engine = open_engine("cpu");
    struct lichen_session *session = open_session(engine);
    assert_false(bench_kernels_check(session, &fault));
    assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    assert_non_null(strstr(fault.text, "cpu"));
    lichen_session_close(session);
    lichen_engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_runs),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_prefill),
        cmocka_unit_test(test_cpu_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
