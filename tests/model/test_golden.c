/* exec_ref against the float64 forward on real models: how far are the logits, is the greedy text
 * the same. A model that is not on this machine is a counted skip. */
#include "run.h"

#include "golden.h"

static void golden_run(const char *golden_name, const char *model, enum kv_type kv, double kl_bound)
{
    char path[1024];
    struct golden golden;
    struct golden_stats stats;
    struct run run;
    snprintf(path, sizeof path, LICHEN_TEST_DATA "/golden/%s", golden_name);
    golden_open(&golden, path);
    if (!golden_model(&golden, model, path, sizeof path)) {
        golden_close(&golden);
        SKIP("%s is not there", model);
    }
    struct run_options options = {
        .context = 128, .batch_max = 64, .outputs_max = 8, .threads = 2, .kv = kv};
    run_open(&run, path, &options);
    golden_compare(&golden, run.exec, 64, &stats);
    print_message("%s: %u rows, KL mean %.3g worst %.3g, log p error %.3g, top changed %u\n", model,
                  stats.rows, stats.kl_mean, stats.kl_worst, stats.error_worst, stats.top_changed);
    assert_true(stats.kl_mean <= kl_bound);
    assert_true(stats.kl_mean > -1e-7);
    if (kv == KV_F32)
        assert_int_equal(golden_greedy(&golden, run.exec), golden.prompt_count);
    run_close(&run);
    golden_close(&golden);
}

#define SMOLLM2 "smollm2-135m-q4_1.golden", "SmolLM2-135M-Instruct.Q4_1.gguf"
#define QWEN2 "qwen2.5-coder-0.5b-q4_k_m.golden", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"

static void test_smollm2(void **state)
{
    (void)state;
    golden_run(SMOLLM2, KV_F32, 1e-6);
}

static void test_smollm2_f16(void **state)
{
    (void)state;
    golden_run(SMOLLM2, KV_F16, 1e-5);
}

static void test_qwen2(void **state)
{
    (void)state;
    golden_run(QWEN2, KV_F32, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smollm2),
        cmocka_unit_test(test_smollm2_f16),
        cmocka_unit_test(test_qwen2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
