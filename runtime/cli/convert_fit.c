/* convert_fit.c: see convert_fit.h. The memory plan of a file that is not there yet is that of its
 * outline: the same header, and nothing where the tensors will be. */
#include "convert_fit.h"
#include "terminal.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 6 };

static uint64_t weight_count(const struct source *source)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < source_tensor_count(source); i++)
        count += source_tensor_at(source, i)->dims[0] * source_tensor_at(source, i)->rows;
    return count;
}

static bool say(struct recipe *recipe, const char *format, double value)
{
    char words[64];
    snprintf(words, sizeof words, format, value);
    recipe_say(recipe, words);
    return true;
}

bool convert_fit_bits(struct recipe *recipe, const struct convert_options *options, double bits,
                      struct fault *fault)
{
    uint64_t bytes = (uint64_t)((double)weight_count(options->source) * bits / 8);
    return recipe_fit(recipe, options->calibration, bytes, options->threads, fault) &&
           say(recipe, "%g bits per weight", bits);
}

/* What the device has to hold: the heaps of its own memory, or the process's. */
static uint64_t plan_total(const struct lichen_plan *plan)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < plan->heap_count; i++)
        if (strncmp(plan->heaps[i].name, "host", 4) != 0)
            total += plan->heaps[i].total;
    return total;
}

static bool plan_outline(const struct convert_options *options, struct common *common,
                         const char *path, uint64_t *total)
{
    struct lichen_engine_options engine;
    struct lichen_session_options session;
    struct lichen_plan plan;
    lichen_engine_defaults(&engine);
    engine.model = path;
    engine.device = common->device;
    engine.threads = common->threads;
    common_session_options(common, &session);
    if (!convert_outline(options, path, &common->fault))
        return false;
    bool done = lichen_plan(&engine, &session, &plan, &common->fault);
    remove(path);
    *total = done ? plan_total(&plan) : 0;
    return done;
}

bool convert_fit_device(struct recipe *recipe, const struct convert_options *options,
                        struct common *common, uint64_t bytes)
{
    char path[PATH_SIZE];
    uint64_t total = 0, budget = 0;
    int length =
        snprintf(path, sizeof path, "%s.outline-%u", options->output, (unsigned)process_id());
    if (length < 0 || (size_t)length >= sizeof path)
        return fault_set(&common->fault, FAULT_ARGUMENT, "%.100s: too long a path",
                         options->output);
    for (int i = 0; i < ROUNDS; i++) {
        if (!plan_outline(options, common, path, &total))
            return false;
        if (i > 0 && total <= bytes)
            return say(recipe, "fit to %.0f bytes", (double)bytes);
        /* Beside the tensors there are caches, activations and what the device's layout adds. */
        uint64_t size = recipe_size(recipe), other = total > size ? total - size : 0;
        budget = bytes > other ? bytes - other : 0;
        if (!recipe_fit(recipe, options->calibration, budget, options->threads, &common->fault))
            return common->fault.kind == FAULT_ARGUMENT &&
                   fault_context(&common->fault,
                                 "--fit: of %" PRIu64 " bytes, %" PRIu64
                                 " are left for the tensors beside cache and activations; take a "
                                 "smaller --ctx or --kv q8_0",
                                 bytes, budget);
    }
    return fault_set(&common->fault, FAULT_UNSUPPORTED,
                     "--fit: the plan takes %" PRIu64 " bytes, %" PRIu64 " are wanted: no choice "
                     "of types was found; try --bpw",
                     total, bytes);
}
