/* loss_json.c: figures to JSON. */
#include "loss_json.h"
#include "json_text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT_TOKENS = 16, TYPES_MAX = 64 };

json_t *loss_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *loss_json_interval(struct loss_interval interval)
{
    if (!interval.known)
        return json_null();
    return json_pack("[o, o]", loss_json_real(interval.low), loss_json_real(interval.high));
}

static json_t *json_of_estimate(const struct loss_estimate *estimate)
{
    return json_pack("{s:o, s:o, s:o}", "value", loss_json_real(estimate->value), "ci95",
                     loss_json_interval(estimate->interval), "iid_se",
                     loss_json_real(estimate->error));
}

static json_t *json_of_reals(const double *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++)
        json_array_append_new(array, loss_json_real(values[i]));
    return array;
}

static json_t *json_of_string(const char *text)
{
    return json_of_text(text, strlen(text));
}

json_t *loss_json_device(const struct lichen_device *device)
{
    return json_pack("{s:o, s:s, s:s, s:o, s:s}", "name", json_of_string(device->name), "uuid",
                     device->uuid, "type", device->type, "driver", json_of_string(device->driver),
                     "api", device->api);
}

/* ---- streams ---- */

struct type_count {
    const char *name;
    uint64_t tensors, weights, bytes;
};

static int compare_types(const void *a, const void *b)
{
    const struct type_count *x = a, *y = b;
    int by_weights = (x->weights < y->weights) - (x->weights > y->weights);
    return by_weights ? by_weights : strcmp(x->name, y->name);
}

static void count_type(struct type_count *types, size_t *count, const struct lichen_tensor *tensor)
{
    uint64_t weights = 1;
    size_t at = 0;
    while (at < *count && strcmp(types[at].name, tensor->type) != 0)
        at++;
    if (at == TYPES_MAX)
        return;
    if (at == *count)
        types[(*count)++] = (struct type_count){.name = tensor->type};
    for (uint32_t i = 0; i < tensor->dim_count; i++)
        weights *= tensor->dims[i];
    types[at].tensors++;
    types[at].weights += weights;
    types[at].bytes += tensor->size;
}

/* The file's tensors by type, that of the most weights first. */
static json_t *json_of_types(const struct lichen_engine *engine, uint32_t tensor_count)
{
    struct type_count types[TYPES_MAX];
    size_t count = 0;
    json_t *array = json_array();
    for (uint32_t i = 0; i < tensor_count; i++) {
        struct lichen_tensor tensor;
        lichen_tensor(engine, i, &tensor);
        count_type(types, &count, &tensor);
    }
    qsort(types, count, sizeof *types, compare_types);
    for (size_t i = 0; array && i < count; i++)
        json_array_append_new(array, json_pack("{s:s, s:I, s:I, s:I}", "type", types[i].name,
                                               "tensors", (json_int_t)types[i].tensors, "weights",
                                               (json_int_t)types[i].weights, "bytes",
                                               (json_int_t)types[i].bytes));
    return array;
}

json_t *loss_json_stream(const struct loss_stream *stream, const char *sha256)
{
    struct lichen_model_info info = {.name = ""};
    const struct loss_variant *variant = &stream->variant;
    if (!stream->engine)
        return json_pack("{s:o, s:o, s:s, s:n, s:n, s:n}", "label", json_of_string(stream->label),
                         "file", json_of_string(variant->path), "sha256", sha256, "bytes", "bpw",
                         "parameters");
    lichen_model_info(stream->engine, &info);
    return json_pack("{s:o, s:o, s:o, s:s, s:I, s:f, s:I, s:s, s:s, s:o, s:o}", "label",
                     json_of_string(stream->label), "name", json_of_string(info.name), "file",
                     json_of_string(variant->path), "sha256", sha256, "bytes",
                     (json_int_t)info.file_size, "bpw", info.bits_per_weight, "parameters",
                     (json_int_t)info.parameters, "kv", loss_kv_name(variant->kv), "activations",
                     loss_activations_name(variant->activations), "types",
                     json_of_types(stream->engine, info.tensor_count), "device",
                     loss_json_device(lichen_engine_device(stream->engine)));
}

