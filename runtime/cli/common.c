/* common.c: the options that commands share, and opening engine and session by them. */
#include "command.h"
#include "interrupt.h"
#include "shape.h"
#include "terminal.h"
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void common_init(struct common *common)
{
    *common = (struct common){0};
    output_init(&common->output);
    sampler_defaults(&common->sampler);
    common->sampler.seed = random_seed() >> 12; /* exact in JSON everywhere */
}

void common_add_output(struct common *common, struct option_set *set, bool json)
{
    struct output *output = &common->output;
    const struct option_spec specs[] = {
        {"quiet", 'q', OPTION_FLAG, &output->quiet, NULL, "nothing but the result and errors", 0},
        {"verbose", 'v', OPTION_FLAG, &output->verbose, NULL, "say more about what is done", 0},
        {"help", 'h', OPTION_FLAG, &common->help, NULL, "this text", 0},
        {"json", 0, OPTION_FLAG, &output->json, NULL, "one JSON document on standard output", 0},
    };
    option_set_add(set, specs, json ? COUNT(specs) : COUNT(specs) - 1);
}

void common_add_model(struct common *common, struct option_set *set)
{
    const struct option_spec specs[] = {
        {"model", 'm', OPTION_TEXT, &common->model, "MODEL", "instead of the operand MODEL", 0},
        {"device", 0, OPTION_TEXT, &common->device, "DEVICE",
         "number, part of the name or UUID (lichen devices), or cpu", 0},
        {"threads", 0, OPTION_COUNT, &common->threads, "N", "processors used (0 = all)", 0},
        {"activations", 0, OPTION_CHOICE, &common->activations, "auto|16|8|float",
         "bits of the activations in matrix products", 0},
        {"gpu-layers", 0, OPTION_TEXT, &common->gpu_layers, "N|auto|all",
         "layers in device memory, the rest is read from host memory (auto: as many as fit)", 0},
        {"memory", 0, OPTION_TEXT, &common->memory, "SIZE",
         "device memory that may be used, as 2G (what is free)", 0},
        {"exact", 0, OPTION_FLAG, &common->exact, NULL,
         "float activations, fixed order: the same logits whatever the batch", 0},
    };
    option_set_add(set, specs, COUNT(specs));
}

void common_add_shape(struct common *common, struct option_set *set)
{
    const struct option_spec specs[] = {
        {"shape", 0, OPTION_TEXT, &common->shape, "NAME",
         "no file: a well-known model with made-up weights", 0},
        {"type", 0, OPTION_TEXT, &common->type, "TYPE", "its weights (q4_k_m)", 0},
    };
    option_set_add(set, specs, COUNT(specs));
}

void common_add_session(struct common *common, struct option_set *set)
{
    const struct option_spec specs[] = {
        {"ctx", 'c', OPTION_COUNT, &common->ctx, "N",
         "positions of the context (0 = 4096, or what the model was trained for)", 0},
        {"kv", 0, OPTION_CHOICE, &common->kv, "f16|f32|q8_0", "type of the KV cache", 0},
    };
    option_set_add(set, specs, COUNT(specs));
}

void common_add_sampler(struct common *common, struct option_set *set)
{
    struct sampler_options *s = &common->sampler;
    const struct option_spec specs[] = {
        {"seed", 's', OPTION_SEED, &s->seed, "S", "same seed, same answer", &common->seed_given},
        {"temp", 't', OPTION_REAL, &s->temperature, "T", "temperature; 0 = greedy", 0},
        {"top-k", 0, OPTION_COUNT, &s->top_k, "K", "0 = off", 0},
        {"top-p", 0, OPTION_REAL, &s->top_p, "P", "1 = off", 0},
        {"min-p", 0, OPTION_REAL, &s->min_p, "P", "0 = off", 0},
        {"typical-p", 0, OPTION_REAL, &s->typical_p, "P", "1 = off", 0},
        {"repeat-penalty", 0, OPTION_REAL, &s->repeat_penalty, "R", "1 = off", 0},
        {"presence-penalty", 0, OPTION_REAL, &s->presence_penalty, "R", "0 = off", 0},
        {"frequency-penalty", 0, OPTION_REAL, &s->frequency_penalty, "R", "0 = off", 0},
        {"repeat-last", 0, OPTION_SIGNED, &s->penalty_last, "N",
         "tokens that the penalties look at; -1 = all", 0},
        {"dry-multiplier", 0, OPTION_REAL, &s->dry_multiplier, "X", "0 = off", 0},
        {"dry-base", 0, OPTION_REAL, &s->dry_base, "X", NULL, 0},
        {"dry-allowed", 0, OPTION_COUNT, &s->dry_allowed, "N", "repeats that cost nothing", 0},
        {"dry-last", 0, OPTION_SIGNED, &s->dry_last, "N", "-1 = all", 0},
        {"xtc-probability", 0, OPTION_REAL, &s->xtc_probability, "P", "0 = off", 0},
        {"xtc-threshold", 0, OPTION_REAL, &s->xtc_threshold, "P", NULL, 0},
        {"mirostat", 0, OPTION_FLAG, &s->mirostat, NULL, "mirostat 2", 0},
        {"mirostat-tau", 0, OPTION_REAL, &s->mirostat_tau, "X", NULL, 0},
        {"mirostat-eta", 0, OPTION_REAL, &s->mirostat_eta, "X", NULL, 0},
    };
    option_set_add(set, specs, COUNT(specs));
}

