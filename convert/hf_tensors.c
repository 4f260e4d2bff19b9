/* hf_tensors.c: the table of a family, row by row and layer by layer, becomes the tensors of the
 * GGUF file; what the checkpoint has beyond it is refused by name. */
#include "hf_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One spelling with prefix and layer. False when it does not fit. */
static bool expand(const char *pattern, size_t size, const char *prefix, uint32_t layer,
                   char name[HF_NAME_SIZE])
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        int count = pattern[i] == '@' ? snprintf(name + used, HF_NAME_SIZE - used, "%s", prefix)
                    : pattern[i] == '*'
                        ? snprintf(name + used, HF_NAME_SIZE - used, "%u", layer)
                        : snprintf(name + used, HF_NAME_SIZE - used, "%c", pattern[i]);
        used += (size_t)count;
        if (used >= HF_NAME_SIZE)
            return false;
    }
    name[used] = 0;
    return used > 0;
}

/* The spelling of names that the checkpoint has; the first one when it has none. */
static void published_name(const struct hf_builder *builder, const char *names, uint32_t layer,
                           char name[HF_NAME_SIZE])
{
    for (const char *next = names; *next;) {
        size_t size = strcspn(next, "|");
        if (expand(next, size, builder->prefix, layer, name) && hf_weight_there(builder, name))
            return;
        next += size + (next[size] == '|');
    }
    expand(names, strcspn(names, "|"), builder->prefix, layer, name);
}

static uint64_t extent(const struct hf_hparams *h, enum hf_extent extent)
{
    uint64_t q = (uint64_t)h->heads * h->head_dim, kv = (uint64_t)h->kv_heads * h->head_dim;
    switch (extent) {
    case EXTENT_VECTOR:
        return 1;
    case EXTENT_VOCAB:
        return h->vocab;
    case EXTENT_DIM:
        return h->dim;
    case EXTENT_FFN:
        return h->ffn;
    case EXTENT_GATE_UP:
        return 2 * (uint64_t)h->ffn;
    case EXTENT_Q:
        return q;
    case EXTENT_KV:
        return kv;
    case EXTENT_QKV:
        return q + 2 * kv;
    case EXTENT_HEAD:
        return h->head_dim;
    case EXTENT_CONTEXT:
        return h->context;
    }
    return 0;
}

/* Rows of the published tensor that a row of the table takes its part of. */
static uint64_t published_rows(const struct hf_hparams *h, const struct hf_row *row)
{
    if (row->part == PART_GATE || row->part == PART_UP)
        return extent(h, EXTENT_GATE_UP);
    return extent(h, row->part == PART_WHOLE ? row->rows : EXTENT_QKV);
}

static uint64_t stacked_first(const struct hf_hparams *h, enum hf_part part)
{
    uint64_t q = extent(h, EXTENT_Q), kv = extent(h, EXTENT_KV);
    switch (part) {
    case PART_K:
        return q;
    case PART_V:
        return q + kv;
    case PART_UP:
        return h->ffn;
    default:
        return 0;
    }
}

/* Per KV head: q heads of the group, k, v. */
static void segment_grouped(const struct hf_hparams *h, enum hf_part part,
                            struct hf_segment *segment)
{
    uint64_t queries = h->heads / h->kv_heads, dim = h->head_dim;
    segment->head_dim = dim;
    segment->group_stride = (queries + 2) * dim;
    segment->per_group = part == PART_Q ? queries : 1;
    segment->first = part == PART_Q ? 0 : (queries + (part == PART_V)) * dim;
}

static void plan_rows(const struct hf_hparams *h, const struct hf_row *row, uint64_t rows,
                      const struct hf_weight *weight, struct hf_plan *plan)
{
    struct hf_segment *segments = plan->segments;
    plan->segment_count = 1;
    segments[0] = (struct hf_segment){.weight = weight,
                                      .rows = rows,
                                      .first = stacked_first(h, row->part),
                                      .head_dim = row->pairs ? h->head_dim : rows,
                                      .per_group = 1,
                                      .pairs = row->pairs};
    segments[0].group_stride = segments[0].head_dim;
    if (row->layout == LAYOUT_GROUPED)
        segment_grouped(h, row->part, &segments[0]);
    if (row->layout != LAYOUT_SHARDED_QVK)
        return;
    uint64_t shard = rows / 12; /* 4 times q, v, k */
    plan->segment_count = 3;
    for (uint64_t i = 0; i < 3; i++)
        segments[i] = (struct hf_segment){.weight = weight,
                                          .rows = rows / 3,
                                          .first = (3 - i) % 3 * shard,
                                          .head_dim = shard,
                                          .per_group = 1,
                                          .group_stride = 3 * shard};
}

