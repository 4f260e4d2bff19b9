/* Every family on random models: exec_gpu against the float64 logits of tests/golden/forward.py, in
 * one run and cut into pieces, every visible step against exec_ref, and with an 8-bit cache the
 * logits against exec_ref's with the same cache. */
#include "gpu_run.h"
#include "run.h"

#include "tiny.h"
#include "tiny_golden.h"

#include <stdlib.h>
#include <unistd.h>

#define GOLDEN LICHEN_TEST_DATA "/golden/tiny.golden"

static const struct run_options ref_options = {
    .context = TINY_CONTEXT, .batch_max = 64, .outputs_max = 64, .threads = 2, .kv = KV_F32};
static const struct exec_gpu_options gpu_options = {.context = TINY_CONTEXT,
                                                    .batch_max = 64,
                                                    .outputs_max = 64,
                                                    .kv = KV_F32,
                                                    .activations = ACTIVATIONS_FLOAT};

/* Logits [token_count, vocab] of all tokens, fed in pieces. */
static float *run_pieces(const struct tiny_golden *golden, struct exec *exec, uint32_t piece)
{
    float *logits = malloc((size_t)golden->token_count * golden->vocab * sizeof *logits);
    assert_non_null(logits);
    for (uint32_t at = 0; at < golden->token_count; at += piece) {
        uint32_t left = golden->token_count - at, count = left < piece ? left : piece;
        run_tokens(exec, golden->tokens + at, count, at, count,
                   logits + (size_t)at * golden->vocab);
    }
    return logits;
}

static void logits_check(const struct tiny *tiny, const struct tiny_golden *golden,
                         struct exec *exec, uint32_t piece)
{
    float *logits = run_pieces(golden, exec, piece);
    double error = tiny_golden_error(golden, tiny_golden_find(golden, tiny->name), logits);
    print_message("%-16s pieces of %2u: relative error %.2g\n", tiny->name, piece, error);
    assert_true(error <= 8e-6 * tiny_depth(tiny));
    free(logits);
}

/* A number on the edge of two of the 255 steps may go the other way, and many random layers make a
 * large difference of it. */
static void cache_check(const struct tiny *tiny, const struct tiny_golden *golden, struct run *ref,
                        const struct gpu_run *gpu)
{
    static const uint32_t pieces[] = {64, 7, 1};
    struct run_options ref_8_bit = ref_options;
    struct exec_gpu_options gpu_8_bit = gpu_options;
    double bound = tiny->layers < 10 ? 1e-5 : 2e-3;
    ref_8_bit.kv = gpu_8_bit.kv = KV_Q8_0;
    struct exec *expecting = run_exec(ref, &ref_8_bit), *exec = gpu_run_exec(gpu, &gpu_8_bit);
    float *expected = run_pieces(golden, expecting, 64);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        float *found = run_pieces(golden, exec, pieces[i]);
        double kl = logits_divergence(expected, found, golden->token_count, golden->vocab);
        print_message("%-16s 8-bit cache, pieces of %2u: KL %.2g\n", tiny->name, pieces[i], kl);
        assert_true(kl <= bound);
        free(found);
    }
    free(expected);
    exec_destroy(expecting);
    exec_destroy(exec);
}

static void family(const struct tiny *tiny, const struct tiny_golden *golden)
{
    char path[1024];
    struct run ref;
    struct gpu_run gpu;
    const struct gpu_options options = {.robust = true};
    const struct batch batch = {
        .tokens = golden->tokens, .count = gpu_options.batch_max, .outputs = 2};
    snprintf(path, sizeof path, LICHEN_TEST_OUTPUT "/gpu-%s-%ld.gguf", tiny->name, (long)getpid());
    tiny_write(tiny, NULL, path);
    run_open(&ref, path, &ref_options);
    remove(path);
    gpu_run_open(&gpu, &options, false, &ref.plan, ref.gguf, ref.parallel);
    struct exec *exec = gpu_run_exec(&gpu, &gpu_options);
    logits_check(tiny, golden, exec, 64);
    logits_check(tiny, golden, exec, 7);
    if (tiny->layers < 10)
        gpu_compare_steps(exec, ref.exec, &batch, 2e-5);
    cache_check(tiny, golden, &ref, &gpu);
    exec_destroy(exec);
    gpu_run_close(&gpu);
    run_close(&ref);
}

static void test_families(void **state)
{
    (void)state;
    struct tiny_golden golden;
    tiny_golden_open(&golden, GOLDEN);
    for (size_t i = 0; i < tiny_count; i++)
        family(&tiny_models[i], &golden);
    tiny_golden_close(&golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