/* ---- results ---- */

static const char *const share_names[LOSS_SHARES] = {"min", "p001", "p01", "p05",  "p10", "median",
                                                     "p90", "p95",  "p99", "p999", "max"};

static void add_shares(json_t *object, const double at[LOSS_SHARES])
{
    for (int i = 0; i < LOSS_SHARES; i++)
        json_object_set_new(object, share_names[i], loss_json_real(at[i]));
}

static json_t *json_of_kld(const struct loss_figures *figures)
{
    json_t *kld = json_pack("{s:o, s:o, s:o, s:o}", "mean", loss_json_real(figures->kld.value),
                            "ci95", loss_json_interval(figures->kld.interval), "iid_se",
                            loss_json_real(figures->kld.error), "mean_cut16",
                            loss_json_real(figures->kld_cut));
    add_shares(kld, figures->kld_at);
    return kld;
}

static json_t *json_of_delta(const struct loss_figures *figures)
{
    json_t *delta = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o}", "mean", loss_json_real(figures->dp.value), "ci95",
        loss_json_interval(figures->dp.interval), "iid_se", loss_json_real(figures->dp.error),
        "rms", loss_json_real(figures->dp_rms), "rms_se", loss_json_real(figures->dp_rms_error),
        "histogram", json_of_reals(figures->bins, LOSS_BINS));
    add_shares(delta, figures->dp_at);
    return delta;
}

static json_t *json_of_parts(const struct loss_part *parts, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++)
        json_array_append_new(
            array, json_pack("{s:o, s:o, s:o}", "from", loss_json_real(parts[i].low), "to",
                             loss_json_real(parts[i].high), "kld", loss_json_real(parts[i].kld)));
    return array;
}

/* ---- worst tokens ---- */

static json_t *json_of_words(const struct lichen_engine *words, const int32_t *ids, size_t count)
{
    char *text = NULL;
    size_t size = 0;
    if (!words || !lichen_detokenize(words, ids, count, true, &text, &size, NULL))
        return json_null();
    json_t *string = json_of_text(text, size);
    lichen_free(text);
    return string;
}

static json_t *json_of_worst_token(const struct loss_series *series, size_t stream, size_t number,
                                   const struct lichen_engine *words)
{
    const struct loss_windows *windows = &series->windows;
    uint32_t chunk = loss_window_of(windows, number);
    struct loss_window window = loss_window_at(windows, chunk);
    size_t position = window.first + (number - window.at);
    const int32_t *target = windows->ids + (size_t)chunk * windows->stride + position + 1;
    size_t before = position + 1 < CONTEXT_TOKENS ? position + 1 : CONTEXT_TOKENS;
    const struct loss_base_token *base = &series->base[number];
    const struct loss_token *token = &series->tokens[stream][number];
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "chunk", (json_int_t)chunk,
                     "position", (json_int_t)position, "kld", loss_json_real(token->kld), "p_base",
                     loss_json_real(exp(-base->nll)), "p", loss_json_real(exp(-token->nll)),
                     "before", json_of_words(words, target - before, before), "token",
                     json_of_words(words, target, 1), "likeliest_base",
                     json_of_words(words, &base->likeliest, 1), "likeliest",
                     json_of_words(words, &token->likeliest, 1));
}

static json_t *json_of_worst(const struct loss_figures *figures, const struct loss_series *series,
                             size_t stream, const struct lichen_engine *words)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < figures->worst_count; i++)
        json_array_append_new(array, json_of_worst_token(series, stream, figures->worst[i], words));
    return array;
}