/* Room for one more tensor, its dims as in GGUF. */
static struct hf_plan *put_tensor(struct hf_builder *builder, const char *name,
                                  const struct hf_weight *weight, uint32_t dim_count,
                                  uint64_t columns, uint64_t rows)
{
    struct hf_source *source = builder->source;
    uint32_t index = source->source.tensor_count;
    if (builder->failed)
        return NULL;
    if (index >= builder->tensor_capacity) {
        hf_fail(builder, FAULT_FORMAT, "more tensors than the family has");
        return NULL;
    }
    struct source_tensor *tensor = &source->tensors[index];
    *tensor = (struct source_tensor){.name = name,
                                     .dim_count = dim_count,
                                     .dims = {columns, rows, 1, 1},
                                     .stored = hf_weight_stored(weight),
                                     .lossless = weight->lossless,
                                     .zero_is_full = weight->zero_is_full,
                                     .from = weight->data ? weight->data->name : "config.json"};
    if (!source_tensor_check(tensor, builder->fault)) {
        builder->failed = true;
        return NULL;
    }
    source->source.tensor_count++;
    return &source->plans[index];
}

static void put_vector(struct hf_builder *builder, const char *gguf, const struct hf_row *row,
                       const char *published, uint64_t count, uint64_t whole)
{
    struct hf_weight *weight = hf_vector_find(builder, published, whole);
    struct hf_plan *plan = weight ? put_tensor(builder, gguf, weight, 1, count, 1) : NULL;
    if (!plan)
        return;
    plan->vector = true;
    plan->plus_one = row->plus_one;
    plan_rows(&builder->hparams, row, count, weight, plan);
}

/* Packers write biases of zero where the model has none. */
static bool is_zero(struct hf_builder *builder, const struct checkpoint_tensor *bias,
                    uint64_t count)
{
    if (!element_info(bias->element)->is_float || bias->dim_count != 1 || bias->columns != count)
        return false;
    float *values = malloc(count * sizeof *values);
    bool zero = values || hf_fail(builder, FAULT_MEMORY, "no memory for a bias");
    if (zero &&
        !checkpoint_read_floats(builder->source->checkpoint, bias, 0, 1, values, builder->fault))
        builder->failed = true;
    for (uint64_t i = 0; i < count && zero && !builder->failed; i++)
        zero = values[i] == 0;
    free(values);
    return zero;
}

static void map_bias(struct hf_builder *builder, const struct hf_row *row, const char *gguf,
                     const char *published, bool packed)
{
    const char *key = row->bias;
    if (!key)
        return;
    const char *name = hf_format(builder, "%s.bias", published);
    const char *gguf_name = hf_format(builder, "%s.bias", gguf);
    if (!name || !gguf_name)
        return;
    const struct checkpoint_tensor *bias =
        checkpoint_tensor_find(builder->source->checkpoint, name);
    bool needed = strcmp(key, BIAS_ALWAYS) == 0;
    if (!needed && strcmp(key, BIAS_MAYBE) != 0)
        needed = hf_bool(&builder->config, key, false);
    if (!bias && !needed)
        return;
    uint64_t rows =
        extent(&builder->hparams, row->rows == EXTENT_VECTOR ? row->columns : row->rows);
    uint64_t whole = row->rows == EXTENT_VECTOR ? rows : published_rows(&builder->hparams, row);
    if (bias && packed && !needed && is_zero(builder, bias, whole)) {
        hf_mark_used(builder, bias);
        return;
    }
    struct hf_row vector = *row;
    vector.plus_one = false;
    put_vector(builder, gguf_name, &vector, name, rows, whole);
}

