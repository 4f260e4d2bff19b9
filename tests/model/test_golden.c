/* exec_ref against the float64 forward on real models: how far are the logits, is the greedy text
 * the same. A model that is not on this machine is a counted skip. */
#include "run.h"

#include "golden.h"

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 }; /* tens of times slower: one prompt must do */
#elif defined(__has_feature)
enum { SANITIZED = __has_feature(address_sanitizer) };
#else
enum { SANITIZED = 0 };
#endif

struct golden_case {
    const char *golden, *model;
    enum kv_type kv;
    double kl_bound;
    uint32_t greedy_prompts;
};

static void golden_open_model(const struct golden_case *test, struct golden *golden, char *path,
                              size_t size)
{
    snprintf(path, size, LICHEN_TEST_DATA "/golden/%s", test->golden);
    golden_open(golden, path);
    if (!golden_model(golden, test->model, path, size)) {
        golden_close(golden);
        SKIP("%s is not there", test->model);
    }
}

static void golden_case(const struct golden_case *test)
{
    char path[1024];
    struct golden golden;
    struct golden_stats stats;
    struct run run;
    golden_open_model(test, &golden, path, sizeof path);
    struct run_options options = {
        .context = 128, .batch_max = 64, .outputs_max = 8, .threads = 2, .kv = test->kv};
    run_open(&run, path, &options);
    golden_compare(&golden, run.exec, SANITIZED ? 1 : golden.prompt_count, 64, &stats);
    print_message("%s: %u rows, KL mean %.3g worst %.3g, log p error %.3g, top changed %u\n",
                  test->model, stats.rows, stats.kl_mean, stats.kl_worst, stats.error_worst,
                  stats.top_changed);
    assert_true(stats.kl_mean <= test->kl_bound);
    assert_true(stats.kl_mean > -1e-9);
    uint32_t greedy = SANITIZED ? 0 : test->greedy_prompts;
    assert_int_equal(golden_greedy(&golden, run.exec, greedy), greedy);
    run_close(&run);
    golden_close(&golden);
}

#define SMOLLM2 "smollm2-135m-q4_1.golden", "SmolLM2-135M-Instruct.Q4_1.gguf"
#define QWEN2 "qwen2.5-coder-0.5b-q4_k_m.golden", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"

static void test_smollm2(void **state)
{
    (void)state;
    static const struct golden_case test = {SMOLLM2, KV_F32, 1e-6, 5};
    golden_case(&test);
}

static void test_smollm2_f16(void **state)
{
    (void)state;
    static const struct golden_case test = {SMOLLM2, KV_F16, 2e-6, 0};
    golden_case(&test);
}

static void test_smollm2_q8_0(void **state)
{
    (void)state;
    static const struct golden_case test = {SMOLLM2, KV_Q8_0, 5e-3, 0};
    golden_case(&test);
}

static void test_qwen2(void **state)
{
    (void)state;
    static const struct golden_case test = {QWEN2, KV_F32, 1e-6, 2};
    if (SANITIZED)
        SKIP("too slow under a sanitizer");
    golden_case(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smollm2),
        cmocka_unit_test(test_smollm2_f16),
        cmocka_unit_test(test_smollm2_q8_0),
        cmocka_unit_test(test_qwen2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
