/* weighting.c: see weighting.h. */
#include "weighting.h"
#include "refine.h"

#include <stdlib.h>
#include <string.h>

struct weighting {
    const struct convert_options *options;
    uint32_t threads;
    const char *input; /* whose Hessian is loaded, the calibration's; NULL: none */
    enum dtype dtype;  /* for which it is damped */
    struct refine *refine;
    void **scratch; /* [threads], owned */
};

static bool no_memory(uint32_t columns, struct fault *fault)
{
    return fault_set(fault, FAULT_MEMORY, "no memory for a Hessian of %u columns", columns);
}

static enum dtype dtype_of(const struct weighting *weighting, uint32_t tensor)
{
    return recipe_choice(weighting->options->recipe, tensor)->dtype;
}

/* The name of the Hessian against which a tensor is refined, or NULL. */
static const char *input_of(const struct weighting *weighting, uint32_t tensor)
{
    const struct convert_options *options = weighting->options;
    const struct source_tensor *about = source_tensor_at(options->source, tensor);
    enum dtype dtype = dtype_of(weighting, tensor);
    if (!options->refine || !options->calibration || dtype == about->lossless ||
        !refine_supported(dtype) || !calibration_has_hessian(options->calibration, about->name))
        return NULL;
    return calibration_input(options->calibration, about->name);
}

bool weighting_create(const struct convert_options *options, uint32_t threads,
                      struct weighting **out, struct fault *fault)
{
    struct weighting *weighting = calloc(1, sizeof *weighting);
    *out = weighting;
    if (weighting)
        weighting->scratch = calloc(threads, sizeof *weighting->scratch);
    if (!weighting || !weighting->scratch) {
        free(weighting);
        *out = NULL;
        return fault_set(fault, FAULT_MEMORY, "no memory to convert");
    }
    weighting->options = options;
    weighting->threads = threads;
    return true;
}

static void drop(struct weighting *weighting)
{
    for (uint32_t i = 0; i < weighting->threads; i++) {
        free(weighting->scratch[i]);
        weighting->scratch[i] = NULL;
    }
    refine_destroy(weighting->refine);
    weighting->refine = NULL;
    weighting->input = NULL;
}

void weighting_destroy(struct weighting *weighting)
{
    if (!weighting)
        return;
    drop(weighting);
    free(weighting->scratch);
    free(weighting);
}

bool weighting_refines(const struct weighting *weighting, uint32_t tensor)
{
    return input_of(weighting, tensor) != NULL;
}

bool weighting_same(const struct weighting *weighting, uint32_t a, uint32_t b)
{
    const char *one = input_of(weighting, a), *other = input_of(weighting, b);
    if (!one || !other)
        return one == other;
    return strcmp(one, other) == 0 && dtype_of(weighting, a) == dtype_of(weighting, b);
}

static bool load(struct weighting *weighting, const char *name, enum dtype dtype, uint32_t columns,
                 struct fault *fault)
{
    const struct refine_options options = {.dtype = dtype, .damping = weighting->options->damping};
    uint64_t tokens;
    float *hessian = malloc((size_t)columns * columns * sizeof *hessian);
    bool done =
        hessian ? calibration_hessian(weighting->options->calibration, name, columns, hessian,
                                      &tokens, fault) &&
                      refine_create(hessian, columns, tokens, &options, &weighting->refine, fault)
                : no_memory(columns, fault);
    free(hessian);
    for (uint32_t i = 0; done && i < weighting->threads; i++) {
        weighting->scratch[i] = malloc(refine_scratch_size(weighting->refine, 1));
        done = weighting->scratch[i] || no_memory(columns, fault);
    }
    return done;
}

bool weighting_prepare(struct weighting *weighting, uint32_t tensor, struct fault *fault)
{
    const struct source_tensor *about = source_tensor_at(weighting->options->source, tensor);
    const char *input = input_of(weighting, tensor);
    enum dtype dtype = dtype_of(weighting, tensor);
    if (!input ||
        (weighting->input && strcmp(weighting->input, input) == 0 && weighting->dtype == dtype))
        return true;
    drop(weighting);
    if (!load(weighting, about->name, dtype, (uint32_t)about->dims[0], fault))
        return false;
    weighting->input = input;
    weighting->dtype = dtype;
    return true;
}

bool weighting_encode(const struct weighting *weighting, uint32_t tensor, const float *src,
                      uint32_t row_count, uint32_t thread, void *dst, struct encode_stats *stats,
                      struct fault *fault)
{
    const struct convert_options *options = weighting->options;
    const struct source_tensor *about = source_tensor_at(options->source, tensor);
    enum dtype dtype = dtype_of(weighting, tensor);
    const struct dtype_info *info = dtype_find(dtype);
    uint32_t columns = (uint32_t)about->dims[0];
    size_t size = (size_t)(columns / info->block_weights) * info->block_size;
    const float *importance = NULL;
    if (input_of(weighting, tensor)) {
        refine_rows(weighting->refine, dtype, src, row_count, dst, weighting->scratch[thread],
                    stats, NULL);
        return true;
    }
    if (options->calibration &&
        !calibration_importance(options->calibration, about->name, columns, &importance, fault))
        return false;
    for (uint32_t i = 0; i < row_count; i++)
        encode_row(dtype, src + (size_t)i * columns, importance, columns,
                   (char *)dst + (size_t)i * size, stats);
    return true;
}