static void map_matrix(struct hf_builder *builder, const struct hf_row *row, const char *gguf,
                       const char *published)
{
    const struct hf_hparams *h = &builder->hparams;
    uint64_t rows = extent(h, row->rows), columns = extent(h, row->columns);
    struct hf_weight *weight = hf_weight_find(builder, published, published_rows(h, row), columns,
                                              row->layout == LAYOUT_CONV);
    const char *name = hf_format(builder, "%s.weight", gguf);
    struct hf_plan *plan =
        weight && name ? put_tensor(builder, name, weight, 2, columns, rows) : NULL;
    if (!plan)
        return;
    plan_rows(h, row, rows, weight, plan);
    plan->unit_rows = row->unit_rows;
    if (row->unit_rows)
        builder->source->tensors[builder->source->source.tensor_count - 1].lossless =
            DTYPE_ID_COUNT;
    map_bias(builder, row, gguf, published, weight->packing >= PACKING_GPTQ);
}

static void map_row(struct hf_builder *builder, const struct hf_row *row, uint32_t layer)
{
    char gguf[64], published[HF_NAME_SIZE];
    if (!expand(row->gguf, strlen(row->gguf), "", layer, published))
        return;
    snprintf(gguf, sizeof gguf, "%.48s", published);
    published_name(builder, row->published, layer, published);
    if (row->rows != EXTENT_VECTOR) {
        map_matrix(builder, row, gguf, published);
        return;
    }
    const char *name = hf_format(builder, "%s.weight", published);
    const char *gguf_name = hf_format(builder, "%s.weight", gguf);
    uint64_t count = extent(&builder->hparams, row->columns);
    if (!name || !gguf_name)
        return;
    put_vector(builder, gguf_name, row, name, count, count);
    map_bias(builder, row, gguf, published, false);
}

/* The head that is the embedding again: a copy in the checkpoint is passed over. */
static void pass_over_head(struct hf_builder *builder, const struct hf_row *row)
{
    char published[HF_NAME_SIZE];
    published_name(builder, row->published, 0, published);
    const char *name = hf_format(builder, "%s.weight", published);
    const struct checkpoint_tensor *head =
        name ? checkpoint_tensor_find(builder->source->checkpoint, name) : NULL;
    if (head)
        hf_mark_used(builder, head);
}

static bool is_per_layer(const struct hf_row *row)
{
    return strchr(row->gguf, '*') != NULL;
}

/* Runs of rows with "*" are repeated for each layer, the others stand once. */
static void map_rows(struct hf_builder *builder)
{
    const struct hf_row *row = builder->family->rows;
    while (row->gguf && !builder->failed) {
        const struct hf_row *end = row + 1;
        if (!is_per_layer(row)) {
            if (row->need == NEED_UNTIED && builder->hparams.tied)
                pass_over_head(builder, row);
            else
                map_row(builder, row, 0);
            row = end;
            continue;
        }
        while (end->gguf && is_per_layer(end))
            end++;
        for (uint32_t layer = 0; layer < builder->hparams.layers; layer++)
            for (const struct hf_row *one = row; one < end && !builder->failed; one++)
                map_row(builder, one, layer);
        row = end;
    }
}

void hf_put_vector(struct hf_builder *builder, const char *name, const float *values,
                   uint32_t count)
{
    if (builder->failed || builder->vector_count == HF_VECTORS_MAX)
        return;
    builder->vectors[builder->vector_count].name = name;
    builder->vectors[builder->vector_count].values = values;
    builder->vectors[builder->vector_count++].count = count;
}

static void put_vectors(struct hf_builder *builder)
{
    for (uint32_t i = 0; i < builder->vector_count; i++) {
        uint32_t count = builder->vectors[i].count;
        struct hf_weight *weight = hf_alloc(builder, 1, sizeof *weight);
        if (!weight)
            return;
        *weight = (struct hf_weight){.packing = PACKING_CONSTANT,
                                     .rows = count,
                                     .columns = 1,
                                     .constant = builder->vectors[i].values,
                                     .lossless = DTYPE_ID_COUNT};
        struct hf_plan *plan = put_tensor(builder, builder->vectors[i].name, weight, 1, count, 1);
        if (!plan)
            return;
        plan->vector = true;
        plan_rows(&builder->hparams, &(struct hf_row){.gguf = ""}, count, weight, plan);
    }
}

