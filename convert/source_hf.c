/* source_hf.c: opens a Hugging Face folder: config.json decides the family, the family's table maps
 * the checkpoint. What lichen does not convert opens too, with published names and a sentence. */
#include "hf_builder.h"
#include "platform.h"
#include "published.h"
#include "strict_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_SIZE_MAX = 8 << 20, PATH_SIZE = 4096 };

static void close_source(struct source *source)
{
    struct hf_source *hf = (struct hf_source *)source;
    if (!hf)
        return;
    checkpoint_close(hf->checkpoint);
    tokenizer_import_close(hf->tokenizer);
    arena_free(&hf->arena);
    free(hf);
}

static bool put_entry(const struct hf_entry *entry, struct gguf_writer *writer, struct fault *fault)
{
    switch (entry->type) {
    case GGUF_U32:
        return gguf_put_u32(writer, entry->key, entry->value.u32, fault);
    case GGUF_F32:
        return gguf_put_f32(writer, entry->key, entry->value.f32, fault);
    case GGUF_BOOL:
        return gguf_put_bool(writer, entry->key, entry->value.boolean, fault);
    case GGUF_STRING:
        return gguf_put_text(writer, entry->key, entry->value.text, strlen(entry->value.text),
                             fault);
    default:
        return gguf_put_array(writer, entry->key, entry->item_type,
                              entry->item_type == GGUF_BOOL ? (const void *)entry->value.booleans
                                                            : (const void *)entry->value.texts,
                              entry->count, fault);
    }
}

/* A folder without a tokenizer becomes a file that says so, as llama.cpp knows it. */
static bool put_metadata(const struct source *source, struct gguf_writer *writer,
                         struct fault *fault)
{
    const struct hf_source *hf = (const struct hf_source *)source;
    for (const struct hf_entry *entry = hf->entries; entry; entry = entry->next)
        if (!put_entry(entry, writer, fault))
            return false;
    return hf->tokenizer ? tokenizer_import_put(hf->tokenizer, writer, fault)
                         : gguf_put_text(writer, "tokenizer.ggml.model", "none", 4, fault);
}

static const struct source_kind hf_kind = {close_source, hf_source_read, hf_source_read_lossless,
                                           put_metadata};

/* the family */

static bool has_probe(const struct hf_builder *builder, const struct hf_family *family,
                      const char **prefix, size_t *prefix_size)
{
    const char *next = family->prefixes;
    for (;;) {
        char name[HF_NAME_SIZE];
        size_t size = strcspn(next, "|");
        snprintf(name, sizeof name, "%.*s%s", (int)size, next, family->probe);
        *prefix = next;
        *prefix_size = size;
        if (hf_weight_there(builder, name))
            return true;
        if (next[size] == 0)
            return false;
        next += size + 1;
    }
}

static void refuse_type(struct hf_builder *builder, const char *model_type)
{
    const char *class_name =
        json_string_value(json_array_get(hf_find(&builder->config, "architectures"), 0));
    if (strcmp(model_type, "chatglm") == 0)
        hf_unsupported(builder, "ChatGLM-6B (version 1), whose positions run in two streams and "
                                "whose prompt sees itself in both directions");
    else
        hf_unsupported(builder, "model_type %.64s%s%.64s%s is no family that lichen converts",
                       model_type, class_name ? " (" : "", class_name ? class_name : "",
                       class_name ? ")" : "");
}

static bool find_family(struct hf_builder *builder, const char *model_type)
{
    const struct hf_family *family, *first = NULL;
    bool version_1 =
        strcmp(model_type, "chatglm") == 0 && hf_find(&builder->config, "position_encoding_2d");
    for (size_t i = 0; !version_1 && (family = hf_family_at(i)) != NULL; i++) {
        const char *prefix;
        size_t size;
        if (!hf_list_has(family->model_types, model_type) ||
            (family->key && !hf_find(&builder->config, family->key)))
            continue;
        first = first ? first : family;
        if (!has_probe(builder, family, &prefix, &size))
            continue;
        builder->family = family;
        builder->prefix = hf_format(builder, "%.*s", (int)size, prefix);
        return builder->prefix != NULL;
    }
    if (!first) {
        refuse_type(builder, model_type);
        return false;
    }
    return hf_fail(builder, FAULT_FORMAT,
                   "%s: tensor '%.*s%s.weight' is missing: no checkpoint of a %s", builder->folder,
                   (int)strcspn(first->prefixes, "|"), first->prefixes, first->probe, model_type);
}

