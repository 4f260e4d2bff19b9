/* test_layers.c: a model that is larger than the card's memory: layers that do not fit lie in host
 * memory, by a plan that is exact; the answer is the same; where that does not help, opening is
 * refused in one line. The fault layer turns lavapipe into a card with a heap of VKFAULT_HEAP bytes
 * that is not mapped. */
#include "engine_rig.h"

#include <stdlib.h>

enum { CONTEXT = 256, IDS = 60 };

static void card(uint64_t size)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)size);
    setenv("VKFAULT_HEAP", text, 1);
}

static void options_fill(struct lichen_engine_options *options,
                         struct lichen_session_options *session)
{
    if (!test_file_exists(STORIES))
        SKIP("%s is absent", STORIES);
    lichen_engine_defaults(options);
    lichen_session_defaults(session);
    options->model = STORIES;
    options->activations = LICHEN_ACTIVATIONS_FLOAT;
    options->session = session;
    session->context = CONTEXT;
    session->batch = 64;
    session->kv = LICHEN_KV_F32;
    session->sampler.temperature = 0;
}

static struct lichen_plan plan_of(const struct lichen_engine_options *options)
{
    struct fault fault = {0};
    struct lichen_plan plan;
    if (!lichen_plan(options, options->session, &plan, &fault))
        fail_msg("%s", fault.text);
    return plan;
}

static void plans_equal(const struct lichen_plan *planned, const struct lichen_plan *used)
{
    assert_int_equal(planned->heap_count, 2);
    assert_int_equal(used->heap_count, 2);
    assert_int_equal(planned->layers, used->layers);
    assert_int_equal(planned->host_layers, used->host_layers);
    for (uint32_t h = 0; h < 2; h++) {
        assert_int_equal(planned->heaps[h].weights, used->heaps[h].weights);
        assert_int_equal(planned->heaps[h].kv, used->heaps[h].kv);
        assert_int_equal(planned->heaps[h].activations, used->heaps[h].activations);
        assert_int_equal(planned->heaps[h].staging, used->heaps[h].staging);
    }
}

/* Opens, compares what is allocated with the plan and the answer with the published one. */
static uint32_t answer_check(const struct lichen_engine_options *options)
{
    struct fault fault = {0};
    struct rig rig;
    struct lichen_plan planned = plan_of(options), used;
    struct lichen_model_info info;
    int32_t ids[IDS];
    assert_true(planned.fits);
    if (!lichen_engine_open(options, &rig.engine, &fault) ||
        !lichen_session_open(rig.engine, options->session, &rig.session, &fault))
        fail_msg("%s", fault.text);
    lichen_plan_used(rig.session, &used);
    plans_equal(&planned, &used);
    lichen_model_info(rig.engine, &info);
    assert_int_equal(info.host_layers, planned.host_layers);
    if (!rig_greedy(&rig, ids, IDS, &fault))
        fail_msg("%s", fault.text);
    assert_memory_equal(ids, rig_golden(), sizeof ids);
    rig_close(&rig);
    return planned.host_layers;
}

static void test_chosen(void **state)
{
    (void)state;
    struct lichen_engine_options options;
    struct lichen_session_options session;
    options_fill(&options, &session);
    card(1u << 30);
    assert_int_equal(answer_check(&options), 0);
    uint64_t whole = plan_of(&options).heaps[0].weights, last = 0;
    options.layers_chosen = true;
    uint32_t layers = plan_of(&options).layers;
    for (uint32_t on_device = 0; on_device <= layers + 1; on_device++) {
        options.gpu_layers = on_device;
        struct lichen_plan plan = plan_of(&options);
        assert_int_equal(plan.host_layers, on_device < layers ? layers - on_device : 0);
        assert_true(plan.heaps[0].weights > last || on_device > layers);
        last = plan.heaps[0].weights;
    }
    assert_int_equal(last, whole);
    options.gpu_layers = 2;
    assert_int_equal(answer_check(&options), layers - 2);
    options.gpu_layers = 0;
    assert_int_equal(answer_check(&options), layers);
}

/* Heaps from too large to too small: as few layers as needed are moved. */
static void test_automatic(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct lichen_engine_options options;
    struct lichen_session_options session;
    struct lichen_engine *engine;
    options_fill(&options, &session);
    card(1u << 30);
    uint64_t need = plan_of(&options).heaps[0].total;
    uint32_t layers = plan_of(&options).layers, moved = 0;
    card(need);
    assert_int_equal(answer_check(&options), 0);
    card(need - 1);
    assert_int_equal(answer_check(&options), 1);
    uint64_t size = need;
    for (; moved < layers && size > 1000; size -= need / 64) {
        card(size);
        struct lichen_plan plan = plan_of(&options);
        if (!plan.fits)
            break;
        assert_true(plan.host_layers >= moved);
        assert_true(plan.heaps[0].total <= size && plan.heaps[0].capacity == size);
        moved = plan.host_layers;
    }
    assert_int_equal(moved, layers);
    assert_int_equal(answer_check(&options), layers);
    /* less than what cannot be moved */
    session.context = 512;
    card(need / 4);
    assert_false(lichen_engine_open(&options, &engine, &fault));
    assert_int_equal(fault.kind, FAULT_MEMORY);
    assert_non_null(strstr(fault.text, "device-local"));
}

/* A limit of the user's is a smaller heap; one on a device without another heap names what fits. */
static void test_memory_limit(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct lichen_engine_options options;
    struct lichen_session_options session;
    struct lichen_engine *engine;
    options_fill(&options, &session);
    card(1u << 30);
    options.memory = plan_of(&options).heaps[0].total - 1;
    assert_int_equal(answer_check(&options), 1);
    options.layers_chosen = true;
    options.gpu_layers = UINT32_MAX;
    struct lichen_plan plan = plan_of(&options);
    assert_false(plan.fits);
    assert_string_equal(plan.nearest, "--gpu-layers 4");
    options.layers_chosen = false;
    unsetenv("VKFAULT_HEAP");
    options.memory = 0;
    session.context = 512;
    options.memory = plan_of(&options).heaps[0].total - 1;
    assert_string_equal(plan_of(&options).nearest, "--ctx 256");
    assert_false(lichen_engine_open(&options, &engine, &fault));
    assert_non_null(strstr(fault.text, "what fits: --ctx 256"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chosen),
        cmocka_unit_test(test_automatic),
        cmocka_unit_test(test_memory_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