json_t *loss_json_base_result(const char *text, const struct loss_figures *figures)
{
    return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o}", "text", json_of_string(text), "chunks",
                     (json_int_t)figures->chunks, "tokens", (json_int_t)figures->tokens, "ppl",
                     json_of_estimate(&figures->ppl_base), "accuracy",
                     loss_json_real(figures->accuracy_base), "nll_chunks",
                     json_of_reals(figures->nll_base_chunks, figures->chunks));
}

static void add_perplexity(json_t *result, const struct loss_figures *figures)
{
    json_object_set_new(result, "ppl_base", loss_json_real(figures->ppl_base.value));
    json_object_set_new(result, "ppl", loss_json_real(figures->ppl.value));
    json_object_set_new(result, "ppl_iid_se", loss_json_real(figures->ppl.error));
    json_object_set_new(result, "ppl_ci95", loss_json_interval(figures->ppl.interval));
    json_object_set_new(result, "ppl_ratio",
                        json_pack("{s:o, s:o}", "value",
                                  loss_json_real(exp(figures->ln_ratio.value)), "ci95",
                                  loss_json_interval(figures->ratio)));
    json_object_set_new(result, "ln_ppl_ratio", json_of_estimate(&figures->ln_ratio));
    json_object_set_new(result, "ppl_difference",
                        json_pack("{s:o, s:o, s:o}", "value", loss_json_real(figures->difference),
                                  "ci95", loss_json_interval(figures->difference_interval),
                                  "iid_se", loss_json_real(figures->difference_error)));
    json_object_set_new(result, "correlation", loss_json_real(figures->correlation));
}

static void add_agreement(json_t *result, const struct loss_figures *figures)
{
    json_object_set_new(result, "top1", loss_json_real(figures->top1.value));
    json_object_set_new(result, "top1_ci95", loss_json_interval(figures->top1.interval));
    json_object_set_new(result, "top1_iid_se", loss_json_real(figures->top1.error));
    json_object_set_new(result, "top5", loss_json_real(figures->top5.value));
    json_object_set_new(result, "top10", loss_json_real(figures->top10.value));
    json_object_set_new(result, "accuracy_base", loss_json_real(figures->accuracy_base));
    json_object_set_new(result, "accuracy", loss_json_real(figures->accuracy));
    json_object_set_new(result, "flips",
                        json_pack("{s:o, s:o}", "right_to_wrong",
                                  loss_json_real(figures->right_to_wrong), "wrong_to_right",
                                  loss_json_real(figures->wrong_to_right)));
}

json_t *loss_json_result(const char *text, const struct loss_figures *figures,
                         const struct loss_series *series, size_t stream,
                         const struct lichen_engine *words)
{
    json_t *result =
        json_pack("{s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "text",
                  json_of_string(text), "chunks", (json_int_t)figures->chunks, "tokens",
                  (json_int_t)figures->tokens, "kld", json_of_kld(figures), "jsd",
                  json_of_estimate(&figures->jsd), "delta_p", json_of_delta(figures), "positions",
                  json_of_parts(figures->positions, figures->position_count), "entropies",
                  json_of_parts(figures->entropies, figures->entropy_count), "worst",
                  json_of_worst(figures, series, stream, words), "kld_chunks",
                  json_of_reals(figures->kld_chunks, figures->chunks), "nll_chunks",
                  json_of_reals(figures->nll_chunks, figures->chunks));
    if (!result)
        return NULL;
    add_perplexity(result, figures);
    add_agreement(result, figures);
    return result;
}

json_t *loss_json_pair(size_t a, size_t b, const char *text, const struct loss_pair *pair)
{
    static const char *const verdicts[] = {"better", "worse", "indistinguishable", "equal"};
    return json_pack("{s:I, s:I, s:o, s:{s:o, s:o}, s:s, s:o}", "a", (json_int_t)a, "b",
                     (json_int_t)b, "text", json_of_string(text), "kld_difference", "value",
                     loss_json_real(pair->difference), "ci95", loss_json_interval(pair->interval),
                     "verdict", verdicts[pair->verdict], "chunks_needed",
                     loss_json_real(pair->chunks_needed));
}
