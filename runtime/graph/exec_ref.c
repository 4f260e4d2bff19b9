/* exec_ref.c: runs a plan in plain C with float32 activations: the oracle of every other executor
 * and `--device cpu`. This file holds memory and order; the arithmetic is in ref_*.c. */
#include "ref.h"
#include "checked.h"
#include "top.h"
#include <stdlib.h>
#include <string.h>

static void (*const step_run[OP_COUNT])(struct exec_ref *ref, const struct step *step) = {
    [OP_EMBED] = ref_embed,       [OP_NORM] = ref_norm,
    [OP_MATMUL] = ref_matmul,     [OP_ROPE] = ref_rope,
    [OP_KV_STORE] = ref_kv_store, [OP_ATTENTION] = ref_attention,
    [OP_GLU] = ref_glu,           [OP_ACTIVATION] = ref_activation,
    [OP_ADD] = ref_add,           [OP_SELECT] = ref_select,
    [OP_SOFTCAP] = ref_softcap,
};

/* ---- running ---- */

static bool steps_run(struct exec_ref *ref, uint32_t count, const volatile bool *cancel,
                      struct fault *fault)
{
    uint32_t linear = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct step *step = &ref->exec.plan->steps[i];
        if (cancel && *cancel)
            return fault_set(fault, FAULT_CANCELLED, "cancelled");
        if (ref->watch && linear < ref->linear_count && ref->linears[linear].step == i &&
            !ref->watch(ref->watch_context, linear++, ref_data(ref, step->input[0]),
                        ref->batch.count))
            return fault_set(fault, FAULT_CANCELLED, "cancelled");
        step_run[step->op](ref, step);
    }
    return true;
}

static bool ref_run(struct exec *exec, const struct batch *batch, const volatile bool *cancel,
                    struct fault *fault)
{
    struct exec_ref *ref = (struct exec_ref *)exec;
    ref->batch.count = ref->batch.outputs = 0;
    if (!exec_check(exec, batch, fault))
        return false;
    memcpy(ref->tokens, batch->tokens, batch->count * sizeof *ref->tokens);
    ref->batch = *batch;
    ref->batch.tokens = ref->tokens;
    if (steps_run(ref, exec->plan->step_count, cancel, fault))
        return true;
    ref->batch.count = ref->batch.outputs = 0;
    return false;
}

static bool output_check(const struct exec_ref *ref, uint32_t first, uint32_t count,
                         struct fault *fault)
{
    uint64_t end = (uint64_t)first + count;
    if (end > ref->batch.outputs)
        return fault_set(fault, FAULT_ARGUMENT, "logits of row %llu wanted, the last run has %u",
                         (unsigned long long)end, ref->batch.outputs);
    return true;
}

static const float *output_row(const struct exec_ref *ref, uint32_t row)
{
    return ref_data(ref, ref->exec.plan->logits) + (size_t)row * ref->exec.plan->vocab;
}

static bool ref_top(struct exec *exec, uint32_t row, uint32_t k, int32_t *ids, float *logits,
                    struct fault *fault)
{
    struct exec_ref *ref = (struct exec_ref *)exec;
    if (!output_check(ref, row, 1, fault))
        return false;
    if (k == 0 || k > exec->plan->vocab)
        return fault_set(fault, FAULT_ARGUMENT, "the %u largest of %u logits wanted", k,
                         exec->plan->vocab);
    return top_select(output_row(ref, row), exec->plan->vocab, k, ids, logits, fault);
}

static bool ref_logits(struct exec *exec, uint32_t first, uint32_t count, float *dst,
                       struct fault *fault)
{
    struct exec_ref *ref = (struct exec_ref *)exec;
    if (!output_check(ref, first, count, fault))
        return false;
    memcpy(dst, output_row(ref, first), (size_t)count * exec->plan->vocab * sizeof *dst);
    return true;
}

/* Slots are used again by later steps, so the run is done again up to the step: the same bits. */
static bool ref_peek(struct exec *exec, uint32_t step, float *dst, size_t capacity,
                     struct fault *fault)
{
    struct exec_ref *ref = (struct exec_ref *)exec;
    if (step >= exec->plan->step_count || exec->plan->steps[step].output == PLAN_NONE)
        return fault_set(fault, FAULT_ARGUMENT, "step %u has no output to look at", step);
    uint32_t output = exec->plan->steps[step].output;
    size_t count = (size_t)ref_rows(ref, output) * ref_buffer(ref, output)->width;
    if (ref->batch.count == 0 || count > capacity)
        return fault_set(fault, FAULT_ARGUMENT, "step %u: %zu floats, room for %zu", step, count,
                         capacity);
    exec_watch *watch = ref->watch;
    ref->watch = NULL; /* it has seen this run */
    bool ran = steps_run(ref, step + 1, NULL, fault);
    if (ran)
        memcpy(dst, ref_data(ref, output), count * sizeof *dst);
    ran = ran && steps_run(ref, exec->plan->step_count, NULL, fault);
    ref->watch = watch;
    return ran;
}

static void ref_destroy(struct exec *exec)
{
    struct exec_ref *ref = (struct exec_ref *)exec;
    arena_free(&ref->arena);
    free(ref);
}

static const struct exec_methods ref_methods = {
    .run = ref_run,
    .top = ref_top,
    .logits = ref_logits,
    .peek = ref_peek,
    .destroy = ref_destroy,
};

void exec_ref_watch(struct exec *exec, const struct plan_linear *linears, uint32_t count,
                    exec_watch *watch, void *context)
{
    struct exec_ref *ref = (struct exec_ref *)exec;
    ref->linears = linears;
    ref->linear_count = count;
    ref->watch = watch;
    ref->watch_context = context;
}

/* ---- memory: the same requests are summed for the plan and then allocated ---- */

