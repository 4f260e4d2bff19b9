/* loss_report_text.c: texts to windows to figures to the report. */
#include "json_text.h"
#include "loss_json.h"
#include "loss_report_private.h"
#include "loss_views.h"
#include "platform.h"
#include "sha256.h"
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE_MAX = 1 << 30, PROBE_SIZE = 2000 };

/* Every file must cut the text into the same tokens. */
static bool check_words(const struct report *report, const char *text, size_t size,
                        struct fault *fault)
{
    struct lichen_ids first = {0}, other = {0};
    size = size < PROBE_SIZE ? size : PROBE_SIZE;
    bool same = lichen_tokenize(report_words(report), text, size, true, false, &first, fault);
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
    bool done = lichen_tokenize(report_words(report), "a", 1, true, false, &with, fault) &&
                lichen_tokenize(report_words(report), "a", 1, false, false, &without, fault);
    *bos = -1;
    if (done && with.count > without.count && with.ids[0] != without.ids[0])
        *bos = with.ids[0];
    lichen_free(with.ids);
    lichen_free(without.ids);
    return done;
}

/* ---- what a text says ---- */

static json_t *results_of(json_t *stream)
{
    return json_object_get(stream, "results");
}

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
    if (klds) {
        memcpy(klds, figures.kld_chunks, chunks * sizeof *klds);
        loss_windows_weigh(&series->windows, chunks, klds);
    }
    json_t *result =
        stream ? loss_json_result(text->name, &figures, series, stream, report_words(report))
               : loss_json_base_result(text->name, &figures);
    loss_figures_free(&figures);
    return report_append(results, result, fault);
}

/* Every pair of candidates; klds: [candidates, chunks], weighed. */
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
            if (!report_append(report->pairs, loss_json_pair(a, b, text->name, &pair), fault))
                return false;
        }
    return true;
}

/* The first count means of windows of a text's newest result. */
static void newest_klds(const json_t *results, size_t count, double *klds)
{
    const json_t *result = json_array_get(results, json_array_size(results) - 1);
    const json_t *array = json_object_get(result, "kld_chunks");
    for (size_t i = 0; i < count; i++)
        klds[i] = loss_number(json_array_get(array, i), NULL);
}

/* Says of every candidate whether its KLD is that of the base against itself, on the windows that
 * the floor has. */
static bool mark_floor(struct report *report, struct fault *fault)
{
    const json_t *floors = results_of(report->floor);
    const json_t *floor = json_array_get(floors, json_array_size(floors) - 1);
    size_t count = json_array_size(json_object_get(floor, "kld_chunks"));
    double *memory = calloc(3 * count + 1, sizeof *memory);
    if (!memory)
        return report_no_memory(fault);
    newest_klds(floors, count, memory);
    for (size_t i = 1; i < report->candidates_end; i++) {
        json_t *results = results_of(json_array_get(report->candidates, i - 1));
        newest_klds(results, count, memory + count);
        bool at = loss_at_floor(memory + count, memory, count, report->request->level,
                                report->request->seed, memory + 2 * count);
        json_object_set_new(json_array_get(results, json_array_size(results) - 1), "at_floor",
                            json_boolean(at));
    }
    free(memory);
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
    return !report->floor || (add_figures(report, text, report->candidates_end,
                                          results_of(report->floor), NULL, fault) &&
                              mark_floor(report, fault));
}

/* What the chunks done say. */
static bool add_text(struct report *report, const struct text *text, struct fault *fault)
{
    uint32_t chunks = text->series.chunks;
    json_t *about = json_pack("{s:o, s:s, s:I, s:I, s:I}", "name",
                              json_of_text(text->name, strlen(text->name)), "sha256", text->hash,
                              "chunks", (json_int_t)chunks, "tokens", (json_int_t)text->ids.count,
                              "scored", (json_int_t)loss_windows_scored(&text->windows, chunks));
    double *klds = calloc(report->candidates_end * (size_t)chunks, sizeof *klds);
    double *scratch = calloc(chunks, sizeof *scratch);
    bool done = (klds && scratch) || report_no_memory(fault);
    done = report_append(report->texts, about, fault) && done &&
           add_streams(report, text, klds, fault) && add_pairs(report, text, klds, scratch, fault);
    free(klds);
    free(scratch);
    return done;
}

static void keep_prompt(struct report *report, const struct loss_windows *windows)
{
    if (report->prompt_count)
        return;
    report->prompt_count = windows->count < LOSS_PROMPT ? (uint32_t)windows->count : LOSS_PROMPT;
    memcpy(report->prompt, windows->ids, report->prompt_count * sizeof *report->prompt);
    if (windows->bos >= 0)
        report->prompt[0] = windows->bos;
}

/* What the matrix products really used: a device without packed dots answers in floats. */
static void note_activations(struct report *report)
{
    for (size_t i = 0; i < report->candidates_end; i++) {
        struct lichen_stats stats;
        if (!report->streams.items[i].session)
            continue;
        lichen_stats(report->streams.items[i].session, &stats);
        json_object_set_new(i ? json_array_get(report->candidates, i - 1) : report->base,
                            "activations_used",
                            json_string(stats.activations ? stats.activations : ""));
    }
}

static bool run_windows(struct report *report, struct text *text, bool first, struct fault *fault)
{
    const struct loss_request *request = report->request;
    keep_prompt(report, &text->windows);
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
    note_activations(report);
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
    struct text text = {.name = report_file_name(path)};
    struct sha256 hash;
    char *bytes = NULL;
    size_t size = 0;
    for (size_t i = 0; i < number; i++) /* two files of one name: their paths tell them apart */
        if (strcmp(report_file_name(request->texts[i]), text.name) == 0)
            text.name = path;
    if (!file_load(path, TEXT_SIZE_MAX, &bytes, &size, fault))
        return false;
    sha256_init(&hash);
    sha256_add(&hash, bytes, size);
    sha256_text(&hash, text.hash);
    bool done = check_words(report, bytes, size, fault) &&
                lichen_tokenize(report_words(report), bytes, size, true, false, &text.ids, fault);
    free(bytes);
    if (done &&
        !loss_windows_make(request->protocol, text.ids.ids, text.ids.count, request->ctx,
                           request->stride, request->chunks_max, bos, &text.windows, fault)) {
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
    struct text text = {.name = report_file_name(report->request->base_logits)};
    size_t count;
    const int32_t *ids = loss_logits_ids(file, &count);
    struct loss_windows *windows = &text.windows;
    uint32_t chunks_max = report->request->chunks_max, ctx = loss_logits_ctx(file);
    *windows = (struct loss_windows){.ids = ids,
                                     .count = count,
                                     .ctx = ctx,
                                     .stride = ctx,
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

bool report_run_texts(struct report *report, struct fault *fault)
{
    const struct loss_request *request = report->request;
    int32_t bos;
    if (!find_bos(report, &bos, fault))
        return false;
    if (request->base_logits)
        return run_logits_file(report, bos, fault);
    for (size_t i = 0; i < request->text_count; i++)
        if (!run_text(report, i, bos, fault))
            return false;
    return true;
}
