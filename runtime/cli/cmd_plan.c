/* cmd_plan.c: lichen plan: every byte before anything is read. */
#include "command.h"
#include <string.h>

struct plan {
    struct common common;
    struct lichen_plan found;
};

static json_t *json_of_plan(const struct lichen_plan *plan)
{
    json_t *heaps = json_array();
    for (uint32_t i = 0; heaps && i < plan->heap_count; i++) {
        const struct lichen_plan_heap *heap = &plan->heaps[i];
        json_array_append_new(
            heaps, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name", heap->name,
                             "capacity", (json_int_t)heap->capacity, "free", (json_int_t)heap->free,
                             "weights", (json_int_t)heap->weights, "kv", (json_int_t)heap->kv,
                             "activations", (json_int_t)heap->activations, "staging",
                             (json_int_t)heap->staging, "total", (json_int_t)heap->total));
    }
    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:o, s:b, s:s}", "schema", 1, "ctx",
                     (json_int_t)plan->context, "batch", (json_int_t)plan->batch, "layers",
                     (json_int_t)plan->layers, "host_layers", (json_int_t)plan->host_layers,
                     "heaps", heaps, "fits", (int)plan->fits, "nearest", plan->nearest);
}

static void print_row(const struct lichen_plan *plan, const char *name, size_t member)
{
    printf("%-14s", name);
    for (uint32_t i = 0; i < plan->heap_count; i++) {
        uint64_t bytes;
        memcpy(&bytes, (const char *)&plan->heaps[i] + member, sizeof bytes);
        printf(" %18llu", (unsigned long long)bytes);
    }
    putchar('\n');
}

static void print_plan(const struct lichen_plan *plan)
{
    static const struct {
        const char *name;
        size_t member;
    } rows[] = {
        {"weights", offsetof(struct lichen_plan_heap, weights)},
        {"KV cache", offsetof(struct lichen_plan_heap, kv)},
        {"activations", offsetof(struct lichen_plan_heap, activations)},
        {"staging", offsetof(struct lichen_plan_heap, staging)},
        {"total", offsetof(struct lichen_plan_heap, total)},
        {"free", offsetof(struct lichen_plan_heap, free)},
        {"capacity", offsetof(struct lichen_plan_heap, capacity)},
    };
    printf("context %u positions, batches of %u tokens; bytes\n%-14s", (unsigned)plan->context,
           (unsigned)plan->batch, "");
    for (uint32_t i = 0; i < plan->heap_count; i++)
        printf(" %18s", plan->heaps[i].name);
    putchar('\n');
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        print_row(plan, rows[i].name, rows[i].member);
    if (plan->host_layers)
        printf("%u of %u layers in host memory\n", (unsigned)plan->host_layers,
               (unsigned)plan->layers);
    if (plan->fits)
        printf("it fits\n");
    else
        printf("it does not fit%s%s\n", plan->nearest[0] ? "; nearest that does: " : "",
               plan->nearest);
}

static bool plan_find(struct plan *plan)
{
    struct lichen_engine_options engine;
    struct lichen_session_options session;
    struct common_shape shape;
    if (!common_engine_options(&plan->common, &shape, &engine))
        return false;
    common_session_options(&plan->common, &session);
    bool found = lichen_plan(&engine, &session, &plan->found, &plan->common.fault);
    common_shape_free(&shape);
    return found;
}

static int plan_main(const struct command *command, int argc, char **argv)
{
    struct plan plan = {.found = {0}};
    struct option_set set = {.count = 0};
    int status;
    common_init(&plan.common);
    common_add_session(&plan.common, &set);
    common_add_model(&plan.common, &set);
    common_add_shape(&plan.common, &set);
    common_add_output(&plan.common, &set, true);
    if (!command_begin_model(command, &plan.common, &set, argc, argv, &status))
        return status;
    bool done = plan_find(&plan);
    if (done && plan.common.output.json)
        done = output_json(json_of_plan(&plan.found), &plan.common.fault);
    else if (done)
        print_plan(&plan.found);
    status = output_end(done, &plan.common.fault);
    return status;
}

const struct command command_plan = {
    "plan", "[MODEL]", "the memory a chat will take, per heap, before anything is read",
    "What it prints is what lichen chat with the same options then allocates. Where it does\n"
    "not fit, the nearest choice that does is named.",
    plan_main};
