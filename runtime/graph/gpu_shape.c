/* gpu_shape.c: the numbers that depend on the device and on what the caller asked for. */
#include "gpu_exec.h"

enum {
    CONTEXT_FIRST = 256, /* positions of the smallest context bucket */
    TOKENS_SOFTWARE = 128,
    TOKENS_DEVICE = 512,
    EXACT_CHUNK = 256,
    CONTEXT_MOST = 1 << 24,
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* A software device runs a workgroup on one thread, one subgroup after the other: there a group is
 * one subgroup, and few groups share a row. */
static void shape_device(struct gpu_shape *shape, const struct gpu_info *info)
{
    uint32_t most = info->invocations_max, subgroup = info->subgroup_size;
    shape->software = info->type == GPU_SOFTWARE;
    if (shape->software) {
        shape->element_group = shape->row_group = shape->attention_group = subgroup;
        shape->pick_group = subgroup;
        shape->groups_max = 4;
        shape->attention_keys = larger(64 / subgroup, 1) * subgroup;
        shape->attention_rows = 8;
        shape->split_above = 512;
        shape->chunk_min = 256;
        shape->chunk_target = 4;
        shape->target_ns = 250e6;
        shape->rate_first = 6;
        return;
    }
    shape->element_group = smaller(most, 64);
    shape->row_group = smaller(most, 256);
    shape->pick_group = smaller(most, 256);
    shape->groups_max = 65535;
    shape->attention_group = 64;
    shape->attention_keys = 64;
    shape->attention_rows = 8;
    shape->split_above = 128;
    shape->chunk_min = 64;
    shape->chunk_target = 64;
    shape->target_ns = 50e6;
    shape->rate_first = info->type == GPU_DISCRETE ? 500 : 100;
}

/* Tokens of a submission: the widest ROWS_TOKENS buffer must be bindable. */
static uint32_t tokens_limit(const struct exec_gpu_options *options, const struct gpu_shape *shape)
{
    const struct plan *plan = options->plan;
    uint64_t limit = gpu_range_limit(options->device);
    uint32_t tokens = options->batch_max;
    if (!plan->prefix_mask) /* else a prompt is one submission */
        tokens = smaller(tokens, options->exact    ? 1
                                 : shape->software ? TOKENS_SOFTWARE
                                                   : TOKENS_DEVICE);
    for (uint32_t i = 0; i < plan->slot_count; i++)
        if (plan->slot_rows[i] == ROWS_TOKENS && plan->slot_width[i])
            tokens = (uint32_t)(limit / 4 / plan->slot_width[i] < tokens
                                    ? limit / 4 / plan->slot_width[i]
                                    : tokens);
    return tokens;
}

static uint32_t outputs_limit(const struct exec_gpu_options *options, uint32_t tokens)
{
    const struct plan *plan = options->plan;
    uint64_t limit = gpu_range_limit(options->device);
    uint32_t outputs = smaller(options->outputs_max, tokens);
    for (uint32_t i = 0; i < plan->slot_count; i++)
        if (plan->slot_rows[i] == ROWS_OUTPUTS && plan->slot_width[i])
            outputs = (uint32_t)(limit / 4 / plan->slot_width[i] < outputs
                                     ? limit / 4 / plan->slot_width[i]
                                     : outputs);
    return outputs;
}

static void shape_buckets(struct gpu_shape *shape, uint32_t most)
{
    static const uint32_t sizes[] = {1, 8, 32, 128, 512};
    for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes && sizes[i] < most; i++)
        shape->buckets[shape->bucket_count++] = sizes[i];
    shape->buckets[shape->bucket_count++] = most;
}

static enum activation_format format_for(const struct gpu_info *info,
                                         const struct exec_gpu_options *options)
{
    if (options->exact || !info->packed_dot)
        return ACTIVATIONS_FLOAT;
    if (options->activations != ACTIVATIONS_AUTO)
        return options->activations;
    return info->type == GPU_SOFTWARE ? ACTIVATIONS_FLOAT : ACTIVATIONS_16;
}

bool gpu_shape_init(struct gpu_shape *shape, const struct exec_gpu_options *options,
                    struct fault *fault)
{
    const struct gpu_info *info = gpu_device_info(options->device);
    *shape = (struct gpu_shape){.format = format_for(info, options)};
    if (options->context == 0 || options->batch_max == 0 || options->outputs_max == 0 ||
        options->batch_max > options->context || options->outputs_max > options->batch_max)
        return fault_set(fault, FAULT_ARGUMENT,
                         "context %u, batch %u, outputs %u: expected context >= batch >= outputs "
                         ">= 1",
                         options->context, options->batch_max, options->outputs_max);
    if (options->context > CONTEXT_MOST)
        return fault_set(fault, FAULT_ARGUMENT, "context %u, expected at most %d", options->context,
                         CONTEXT_MOST);
    shape_device(shape, info);
    shape->rows_max = tokens_limit(options, shape);
    shape->outputs_max = outputs_limit(options, shape->rows_max);
    if (!shape->rows_max || !shape->outputs_max ||
        (options->plan->prefix_mask && shape->rows_max < options->batch_max))
        return fault_set(fault, FAULT_DEVICE,
                         "runs of %u tokens do not fit into what this device binds at once",
                         options->batch_max);
    shape_buckets(shape, shape->rows_max);
    return true;
}

uint32_t gpu_shape_bucket(const struct gpu_shape *shape, uint32_t tokens)
{
    uint32_t i = 0;
    while (shape->buckets[i] < tokens)
        i++;
    return shape->buckets[i];
}

uint32_t gpu_shape_context(const struct gpu_shape *shape, uint32_t kv_count)
{
    uint32_t bucket = CONTEXT_FIRST;
    (void)shape;
    while (bucket < kv_count)
        bucket *= 2;
    return bucket;
}

bool gpu_shape_split(const struct gpu_shape *shape, uint32_t tokens, uint32_t context_bucket,
                     bool exact)
{
    return tokens == 1 && (exact || context_bucket > shape->split_above);
}

uint32_t gpu_shape_chunk(const struct gpu_shape *shape, uint32_t context_bucket, bool exact)
{
    uint32_t keys = shape->attention_keys;
    if (exact)
        return (EXACT_CHUNK + keys - 1) / keys * keys;
    uint32_t chunk = larger(context_bucket / shape->chunk_target, shape->chunk_min);
    return (chunk + keys - 1) / keys * keys;
}
