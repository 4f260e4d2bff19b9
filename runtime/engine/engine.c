/* engine.c: opens and closes a model; what it says about itself. */
#include "internal.h"
#include "platform.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *lichen_version(void)
{
    return LICHEN_VERSION;
}

void lichen_free(void *memory)
{
    free(memory);
}

void lichen_engine_defaults(struct lichen_engine_options *options)
{
    memset(options, 0, sizeof *options);
}

static bool no_memory(struct fault *fault)
{
    return fault_set(fault, FAULT_MEMORY, "no memory for the engine");
}

/* A copy of a caller's string in the engine's arena; NULL stays NULL. */
static bool keep_string(struct lichen_engine *engine, const char *text, const char **out,
                        struct fault *fault)
{
    *out = NULL;
    if (!text)
        return true;
    *out = arena_copy(&engine->arena, text, strlen(text));
    return *out || no_memory(fault);
}

static enum activation_format activation_format(const struct lichen_engine_options *options)
{
    static const enum activation_format formats[] = {
        [LICHEN_ACTIVATIONS_AUTO] = ACTIVATIONS_AUTO,
        [LICHEN_ACTIVATIONS_16] = ACTIVATIONS_16,
        [LICHEN_ACTIVATIONS_8] = ACTIVATIONS_8,
        [LICHEN_ACTIVATIONS_FLOAT] = ACTIVATIONS_FLOAT,
    };
    return options->exact ? ACTIVATIONS_FLOAT : formats[options->activations];
}

struct lichen_engine *engine_new(const struct lichen_engine_options *options, struct fault *fault)
{
    struct lichen_engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        no_memory(fault);
        return NULL;
    }
    arena_init(&engine->arena, 0);
    engine->lock_ready = mtx_init(&engine->lock, mtx_plain) == thrd_success;
    engine->activations = activation_format(options);
    engine->exact = options->exact;
    engine->layers_chosen = options->layers_chosen;
    engine->gpu_layers = options->gpu_layers;
    engine->memory_limit = options->memory;
    engine->vocabulary_only = options->vocabulary_only;
    engine->on_cpu = options->device && strcmp(options->device, "cpu") == 0;
    uint32_t threads = options->threads ? options->threads : processor_count();
    if (engine->lock_ready && keep_string(engine, options->model, &engine->model_path, fault) &&
        keep_string(engine, options->device, &engine->device_choice, fault) &&
        keep_string(engine, options->cache_folder, &engine->cache_folder, fault) &&
        parallel_create(threads, &engine->parallel, fault))
        return engine;
    no_memory(fault);
    lichen_engine_close(engine);
    return NULL;
}

/* The template is compiled at open but a template that cannot be used stops only who needs it. */
static bool template_load(struct lichen_engine *engine, struct fault *fault)
{
    struct gguf_string source = {NULL, 0};
    if (!gguf_text(engine->gguf, "tokenizer.chat_template", false, &source, fault))
        return false;
    engine->template_source = source;
    if (!source.bytes) {
        fault_set(&engine->template_fault, FAULT_UNSUPPORTED,
                  "%s: the file has no chat template (tokenizer.chat_template); use `lichen run "
                  "--raw`",
                  engine->model_path);
        return true;
    }
    engine->chat_template = arena_copy(&engine->arena, source.bytes, source.size);
    if (!engine->chat_template)
        return no_memory(fault);
    if (!template_create(source.bytes, source.size, &engine->template, &engine->template_fault))
        fault_context(&engine->template_fault, "%s: tokenizer.chat_template", engine->model_path);
    return true;
}

/* The other engine's where both files have the same vocabulary. */
static bool tokenizer_load(struct lichen_engine *engine, const struct lichen_engine *other,
                           struct fault *fault)
{
    if (!other || !gguf_same_entries(engine->gguf, other->gguf, "tokenizer.ggml."))
        return tokenizer_create(engine->gguf, &engine->tokenizer, fault);
    engine->tokenizer = other->tokenizer;
    engine->tokenizer_shared = true;
    return true;
}

/* Everything that needs only the file's header: vocabulary, template, plan. */
bool engine_header(struct lichen_engine *engine, const struct lichen_engine_options *options,
                   struct fault *fault)
{
    if (!options->model)
        return fault_set(fault, FAULT_ARGUMENT, "no model file was named");
    bool (*open)(const char *, struct gguf **, struct fault *) =
        options->unfinished ? gguf_open_unfinished : gguf_open;
    if (options->synthetic ? !gguf_parse_synthetic(options->synthetic->header,
                                                   options->synthetic->size, &engine->gguf, fault)
                           : !open(options->model, &engine->gguf, fault))
        return false;
    struct gguf_string name = {"", 0};
    if (!gguf_text(engine->gguf, "general.name", false, &name, fault))
        return fault_file(fault, options->model);
    engine->name = arena_copy(&engine->arena, name.bytes, name.size);
    if (!engine->name)
        return no_memory(fault);
    if (!tokenizer_load(engine, options->vocabulary, fault) || !template_load(engine, fault))
        return fault_file(fault, options->model);
    if (options->vocabulary_only) {
        /* The shape for lichen info; what cannot run still has a vocabulary. */
        if (gguf_tensor_count(engine->gguf))
            model_build(engine->gguf, tokenizer_count(engine->tokenizer), &engine->plan,
                        &engine->info, NULL);
        return true;
    }
    if (!model_build(engine->gguf, tokenizer_count(engine->tokenizer), &engine->plan, &engine->info,
                     fault))
        return fault_file(fault, options->model);
    if (engine->tokenizer_shared)
        gguf_drop_arrays(engine->gguf);
    return engine_linears(engine, fault);
}

