/* hf_find_weight.c: which tensors of the checkpoint a matrix consists of, and that their elements
 * and shapes are those that the configuration promises. */
#include "hf_builder.h"

#include <stdio.h>
#include <string.h>

enum { GROUP_SIZE_MIN = 8 };

void hf_mark_used(struct hf_builder *builder, const struct checkpoint_tensor *tensor)
{
    const struct checkpoint *checkpoint = builder->source->checkpoint;
    uint32_t low = 0, high = checkpoint_tensor_count(checkpoint);
    while (low < high) { /* they are sorted by name */
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(checkpoint_tensor_at(checkpoint, middle)->name, tensor->name);
        if (order == 0) {
            builder->used[middle] = true;
            return;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
}

static const struct checkpoint_tensor *find(const struct hf_builder *builder, const char *name,
                                            const char *suffix)
{
    char whole[HF_NAME_SIZE + 32];
    snprintf(whole, sizeof whole, "%s%s", name, suffix);
    return checkpoint_tensor_find(builder->source->checkpoint, whole);
}

static const struct checkpoint_tensor *use(struct hf_builder *builder, const char *name,
                                           const char *suffix)
{
    const struct checkpoint_tensor *tensor = find(builder, name, suffix);
    if (tensor)
        hf_mark_used(builder, tensor);
    else
        hf_fail(builder, FAULT_FORMAT, "%s: tensor '%s%s' is missing", builder->folder, name,
                suffix);
    return tensor;
}

bool hf_weight_there(const struct hf_builder *builder, const char *name)
{
    return find(builder, name, ".weight") || find(builder, name, ".qweight");
}

static bool fail(struct hf_builder *builder, const struct checkpoint_tensor *tensor,
                 const char *found, const char *expected)
{
    return hf_fail(builder, FAULT_FORMAT, "%s: tensor '%s' is %s, expected %s by config.json",
                   checkpoint_tensor_path(builder->source->checkpoint, tensor), tensor->name, found,
                   expected);
}

static void describe(const struct checkpoint_tensor *tensor, char text[160])
{
    size_t used = 0;
    text[used++] = '[';
    for (uint32_t i = 0; i < tensor->dim_count && used < 120; i++)
        used += (size_t)snprintf(text + used, 160 - used, "%s%llu", i ? ", " : "",
                                 (unsigned long long)tensor->dims[i]);
    snprintf(text + used, 160 - used, "]");
}

/* A shape that follows from a number of key-value heads that config.json does not say. */
static bool kv_fault(struct hf_builder *builder, const struct checkpoint_tensor *tensor,
                     const char *found, const char *expected)
{
    static const char *const names[] = {"k_proj", "v_proj", "qkv", "query_key_value", "W_pack"};
    bool concerned = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        concerned |= strstr(tensor->name, names[i]) != NULL;
    if (!concerned || !builder->hparams.kv_assumed)
        return fail(builder, tensor, found, expected);
    return hf_fail(
        builder, FAULT_FORMAT,
        "%s: tensor '%s' is %s, expected %s: config.json has no num_key_value_heads, for "
        "which the original takes %u",
        checkpoint_tensor_path(builder->source->checkpoint, tensor), tensor->name, found, expected,
        builder->hparams.kv_heads);
}

static bool check_shape(struct hf_builder *builder, const struct checkpoint_tensor *tensor,
                        uint32_t dim_count, uint64_t first, uint64_t second)
{
    char found[160], expected[64];
    if (!tensor || builder->failed)
        return false;
    if (tensor->dim_count == dim_count && tensor->dims[0] == first &&
        (dim_count == 1 || tensor->dims[1] == second))
        return true;
    describe(tensor, found);
    if (dim_count == 1)
        snprintf(expected, sizeof expected, "[%llu]", (unsigned long long)first);
    else
        snprintf(expected, sizeof expected, "[%llu, %llu]", (unsigned long long)first,
                 (unsigned long long)second);
    return kv_fault(builder, tensor, found, expected);
}

static bool check_floats(struct hf_builder *builder, const struct checkpoint_tensor *tensor)
{
    return (element_info(tensor->element)->is_float && tensor->element != ELEMENT_BLOCK) ||
           fail(builder, tensor, element_info(tensor->element)->name, "floats");
}

static bool is_byte(const struct checkpoint_tensor *tensor)
{
    return tensor->element == ELEMENT_I8 || tensor->element == ELEMENT_U8;
}

static bool is_fp8(const struct checkpoint_tensor *tensor)
{
    return tensor->element == ELEMENT_F8_E4M3 || tensor->element == ELEMENT_F8_E5M2;
}

static uint64_t divide_up(uint64_t value, uint64_t by)
{
    return value / by + (value % by != 0);
}

/* One scale for all, or one a block. */
static bool find_fp8(struct hf_builder *builder, struct hf_weight *weight, const char *name)
{
    const struct hf_quantization *quantization = &builder->quantization;
    if (quantization->packing != PACKING_FP8)
        return hf_fail(builder, FAULT_UNSUPPORTED,
                       "%s: tensor '%s' is %s, but quantization_config does not say fp8",
                       builder->folder, weight->data->name,
                       element_info(weight->data->element)->name);
    weight->packing = PACKING_FP8;
    const char *suffix =
        find(builder, name, ".weight_scale_inv") ? ".weight_scale_inv" : ".weight_scale";
    weight->scales = use(builder, name, suffix);
    if (!weight->scales || !check_floats(builder, weight->scales))
        return false;
    bool single = weight->scales->rows == 1 && weight->scales->columns == 1;
    weight->block_rows = single ? weight->rows : quantization->block_rows;
    weight->block_columns = single ? weight->columns : quantization->block_columns;
    return single ||
           check_shape(builder, weight->scales, 2, divide_up(weight->rows, weight->block_rows),
                       divide_up(weight->columns, weight->block_columns));
}

/* ChatGLM's: int4 has half the columns. */
static bool find_bytes(struct hf_builder *builder, struct hf_weight *weight, const char *name)
{
    bool half = weight->data->columns * 2 == weight->columns;
    if (!find(builder, name, ".weight_scale"))
        return fail(builder, weight->data, element_info(weight->data->element)->name, "floats");
    weight->packing = half ? PACKING_INT4 : PACKING_INT8;
    weight->group_size = weight->columns;
    weight->scales = use(builder, name, ".weight_scale");
    return check_shape(builder, weight->data, 2, weight->rows, weight->columns / (half ? 2 : 1)) &&
           check_shape(builder, weight->scales, 1, weight->rows, 1) &&
           check_floats(builder, weight->scales);
}

static bool find_plain(struct hf_builder *builder, struct hf_weight *weight, const char *name)
{
    weight->data = use(builder, name, ".weight");
    if (!weight->data)
        return false;
    if (is_byte(weight->data) && !weight->transposed)
        return find_bytes(builder, weight, name);
    uint64_t first = weight->transposed ? weight->columns : weight->rows;
    uint64_t second = weight->transposed ? weight->rows : weight->columns;
    if (!check_shape(builder, weight->data, 2, first, second) ||
        !check_floats(builder, weight->data))
        return false;
    if (is_fp8(weight->data) && !weight->transposed)
        return find_fp8(builder, weight, name);
    return true;
}

static bool check_words(struct hf_builder *builder, const struct checkpoint_tensor *tensor,
                        uint64_t rows, uint64_t columns)
{
    if (!check_shape(builder, tensor, 2, rows, columns))
        return false;
    return tensor->element == ELEMENT_I32 || tensor->element == ELEMENT_U32 ||
           fail(builder, tensor, element_info(tensor->element)->name, "I32");
}

/* Inputs a group: the configuration's, else by the number of groups. */
static bool find_group_size(struct hf_builder *builder, struct hf_weight *weight)
{
    uint64_t groups = weight->scales->rows, size = builder->quantization.group_size;
    if (groups == 1)
        size = weight->columns;
    else if (size == 0 && groups != 0 && weight->columns % groups == 0)
        size = weight->columns / groups;
    weight->group_size = size;
    if (size >= GROUP_SIZE_MIN && groups == divide_up(weight->columns, size))
        return true;
    return hf_fail(builder, FAULT_FORMAT,
                   "%s: tensor '%s' has %llu groups of %llu inputs, expected groups of %d or more "
                   "that make %llu",
                   builder->folder, weight->scales->name, (unsigned long long)groups,
                   (unsigned long long)size, GROUP_SIZE_MIN, (unsigned long long)weight->columns);
}

static bool find_bits(struct hf_builder *builder, struct hf_weight *weight)
{
    uint64_t words = weight->data->rows, in = weight->columns;
    weight->bits = 4;
    if (weight->packing == PACKING_GPTQ)
        weight->bits = words != 0 && in % words == 0 && in / words <= 32 && 32 % (in / words) == 0
                           ? (uint32_t)(32 / (in / words))
                           : 0;
    if (weight->bits == 2 || weight->bits == 4 || weight->bits == 8)
        return true;
    return hf_fail(builder, FAULT_UNSUPPORTED,
                   "%s: tensor '%s' packs %llu inputs into %llu words; 2, 4 and 8 bits are read",
                   builder->folder, weight->data->name, (unsigned long long)in,
                   (unsigned long long)words);
}

static bool find_words(struct hf_builder *builder, struct hf_weight *weight, const char *name)
{
    weight->packing = builder->quantization.packing;
    weight->data = use(builder, name, ".qweight");
    weight->zeros = use(builder, name, ".qzeros");
    weight->scales = use(builder, name, ".scales");
    weight->groups = find(builder, name, ".g_idx");
    weight->zero_add = builder->quantization.zero_add;
    weight->zero_wraps = builder->quantization.zero_wraps;
    if (builder->failed || !find_bits(builder, weight))
        return false;
    uint64_t in_word = 32 / weight->bits, in = weight->columns, out = weight->rows;
    bool gptq = weight->packing == PACKING_GPTQ;
    if (out % in_word != 0)
        return hf_fail(builder, FAULT_UNSUPPORTED,
                       "%s: tensor '%s': %llu outputs do not fill words of %llu", builder->folder,
                       weight->zeros->name, (unsigned long long)out, (unsigned long long)in_word);
    if (!check_words(builder, weight->data, gptq ? in / in_word : in, gptq ? out : out / in_word) ||
        !check_shape(builder, weight->scales, 2, weight->scales->rows, out) ||
        !check_floats(builder, weight->scales) || !find_group_size(builder, weight) ||
        !check_words(builder, weight->zeros, weight->scales->rows, out / in_word))
        return false;
    if (!weight->groups)
        return true;
    hf_mark_used(builder, weight->groups);
    return check_shape(builder, weight->groups, 1, in, 1) &&
           (element_info(weight->groups->element)->is_integer ||
            fail(builder, weight->groups, element_info(weight->groups->element)->name, "integers"));
}

struct hf_weight *hf_weight_find(struct hf_builder *builder, const char *name, uint64_t rows,
                                 uint64_t columns, bool transposed)
{
    struct hf_weight *weight = hf_alloc(builder, 1, sizeof *weight);
    if (!weight)
        return NULL;
    *weight = (struct hf_weight){.rows = rows, .columns = columns, .transposed = transposed};
    bool words = (builder->quantization.packing == PACKING_GPTQ ||
                  builder->quantization.packing == PACKING_AWQ) &&
                 find(builder, name, ".qweight");
    if (!(words ? find_words(builder, weight, name) : find_plain(builder, weight, name)))
        return NULL;
    if (hf_weight_inspect(builder->source->checkpoint, weight, builder->fault))
        return weight;
    builder->failed = true;
    return NULL;
}

struct hf_weight *hf_vector_find(struct hf_builder *builder, const char *name, uint64_t count)
{
    struct hf_weight *weight = hf_alloc(builder, 1, sizeof *weight);
    const struct checkpoint_tensor *tensor = use(builder, name, "");
    if (!weight || !tensor || !check_shape(builder, tensor, 1, count, 1) ||
        !check_floats(builder, tensor))
        return NULL;
    if (is_fp8(tensor)) {
        fail(builder, tensor, element_info(tensor->element)->name, "F32, F16 or BF16");
        return NULL;
    }
    *weight = (struct hf_weight){.rows = count,
                                 .columns = 1,
                                 .transposed = true,
                                 .data = tensor,
                                 .lossless = DTYPE_ID_COUNT};
    return weight;
}
