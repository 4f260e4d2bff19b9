/* exec_gpu under the validation layer: core and synchronization checks have nothing to say about
 * loading, running in all bucket sizes, top-k, logits and peek; and fresh memory full of 0xFF
 * changes no bit. GPU-assisted checks: test_gpu_exec_assisted.c. */
#include "plan_run.h"

/* With f32, 8-bit, f16 and f32 caches. */
static const struct plan_run runs[] = {
    {.seed = 8, .batches = PLAN_RUN_BATCHES},
    {.seed = 12, .exact = true, .batches = PLAN_RUN_BATCHES},
    {.seed = 102, .batches = PLAN_RUN_BATCHES},
    {.seed = 103, .as_discrete = true, .batches = PLAN_RUN_BATCHES},
};

static float clean[RANDOM_CONTEXT * RIG_VOCAB], poisoned[RANDOM_CONTEXT * RIG_VOCAB];

static void all_clean(const struct gpu_options *options)
{
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        plan_run(options, &runs[i], clean);
}

static void test_core(void **state)
{
    (void)state;
    const struct gpu_options core = {.validate = true, .robust = true, .exact_buffers = true};
    all_clean(&core);
}

static void test_sync(void **state)
{
    (void)state;
    const struct gpu_options sync = {
        .validate = true, .validate_sync = true, .robust = true, .exact_buffers = true};
    all_clean(&sync);
}

static void test_poison(void **state)
{
    (void)state;
    const struct gpu_options plain = {.robust = true}, poison = {.robust = true, .poison = true};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        uint32_t rows = plan_run(&plain, &runs[i], clean);
        assert_int_equal(plan_run(&poison, &runs[i], poisoned), rows);
        assert_memory_equal(clean, poisoned, (size_t)rows * RIG_VOCAB * sizeof *clean);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core),
        cmocka_unit_test(test_sync),
        cmocka_unit_test(test_poison),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
