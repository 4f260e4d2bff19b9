/* exec_gpu under GPU-assisted validation: no kernel reads or writes past its buffers. The layer's
 * checks make kernels so large that lavapipe compiles some of them for half a minute of processor
 * time, once: then Mesa's cache has them. So kernels run one by one, and where the cache is empty
 * the program ends after BUDGET seconds and says how far it came; the next run goes on from there.
 * Label slow. A deliberate violation is in tests/gpu. */
#include "gpu_exec.h"
#include "gpu_private.h"
#include "gpu_run.h"
#include "random_plan.h"

#include <time.h>

enum { BUDGET = 70, MOST = 120 }; /* seconds of processor time */

static const struct gpu_options assisted = {
    .validate = true, .validate_gpu = true, .exact_buffers = true};

static double spent(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void must(bool good, const struct fault *fault)
{
    if (!good)
        fail_msg("%s", fault->text);
}

static void params_write(struct exec_gpu *gpu, uint32_t tokens)
{
    uint8_t *mapped = gpu_buffer_map(gpu->space.run_host.buffer);
    const struct run_params params = {
        .count = tokens, .outputs = 1, .kv_count = tokens, .top = gpu->top};
    memcpy(mapped + gpu->space.run_host.offset, &params, sizeof params);
    memset(mapped + gpu->space.run_host.offset + gpu->space.tokens_offset, 0, 4ull * tokens);
}

static void call_run(struct exec_gpu *gpu, const struct gpu_recording *recording, uint32_t call)
{
    struct fault fault = {0};
    struct gpu_device *device = gpu->options.device;
    struct gpu_commands *commands;
    must(gpu_record_calls(gpu, recording->program, call, call + 1, recording->context_bucket, false,
                          &commands, &fault),
         &fault);
    must(gpu_submit(device, commands, &fault) && gpu_wait(device, &fault), &fault);
    gpu_commands_destroy(device, commands);
}

/* The kernels of a run of so many tokens, as far as the budget goes. */
static void calls_run(struct exec_gpu *gpu, uint32_t tokens)
{
    struct fault fault = {0};
    struct gpu_recording *recording;
    uint32_t done = 0;
    must(gpu_recording_get(gpu, tokens, 1, tokens, &recording, &fault), &fault);
    params_write(gpu, tokens);
    while (done < recording->program->call_count && spent() < BUDGET)
        call_run(gpu, recording, done++);
    print_message("%u tokens: %u of %u kernel calls%s\n", tokens, done,
                  recording->program->call_count,
                  done < recording->program->call_count ? ", then the budget was spent" : "");
}

static void plan_check(uint64_t seed, bool as_discrete, enum activation_format activations,
                       const uint32_t *tokens, uint32_t count)
{
    struct random_plan random;
    struct gpu_run run;
    random_plan_open(&random, seed, true);
    const struct exec_gpu_options wanted = {.context = RANDOM_CONTEXT,
                                            .batch_max = RANDOM_CONTEXT,
                                            .outputs_max = RANDOM_CONTEXT,
                                            .kv = random.kv,
                                            .activations = activations};
    gpu_run_open(&run, &assisted, as_discrete, &random.rig.plan, random.rig.gguf,
                 random.rig.parallel);
    /* 9 tokens through matmul_gemm: matmul_gemv of 8 takes too long to compile. */
    run.device->probe.info.packed_dot_accelerated = false;
    struct exec *exec = gpu_run_exec(&run, &wanted);
    ((struct exec_gpu *)exec)->shape.attention_rows = 1; /* a small kernel */
    print_message("%s%s\n", random.text, as_discrete ? ", discrete" : "");
    for (uint32_t i = 0; i < count; i++)
        calls_run((struct exec_gpu *)exec, tokens[i]);
    exec_destroy(exec);
    gpu_run_close(&run);
    random_plan_close(&random);
}

/* The kernels of software devices, an f16 cache. Float: whoever quantizes reads 32 numbers one by
 * one, which takes longest to compile. */
static void test_software(void **state)
{
    (void)state;
    static const uint32_t tokens[] = {1};
    plan_check(395, false, ACTIVATIONS_FLOAT, tokens, 1);
}

/* Those of cards, an 8-bit cache. */
static void test_discrete(void **state)
{
    (void)state;
    static const uint32_t tokens[] = {1, 9};
    plan_check(648, true, ACTIVATIONS_16, tokens, 2);
}

static void test_cost(void **state)
{
    (void)state;
    print_message("%.0f s of processor time, bound %d\n", spent(), MOST);
    assert_true(spent() <= MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_software),
        cmocka_unit_test(test_discrete),
        cmocka_unit_test(test_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
