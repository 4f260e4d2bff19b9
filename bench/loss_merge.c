/* loss_merge.c: joins reports. Input is hostile: every shape is checked where it is used. */
#include "loss_merge.h"
#include "json_text.h"
#include "loss_json.h"
#include "loss_views.h"
#include "loss_window.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS_MAX = 1 << 24 };

bool loss_report_parse(const char *bytes, size_t size, const char *name, json_t **report,
                       struct fault *fault)
{
    json_error_t error;
    *report = json_loadb(bytes, size, 0, &error);
    if (!*report)
        return fault_set(fault, FAULT_FORMAT, "%s: line %d: %s", name, error.line, error.text);
    if (loss_number(*report, "schema", NULL) == 1 && loss_string(*report, "protocol")[0] &&
        json_is_object(json_object_get(*report, "base")) &&
        json_is_array(json_object_get(*report, "candidates")) &&
        json_is_array(json_object_get(*report, "texts")) &&
        json_is_array(json_object_get(*report, "pairs")))
        return true;
    json_decref(*report);
    *report = NULL;
    return fault_set(fault, FAULT_FORMAT, "%s: JSON, but not of lichen loss", name);
}

static bool same_string(const json_t *a, const json_t *b, const char *key)
{
    return strcmp(loss_string(a, key), loss_string(b, key)) == 0;
}

static bool same_device(const json_t *a, const json_t *b)
{
    return same_string(json_object_get(a, "device"), json_object_get(b, "device"), "uuid");
}

static uint64_t seed_of(const json_t *report)
{
    double seed = loss_number(report, "seed", NULL);
    return seed >= 1 && seed < 9e18 ? (uint64_t)seed : 1;
}

static bool check_same(const json_t *report, const json_t *other, const char *name,
                       struct fault *fault)
{
    char found[128], expected[128];
    const json_t *base = json_object_get(report, "base"), *theirs = json_object_get(other, "base");
    if (!same_string(base, theirs, "sha256"))
        return fault_set(fault, FAULT_ARGUMENT, "%s: another base (sha256 %.12s, expected %.12s)",
                         name, loss_string(theirs, "sha256"), loss_string(base, "sha256"));
    if (!same_string(report, other, "protocol") ||
        loss_number(report, "ctx", NULL) != loss_number(other, "ctx", NULL) ||
        loss_stride(report) != loss_stride(other))
        return fault_set(fault, FAULT_ARGUMENT, "%s: %s; expected %s: not comparable", name,
                         loss_windows_text(other, found), loss_windows_text(report, expected));
    if (loss_level_of(report) != loss_level_of(other))
        return fault_set(fault, FAULT_ARGUMENT,
                         "%s: intervals of %s, expected %s (--ci): not comparable", name,
                         loss_level(other, found), loss_level(report, expected));
    return true;
}

static const json_t *find_text(const json_t *report, const char *name)
{
    const json_t *texts = json_object_get(report, "texts");
    for (size_t i = 0; i < json_array_size(texts); i++)
        if (strcmp(loss_string(json_array_get(texts, i), "name"), name) == 0)
            return json_array_get(texts, i);
    return NULL;
}

static bool merge_texts(json_t *report, const json_t *other, const char *name, struct fault *fault)
{
    json_t *texts = json_object_get(other, "texts");
    for (size_t i = 0; i < json_array_size(texts); i++) {
        json_t *text = json_array_get(texts, i);
        const json_t *own = find_text(report, loss_string(text, "name"));
        if (own && (!same_string(own, text, "sha256") ||
                    loss_number(own, "chunks", NULL) != loss_number(text, "chunks", NULL)))
            return fault_set(fault, FAULT_ARGUMENT,
                             "%s: text %.80s: another text or another number of windows", name,
                             loss_string(text, "name"));
        if (!own && json_array_append(json_object_get(report, "texts"), text) != 0)
            return fault_set(fault, FAULT_MEMORY, "out of memory");
    }
    return true;
}

/* Results of texts that `to` has not. */
static void merge_results(json_t *to, const json_t *from)
{
    json_t *results = json_object_get(from, "results"), *own = json_object_get(to, "results");
    for (size_t i = 0; i < json_array_size(results); i++) {
        json_t *result = json_array_get(results, i);
        if (!loss_result(to, loss_string(result, "text")))
            json_array_append(own, result);
    }
}

