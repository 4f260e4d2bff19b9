/* hf_quantization.c: how the checkpoint says that its weights are packed: quantization_config of
 * config.json, quantize_config.json of old AutoGPTQ, or MOSS's wbits and groupsize (of which only
 * the group size is believed, models.md 2.2). */
#include "hf_builder.h"
#include "platform.h"
#include "published.h"
#include "strict_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUANTIZE_SIZE_MAX = 1 << 20, QUANTIZE_DEPTH = 8, PATH_SIZE = 4096 };

static bool has_packed(const struct hf_builder *builder, const char *suffix)
{
    const struct checkpoint *checkpoint = builder->source->checkpoint;
    size_t size = strlen(suffix);
    for (uint32_t i = 0; i < checkpoint_tensor_count(checkpoint); i++) {
        const char *name = checkpoint_tensor_at(checkpoint, i)->name;
        size_t length = strlen(name);
        if (length >= size && strcmp(name + length - size, suffix) == 0)
            return true;
    }
    return false;
}

static void read_group_size(struct hf_builder *builder, const json_t *config, const char *names)
{
    double size =
        hf_number_in(&builder->config, config, "quantization_config", names, -1, 1 << 24, 0);
    builder->quantization.group_size = size < 0 ? UINT32_MAX : (uint32_t)size;
}

static const char *text_of(const json_t *config, const char *names)
{
    const char *text = json_string_value(hf_find_in(config, names));
    return text ? text : "";
}

static void read_gptq(struct hf_builder *builder, const json_t *config)
{
    struct hf_quantization *quantization = &builder->quantization;
    const char *format = text_of(config, "checkpoint_format");
    bool second = strcmp(format, "gptq_v2") == 0;
    quantization->packing = PACKING_GPTQ;
    quantization->zero_add = second ? 0 : 1;
    quantization->zero_wraps = builder->options && builder->options->gptq_zero_wrap == 0;
    read_group_size(builder, config, "group_size|groupsize");
    if (format[0] && !second && strcmp(format, "gptq") != 0)
        hf_unsupported(builder, "GPTQ in the form %.64s; gptq and gptq_v2 are read", format);
}

static void read_awq(struct hf_builder *builder, const json_t *config)
{
    const char *version = text_of(config, "version");
    builder->quantization.packing = PACKING_AWQ;
    read_group_size(builder, config, "group_size|q_group_size");
    if (version[0] && strcmp(version, "gemm") != 0 && strcmp(version, "GEMM") != 0)
        hf_unsupported(builder, "AWQ in the form %.64s; gemm is read", version);
    if (hf_number_in(&builder->config, config, "quantization_config", "bits|w_bit", 1, 64, 4) != 4)
        hf_unsupported(builder, "AWQ of other than 4 bits");
}

static void read_fp8(struct hf_builder *builder, const json_t *config)
{
    const json_t *block = hf_find_in(config, "weight_block_size");
    struct hf_quantization *quantization = &builder->quantization;
    quantization->packing = PACKING_FP8;
    quantization->block_rows = quantization->block_columns = 128;
    if (!block)
        return;
    json_int_t rows = json_integer_value(json_array_get(block, 0));
    json_int_t columns = json_integer_value(json_array_get(block, 1));
    if (json_array_size(block) != 2 || rows < 1 || rows > 1 << 20 || columns < 1 ||
        columns > 1 << 20)
        hf_fail(builder, FAULT_FORMAT,
                "config.json: quantization_config.weight_block_size, expected two sizes up to %d",
                1 << 20);
    quantization->block_rows = (uint32_t)rows;
    quantization->block_columns = (uint32_t)columns;
}

static void read_method(struct hf_builder *builder, const json_t *config)
{
    const char *method = text_of(config, "quant_method");
    if (strcmp(method, "gptq") == 0 || (!method[0] && has_packed(builder, ".g_idx")))
        read_gptq(builder, config);
    else if (strcmp(method, "awq") == 0 || (!method[0] && hf_find_in(config, "w_bit|zero_point")))
        read_awq(builder, config);
    else if (strcmp(method, "fp8") == 0)
        read_fp8(builder, config);
    else if (strcmp(method, "bitsandbytes") == 0)
        hf_unsupported(builder, "weights packed by bitsandbytes (no GGUF type has its table); "
                                "convert the model that they were made of");
    else
        hf_unsupported(builder, "weights packed by %.64s; gptq, awq and fp8 are read",
                       method[0] ? method : "an unnamed method");
}

/* quantize_config.json beside the checkpoint, NULL when there is none. */
static json_t *load_old(struct hf_builder *builder)
{
    char path[PATH_SIZE], *text = NULL;
    size_t size = 0;
    json_t *root = NULL;
    int length = snprintf(path, sizeof path, "%s/quantize_config.json", builder->folder);
    if (length < 0 || length >= PATH_SIZE || path_kind(path) != PATH_FILE)
        return NULL;
    if (published_load(path, QUANTIZE_SIZE_MAX, &text, &size, builder->fault))
        root = strict_json_parse(text, size, QUANTIZE_DEPTH, 0, builder->fault);
    free(text);
    if (!root) {
        fault_file(builder->fault, path);
        builder->failed = true;
    }
    return root;
}

void hf_quantization_read(struct hf_builder *builder)
{
    const json_t *config = hf_find(&builder->config, "quantization_config|compression_config");
    json_t *old = config ? NULL : load_old(builder);
    if (config && !json_is_object(config))
        hf_config_wrong(&builder->config, "quantization_config", config, "an object");
    else if (config || old)
        read_method(builder, config ? config : old);
    else if (has_packed(builder, ".qweight"))
        read_gptq(builder, builder->config.root);
    json_decref(old);
}