bool lichen_engine_open(const struct lichen_engine_options *options, struct lichen_engine **out,
                        struct fault *fault)
{
    *out = NULL;
    struct lichen_engine *engine = engine_new(options, fault);
    if (!engine)
        return false;
    if (!engine_header(engine, options, fault) ||
        (!options->vocabulary_only &&
         (!engine_device_open(engine, fault) ||
          !engine_layers_place(engine, options->session, fault) ||
          !engine_weights_load(engine, options->progress, options->progress_context, fault)))) {
        lichen_engine_close(engine);
        return false;
    }
    *out = engine;
    return true;
}

void lichen_engine_close(struct lichen_engine *engine)
{
    if (!engine)
        return;
    engine_device_close(engine);
    parallel_destroy(engine->parallel);
    plan_free(&engine->plan);
    template_destroy(engine->template);
    if (!engine->tokenizer_shared)
        tokenizer_destroy(engine->tokenizer);
    gguf_close(engine->gguf);
    if (engine->lock_ready)
        mtx_destroy(&engine->lock);
    arena_free(&engine->arena);
    free(engine);
}

/* Sums over the file's tensors: weights and bytes. */
static void tensor_totals(const struct gguf *gguf, uint64_t *weights, uint64_t *size)
{
    *weights = *size = 0;
    for (uint32_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        *weights += tensor->rows * tensor->dims[0];
        *size += tensor->size;
    }
}

void lichen_model_info(const struct lichen_engine *engine, struct lichen_model_info *info)
{
    const struct gguf_entry *architecture = gguf_entry_find(engine->gguf, "general.architecture");
    memset(info, 0, sizeof *info);
    info->path = engine->model_path;
    info->architecture = engine->info.architecture;
    info->name = engine->name;
    info->tokenizer = tokenizer_model(engine->tokenizer);
    info->pre = tokenizer_pre(engine->tokenizer);
    info->chat_template = engine->chat_template;
    info->file_size = gguf_size(engine->gguf);
    tensor_totals(engine->gguf, &info->parameters, &info->tensor_size);
    if (info->parameters)
        info->bits_per_weight = 8.0 * (double)info->tensor_size / (double)info->parameters;
    info->layers = engine->info.layers;
    info->host_layers = engine->host_layers;
    info->dim = engine->info.dim;
    info->heads = engine->info.heads;
    info->kv_heads = engine->info.kv_heads;
    info->head_dim = engine->info.head_dim;
    info->ffn_dim = engine->info.ffn_dim;
    info->vocab = tokenizer_count(engine->tokenizer);
    info->context_trained = engine->info.context_trained;
    info->tensor_count = gguf_tensor_count(engine->gguf);
    info->entry_count = gguf_entry_count(engine->gguf);
    if (!info->architecture[0] && architecture) /* vocabulary_only: no model was built */
        gguf_format(engine->gguf, architecture, 0, (char *)engine->info.architecture,
                    sizeof engine->info.architecture);
}

void lichen_tensor(const struct lichen_engine *engine, uint32_t index, struct lichen_tensor *tensor)
{
    const struct gguf_tensor *source = gguf_tensor_at(engine->gguf, index);
    memset(tensor, 0, sizeof *tensor);
    tensor->name = source->name;
    tensor->type = dtype_find(source->dtype)->name;
    tensor->dim_count = source->dim_count;
    memcpy(tensor->dims, source->dims, sizeof tensor->dims);
    tensor->size = source->size;
    tensor->offset = source->offset;
}

static const char *type_text(enum gguf_type type)
{
    static const char *const names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                        "bool", "string", "array", "u64", "i64", "f64"};
    return names[type];
}

/* The first items of an array between brackets, as many as fit. */
static void array_text(const struct lichen_engine *engine, const struct gguf_entry *entry,
                       char *value, size_t size)
{
    size_t used = (size_t)snprintf(value, size, "[");
    for (uint64_t i = 0; i < entry->count && i < 6; i++) {
        char item[96];
        gguf_format(engine->gguf, entry, i, item, sizeof item);
        int written = snprintf(value + used, size - used, "%s%s", i ? ", " : "", item);
        if (written < 0 || (size_t)written >= size - used)
            return;
        used += (size_t)written;
    }
    snprintf(value + used, size - used, entry->count > 6 ? ", ...]" : "]");
}

void lichen_entry(const struct lichen_engine *engine, uint32_t index, const char **key,
                  char type[64], char *value, size_t size)
{
    const struct gguf_entry *entry = gguf_entry_at(engine->gguf, index);
    *key = entry->key;
    if (entry->type == GGUF_ARRAY) {
        snprintf(type, 64, "array of %s [%llu]", type_text(entry->item_type),
                 (unsigned long long)entry->count);
        array_text(engine, entry, value, size);
    } else {
        snprintf(type, 64, "%s", type_text(entry->type));
        gguf_format(engine->gguf, entry, 0, value, size);
    }
}

const struct lichen_device *lichen_engine_device(const struct lichen_engine *engine)
{
    return &engine->device_info;
}
