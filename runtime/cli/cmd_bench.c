/* cmd_bench.c: lichen bench: speed, by bench/bench_speed.c. */
#include "bench_chart.h"
#include "bench_peer.h"
#include "bench_report.h"
#include "command.h"
#include "interrupt.h"
#include "terminal.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

enum { COMPARE_MAX = 16 << 20 };

struct bench_command {
    struct common common;
    uint32_t prompt, tokens, repeats;
    struct option_counts depths;
    bool csv, no_start, kernels;
    const char *png, *compare, *peer_folder, *peer_program;
    json_t *old;
    struct result_file picture;
    struct host host;
    struct lichen_engine *engine;
    struct bench_peer *peer;
    struct bench_result result;
};

static void bench_options_add(struct bench_command *bench, struct option_set *set)
{
    const struct option_spec specs[] = {
        {"prompt", 'p', OPTION_COUNT, &bench->prompt, "N", "tokens of a prefill (512)", 0},
        {"tokens", 'n', OPTION_COUNT, &bench->tokens, "N", "tokens of a decode (128)", 0},
        {"depth", 'd', OPTION_COUNTS, &bench->depths, "N,N", "context before them (0,4096)", 0},
        {"repeat", 'r', OPTION_COUNT, &bench->repeats, "N", "runs of each (5)", 0},
        {"csv", 0, OPTION_FLAG, &bench->csv, NULL, "comma-separated values", 0},
        {"compare", 0, OPTION_TEXT, &bench->compare, "OLD.json",
         "beside the numbers of an older --json", 0},
        {"no-start", 0, OPTION_FLAG, &bench->no_start, NULL, "do not measure cold and warm start",
         0},
        {"peer", 0, OPTION_TEXT, &bench->peer_folder, "FOLDER",
         "beside llama.cpp's prebuilt library in FOLDER, in turn", 0},
        {"peer-program", 0, OPTION_TEXT, &bench->peer_program, "FILE",
         "lichen-peer, if it is not beside lichen", 0},
        {"png", 0, OPTION_TEXT, &bench->png, "FILE", "and a picture of the results", 0},
        {"kernels", 0, OPTION_FLAG, &bench->kernels, NULL,
         "where the time goes: each kernel, by timestamps", 0},
    };
    option_set_add(set, specs, sizeof specs / sizeof specs[0]);
    common_add_shape(&bench->common, set);
    common_add_session(&bench->common, set);
    common_add_model(&bench->common, set);
    common_add_output(&bench->common, set, true);
}

/* A peer reads a file, and a start is that of a file. */
static bool check_shape(struct bench_command *bench)
{
    return !bench->common.shape || !bench->peer_folder ||
           fault_set(&bench->common.fault, FAULT_ARGUMENT,
                     "--peer needs a model file: --shape has none that it could read");
}

static bool read_old(struct bench_command *bench)
{
    struct fault *fault = &bench->common.fault;
    json_error_t error;
    struct text text = {0};
    if (!bench->compare)
        return true;
    if (text_read_path(&text, bench->compare, COMPARE_MAX, fault)) {
        bench->old = json_loadb(text.bytes, text.size, 0, &error);
        if (!bench->old)
            fault_set(fault, FAULT_FORMAT, "%s: line %d: %s", bench->compare, error.line,
                      error.text);
        else if (!json_is_array(json_object_get(bench->old, "results")))
            fault_set(fault, FAULT_FORMAT, "%s: JSON, but not of lichen bench", bench->compare);
    }
    text_free(&text);
    return fault->kind == FAULT_NONE;
}

/* ---- start: this program once more, from nothing to its first token ---- */

static bool start_once(struct bench_command *bench, char *const *settings, double *time_s)
{
    struct fault *fault = &bench->common.fault;
    const char *device = bench->common.device ? bench->common.device : "";
    char *arguments[] = {"lichen",
                         "run",
                         "--raw",
                         "-p",
                         "Hello",
                         "-n",
                         "1",
                         "--quiet",
                         "--model",
                         strdup(bench->common.path),
                         device[0] ? "--device" : NULL,
                         strdup(device),
                         NULL};
    bool copied = arguments[9] && arguments[11];
    int status = 0;
    uint64_t begin = time_ns();
    bool ran = copied ? process_run(arguments, settings, &status, fault)
                      : fault_set(fault, FAULT_MEMORY, "out of memory");
    *time_s = (double)(time_ns() - begin) / 1e9;
    free(arguments[9]);
    free(arguments[11]);
    if (interrupt_seen())
        return fault_set(fault, FAULT_CANCELLED, "interrupted");
    return ran && (status == 0 || fault_set(fault, FAULT_FILE,
                                            "the start to be measured ended "
                                            "with status %d",
                                            status));
}

