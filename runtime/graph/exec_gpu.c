/* exec_gpu.c: runs a plan on a Vulkan device: cuts a batch into submissions, hands parameters in
 * and results out. What is submitted is made in gpu_lower.c and gpu_record.c. */
#include "gpu_exec.h"
#include "top.h"
#include <stdlib.h>
#include <string.h>

/* ---- running ---- */

static void run_write(struct exec_gpu *gpu, const int32_t *tokens, const struct run_params *params)
{
    uint8_t *mapped = gpu_buffer_map(gpu->space.run_host.buffer);
    mapped += gpu->space.run_host.offset;
    memcpy(mapped, params, sizeof *params);
    memcpy(mapped + gpu->space.tokens_offset, tokens, params->count * sizeof *tokens);
}

/* Most tokens of a part: a layer's attention is one dispatch and has to stay short however long the
 * context is. A prompt that sees itself in both directions cannot be cut. */
static uint32_t part_limit(const struct exec_gpu *gpu, uint32_t position)
{
    const struct gpu_shape *shape = &gpu->shape;
    uint64_t token_cost = gpu->attention_cost * (position + shape->rows_max);
    uint64_t budget = (uint64_t)(shape->rate_first * shape->target_ns);
    uint32_t i = shape->bucket_count - 1;
    while (!gpu->exec.plan->prefix_mask && i > 0 && shape->buckets[i] * token_cost > budget)
        i--;
    return shape->buckets[i];
}

/* The part that begins at token `first`: as many tokens as fit, with no more output rows than there
 * is memory for. */
static struct gpu_part part_at(const struct exec_gpu *gpu, const struct batch *batch,
                               uint32_t first)
{
    uint32_t left = batch->count - first, quiet = batch->count - batch->outputs;
    uint32_t limit = part_limit(gpu, batch->position + first);
    uint32_t count = left < limit ? left : limit;
    uint32_t output_first = first > quiet ? first : quiet, end = first + count;
    if (end > output_first && end - output_first > gpu->shape.outputs_max)
        end = output_first + gpu->shape.outputs_max;
    return (struct gpu_part){
        .first = first,
        .count = end - first,
        .outputs = end > output_first ? end - output_first : 0,
        .row = output_first - quiet,
    };
}

/* The position behind the first part. */
static uint32_t part_end_first(const struct exec_gpu *gpu, const struct batch *batch)
{
    return batch->position + part_at(gpu, batch, 0).count;
}

static struct run_params part_params(const struct exec_gpu *gpu, const struct batch *batch,
                                     const struct gpu_part *part)
{
    return (struct run_params){
        .count = part->count,
        .position = batch->position + part->first,
        .outputs = part->outputs,
        .prefix = batch->prefix,
        .kv_count = batch->position + part->first + part->count,
        .top = gpu->top,
    };
}

static bool logits_keep(struct exec_gpu *gpu, const struct gpu_part *part, struct fault *fault)
{
    uint64_t row = (uint64_t)gpu->exec.plan->vocab * sizeof(float);
    const struct gpu_range *range =
        &gpu->space.slots[gpu->exec.plan->buffers[gpu->exec.plan->logits].slot].range;
    return gpu_download(exec_device(gpu), range->buffer, range->offset,
                        gpu->host_logits + (size_t)part->row * gpu->exec.plan->vocab,
                        part->outputs * row, fault);
}

static bool part_run(struct exec_gpu *gpu, const struct batch *batch, const struct gpu_part *part,
                     const volatile bool *cancel, struct fault *fault)
{
    const struct run_params params = part_params(gpu, batch, part);
    struct gpu_recording *recording;
    if (!gpu_recording_get(gpu, part->count, part->outputs, params.kv_count, &recording, fault))
        return false;
    run_write(gpu, batch->tokens + part->first, &params);
    if (!gpu_recording_run(gpu, recording, part->count, cancel, fault))
        return false;
    if (part->outputs)
        gpu->last_program = recording->program;
    return !gpu->logits_on_host || !part->outputs || logits_keep(gpu, part, fault);
}