static json_t *find_candidate(const json_t *report, const json_t *like)
{
    const json_t *candidates = json_object_get(report, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        json_t *candidate = json_array_get(candidates, i);
        if (same_string(candidate, like, "sha256") && same_string(candidate, like, "kv") &&
            same_string(candidate, like, "activations") && same_device(candidate, like))
            return candidate;
    }
    return NULL;
}

static void merge_candidates(json_t *report, const json_t *other)
{
    const json_t *candidates = json_object_get(other, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        json_t *candidate = json_array_get(candidates, i), *own = find_candidate(report, candidate);
        if (own)
            merge_results(own, candidate);
        else
            json_array_append(json_object_get(report, "candidates"), candidate);
    }
}

/* ---- pairs ---- */

/* The means of windows; NULL when they are not count numbers. */
static double *chunk_means(const json_t *result, size_t count)
{
    const json_t *array = json_object_get(result, "kld_chunks");
    if (json_array_size(array) != count || count == 0 || count > CHUNKS_MAX)
        return NULL;
    double *means = malloc(count * sizeof *means);
    for (size_t i = 0; means && i < count; i++) {
        means[i] = loss_number(json_array_get(array, i), NULL);
        if (!isfinite(means[i])) {
            free(means);
            return NULL;
        }
    }
    return means;
}

/* Strided windows score unequally many positions. A report whose numbers are not those of such
 * windows (one of an earlier lichen) has equal ones. */
static void weigh(const json_t *report, const json_t *text, double *means, size_t count)
{
    double ctx = loss_number(report, "ctx", NULL), stride = loss_stride(report);
    double tokens = loss_number(text, "tokens", NULL), chunks = (double)count;
    if (!(stride >= 1 && ctx > stride && ctx <= INT32_MAX && tokens <= INT32_MAX &&
          (chunks - 1) * stride + ctx - stride < tokens))
        return;
    const struct loss_windows windows = {.count = (size_t)tokens,
                                         .ctx = (uint32_t)ctx,
                                         .stride = (uint32_t)stride,
                                         .chunks = (uint32_t)count,
                                         .scored = (uint32_t)stride,
                                         .strided = true};
    if ((double)loss_windows_scored(&windows, windows.chunks) == loss_number(text, "scored", NULL))
        loss_windows_weigh(&windows, windows.chunks, means);
}

static void add_pair(json_t *report, const json_t *text, size_t a, size_t b)
{
    const char *name = loss_string(text, "name");
    const json_t *candidates = json_object_get(report, "candidates");
    const json_t *first = loss_result(json_array_get(candidates, a), name);
    size_t count = json_array_size(json_object_get(first, "kld_chunks"));
    double *x = chunk_means(first, count);
    double *y = chunk_means(loss_result(json_array_get(candidates, b), name), count);
    double *scratch = x && y ? malloc(count * sizeof *scratch) : NULL;
    if (scratch) {
        weigh(report, text, x, count);
        weigh(report, text, y, count);
        struct loss_pair pair =
            loss_pair_of(x, y, count, loss_level_of(report), seed_of(report), scratch);
        json_array_append_new(json_object_get(report, "pairs"), loss_json_pair(a, b, name, &pair));
    }
    free(x);
    free(y);
    free(scratch);
}

static void make_pairs(json_t *report)
{
    const json_t *texts = json_object_get(report, "texts");
    size_t count = json_array_size(json_object_get(report, "candidates"));
    json_array_clear(json_object_get(report, "pairs"));
    for (size_t i = 0; i < json_array_size(texts); i++)
        for (size_t a = 0; a < count; a++)
            for (size_t b = a + 1; b < count; b++)
                add_pair(report, json_array_get(texts, i), a, b);
}

bool loss_merge(json_t *report, const json_t *other, const char *name, struct fault *fault)
{
    char advice[1024];
    if (!check_same(report, other, name, fault) || !merge_texts(report, other, name, fault))
        return false;
    merge_results(json_object_get(report, "base"), json_object_get(other, "base"));
    merge_candidates(report, other);
    make_pairs(report);
    loss_advice(report, advice, sizeof advice);
    json_object_set_new(report, "advice", json_of_text(advice, strlen(advice)));
    return true;
}
