/* loss_report.c: from files and texts to the report. */
#include "calibration.h"
#include "json_text.h"
#include "loss_json.h"
#include "loss_report_private.h"
#include "loss_tensors.h"
#include "loss_views.h"
#include "platform.h"
#include "sha256.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FLOOR_BATCH = 8, LONG = 2000, LONG_SOFTWARE = 200 };

bool report_no_memory(struct fault *fault)
{
    return fault_set(fault, FAULT_MEMORY, "out of memory for the report");
}

const char *report_file_name(const char *path)
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
    request->activity(request->context, "loading", report_file_name(base));
    if (!(request->base_logits ? loss_streams_add_file(streams, base, fault)
                               : loss_streams_add(streams, &request->base, fault)))
        return false;
    if (request->base_logits) { /* labels name what differs from this */
        streams->items[0].variant.activations = LICHEN_ACTIVATIONS_FLOAT;
        streams->items[0].variant.kv = LICHEN_KV_F16;
        streams->items[0].variant.device = request->candidates[0].device;
    }
    for (size_t i = 0; i < request->candidate_count; i++) {
        request->activity(request->context, "loading",
                          report_file_name(request->candidates[i].path));
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
struct lichen_engine *report_words(const struct report *report)
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

/* Before the long work of hashing: what cannot run is told at once. */
static bool open_sessions(struct report *report, struct fault *fault)
{
    const struct loss_request *request = report->request;
    report->ctx =
        request->base_logits ? loss_logits_ctx(report->streams.items[0].file) : request->ctx;
    if (request->text_count == 0 && !request->base_logits)
        return true; /* weights alone */
    return check_ctx(report, report->ctx, fault) &&
           loss_streams_open(&report->streams, report->ctx, fault);
}

/* ---- the report's parts ---- */

bool report_append(json_t *array, json_t *value, struct fault *fault)
{
    return json_array_append_new(array, value) == 0 || report_no_memory(fault);
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
    report->request->activity(report->request->context, "hashing", report_file_name(path));
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
            return report_no_memory(fault);
        if (i == 0 && json_object_set(report->root, "base", stream) == 0)
            report->base = stream;
        else if (i > 0 && json_array_append(report->candidates, stream) != 0)
            return report_no_memory(fault);
        json_decref(stream);
    }
    return report->base || report_no_memory(fault);
}

static bool begin_root(struct report *report, struct fault *fault)
{
    const struct loss_request *request = report->request;
    report->candidates = json_array();
    report->texts = json_array();
    report->pairs = json_array();
    report->root = json_pack(
        "{s:i, s:o, s:s, s:s, s:I, s:f, s:I, s:o, s:o, s:o}", "schema", 1, "command",
        json_of_text(request->command, strlen(request->command)), "version", lichen_version(),
        "protocol", loss_protocol_name(request->protocol), "ctx", (json_int_t)report->ctx, "level",
        request->level, "seed", (json_int_t)request->seed, "texts", report->texts, "candidates",
        report->candidates, "pairs", report->pairs);
    if (!report->root ||
        (request->protocol == LOSS_STRIDED &&
         json_object_set_new(report->root, "stride", json_integer(request->stride)) != 0))
        return report_no_memory(fault);
    const struct lichen_engine *engine = report_words(report);
    return (json_object_set_new(report->root, "device",
                                loss_json_device(lichen_engine_device(engine))) == 0 &&
            describe_streams(report, fault)) ||
           report_no_memory(fault);
}

static bool begin_floor(struct report *report, struct fault *fault)
{
    if (report->candidates_end == report->streams.count)
        return true;
    report->floor = json_pack("{s:s, s:[]}", "how", "in runs of 8 tokens", "results");
    return (report->floor && json_object_set_new(report->root, "floor", report->floor) == 0) ||
           report_no_memory(fault);
}

/* ---- what needs no text, and the long answer ---- */

/* Does an earlier stream, the base's among them, have the same file? */
static bool is_again(const struct report *report, size_t stream)
{
    for (size_t i = 0; i < stream; i++)
        if (strcmp(report->streams.items[stream].variant.path,
                   report->streams.items[i].variant.path) == 0)
            return true;
    return false;
}

static bool compare_weights(struct report *report, const struct calibration *calibration,
                            struct fault *fault)
{
    const struct loss_request *request = report->request;
    const struct loss_tensors_options options = {
        .calibration = calibration,
        .parallel = report->parallel,
        .progress = request->engine_options.progress,
        .context = request->engine_options.progress_context,
    };
    const char *paths[LOSS_STREAM_MAX];
    json_t *owners[LOSS_STREAM_MAX], *tensors[LOSS_STREAM_MAX];
    size_t count = 0;
    for (size_t i = 1; i < report->candidates_end; i++)
        if (!is_again(report, i)) {
            owners[count] = json_array_get(report->candidates, i - 1);
            paths[count++] = report->streams.items[i].variant.path;
        }
    if (!count)
        return true;
    request->activity(request->context, "comparing", "weights");
    if (!loss_tensors(request->base.path, paths, count, &options, tensors, fault))
        return false;
    bool done = true;
    for (size_t i = 0; i < count; i++) /* takes every reference */
        done = json_object_set_new(owners[i], "tensors", tensors[i]) == 0 && done;
    return done || report_no_memory(fault);
}

static bool run_tensors(struct report *report, struct fault *fault)
{
    const struct loss_request *request = report->request;
    struct calibration *calibration = NULL;
    if (!request->tensors || request->base_logits)
        return true;
    bool done =
        (!request->calibration || calibration_open(request->calibration, &calibration, fault)) &&
        compare_weights(report, calibration, fault);
    calibration_close(calibration);
    return done;
}

static bool run_long(struct report *report, struct fault *fault)
{
    const struct loss_request *request = report->request;
    const struct loss_run_options run = {
        .parallel = report->parallel, .progress = request->progress, .context = request->context};
    bool slow = lichen_device_is_processor(lichen_engine_device(report_words(report)));
    const struct loss_endurance_options options = {
        .prompt = report->prompt,
        .prompt_count = report->prompt_count,
        .tokens = request->stability_tokens != LOSS_STABILITY_AUTO ? request->stability_tokens
                  : slow                                           ? LONG_SOFTWARE
                                                                   : LONG,
        .streams = report->candidates_end,
        .run = &run};
    if (!options.tokens || !options.prompt_count)
        return true;
    request->activity(request->context, "writing", "a long answer");
    return loss_endurance(&report->streams, &options, report->base, report->candidates, fault);
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
        return report_no_memory(fault);
    assert(!request->base_logits || request->candidate_count > 0);
    report->request = request;
    uint32_t threads = request->threads ? request->threads : processor_count();
    bool done = parallel_create(threads, &report->parallel, fault) && open_streams(report, fault) &&
                open_sessions(report, fault) && begin_root(report, fault) &&
                begin_floor(report, fault) && run_tensors(report, fault) &&
                report_run_texts(report, fault) && run_long(report, fault);
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