/* Cold: no cache of lichen's nor of the driver's (Mesa keeps its own below XDG_CACHE_HOME). The
 * file stays in the page cache. */
static bool measure_start(struct bench_command *bench)
{
    char folder[] = "/tmp/lichen-bench-XXXXXX", variable[64];
    bench->result.cold_s = bench->result.warm_s = -1;
    if (bench->no_start || bench->common.shape)
        return true;
    if (!folder_temporary(folder, &bench->common.fault))
        return false;
    snprintf(variable, sizeof variable, "XDG_CACHE_HOME=%s", folder);
    char *settings[] = {variable, NULL};
    output_detail(&bench->common.output, "measuring the start, cold and warm");
    bool done = start_once(bench, settings, &bench->result.cold_s) &&
                start_once(bench, settings, &bench->result.warm_s);
    folder_remove(folder);
    return done;
}

/* ---- speed ---- */

static bool open_peer(struct bench_command *bench)
{
    char program[PATH_SIZE];
    if (!bench->peer_folder)
        return true;
    if (!bench->peer_program && !program_beside("lichen-peer", program, sizeof program))
        return fault_set(&bench->common.fault, FAULT_FILE,
                         "lichen-peer is not beside lichen; "
                         "--peer-program names it");
    uint32_t longest = bench->prompt > bench->tokens ? bench->prompt : bench->tokens;
    output_note(&bench->common.output, "starting the peer (its first start takes minutes)");
    return bench_peer_open(bench->peer_program ? bench->peer_program : program, bench->peer_folder,
                           bench->common.path, longest + 64, &bench->peer, &bench->common.fault);
}

static bool measure_speed(struct bench_command *bench)
{
    const struct bench_options options = {
        .prompt = bench->prompt,
        .tokens = bench->tokens,
        .repeats = bench->repeats,
        .depths = bench->depths.items,
        .depth_count = bench->depths.count,
        .peer = bench->peer,
        .kernels = bench->kernels,
        .progress = output_progress,
        .context = &bench->common.output,
    };
    struct lichen_session_options session;
    common_session_options(&bench->common, &session);
    bench->common.output.activity = "measuring";
    bool done = bench_speed(bench->engine, &session, &options, interrupt_watch, &bench->result,
                            &bench->common.fault);
    output_progress_end(&bench->common.output);
    return done;
}

/* The bar for GB/s. Software devices and the C executor live in host memory; of others the API
 * does not tell. */
static bool measure_memory(struct bench_command *bench)
{
    if (!lichen_device_is_processor(lichen_engine_device(bench->engine)))
        return true;
    if (!bench_memory(bench->common.threads, &bench->result.bandwidth, &bench->common.fault))
        return false;
    for (size_t i = 0; i < bench->result.count; i++)
        bench->result.rows[i].share =
            bench->result.rows[i].gb_per_s * 1e9 / bench->result.bandwidth;
    return true;
}

/* ---- report ---- */

static json_t *json_of_machine(const struct host *host)
{
    return json_pack("{s:s, s:s, s:i, s:I, s:[f, f, f], s:s}", "system", host->system, "processor",
                     host->processor, "processors", (int)host->processors, "memory",
                     (json_int_t)host->memory, "load", host->load[0], host->load[1], host->load[2],
                     "lichen", lichen_version());
}

static void print_head(const struct bench_command *bench)
{
    const struct lichen_device *device = lichen_engine_device(bench->engine);
    const struct host *host = &bench->host;
    struct lichen_model_info info;
    lichen_model_info(bench->engine, &info);
    printf("model    %s%s: %.0f M parameters, %.2f bits each\n", bench->common.path,
           bench->common.shape ? ", made-up weights" : "", (double)info.parameters / 1e6,
           info.bits_per_weight);
    printf("device   %s (%s), %s\n", device->name, device->type, device->driver);
    printf("machine  %s, %u processors, %s, load %.2f %.2f %.2f at the start\n", host->processor,
           (unsigned)host->processors, host->system, host->load[0], host->load[1], host->load[2]);
    printf("lichen   %s, median of %u runs\n\n", lichen_version(), (unsigned)bench->repeats);
}