struct builder {
    const struct exec_ref_options *options;
    struct exec_ref *ref; /* NULL: only sum */
    uint64_t size;
    bool failed;
};

/* count * size bytes, or NULL when only summing or failed. */
static void *take(struct builder *builder, uint64_t count, uint64_t size)
{
    uint64_t bytes;
    if (!checked_mul_u64(count, size, &bytes) ||
        !checked_add_u64(builder->size, bytes, &builder->size))
        builder->size = UINT64_MAX;
    if (!builder->ref || builder->failed)
        return NULL;
    size_t whole;
    void *memory = builder->size == UINT64_MAX || !checked_size(bytes, &whole)
                       ? NULL
                       : arena_alloc(&builder->ref->arena, whole, 1);
    builder->failed = !memory;
    return memory;
}

static void take_kv(struct builder *builder)
{
    const struct exec_ref_options *options = builder->options;
    struct exec_ref *ref = builder->ref;
    for (uint32_t i = 0; i < options->plan->layer_count; i++) {
        const struct kv_layer *layer = &options->plan->layers[i];
        uint64_t rows = (uint64_t)layer->kv_heads * options->context;
        uint64_t row_size = ref_kv_row_size(options->kv, layer->head_dim);
        void *k = take(builder, rows, row_size), *v = take(builder, rows, row_size);
        if (v)
            ref->layers[i] = (struct ref_cache){k, v};
    }
}

static uint64_t scratch_count(const struct exec_ref_options *options)
{
    uint64_t most = ref_attention_scratch(options->plan, options->kv);
    for (uint32_t i = 0; i < options->plan->weight_count; i++) {
        uint64_t count = ref_matmul_scratch(options->plan->weights[i].cols);
        most = count > most ? count : most;
    }
    return most;
}

static void take_scratch(struct builder *builder)
{
    uint64_t count = scratch_count(builder->options);
    for (uint32_t i = 0; i < parallel_thread_count(builder->options->parallel); i++) {
        float *scratch = take(builder, count, sizeof *scratch);
        if (scratch)
            builder->ref->scratch[i] = scratch;
    }
}

static void take_slots(struct builder *builder)
{
    const struct exec_ref_options *options = builder->options;
    for (uint32_t i = 0; i < options->plan->slot_count; i++) {
        bool tokens = options->plan->slot_rows[i] == ROWS_TOKENS;
        uint64_t rows = tokens ? options->batch_max : options->outputs_max;
        float *slot = take(builder, rows, (uint64_t)options->plan->slot_width[i] * sizeof *slot);
        if (slot)
            builder->ref->slots[i] = slot;
    }
}

static void take_rope(struct builder *builder)
{
    const struct exec_ref_options *options = builder->options;
    for (uint32_t i = 0; i < PLAN_ROPE_MAX; i++) {
        const struct rope_table *table = &options->plan->rope[i];
        float *values = take(builder, options->context, (uint64_t)table->dims * sizeof *values);
        if (values && table->dims) {
            rope_table_fill(table, options->context, values);
            builder->ref->rope[i] = values;
        }
    }
}

static void take_tables(struct builder *builder)
{
    const struct exec_ref_options *options = builder->options;
    uint32_t threads = parallel_thread_count(options->parallel);
    void *layers = take(builder, options->plan->layer_count, sizeof(struct ref_cache));
    void *slots = take(builder, options->plan->slot_count, sizeof(float *));
    void *scratch = take(builder, threads, sizeof(float *));
    void *tokens = take(builder, options->batch_max, sizeof(int32_t));
    if (!tokens)
        return;
    builder->ref->layers = layers;
    builder->ref->slots = slots;
    builder->ref->scratch = scratch;
    builder->ref->tokens = tokens;
}

static void take_all(struct builder *builder)
{
    take_tables(builder);
    take_slots(builder);
    take_scratch(builder);
    take_rope(builder);
}

void exec_ref_memory(const struct exec_ref_options *options, uint64_t *kv, uint64_t *activations)
{
    struct builder caches = {.options = options}, rest = {.options = options};
    take_kv(&caches);
    take_all(&rest);
    *kv = caches.size;
    *activations = rest.size;
}

static bool options_check(const struct exec_ref_options *options, struct fault *fault)
{
    if (options->context == 0 || options->batch_max == 0 || options->outputs_max == 0 ||
        options->batch_max > options->context || options->outputs_max > options->batch_max)
        return fault_set(fault, FAULT_ARGUMENT,
                         "context %u, batch %u, outputs %u: expected context >= batch >= outputs "
                         ">= 1",
                         options->context, options->batch_max, options->outputs_max);
    return true;
}

bool exec_ref_create(const struct exec_ref_options *options, const struct ref_weights *weights,
                     struct exec **out, struct fault *fault)
{
    *out = NULL;
    if (!options_check(options, fault))
        return false;
    struct exec_ref *ref = calloc(1, sizeof *ref);
    if (!ref)
        return fault_set(fault, FAULT_MEMORY, "no memory for an executor");
    ref->exec = (struct exec){
        .methods = &ref_methods,
        .plan = options->plan,
        .context = options->context,
        .batch_max = options->batch_max,
        .outputs_max = options->outputs_max,
    };
    ref->weights = weights;
    ref->parallel = options->parallel;
    ref->kv = options->kv;
    arena_init(&ref->arena, 0);
    struct builder builder = {.options = options, .ref = ref};
    take_all(&builder);
    take_kv(&builder);
    if (builder.failed) {
        ref_destroy(&ref->exec);
        return fault_set(fault, FAULT_MEMORY,
                         "no memory for a context of %u and runs of %u tokens (%llu bytes)",
                         options->context, options->batch_max, (unsigned long long)builder.size);
    }
    *out = &ref->exec;
    return true;
}