/* The batch is remembered for peek. */
static void batch_note(struct exec_gpu *gpu, const struct batch *batch)
{
    memcpy(gpu->tokens, batch->tokens, batch->count * sizeof *gpu->tokens);
    gpu->batch = *batch;
    gpu->batch.tokens = gpu->tokens;
}

static bool gpu_run(struct exec *exec, const struct batch *batch, const volatile bool *cancel,
                    struct fault *fault)
{
    struct exec_gpu *gpu = (struct exec_gpu *)exec;
    gpu->batch.count = gpu->batch.outputs = 0;
    if (!exec_check(exec, batch, fault))
        return false;
    gpu->stats = (struct gpu_run_stats){0};
    struct gpu_part part = part_at(gpu, batch, 0);
    while (part.first + part.count < batch->count && !part.outputs)
        part = part_at(gpu, batch, part.first + part.count);
    gpu->logits_on_host = part.outputs < batch->outputs;
    if (exec->plan->prefix_mask && part_end_first(gpu, batch) < batch->prefix)
        return fault_set(
            fault, FAULT_ARGUMENT,
            "%u rows of logits of a prefix of %u, which is one submission of at most %u",
            batch->outputs, batch->prefix, gpu->shape.outputs_max);
    for (uint32_t first = 0; first < batch->count; first += part.count) {
        part = part_at(gpu, batch, first);
        if (!part_run(gpu, batch, &part, cancel, fault))
            return false;
    }
    batch_note(gpu, batch);
    return true;
}

/* ---- results ---- */

static bool output_check(const struct exec_gpu *gpu, uint32_t first, uint32_t count,
                         struct fault *fault)
{
    uint64_t end = (uint64_t)first + count;
    return end <= gpu->batch.outputs ||
           fault_set(fault, FAULT_ARGUMENT, "logits of row %llu wanted, the last run has %u",
                     (unsigned long long)end, gpu->batch.outputs);
}

static bool gpu_logits(struct exec *exec, uint32_t first, uint32_t count, float *dst,
                       struct fault *fault)
{
    struct exec_gpu *gpu = (struct exec_gpu *)exec;
    size_t vocab = exec->plan->vocab;
    if (!output_check(gpu, first, count, fault))
        return false;
    if (gpu->logits_on_host) {
        memcpy(dst, gpu->host_logits + first * vocab, count * vocab * sizeof *dst);
        return true;
    }
    const struct gpu_range *range =
        &gpu->space.slots[exec->plan->buffers[exec->plan->logits].slot].range;
    return gpu_download(exec_device(gpu), range->buffer,
                        range->offset + first * vocab * sizeof(float), dst,
                        count * vocab * sizeof(float), fault);
}

/* Top-k of the only output row again, with more entries, and from now on with every run. */
static bool top_widen(struct exec_gpu *gpu, struct fault *fault)
{
    const struct gpu_program *program = gpu->last_program;
    struct gpu_commands *commands;
    uint8_t *mapped = gpu_buffer_map(gpu->space.run_host.buffer);
    gpu->top = GPU_TOP_MAX;
    memcpy(mapped + gpu->space.run_host.offset + offsetof(struct run_params, top), &gpu->top,
           sizeof gpu->top);
    if (!gpu_record_calls(gpu, program, program->call_count - 2, program->call_count, 0, false,
                          &commands, fault))
        return false;
    bool ran = gpu_submit(exec_device(gpu), commands, fault) && gpu_wait(exec_device(gpu), fault);
    gpu_commands_destroy(exec_device(gpu), commands);
    return ran;
}

static bool top_from_logits(struct exec_gpu *gpu, uint32_t row, uint32_t k, int32_t *ids,
                            float *logits, struct fault *fault)
{
    uint32_t vocab = gpu->exec.plan->vocab;
    float *all = malloc(vocab * sizeof *all);
    if (!all)
        return fault_set(fault, FAULT_MEMORY, "no memory for %u logits", vocab);
    bool found =
        gpu_logits(&gpu->exec, row, 1, all, fault) && top_select(all, vocab, k, ids, logits, fault);
    free(all);
    return found;
}