/* No one shall take made-up weights for a model. */
static json_t *json_of_measured(const struct bench_command *bench)
{
    json_t *model = json_of_model(bench->engine);
    if (model && bench->common.shape)
        json_object_set_new(model, "made_up", json_true());
    return model;
}

static bool report(struct bench_command *bench)
{
    if (bench->common.output.json)
        return output_json(bench_json(&bench->result, json_of_measured(bench),
                                      json_of_device(lichen_engine_device(bench->engine)),
                                      json_of_machine(&bench->host)),
                           &bench->common.fault);
    if (bench->csv) {
        bench_csv(&bench->result, stdout);
        return true;
    }
    print_head(bench);
    bench_table(&bench->result, bench->old, stdout);
    return true;
}

static void chart_head(const struct bench_command *bench, struct bench_chart_head *head)
{
    const struct lichen_device *device = lichen_engine_device(bench->engine);
    struct lichen_model_info info;
    const char *slash = strrchr(bench->common.path, '/');
    lichen_model_info(bench->engine, &info);
    snprintf(head->title, sizeof head->title, "%.250s", slash ? slash + 1 : bench->common.path);
    snprintf(head->device, sizeof head->device,
             "%s%.0f M parameters, %.2f bits each, on %.80s, %.80s",
             bench->common.shape ? "made-up weights, " : "", (double)info.parameters / 1e6,
             info.bits_per_weight, device->name, device->driver);
    snprintf(
        head->foot, sizeof head->foot,
        "lichen %s, median of %u runs, whiskers 10th to 90th percentile; %.80s, %u processors, "
        "load %.1f",
        lichen_version(), (unsigned)bench->repeats, bench->host.processor,
        (unsigned)bench->host.processors, bench->host.load[0]);
}

/* Before anything is measured: a picture that cannot be written is refused at once. */
static bool open_picture(struct bench_command *bench)
{
    return !bench->png || result_open(&bench->picture, bench->png, 0666, &bench->common.fault);
}

static bool draw(struct bench_command *bench)
{
    struct fault *fault = &bench->common.fault;
    struct bench_chart_head head;
    struct canvas *canvas;
    void *bytes = NULL;
    size_t size = 0;
    if (!bench->png)
        return true;
    chart_head(bench, &head);
    if (!bench_chart_draw(&bench->result, &head, &canvas, fault))
        return false;
    bool done = canvas_png(canvas, &bytes, &size, fault) &&
                result_write(&bench->picture, bytes, size, fault) &&
                result_commit(&bench->picture, fault);
    free(bytes);
    canvas_destroy(canvas);
    return done;
}

static int bench_main(const struct command *command, int argc, char **argv)
{
    struct bench_command *bench = calloc(1, sizeof *bench);
    struct option_set set = {.count = 0};
    int status;
    if (!bench)
        return STATUS_FAILED;
    common_init(&bench->common);
    bench->prompt = 512;
    bench->tokens = 128;
    bench->repeats = 5;
    bench->depths = (struct option_counts){{0, 4096}, 2};
    bench_options_add(bench, &set);
    if (!command_begin_model(command, &bench->common, &set, argc, argv, &status)) {
        free(bench);
        return status;
    }
    host_describe(&bench->host);
    bool done = check_shape(bench) && read_old(bench) && open_picture(bench) &&
                common_open(&bench->common, false, &bench->engine, NULL) && measure_start(bench) &&
                open_peer(bench) && measure_speed(bench) && measure_memory(bench) &&
                report(bench) && draw(bench);
    status = output_end(done, &bench->common.fault);
    result_abort(&bench->picture); /* nothing is left of it once it is committed */
    bench_result_free(&bench->result);
    bench_peer_close(bench->peer);
    lichen_engine_close(bench->engine);
    json_decref(bench->old);
    free(bench);
    return status;
}

#define X(NAME, ...) " " NAME
static const char details[] =
    "Prefill of -p tokens and decode of -n tokens behind -d tokens of context, -r times each:\n"
    "median, 10th and 90th percentile, memory read, and how the program starts.\n\n"
    "--shape measures a model of which there is no file: its published figures, made-up weights.\n"
    "Shapes:"
#include "shape.def"
    "\nTypes:"
#include "shape_type.def"
    "\nThe mixes (q4_k_m and so on) follow llama.cpp's rule of that name, simplified: without its\n"
    "exceptions for models of 70B and for experts.";
#undef X

const struct command command_bench = {"bench", "[MODEL]", "how fast a model runs on a device",
                                      details, bench_main};