static bool find_or_make(struct common *common, struct common_shape *shape,
                         struct lichen_engine_options *options)
{
    struct fault *fault = &common->fault;
    *shape = (struct common_shape){0};
    if (!common->shape)
        return common->type ? fault_set(fault, FAULT_ARGUMENT, "--type is the type of a --shape")
                            : model_find(common->model, common->path, fault);
    if (common->model)
        return fault_set(fault, FAULT_ARGUMENT,
                         "--shape %.60s makes up a model: it takes no file beside it",
                         common->shape);
    struct shape_header header;
    if (!shape_make(common->shape, common->type ? common->type : "q4_k_m", &header, fault))
        return false;
    snprintf(common->path, sizeof common->path, "%s", header.name);
    shape->header = header.bytes;
    shape->synthetic = (struct lichen_synthetic){header.bytes, header.size};
    options->synthetic = &shape->synthetic;
    return true;
}

void common_shape_free(struct common_shape *shape)
{
    free(shape->header);
    *shape = (struct common_shape){0};
}

static bool place_options(const struct common *common, struct lichen_engine_options *options,
                          struct fault *fault)
{
    const char *layers = common->gpu_layers ? common->gpu_layers : "auto";
    uint64_t count = UINT32_MAX;
    options->layers_chosen = strcmp(layers, "auto") != 0;
    if (options->layers_chosen && strcmp(layers, "all") != 0 &&
        !parse_size(layers, UINT32_MAX, &count))
        return fault_set(fault, FAULT_ARGUMENT,
                         "--gpu-layers: expected a whole number, auto or all, found '%.40s'",
                         layers);
    options->gpu_layers = (uint32_t)count;
    if (common->memory &&
        (!parse_size(common->memory, UINT64_MAX, &options->memory) || !options->memory))
        return fault_set(fault, FAULT_ARGUMENT,
                         "--memory: expected a size as 512M or 2G, found '%.40s'", common->memory);
    return true;
}

bool common_engine_options(struct common *common, struct common_shape *shape,
                           struct lichen_engine_options *options)
{
    static const enum lichen_activations activations[] = {
        LICHEN_ACTIVATIONS_AUTO, LICHEN_ACTIVATIONS_16, LICHEN_ACTIVATIONS_8,
        LICHEN_ACTIVATIONS_FLOAT};
    lichen_engine_defaults(options);
    options->device = common->device;
    options->threads = common->threads;
    options->activations = activations[common->activations];
    options->exact = common->exact;
    options->progress = output_progress;
    options->progress_context = &common->output;
    options->model = common->path;
    return place_options(common, options, &common->fault) && find_or_make(common, shape, options);
}

void common_session_options(const struct common *common, struct lichen_session_options *options)
{
    lichen_session_defaults(options);
    options->context = common->ctx;
    options->kv = (enum lichen_kv)common->kv;
    options->sampler = common->sampler;
}

static void describe_layers(const struct common *common, const struct lichen_engine *engine)
{
    struct lichen_model_info info;
    lichen_model_info(engine, &info);
    if (info.host_layers)
        output_note(&common->output,
                    "%u of %u layers lie in host memory and are read over the bus: slower; "
                    "lichen plan shows what would fit",
                    (unsigned)info.host_layers, (unsigned)info.layers);
}

static void describe_device(const struct common *common, const struct lichen_engine *engine)
{
    const struct lichen_device *device = lichen_engine_device(engine);
    output_detail(&common->output, "device: %s (%s), %s: %s", device->name, device->type,
                  device->driver, device->reason);
    if (strcmp(device->type, "software") == 0)
        output_note(&common->output,
                    "%s is a software device: no graphics card is used, expect "
                    "it to be slow (lichen devices)",
                    device->name);
}

bool common_open(struct common *common, bool vocabulary_only, struct lichen_engine **engine,
                 double *load_s)
{
    struct lichen_engine_options options;
    struct lichen_session_options session;
    struct common_shape shape;
    if (!common_engine_options(common, &shape, &options))
        return false;
    common_session_options(common, &session);
    options.session = common->leave_room ? &session : NULL;
    char cache[PATH_SIZE];
    folder_of_cache(cache);
    options.vocabulary_only = vocabulary_only;
    options.cache_folder = !vocabulary_only && cache[0] && folder_make(cache, NULL) ? cache : NULL;
    uint64_t start = time_ns();
    bool done = lichen_engine_open(&options, engine, &common->fault);
    common_shape_free(&shape);
    output_progress_end(&common->output);
    if (!done)
        return false;
    double elapsed = (double)(time_ns() - start) / 1e9;
    if (load_s)
        *load_s = elapsed;
    if (!vocabulary_only) {
        describe_device(common, *engine);
        describe_layers(common, *engine);
    }
    output_detail(&common->output, "opened %s in %.2f s", common->path, elapsed);
    return true;
}

bool common_session_open(struct common *common, struct lichen_engine *engine,
                         const struct lichen_session_options *options,
                         struct lichen_session **session)
{
    if (!lichen_session_open(engine, options, session, &common->fault))
        return false;
    interrupt_watch(*session);
    return true;
}

void common_session_close(struct lichen_session *session)
{
    interrupt_watch(NULL);
    lichen_session_close(session);
}

void common_dry_breakers(struct common *common, const struct lichen_engine *engine,
                         struct dry_breakers *breakers)
{
    static const char *const texts[] = {"\n", ":", "\"", "*"};
    struct sampler_options *sampler = &common->sampler;
    sampler->dry_breakers = breakers->ids;
    sampler->dry_breaker_count = 0;
    for (size_t i = 0; sampler->dry_multiplier > 0 && i < COUNT(texts); i++) {
        struct lichen_ids ids = {0};
        if (lichen_tokenize(engine, texts[i], 1, false, false, &ids, NULL) && ids.count > 0)
            breakers->ids[sampler->dry_breaker_count++] = ids.ids[ids.count - 1];
        lichen_free(ids.ids);
    }
}
