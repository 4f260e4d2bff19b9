/* loss_report.c: from files and texts to the report. */
#include "loss_report.h"
#include "json_text.h"
#include "loss_json.h"
#include "loss_views.h"
#include "platform.h"
#include "sha256.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE_MAX = 1 << 30, FLOOR_BATCH = 8, PROBE_SIZE = 2000 };

struct report {
    const struct loss_request *request;
    struct loss_streams streams;
    size_t
        candidates_end; /* streams.items[1 .. candidates_end) are candidates; behind: the floor */
    struct parallel *parallel;
    json_t *root, *base, *candidates, *texts, *pairs, *floor; /* root owns the others */
};

static bool no_memory(struct fault *fault)
{
    return fault_set(fault, FAULT_MEMORY, "out of memory for the report");
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- opening ---- */

static bool open_streams(struct report *report, struct fault *fault)
{
    const struct loss_request *request = report->request;
    struct loss_streams *streams = &report->streams;
    streams->engine_options = request->engine_options;
    streams->watch = request->watch;
    const char *base = request->base_logits ? request->base_logits : request->base.path;
    request->activity(request->context, "loading", file_name(base));
    if (!(request->base_logits ? loss_streams_add_file(streams, base, fault)
                               : loss_streams_add(streams, &request->base, fault)))
        return false;
    for (size_t i = 0; i < request->candidate_count; i++) {
        request->activity(request->context, "loading", file_name(request->candidates[i].path));
        if (!loss_streams_add(streams, &request->candidates[i], fault))
            return false;
    }
    report->candidates_end = streams->count;
    if (!request->floor_chunks || request->base_logits || streams->count == LOSS_STREAM_MAX)
        return true;
    struct loss_variant again = request->base;
    again.batch = FLOOR_BATCH;
    again.chunks_max = request->floor_chunks;
    return loss_streams_add(streams, &again, fault);
}

/* The engine that tokenizes and decodes: the base's, or the first candidate's. */
static struct lichen_engine *words_of(const struct report *report)
{
    return report->streams.items[0].engine ? report->streams.items[0].engine
                                           : report->streams.items[1].engine;
}

static bool check_ctx(const struct report *report, uint32_t ctx, struct fault *fault)
{
    for (size_t i = 0; i < report->streams.engine_count; i++) {
        struct lichen_model_info info;
        lichen_model_info(report->streams.engines[i], &info);
        if (info.context_trained && ctx > info.context_trained)
            return fault_set(fault, FAULT_ARGUMENT,
                             "%s: windows of %u tokens, the model was trained for a context of %u; "
                             "a smaller --ctx is needed",
                             info.path, (unsigned)ctx, (unsigned)info.context_trained);
    }
    return true;
}

/* Every file must cut the text into the same tokens. */
static bool check_words(const struct report *report, const char *text, size_t size,
                        struct fault *fault)
{
    struct lichen_ids first = {0}, other = {0};
    size = size < PROBE_SIZE ? size : PROBE_SIZE;
    bool same = lichen_tokenize(words_of(report), text, size, true, false, &first, fault);
    for (size_t i = 0; same && i < report->streams.engine_count; i++) {
        struct lichen_model_info info;
        lichen_model_info(report->streams.engines[i], &info);
        same = lichen_tokenize(report->streams.engines[i], text, size, true, false, &other, fault);
        if (same && (other.count != first.count ||
                     memcmp(other.ids, first.ids, first.count * sizeof *first.ids) != 0))
            same = fault_set(fault, FAULT_ARGUMENT,
                             "%s: its tokenizer cuts the text into other tokens than the base's: "
                             "not the same model",
                             info.path);
        lichen_free(other.ids);
        other.ids = NULL;
    }
    lichen_free(first.ids);
    return same;
}

/* The BOS that the model wants in front of a text; -1 = none. */
static bool find_bos(const struct report *report, int32_t *bos, struct fault *fault)
{
    struct lichen_ids with = {0}, without = {0};
    bool done = lichen_tokenize(words_of(report), "a", 1, true, false, &with, fault) &&
                lichen_tokenize(words_of(report), "a", 1, false, false, &without, fault);
    *bos = -1;
    if (done && with.count > without.count && with.ids[0] != without.ids[0])
        *bos = with.ids[0];
    lichen_free(with.ids);
    lichen_free(without.ids);
    return done;
}

/* ---- the report's parts ---- */

static bool add(json_t *array, json_t *value, struct fault *fault)
{
    return json_array_append_new(array, value) == 0 || no_memory(fault);
}

static json_t *results_of(json_t *stream)
{
    return json_object_get(stream, "results");
}

/* sha256 of a stream's file: that of an earlier stream with the same file, else read anew. */
static bool hash_stream(const struct report *report, size_t number, char text[SHA256_TEXT_SIZE],
                        struct fault *fault)
{
    const char *path = report->streams.items[number].variant.path;
    for (size_t i = 0; i < number; i++) {
        if (strcmp(report->streams.items[i].variant.path, path) != 0)
            continue;
        const json_t *known = i ? json_array_get(report->candidates, i - 1) : report->base;
        snprintf(text, SHA256_TEXT_SIZE, "%s", loss_string(known, "sha256"));
        return true;
    }
    report->request->activity(report->request->context, "hashing", file_name(path));
    return sha256_file(path, report->request->engine_options.progress,
                       report->request->engine_options.progress_context, text, fault);
}

static bool describe_streams(struct report *report, struct fault *fault)
{
    char hash[SHA256_TEXT_SIZE];
    for (size_t i = 0; i < report->candidates_end; i++) {
        if (!hash_stream(report, i, hash, fault))
            return false;
        json_t *stream = loss_json_stream(&report->streams.items[i], hash);
        if (!stream || json_object_set_new(stream, "results", json_array()) != 0)
            return no_memory(fault);
        if (i == 0 && json_object_set(report->root, "base", stream) == 0)
            report->base = stream;
        else if (i > 0 && json_array_append(report->candidates, stream) != 0)
            return no_memory(fault);
        json_decref(stream);
    }
    return report->base || no_memory(fault);
}

static bool begin_root(struct report *report, struct fault *fault)
{
    const struct loss_request *request = report->request;
    report->candidates = json_array();
    report->texts = json_array();
    report->pairs = json_array();
    report->root =
        json_pack("{s:i, s:o, s:s, s:s, s:f, s:I, s:o, s:o, s:o}", "schema", 1, "command",
                  json_of_text(request->command, strlen(request->command)), "version",
                  lichen_version(), "protocol", loss_protocol_name(request->protocol), "level",
                  request->level, "seed", (json_int_t)request->seed, "texts", report->texts,
                  "candidates", report->candidates, "pairs", report->pairs);
    if (!report->root)
        return no_memory(fault);
    const struct lichen_engine *engine = words_of(report);
    return (json_object_set_new(report->root, "device",
                                loss_json_device(lichen_engine_device(engine))) == 0 &&
            describe_streams(report, fault)) ||
           no_memory(fault);
}

static bool begin_floor(struct report *report, struct fault *fault)
{
    if (report->candidates_end == report->streams.count)
        return true;
    report->floor = json_pack("{s:s, s:[]}", "how", "in runs of 8 tokens", "results");
    return (report->floor && json_object_set_new(report->root, "floor", report->floor) == 0) ||
           no_memory(fault);
}

/* ---- a text ---- */

struct text {
    const char *name;
    char hash[SHA256_TEXT_SIZE];
    struct lichen_ids ids; /* own */
    struct loss_windows windows;
    struct loss_series series;
};

static bool add_figures(struct report *report, const struct text *text, size_t stream,
                        json_t *results, double *klds, struct fault *fault)
{
    struct loss_figures figures;
    const struct loss_series *series = &text->series;
    uint32_t limit = report->streams.items[stream].variant.chunks_max, chunks = series->chunks;
    chunks = limit && limit < chunks ? limit : chunks;
    if (!loss_figures_of(series, stream, chunks, report->request->level, report->request->seed,
                         &figures, fault))
        return false;
    if (klds)
        memcpy(klds, figures.kld_chunks, chunks * sizeof *klds);
    json_t *result = stream
                         ? loss_json_result(text->name, &figures, series, stream, words_of(report))
                         : loss_json_base_result(text->name, &figures);
    loss_figures_free(&figures);
    return add(results, result, fault);
}

/* Every pair of candidates; klds: [candidates, chunks]. */
static bool add_pairs(struct report *report, const struct text *text, const double *klds,
                      double *scratch, struct fault *fault)
{
    uint32_t chunks = text->series.chunks;
    size_t count = report->candidates_end - 1;
    for (size_t a = 0; a < count; a++)
        for (size_t b = a + 1; b < count; b++) {
            struct loss_pair pair =
                loss_pair_of(klds + a * chunks, klds + b * chunks, chunks, report->request->level,
                             report->request->seed, scratch);
            if (!add(report->pairs, loss_json_pair(a, b, text->name, &pair), fault))
                return false;
        }
    return true;
}

static bool add_streams(struct report *report, const struct text *text, double *klds,
                        struct fault *fault)
{
    uint32_t chunks = text->series.chunks;
    if (!add_figures(report, text, 0, results_of(report->base), NULL, fault))
        return false;
    for (size_t i = 1; i < report->candidates_end; i++)
        if (!add_figures(report, text, i, results_of(json_array_get(report->candidates, i - 1)),
                         klds + (i - 1) * chunks, fault))
            return false;
    return !report->floor || add_figures(report, text, report->candidates_end,
                                         results_of(report->floor), NULL, fault);
}

/* What the chunks done say. */
static bool add_text(struct report *report, const struct text *text, struct fault *fault)
{
    uint32_t chunks = text->series.chunks;
    json_t *about =
        json_pack("{s:o, s:s, s:I, s:I, s:I}", "name", json_of_text(text->name, strlen(text->name)),
                  "sha256", text->hash, "chunks", (json_int_t)chunks, "tokens",
                  (json_int_t)text->ids.count, "scored", (json_int_t)chunks * text->windows.scored);
    double *klds = calloc(report->candidates_end * (size_t)chunks, sizeof *klds);
    double *scratch = calloc(chunks, sizeof *scratch);
    bool done = (klds && scratch) || no_memory(fault);
    done = add(report->texts, about, fault) && done && add_streams(report, text, klds, fault) &&
           add_pairs(report, text, klds, scratch, fault);
    free(klds);
    free(scratch);
    return done;
}

static bool run_windows(struct report *report, struct text *text, bool first, struct fault *fault)
{
    const struct loss_request *request = report->request;
    struct loss_run_options options = {
        .parallel = report->parallel, .progress = request->progress, .context = request->context};
    if (request->save_logits && first &&
        !loss_logits_create(request->save_logits, &text->windows, report->streams.vocab,
                            &options.writer, fault))
        return false;
    request->activity(request->context, "comparing", text->name);
    bool done = loss_run(&report->streams, &text->windows, &options, &text->series, fault) &&
                (!options.writer || loss_logits_finish(options.writer, fault));
    loss_logits_destroy(options.writer);
    if (text->series.chunks == 0)
        return done;
    struct fault second = {0};
    if (!add_text(report, text, &second) && done)
        return fault_set(fault, second.kind, "%s", second.text);
    return done;
}

static void text_free(struct text *text)
{
    lichen_free(text->ids.ids);
    loss_series_free(&text->series);
}

static bool run_text(struct report *report, size_t number, int32_t bos, struct fault *fault)
{
    const struct loss_request *request = report->request;
    const char *path = request->texts[number];
    struct text text = {.name = file_name(path)};
    struct sha256 hash;
    char *bytes = NULL;
    size_t size = 0;
    for (size_t i = 0; i < number; i++) /* two files of one name: their paths tell them apart */
        if (strcmp(file_name(request->texts[i]), text.name) == 0)
            text.name = path;
    if (!file_load(path, TEXT_SIZE_MAX, &bytes, &size, fault))
        return false;
    sha256_init(&hash);
    sha256_add(&hash, bytes, size);
    sha256_text(&hash, text.hash);
    bool done = check_words(report, bytes, size, fault) &&
                lichen_tokenize(words_of(report), bytes, size, true, false, &text.ids, fault);
    free(bytes);
    if (done && !loss_windows_make(request->protocol, text.ids.ids, text.ids.count, request->ctx,
                                   request->chunks_max, bos, &text.windows, fault)) {
        fault_context(fault, "%s", path);
        done = false;
    }
    done = done && run_windows(report, &text, number == 0, fault);
    text_free(&text);
    return done;
}

/* The tokens that stand in the file of logits. */
static bool run_logits_file(struct report *report, int32_t bos, struct fault *fault)
{
    struct loss_logits_reader *file = report->streams.items[0].file;
    struct text text = {.name = file_name(report->request->base_logits)};
    size_t count;
    const int32_t *ids = loss_logits_ids(file, &count);
    struct loss_windows *windows = &text.windows;
    uint32_t chunks_max = report->request->chunks_max, ctx = loss_logits_ctx(file);
    *windows = (struct loss_windows){.ids = ids,
                                     .count = count,
                                     .ctx = ctx,
                                     .chunks = (uint32_t)(count / ctx),
                                     .first = ctx / 2,
                                     .scored = ctx - 1 - ctx / 2,
                                     .bos = bos};
    if (chunks_max && windows->chunks > chunks_max)
        windows->chunks = chunks_max;
    text.ids.count = count;
    snprintf(text.hash, sizeof text.hash, "%s", loss_string(report->base, "sha256"));
    bool done = run_windows(report, &text, false, fault);
    double excess = loss_logits_excess(file);
    if (done && (excess > 0.001 || excess < -0.001))
        json_object_set_new(report->base, "probability_excess", loss_json_real(excess));
    loss_series_free(&text.series);
    return done;
}

static bool run_texts(struct report *report, struct fault *fault)
{
    const struct loss_request *request = report->request;
    int32_t bos;
    uint32_t ctx =
        request->base_logits ? loss_logits_ctx(report->streams.items[0].file) : request->ctx;
    json_object_set_new(report->root, "ctx", json_integer(ctx));
    if (!check_ctx(report, ctx, fault) || !find_bos(report, &bos, fault) ||
        !loss_streams_open(&report->streams, ctx, fault))
        return false;
    if (request->base_logits)
        return run_logits_file(report, bos, fault);
    for (size_t i = 0; i < request->text_count; i++)
        if (!run_text(report, i, bos, fault))
            return false;
    return true;
}

/* ---- all ---- */

static void finish(struct report *report, bool complete)
{
    char advice[1024];
    json_object_set_new(report->root, "complete", json_boolean(complete));
    loss_advice(report->root, advice, sizeof advice);
    json_object_set_new(report->root, "advice", json_of_text(advice, strlen(advice)));
}

bool loss_report(const struct loss_request *request, json_t **out, struct fault *fault)
{
    struct report *report = calloc(1, sizeof *report);
    *out = NULL;
    if (!report)
        return no_memory(fault);
    assert(!request->base_logits || request->candidate_count > 0);
    report->request = request;
    uint32_t threads = request->threads ? request->threads : processor_count();
    bool done = parallel_create(threads, &report->parallel, fault) && open_streams(report, fault) &&
                begin_root(report, fault) && begin_floor(report, fault) && run_texts(report, fault);
    if (report->root && (done || json_array_size(report->texts))) {
        finish(report, done);
        *out = json_incref(report->root);
    }
    json_decref(report->root);
    loss_streams_close(&report->streams);
    parallel_destroy(report->parallel);
    free(report);
    return done;
}
