/* folder_rig.c: writes the folder. */
#include "folder_rig.h"
#include "platform.h"
#include "testing.h"

const char folder_config[] =
    "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], "
    "\"hidden_size\": 8, \"intermediate_size\": 12, "
    "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
    "\"num_key_value_heads\": 1, \"vocab_size\": 5, "
    "\"max_position_embeddings\": 64, \"rms_norm_eps\": 1e-5, "
    "\"rope_theta\": 10000.0, \"rope_scaling\": null, "
    "\"hidden_act\": \"silu\", \"tie_word_embeddings\": false, "
    "\"attention_bias\": false}";

#define LAYER "model.layers.0."

const struct folder_tensor folder_tensors[] = {
    {"model.embed_tokens.weight", "F16", "[5, 8]", 0},
    {LAYER "input_layernorm.weight", "F16", "[8]", 0},
    {LAYER "post_attention_layernorm.weight", "F16", "[8]", 0},
    {LAYER "self_attn.q_proj.weight", "F16", "[8, 8]", 0},
    {LAYER "self_attn.k_proj.weight", "F16", "[4, 8]", 0},
    {LAYER "self_attn.v_proj.weight", "F16", "[4, 8]", 0},
    {LAYER "self_attn.o_proj.weight", "F16", "[8, 8]", 0},
    {LAYER "mlp.gate_proj.weight", "F16", "[12, 8]", 0},
    {LAYER "mlp.up_proj.weight", "F16", "[12, 8]", 0},
    {LAYER "mlp.down_proj.weight", "F16", "[8, 12]", 0},
    {"model.norm.weight", "F16", "[8]", 0},
    {"lm_head.weight", "F16", "[5, 8]", 0},
};
const size_t folder_tensor_count = sizeof folder_tensors / sizeof folder_tensors[0];

static size_t dtype_size(const char *dtype)
{
    return strstr(dtype, "64") ? 8 : strstr(dtype, "32") ? 4 : strstr(dtype, "16") ? 2 : 1;
}

static size_t tensor_size(const struct folder_tensor *tensor)
{
    size_t size = dtype_size(tensor->dtype);
    for (const char *digit = tensor->dims + 1; *digit && *digit != ']';) {
        char *end;
        size *= strtoul(digit, &end, 10);
        digit = end + strspn(end, ", ");
    }
    return size;
}

struct folder {
    char header[8192];
    size_t used, data_size;
    uint8_t data[65536];
};

static void add_tensor(struct folder *folder, const struct folder_tensor *tensor)
{
    if (!tensor->dims)
        return;
    size_t size = tensor_size(tensor), left = sizeof folder->header - folder->used;
    int count = snprintf(folder->header + folder->used, left,
                         "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                         folder->used > 1 ? "," : "", tensor->name, tensor->dtype, tensor->dims,
                         folder->data_size, folder->data_size + size);
    assert_true((size_t)count + 2 < left && size <= sizeof folder->data - folder->data_size);
    memset(folder->data + folder->data_size, tensor->fill, size);
    folder->used += (size_t)count;
    folder->data_size += size;
}

static const struct folder_tensor *find(const struct folder_tensor *list, size_t count,
                                        const char *name)
{
    for (size_t i = 0; list && i < count && list[i].name; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

static void save_checkpoint(const char *path, const struct folder_tensor *changes)
{
    struct folder *folder = calloc(1, sizeof *folder);
    assert_non_null(folder);
    folder->header[folder->used++] = '{';
    for (size_t i = 0; i < folder_tensor_count; i++) {
        const struct folder_tensor *by = find(changes, SIZE_MAX, folder_tensors[i].name);
        add_tensor(folder, by ? by : &folder_tensors[i]);
    }
    for (size_t i = 0; changes && changes[i].name; i++)
        if (!find(folder_tensors, folder_tensor_count, changes[i].name))
            add_tensor(folder, &changes[i]);
    strcat(folder->header, "}");
    size_t size;
    uint8_t *bytes = rig_safetensors(folder->header, folder->data_size, 0, &size);
    memcpy(bytes + size - folder->data_size, folder->data, folder->data_size);
    rig_save(path, bytes, size);
    free(bytes);
    free(folder);
}

const char *folder_write(const char *name, const char *config, const struct folder_tensor *changes)
{
    char path[4096];
    const char *folder = rig_path(name);
    assert_true(folder_create(folder, NULL));
    snprintf(path, sizeof path, "%s/config.json", folder);
    remove(path);
    if (config)
        rig_save(path, config, strlen(config));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    save_checkpoint(path, changes);
    return folder;
}

char *folder_config_with(const char *find, const char *replace)
{
    const char *at = strstr(folder_config, find);
    if (!at)
        fail_msg("folder_config has no %s", find);
    size_t before = (size_t)(at - folder_config), size = sizeof folder_config + strlen(replace);
    char *config = malloc(size);
    assert_non_null(config);
    snprintf(config, size, "%.*s%s%s", (int)before, folder_config, replace, at + strlen(find));
    return config;
}