/* Multimodal configurations name the text model's type inside text_config. */
static const char *model_type_of(struct hf_builder *builder)
{
    const char *type = json_string_value(json_object_get(builder->config.root, "model_type"));
    const char *text = json_string_value(json_object_get(builder->config.text, "model_type"));
    if (type && text && strcmp(type, "gemma3") != 0)
        return text;
    if (!type)
        hf_config_wrong(&builder->config, "model_type",
                        json_object_get(builder->config.root, "model_type"),
                        "the name of a family");
    return type ? type : "";
}

static void build(struct hf_builder *builder)
{
    struct source *source = &builder->source->source;
    const char *model_type = model_type_of(builder);
    source->architecture = hf_format(builder, "%s", model_type);
    if (builder->config.failed || builder->failed || !find_family(builder, model_type))
        return;
    source->architecture = builder->family->architecture;
    builder->config.defaults = builder->family->defaults;
    builder->config.nested_defaults = builder->family->nested_defaults;
    hf_quantization_read(builder);
    hf_general_read(builder);
    hf_hparams_read(builder);
    if (hf_goes_on(builder))
        hf_tensors_map(builder);
    if (hf_goes_on(builder))
        hf_name_read(builder);
}

/* files */

static bool is_there(const char *folder, const char *name)
{
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return length > 0 && length < PATH_SIZE &&
           (path_kind(path) == PATH_FILE || path_is_broken_link(path));
}

static int64_t token_id(struct hf_builder *builder, const char *name)
{
    const json_t *value = hf_find(&builder->config, name);
    if (json_is_array(value))
        value = json_array_get(value, 0);
    return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value)
                                                                    : -1;
}

/* generation_config.json's ends, else config.json's. */
static uint32_t end_tokens(struct hf_builder *builder, int64_t ids[HF_ENDS_MAX])
{
    const json_t *value = hf_find_in(builder->generation, "eos_token_id");
    uint32_t count = 0;
    if (!value)
        value = hf_find(&builder->config, "eos_token_id");
    size_t size = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < size && count < HF_ENDS_MAX; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (json_is_integer(item) && json_integer_value(item) >= 0)
            ids[count++] = json_integer_value(item);
    }
    return count;
}

static void open_tokenizer(struct hf_builder *builder, const char *model_type)
{
    static const char *const names[] = {
        "tokenizer.json", "tokenizer.model", "vocab.json",         "vocab.txt",
        "ice_text.model", "qwen.tiktoken",   "tokenizer.tiktoken", "tokenizer_config.json"};
    struct hf_source *source = builder->source;
    int64_t ends[HF_ENDS_MAX];
    bool any = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        any |= is_there(builder->folder, names[i]);
    if (!any)
        return;
    struct tokenizer_hints hints = {.architecture = source->source.architecture,
                                    .model_type = model_type,
                                    .vocab_size = builder->hparams.vocab,
                                    .bos = token_id(builder, "bos_token_id"),
                                    .eos = token_id(builder, "eos_token_id"),
                                    .pad = token_id(builder, "pad_token_id"),
                                    .eos_all = ends,
                                    .eos_all_count = end_tokens(builder, ends)};
    if (!tokenizer_import_open(builder->folder, &hints, &source->tokenizer, builder->fault))
        builder->failed = true;
}

static void put_file(struct hf_builder *builder, const char **files, uint32_t *count,
                     const char *path)
{
    for (uint32_t i = 0; i < *count; i++)
        if (strcmp(files[i], path) == 0)
            return;
    const char *copy = hf_format(builder, "%s", path);
    if (copy)
        files[(*count)++] = copy;
}

/* The checkpoint's, config.json, generation_config.json, the tokenizer's. */
static void list_files(struct hf_builder *builder)
{
    struct hf_source *source = builder->source;
    const struct checkpoint *checkpoint = source->checkpoint;
    uint32_t tensors = checkpoint_tensor_count(checkpoint), count = 0;
    uint32_t others = source->tokenizer ? tokenizer_import_file_count(source->tokenizer) : 0;
    const char **files = hf_alloc(builder, (size_t)tensors + others + 2, sizeof *files);
    if (!files)
        return;
    const char *last = "";
    for (uint32_t i = 0; i < tensors && !builder->failed; i++) {
        const char *path = checkpoint_tensor_path(checkpoint, checkpoint_tensor_at(checkpoint, i));
        if (strcmp(path, last) != 0)
            put_file(builder, files, &count, path);
        last = path;
    }
    put_file(builder, files, &count, builder->config_path);
    if (builder->generation)
        put_file(builder, files, &count, builder->generation_path);
    for (uint32_t i = 0; i < others; i++)
        put_file(builder, files, &count, tokenizer_import_file_path(source->tokenizer, i));
    source->source.files = files;
    source->source.file_count = count;
}

