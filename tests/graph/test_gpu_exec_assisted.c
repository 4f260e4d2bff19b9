/* exec_gpu under GPU-assisted validation: no kernel reads or writes past its buffers. The layer's
 * checks make the unrolled kernels so large that lavapipe compiles each of them for half a minute:
 * few shapes, one program, label slow. A deliberate violation is in tests/gpu. */
#include "plan_run.h"

static const struct gpu_options assisted = {
    .validate = true, .validate_gpu = true, .exact_buffers = true};
static float logits[RANDOM_CONTEXT * RIG_VOCAB];

static void test_software(void **state)
{
    (void)state;
    const struct plan_run run = {.seed = 8, .batches = 1};
    plan_run(&assisted, &run, logits);
}

static void test_discrete(void **state)
{
    (void)state;
    const struct plan_run run = {.seed = 103, .as_discrete = true, .batches = 3};
    plan_run(&assisted, &run, logits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_software),
        cmocka_unit_test(test_discrete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