struct found {
    uint32_t id;
    float logit;
};

/* What topk_pick.comp left; false without a fault when it gave up (too many equal logits). */
static bool top_read(const struct exec_gpu *gpu, uint32_t k, int32_t *ids, float *logits,
                     bool *given_up, struct fault *fault)
{
    const uint8_t *mapped = gpu_buffer_map(gpu->space.found.range.buffer);
    const struct found *found =
        (const void *)(mapped + gpu->space.found.range.offset); /* [0] is the count */
    *given_up = found[0].id > GPU_TOP_SEGMENTS || found[0].id < k;
    if (*given_up)
        return false;
    if (found[1].logit != found[1].logit)
        return fault_set(fault, FAULT_DEVICE, "logit %u is not a number", found[1].id);
    for (uint32_t i = 0; i < k; i++) {
        ids[i] = (int32_t)found[1 + i].id;
        logits[i] = found[1 + i].logit;
    }
    return true;
}

static bool gpu_top(struct exec *exec, uint32_t row, uint32_t k, int32_t *ids, float *logits,
                    struct fault *fault)
{
    struct exec_gpu *gpu = (struct exec_gpu *)exec;
    bool given_up;
    if (!output_check(gpu, row, 1, fault))
        return false;
    if (k == 0 || k > exec->plan->vocab)
        return fault_set(fault, FAULT_ARGUMENT, "the %u largest of %u logits wanted", k,
                         exec->plan->vocab);
    if (gpu->logits_on_host || !gpu->last_program->top || k > GPU_TOP_MAX)
        return top_from_logits(gpu, row, k, ids, logits, fault);
    if (k > gpu->top && !top_widen(gpu, fault))
        return false;
    if (top_read(gpu, k, ids, logits, &given_up, fault))
        return true;
    return given_up && top_from_logits(gpu, row, k, ids, logits, fault);
}

/* ---- looking inside ---- */

bool gpu_part_prepare(struct exec_gpu *gpu, uint32_t first, struct gpu_part *part,
                      struct gpu_recording **out, struct fault *fault)
{
    *part = part_at(gpu, &gpu->batch, first);
    const struct run_params params = part_params(gpu, &gpu->batch, part);
    if (!gpu_recording_get(gpu, part->count, part->outputs, params.kv_count, out, fault))
        return false;
    run_write(gpu, gpu->batch.tokens + part->first, &params);
    return true;
}

/* Runs one part of the last batch again up to `step` and reads its rows of the output. Writing the
 * same keys and values again changes nothing. */
static bool part_peek(struct exec_gpu *gpu, uint32_t first, uint32_t step, float *dst,
                      struct gpu_part *part, struct fault *fault)
{
    const struct plan_buffer *buffer = &gpu->exec.plan->buffers[gpu->exec.plan->steps[step].output];
    struct gpu_recording *recording;
    struct gpu_commands *commands;
    if (!gpu_part_prepare(gpu, first, part, &recording, fault))
        return false;
    uint64_t rows = buffer->rows == ROWS_TOKENS ? part->count : part->outputs;
    uint32_t count = recording->program->step_calls[step];
    if (!count)
        return fault_set(fault, FAULT_UNSUPPORTED, "step %u shares a kernel with another", step);
    if (!gpu_record_calls(gpu, recording->program, 0, count, recording->context_bucket, false,
                          &commands, fault))
        return false;
    const struct gpu_range *range = &gpu->space.slots[buffer->slot].range;
    bool read = gpu_submit(exec_device(gpu), commands, fault) &&
                gpu_wait(exec_device(gpu), fault) &&
                (rows == 0 || gpu_download(exec_device(gpu), range->buffer, range->offset, dst,
                                           rows * buffer->width * sizeof *dst, fault));
    gpu_commands_destroy(exec_device(gpu), commands);
    return read;
}