/* A pattern that ends in "." is the beginning of names, another one their end. */
static bool is_skipped(const char *list, const char *name)
{
    while (list && *list) {
        size_t size = strcspn(list, "|"), length = strlen(name);
        if (size <= length &&
            (list[size - 1] == '.' ? memcmp(name, list, size) == 0
                                   : memcmp(name + length - size, list, size) == 0))
            return true;
        list += size + (list[size] == '|');
    }
    return false;
}

static void check_all_used(struct hf_builder *builder)
{
    const struct checkpoint *checkpoint = builder->source->checkpoint;
    for (uint32_t i = 0; i < checkpoint_tensor_count(checkpoint) && !builder->failed; i++) {
        const struct checkpoint_tensor *tensor = checkpoint_tensor_at(checkpoint, i);
        if (!builder->used[i] && !is_skipped(builder->family->skipped, tensor->name))
            hf_fail(builder, FAULT_UNSUPPORTED,
                    "%s: tensor '%s' has no place in %s; the model would not be the same without "
                    "it",
                    checkpoint_tensor_path(checkpoint, tensor), tensor->name,
                    builder->family->architecture);
    }
}

static bool reserve(struct hf_builder *builder, uint32_t capacity)
{
    struct hf_source *source = builder->source;
    builder->tensor_capacity = capacity;
    source->tensors = hf_alloc(builder, capacity, sizeof *source->tensors);
    source->plans = hf_alloc(builder, capacity, sizeof *source->plans);
    source->source.tensors = source->tensors;
    return source->tensors && source->plans;
}

void hf_tensors_map(struct hf_builder *builder)
{
    uint32_t rows = 0;
    while (builder->family->rows[rows].gguf)
        rows++;
    builder->used = hf_alloc(builder, checkpoint_tensor_count(builder->source->checkpoint),
                             sizeof *builder->used);
    if (!builder->used || !reserve(builder, 2 * rows * builder->hparams.layers + HF_VECTORS_MAX))
        return;
    map_rows(builder);
    put_vectors(builder);
    check_all_used(builder);
}

/* Dims that GGUF does not have are joined with the slowest one. */
static void publish(struct hf_builder *builder, const struct checkpoint_tensor *from, uint32_t i)
{
    struct source_tensor *tensor = &builder->source->tensors[i];
    struct hf_plan *plan = &builder->source->plans[i];
    struct hf_weight *weight = hf_alloc(builder, 1, sizeof *weight);
    if (!weight)
        return;
    *weight = (struct hf_weight){
        .rows = from->rows, .columns = from->columns, .data = from, .lossless = DTYPE_ID_COUNT};
    *tensor = (struct source_tensor){.name = from->name,
                                     .dim_count = from->dim_count < 4 ? from->dim_count : 4,
                                     .dims = {1, 1, 1, 1},
                                     .rows = from->rows,
                                     .lossless = DTYPE_ID_COUNT,
                                     .from = from->name};
    for (uint32_t k = 0; k < from->dim_count; k++)
        tensor->dims[k < 4 ? k : 3] *= from->dims[from->dim_count - 1 - k];
    tensor->stored = element_info(from->element)->is_integer ? DTYPE_I32 : hf_weight_stored(weight);
    plan_rows(&builder->hparams, &(struct hf_row){.gguf = ""}, from->rows, weight, plan);
}

void hf_tensors_published(struct hf_builder *builder)
{
    const struct checkpoint *checkpoint = builder->source->checkpoint;
    uint32_t count = checkpoint_tensor_count(checkpoint);
    builder->source->source.tensor_count = 0;
    if (!reserve(builder, count))
        return;
    for (uint32_t i = 0; i < count && !builder->failed; i++)
        publish(builder, checkpoint_tensor_at(checkpoint, i), i);
    builder->source->source.tensor_count = builder->failed ? 0 : count;
}