static bool load_json(const char *path, json_t **root, struct fault *fault)
{
    char *text = NULL;
    size_t size = 0;
    if (!published_load(path, CONFIG_SIZE_MAX, &text, &size, fault))
        return false;
    *root = strict_json_parse(text, size, 16, 0, fault);
    free(text);
    return *root || fault_file(fault, path);
}

/* path: what the user gave, a folder or a file in it */
static bool config_is_there(struct hf_builder *builder, const char *path)
{
    if (path_kind(builder->config_path) != PATH_NONE || path_is_broken_link(builder->config_path))
        return true;
    if (path_kind(path) == PATH_FOLDER)
        return published_no_config(path, builder->fault);
    return fault_set(builder->fault, FAULT_FILE,
                     "%s: no config.json beside it (%s); weights alone do not say what model they "
                     "are: put config.json and the tokenizer's files there",
                     path, builder->config_path);
}

static bool load_config(struct hf_builder *builder)
{
    char *text = NULL;
    size_t size = 0;
    if (!published_load(builder->config_path, CONFIG_SIZE_MAX, &text, &size, builder->fault))
        return false;
    bool done = hf_config_parse(text, size, &builder->config, builder->fault);
    free(text);
    if (!done)
        return fault_file(builder->fault, builder->config_path);
    return (path_kind(builder->generation_path) != PATH_FILE &&
            !path_is_broken_link(builder->generation_path)) ||
           load_json(builder->generation_path, &builder->generation, builder->fault);
}

/* The folder that a file stands in. */
static const char *folder_of(struct hf_builder *builder, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (path_kind(path) == PATH_FOLDER)
        return hf_format(builder, "%s", path);
    if (!slash)
        return ".";
    return slash == path ? "/" : hf_format(builder, "%.*s", (int)(slash - path), path);
}

static bool open_all(struct hf_builder *builder, const char *path)
{
    struct hf_source *source = builder->source;
    builder->folder = folder_of(builder, path);
    if (!builder->folder)
        return false;
    builder->config_path = hf_format(builder, "%s/config.json", builder->folder);
    builder->generation_path = hf_format(builder, "%s/generation_config.json", builder->folder);
    /* of a file alone it is first of all asked whether it is one of weights */
    bool is_file = path_kind(path) != PATH_FOLDER;
    if (builder->failed ||
        (is_file && !checkpoint_open(path, &source->checkpoint, builder->fault)) ||
        !config_is_there(builder, path) || !load_config(builder) ||
        (!is_file && !checkpoint_open(path, &source->checkpoint, builder->fault)))
        return false;
    build(builder);
    if (source->source.unsupported && !builder->failed && !builder->config.failed)
        hf_tensors_published(builder);
    else if (hf_goes_on(builder))
        open_tokenizer(builder,
                       json_string_value(json_object_get(builder->config.root, "model_type")));
    source->source.has_tokenizer = source->tokenizer != NULL;
    if (!builder->failed && !builder->config.failed)
        list_files(builder);
    return !builder->failed && !builder->config.failed;
}

bool source_hf_open(const char *path, const struct source_options *options, struct source **out,
                    struct fault *fault)
{
    struct fault own = {0};
    struct hf_source *source = calloc(1, sizeof *source);
    *out = NULL;
    if (!source)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to open it", path);
    source->source.kind = &hf_kind;
    source->source.gqa = 1;
    source->entries_end = &source->entries;
    arena_init(&source->arena, 0);
    struct hf_builder builder = {
        .source = source, .options = options, .fault = fault ? fault : &own};
    bool done = open_all(&builder, path);
    hf_config_free(&builder.config);
    json_decref(builder.generation);
    if (done)
        *out = &source->source;
    else if (strncmp(builder.fault->text, path, strlen(path)) != 0)
        fault_file(builder.fault, builder.folder ? builder.folder : path);
    if (!done)
        close_source(&source->source);
    return done;
}