static bool peek_check(const struct exec_gpu *gpu, uint32_t step, size_t capacity,
                       struct fault *fault)
{
    const struct plan *plan = gpu->exec.plan;
    if (step >= plan->step_count || plan->steps[step].output == PLAN_NONE)
        return fault_set(fault, FAULT_ARGUMENT, "step %u has no output to look at", step);
    const struct plan_buffer *buffer = &plan->buffers[plan->steps[step].output];
    uint64_t rows = buffer->rows == ROWS_TOKENS ? gpu->batch.count : gpu->batch.outputs;
    if (gpu->batch.count == 0 || rows * buffer->width > capacity)
        return fault_set(fault, FAULT_ARGUMENT, "step %u: %llu floats, room for %zu", step,
                         (unsigned long long)(rows * buffer->width), capacity);
    return true;
}

static bool gpu_peek(struct exec *exec, uint32_t step, float *dst, size_t capacity,
                     struct fault *fault)
{
    struct exec_gpu *gpu = (struct exec_gpu *)exec;
    struct gpu_part part;
    if (!peek_check(gpu, step, capacity, fault))
        return false;
    const struct plan_buffer *buffer = &exec->plan->buffers[exec->plan->steps[step].output];
    for (uint32_t first = 0; first < gpu->batch.count; first += part.count) {
        if (!part_peek(gpu, first, step, dst, &part, fault))
            return false;
        uint32_t rows = buffer->rows == ROWS_TOKENS ? part.count : part.outputs;
        dst += (size_t)rows * buffer->width;
    }
    return true;
}

/* ---- life ---- */

static void gpu_destroy(struct exec *exec)
{
    struct exec_gpu *gpu = (struct exec_gpu *)exec;
    gpu_recordings_free(gpu);
    gpu_space_free(&gpu->space, exec_device(gpu));
    free(gpu->tokens);
    free(gpu->host_logits);
    free(gpu);
}

static const struct exec_methods gpu_methods = {
    .run = gpu_run,
    .top = gpu_top,
    .logits = gpu_logits,
    .peek = gpu_peek,
    .destroy = gpu_destroy,
};

/* Multiply-adds of attention for a token and key, in the most expensive layer. */
static uint64_t attention_cost(const struct plan *plan)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct attention_params *attention = &plan->steps[i].attention;
        if (plan->steps[i].op == OP_ATTENTION &&
            2ULL * attention->heads * attention->head_dim > most)
            most = 2ULL * attention->heads * attention->head_dim;
    }
    return most;
}

static bool host_memory(struct exec_gpu *gpu, struct fault *fault)
{
    gpu->tokens = calloc(gpu->exec.batch_max, sizeof *gpu->tokens);
    if (gpu->exec.outputs_max > 1) /* they may be spread over several submissions */
        gpu->host_logits =
            malloc((size_t)gpu->exec.outputs_max * gpu->exec.plan->vocab * sizeof(float));
    return (gpu->tokens && (gpu->host_logits || gpu->exec.outputs_max == 1)) ||
           fault_set(fault, FAULT_MEMORY, "no memory for the logits of %u tokens",
                     gpu->exec.outputs_max);
}

bool exec_gpu_create(const struct exec_gpu_options *options, struct exec **out, struct fault *fault)
{
    struct exec_gpu *gpu = calloc(1, sizeof *gpu);
    *out = NULL;
    if (!gpu)
        return fault_set(fault, FAULT_MEMORY, "no memory for an executor");
    gpu->options = *options;
    gpu->top = GPU_TOP_FIRST;
    gpu->attention_cost = attention_cost(options->plan);
    gpu->exec = (struct exec){
        .methods = &gpu_methods,
        .plan = options->plan,
        .context = options->context,
        .batch_max = options->batch_max,
        .outputs_max = options->outputs_max,
    };
    if (!gpu_shape_init(&gpu->shape, options, fault) ||
        !gpu_space_init(&gpu->space, options, &gpu->shape, true, fault) ||
        !host_memory(gpu, fault)) {
        gpu_destroy(&gpu->exec);
        return false;
    }
    *out = &gpu->exec;
    return true;
}

void exec_gpu_stats(const struct exec *exec, struct gpu_run_stats *stats)
{
    *stats = ((const struct exec_gpu *)exec)->stats;
}
