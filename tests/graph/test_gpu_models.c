/* Real models on exec_gpu: logits against exec_ref with the same KV cache, as mean KL over the rows
 * of a prompt that is fed in one run and then token by token; and against the float64 forward of
 * tests/golden. A model that is not on this machine is a counted skip. */
#include "gpu_run.h"
#include "run.h"

#include "golden.h"

#include <stdlib.h>

enum { PROMPT_COUNT = 40, DECODE_COUNT = 8, ROWS = PROMPT_COUNT + DECODE_COUNT };

static const struct run_options ref_options = {
    .context = 128, .batch_max = 64, .outputs_max = 64, .threads = 2, .kv = KV_F16};

static void feed(struct exec *exec, const int32_t *ids, float *logits)
{
    size_t vocab = exec->plan->vocab;
    run_tokens(exec, ids, PROMPT_COUNT, 0, PROMPT_COUNT, logits);
    for (uint32_t i = PROMPT_COUNT; i < ROWS; i++)
        run_tokens(exec, ids + i, 1, i, 1, logits + i * vocab);
}

/* A token of a model with RMS norms, a GLU and no norm of q and k: q k v with rotation and caches;
 * attention; output, residual and norm; gate, up and GLU; down, residual and norm. Then embedding,
 * first norm, head and top-k. One more a layer: where attention is split its chunks are combined;
 * on a software device it writes no packed-dot form. */
static void check_fusion(const struct exec *exec, bool software)
{
    struct gpu_run_stats stats;
    exec_gpu_stats(exec, &stats);
    bool more = !software || stats.ran != ACTIVATIONS_FLOAT;
    uint32_t expected = (more ? 6 : 5) * exec->plan->layer_count + 5;
    assert_int_equal(stats.dispatches, expected);
    assert_int_equal(stats.barriers + stats.submissions, expected);
}

static void compare(struct run *ref, const struct gpu_run *gpu, enum activation_format format,
                    enum kv_type kv, const char *name, double bound, bool software)
{
    const struct exec_gpu_options options = {
        .context = 128, .batch_max = 64, .outputs_max = 64, .kv = kv, .activations = format};
    struct run_options ref_same = ref_options;
    size_t vocab = ref->plan.vocab;
    float *expected = malloc(ROWS * vocab * sizeof *expected);
    float *found = malloc(ROWS * vocab * sizeof *found);
    int32_t ids[ROWS];
    uint64_t seed = 3;
    assert_true(expected && found);
    for (uint32_t i = 0; i < ROWS; i++)
        ids[i] = (int32_t)(test_random(&seed) % vocab);
    ref_same.kv = kv;
    struct exec *expecting = run_exec(ref, &ref_same);
    feed(expecting, ids, expected);
    exec_destroy(expecting);
    struct exec *exec = gpu_run_exec(gpu, &options);
    feed(exec, ids, found);
    double prefill = logits_divergence(expected, found, PROMPT_COUNT, ref->plan.vocab);
    double decode = logits_divergence(expected + PROMPT_COUNT * vocab, found + PROMPT_COUNT * vocab,
                                      DECODE_COUNT, ref->plan.vocab);
    print_message("%s: KL prefill %.3g decode %.3g, bound %g\n", name, prefill, decode, bound);
    assert_true(prefill <= bound && decode <= bound);
    if (kv == KV_F16)
        check_fusion(exec, software);
    exec_destroy(exec);
    free(expected);
    free(found);
}

/* Path of the model, or a skip. */
static void model_find(const char *golden_name, const char *file, struct golden *golden, char *path,
                       size_t size)
{
    snprintf(path, size, LICHEN_TEST_DATA "/golden/%s", golden_name);
    golden_open(golden, path);
    if (!golden_model(golden, file, path, size)) {
        golden_close(golden);
        SKIP("%s is not there", file);
    }
}

static void golden_check(const struct golden *golden, const struct gpu_run *gpu, enum kv_type kv,
                         double bound)
{
    const struct exec_gpu_options options = {.context = 128,
                                             .batch_max = 64,
                                             .outputs_max = 8,
                                             .kv = kv,
                                             .activations = ACTIVATIONS_AUTO};
    struct golden_stats stats;
    struct exec *exec = gpu_run_exec(gpu, &options);
    golden_compare(golden, exec, golden->prompt_count, 64, &stats);
    print_message("against float64: %u rows, KL mean %.3g worst %.3g, top changed %u\n", stats.rows,
                  stats.kl_mean, stats.kl_worst, stats.top_changed);
    assert_true(stats.kl_mean <= bound);
    exec_destroy(exec);
}

#define SMOLLM2 "smollm2-135m-q4_1.golden", "SmolLM2-135M-Instruct.Q4_1.gguf"
#define QWEN2 "qwen2.5-coder-0.5b-q4_k_m.golden", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"

static void smollm2(bool as_discrete)
{
    char path[1024];
    struct golden golden;
    struct run ref;
    struct gpu_run gpu;
    const struct gpu_options options = {.robust = true};
    model_find(SMOLLM2, &golden, path, sizeof path);
    run_open(&ref, path, &ref_options);
    gpu_run_open(&gpu, &options, as_discrete, &ref.plan, ref.gguf, ref.parallel);
    compare(&ref, &gpu, ACTIVATIONS_FLOAT, KV_F16, "float", 1e-6, !as_discrete);
    compare(&ref, &gpu, ACTIVATIONS_16, KV_F16, "A16", 1e-5, !as_discrete);
    /* Numbers on the edge of two steps: 30 layers make of them about what the cache costs, 8e-4. */
    compare(&ref, &gpu, ACTIVATIONS_FLOAT, KV_Q8_0, "float, 8-bit cache", 2e-3, !as_discrete);
    golden_check(&golden, &gpu, KV_F16, 2e-6);
    golden_check(&golden, &gpu, KV_Q8_0, 5e-3); /* as exec_ref: tests/model/test_golden.c */
    gpu_run_close(&gpu);
    run_close(&ref);
    golden_close(&golden);
}

static void test_smollm2(void **state)
{
    (void)state;
    smollm2(false);
}

/* The kernels of a real GPU: packed dots, fused quantization. */
static void test_smollm2_discrete(void **state)
{
    (void)state;
    smollm2(true);
}

/* Biases, k-quants, a head larger than lavapipe binds at once. */
static void test_qwen2(void **state)
{
    (void)state;
    char path[1024];
    struct golden golden;
    struct run ref;
    struct gpu_run gpu;
    const struct gpu_options options = {.robust = true};
    model_find(QWEN2, &golden, path, sizeof path);
    run_open(&ref, path, &ref_options);
    gpu_run_open(&gpu, &options, false, &ref.plan, ref.gguf, ref.parallel);
    golden_check(&golden, &gpu, KV_F32, 1e-6);
    golden_check(&golden, &gpu, KV_F16, 2e-5); /* large key biases lose bits in f16 */
    gpu_run_close(&gpu);
    run_close(&ref);
    golden_close(&golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smollm2),
        cmocka_unit_test(test_smollm2_discrete),
        cmocka_unit_test(test_qwen2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
