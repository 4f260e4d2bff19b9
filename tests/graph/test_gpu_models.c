/* Real models on exec_gpu: logits against exec_ref with the same KV cache, as mean KL over the rows
 * of a prompt that is fed in one run and then token by token. A model that is not on this machine
 * is a counted skip. */
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

static void compare(struct run *ref, const struct gpu_run *gpu, enum activation_format format,
                    const char *name, double bound)
{
    const struct exec_gpu_options options = {.context = 128,
                                             .batch_max = 64,
                                             .outputs_max = 64,
                                             .kv = KV_F16,
                                             .activations = format};
    size_t vocab = ref->plan.vocab;
    float *expected = malloc(ROWS * vocab * sizeof *expected);
    float *found = malloc(ROWS * vocab * sizeof *found);
    int32_t ids[ROWS];
    uint64_t seed = 3;
    assert_true(expected && found);
    for (uint32_t i = 0; i < ROWS; i++)
        ids[i] = (int32_t)(test_random(&seed) % vocab);
    feed(ref->exec, ids, expected);
    struct exec *exec = gpu_run_exec(gpu, &options);
    feed(exec, ids, found);
    double prefill = logits_divergence(expected, found, PROMPT_COUNT, ref->plan.vocab);
    double decode = logits_divergence(expected + PROMPT_COUNT * vocab,
                                      found + PROMPT_COUNT * vocab, DECODE_COUNT, ref->plan.vocab);
    print_message("%s: KL prefill %.3g decode %.3g, bound %g\n", name, prefill, decode, bound);
    assert_true(prefill <= bound && decode <= bound);
    exec_destroy(exec);
    free(expected);
    free(found);
}

static void model(const char *golden_name, const char *file, bool as_discrete, double float_bound,
                  double packed_bound)
{
    char path[1024];
    struct golden golden;
    struct run ref;
    struct gpu_run gpu;
    const struct gpu_options options = {.robust = true};
    snprintf(path, sizeof path, LICHEN_TEST_DATA "/golden/%s", golden_name);
    golden_open(&golden, path);
    bool found = golden_model(&golden, file, path, sizeof path);
    golden_close(&golden);
    if (!found)
        SKIP("%s is not there", file);
    run_open(&ref, path, &ref_options);
    gpu_run_open(&gpu, &options, as_discrete, &ref.plan, ref.gguf, ref.parallel);
    compare(&ref, &gpu, ACTIVATIONS_FLOAT, "float", float_bound);
    compare(&ref, &gpu, ACTIVATIONS_16, "A16", packed_bound);
    gpu_run_close(&gpu);
    run_close(&ref);
}

static void test_smollm2(void **state)
{
    (void)state;
    model("smollm2-135m-q4_1.golden", "SmolLM2-135M-Instruct.Q4_1.gguf", false, 1e-6, 1e-5);
}

/* The kernels of a real GPU: packed dots, fused quantization. */
static void test_smollm2_discrete(void **state)
{
    (void)state;
    model("smollm2-135m-q4_1.golden", "SmolLM2-135M-Instruct.Q4_1.gguf", true, 1e-6, 1e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smollm2),
        cmocka_unit_test(test_smollm2_discrete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
