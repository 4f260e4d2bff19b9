/* exec_gpu when the driver fails: whichever call fails, loading or running ends in a fault, and
 * everything can be destroyed. A lost device is FAULT_DEVICE_LOST. */
#include "gpu_run.h"
#include "random_plan.h"

#include <stdlib.h>

static struct random_plan random_plan;

/* Loads, creates, runs 3 tokens and one, times that; false with a fault. Cleans up in any case. */
static bool life(struct fault *fault)
{
    const struct gpu_options options = {.robust = true};
    struct gpu_device *device = NULL;
    struct gpu_weights *weights = NULL;
    struct exec *exec = NULL;
    struct gpu_times times = {0};
    static const int32_t ids[] = {1, 2, 3, 4};
    const struct batch prompt = {.tokens = ids, .count = 3, .outputs = 1};
    const struct batch next = {.tokens = ids + 3, .count = 1, .position = 3, .outputs = 1};
    int32_t id;
    float logit;
    bool lived = gpu_open(&options, &device, fault) &&
                 gpu_weights_load(device, &random_plan.rig.plan, random_plan.rig.gguf, 0,
                                  random_plan.rig.parallel, NULL, NULL, &weights, fault);
    const struct exec_gpu_options wanted = {.device = device,
                                            .plan = &random_plan.rig.plan,
                                            .weights = weights,
                                            .context = 64,
                                            .batch_max = 8,
                                            .outputs_max = 1,
                                            .kv = KV_F16};
    lived = lived && exec_gpu_create(&wanted, &exec, fault) &&
            exec_run(exec, &prompt, NULL, fault) && exec_run(exec, &next, NULL, fault) &&
            exec->methods->top(exec, 0, 1, &id, &logit, fault) &&
            exec_gpu_times(exec, &times, fault);
    free(times.items);
    exec_destroy(exec);
    if (device)
        gpu_weights_free(device, weights);
    gpu_close(device);
    return lived;
}

/* Lets the n-th call fail for n = 1, 1 + stride, ... until no call is reached. Returns hits. */
static uint32_t sweep(const char *function, int code, uint32_t stride, enum fault_kind kind)
{
    char order[128];
    uint32_t hits = 0;
    for (uint32_t n = 1;; n += stride, hits++) {
        struct fault fault = {0};
        snprintf(order, sizeof order, "%s:%u:%d", function, n, code);
        setenv("VKFAULT", order, 1);
        unsetenv("VKFAULT_HIT");
        bool lived = life(&fault);
        unsetenv("VKFAULT");
        if (!getenv("VKFAULT_HIT")) {
            assert_true(lived);
            return hits;
        }
        assert_false(lived);
        if (fault.kind != kind)
            fail_msg("%s: fault %d, expected %d: %s", order, fault.kind, kind, fault.text);
    }
}

static void test_lost(void **state)
{
    (void)state;
    assert_true(sweep("vkQueueSubmit", -4, 1, FAULT_DEVICE_LOST) >= 2);
    assert_true(sweep("vkWaitForFences", -4, 1, FAULT_DEVICE_LOST) >= 2);
}

static void test_memory(void **state)
{
    (void)state;
    assert_true(sweep("vkAllocateMemory", -2, 1, FAULT_DEVICE) > 2);
    assert_true(sweep("vkCreateBuffer", -2, 1, FAULT_DEVICE) > 2);
}

static void test_objects(void **state)
{
    (void)state;
    assert_true(sweep("vkCreateComputePipelines", -2, 3, FAULT_DEVICE) > 2);
    assert_true(sweep("vkAllocateDescriptorSets", -2, 9, FAULT_DEVICE) > 2);
    assert_true(sweep("vkAllocateCommandBuffers", -2, 1, FAULT_DEVICE) > 1);
    assert_true(sweep("vkBeginCommandBuffer", -2, 1, FAULT_DEVICE) > 1);
    assert_true(sweep("vkEndCommandBuffer", -2, 1, FAULT_DEVICE) > 1);
}

static int plan_open(void **state)
{
    (void)state;
    random_plan_open(&random_plan, 8, true);
    return 0;
}

static int plan_close(void **state)
{
    (void)state;
    random_plan_close(&random_plan);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_objects),
    };
    return cmocka_run_group_tests(tests, plan_open, plan_close);
}
