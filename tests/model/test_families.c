/* Every family on random models: exec_ref against the float64 logits of tests/golden/forward.py, in
 * one run and cut into chunks, with every cache type. */
#include "run.h"

#include "tiny.h"
#include "tiny_golden.h"
#include <stdlib.h>
#include <unistd.h>

#define GOLDEN LICHEN_TEST_DATA "/golden/tiny.golden"

static struct tiny_golden golden;

static int golden_read(void **state)
{
    (void)state;
    tiny_golden_open(&golden, GOLDEN);
    return 0;
}

static int golden_release(void **state)
{
    (void)state;
    tiny_golden_close(&golden);
    return 0;
}

static void tiny_open(const struct tiny *tiny, enum kv_type kv, struct run *run)
{
    char path[1024];
    struct run_options options = {
        .context = TINY_CONTEXT, .batch_max = 64, .outputs_max = 64, .threads = 2, .kv = kv};
    snprintf(path, sizeof path, LICHEN_TEST_OUTPUT "/%s-%ld.gguf", tiny->name, (long)getpid());
    tiny_write(tiny, NULL, path);
    tiny_golden_check(tiny_golden_find(&golden, tiny->name), path);
    run_open(run, path, &options);
    remove(path);
}

/* Logits [token_count, vocab] of all tokens, fed in chunks. */
static float *run_chunks(struct exec *exec, uint32_t chunk)
{
    float *logits = malloc((size_t)golden.token_count * golden.vocab * sizeof *logits);
    assert_non_null(logits);
    for (uint32_t at = 0; at < golden.token_count; at += chunk) {
        uint32_t left = golden.token_count - at, count = left < chunk ? left : chunk;
        run_tokens(exec, golden.tokens + at, count, at, count, logits + (size_t)at * golden.vocab);
    }
    return logits;
}

static double error_of(const struct tiny *tiny, const float *logits)
{
    return tiny_golden_error(&golden, tiny_golden_find(&golden, tiny->name), logits);
}

static void test_against_float64(void **state)
{
    (void)state;
    for (size_t i = 0; i < tiny_count; i++) {
        struct run run;
        tiny_open(&tiny_models[i], KV_F32, &run);
        assert_int_equal(run.info.vocab, golden.vocab);
        float *logits = run_chunks(run.exec, 64);
        double error = error_of(&tiny_models[i], logits);
        print_message("%-16s relative error %.2g\n", tiny_models[i].name, error);
        assert_true(error <= 4e-6 * tiny_depth(&tiny_models[i]));
        free(logits);
        run_close(&run);
    }
}

static void test_chunks(void **state)
{
    (void)state;
    static const uint32_t chunks[] = {1, 7};
    for (size_t i = 0; i < tiny_count; i++) {
        struct run run;
        tiny_open(&tiny_models[i], KV_F16, &run);
        float *whole = run_chunks(run.exec, 64);
        for (size_t j = 0; j < sizeof chunks / sizeof *chunks; j++) {
            float *found = run_chunks(run.exec, chunks[j]);
            assert_memory_equal(found, whole,
                                (size_t)golden.token_count * golden.vocab * sizeof *found);
            free(found);
        }
        free(whole);
        run_close(&run);
    }
}

static void test_cache_types(void **state)
{
    (void)state;
    static const double bounds[] = {[KV_F16] = 5e-3, [KV_Q8_0] = 0.1};
    for (size_t i = 0; i < tiny_count; i++)
        for (int kv = KV_F16; kv <= KV_Q8_0; kv++) {
            struct run run;
            if (kv == KV_F32)
                continue;
            tiny_open(&tiny_models[i], (enum kv_type)kv, &run);
            float *logits = run_chunks(run.exec, 64);
            double error = error_of(&tiny_models[i], logits);
            if (!(error <= bounds[kv] * tiny_depth(&tiny_models[i])))
                fail_msg("%s: relative error %g", tiny_models[i].name, error);
            free(logits);
            run_close(&run);
        }
}

/* Every architecture with a builder has a tiny model. */
static void test_all_families(void **state)
{
    (void)state;
    for (const char *const *name = model_architectures(); *name; name++) {
        bool found = false;
        for (size_t i = 0; i < tiny_count; i++)
            found = found || strcmp(tiny_models[i].architecture, *name) == 0;
        if (!found)
            fail_msg("no tiny model of %s", *name);
    }
}

/* A table of learned positions ends before the cache does. */
static void test_learned_positions(void **state)
{
    (void)state;
    struct run run;
    struct fault fault = {0};
    const struct tiny *gpt2 = &tiny_models[0];
    struct run_options longer = {
        .context = 2 * TINY_CONTEXT, .batch_max = 2, .outputs_max = 1, .threads = 1};
    while (strcmp(gpt2->name, "gpt2") != 0)
        gpt2++;
    tiny_open(gpt2, KV_F32, &run);
    struct exec *exec = run_exec(&run, &longer);
    struct batch batch = {.tokens = golden.tokens, .count = 2, .position = TINY_CONTEXT - 2};
    assert_true(exec_run(exec, &batch, NULL, &fault));
    batch.position++;
    assert_false(exec_run(exec, &batch, NULL, &fault));
    assert_int_equal(fault.kind, FAULT_CONTEXT);
    exec_destroy(exec);
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_families),
        cmocka_unit_test(test_against_float64),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_cache_types),
        cmocka_unit_test(test_learned_positions),
    };
    return cmocka_run_group_tests(tests, golden_read, golden_release);
}
