/* cmd_calibrate.c: lichen calibrate: runs texts through a model and keeps what its linear layers
 * were given, for `lichen convert --imatrix`. */
#include "calibrate.h"
#include "platform.h"
#include "terminal.h"
#include <stdlib.h>
#include <string.h>

enum { CTX_DEFAULT = 512, DEV_CHUNKS_DEFAULT = 4 };

static void calibrate_options(struct calibrate *calibrate, struct option_set *set)
{
    struct common *common = &calibrate->common;
    const struct option_spec specs[] = {
        {"text", 'f', OPTION_TEXTS, &calibrate->texts, "FILE",
         "UTF-8 text like what the model is to read; several are taken in turn", 0},
        {"output", 'o', OPTION_TEXT, &calibrate->path, "FILE.gguf", "the calibration", 0},
        {"chunks", 0, OPTION_COUNT, &calibrate->chunks, "N",
         "windows of text (0 = all but those for --sensitivity)", 0},
        {"ctx", 'c', OPTION_COUNT, &calibrate->ctx, "N", "tokens a window", 0},
        {"hessian", 0, OPTION_FLAG, &calibrate->hessian, NULL,
         "also full second moments, for `lichen convert --refine`; a large file", 0},
        {"hessian-memory", 0, OPTION_TEXT, &calibrate->memory_option, "SIZE",
         "memory for them; less = the text is run more often (2G)", 0},
        {"sensitivity", 0, OPTION_FLAG, &calibrate->measure, NULL,
         "also what each kind of weight costs, for `lichen convert --fit`", 0},
        {"dev-text", 0, OPTION_TEXTS, &calibrate->dev_texts, "FILE",
         "text to measure that on, instead of the last windows of --text", 0},
        {"dev-chunks", 0, OPTION_COUNT, &calibrate->dev_chunks, "N", "windows of it", 0},
        {"model", 'm', OPTION_TEXT, &common->model, "MODEL", "instead of the operand MODEL", 0},
        {"device", 0, OPTION_TEXT, &common->device, "cpu", "the C executor alone looks inside", 0},
        {"threads", 0, OPTION_COUNT, &common->threads, "N", "processors used (0 = all)", 0},
    };
    option_set_add(set, specs, sizeof specs / sizeof specs[0]);
    common_add_output(common, set, false);
}

static bool options_check(struct calibrate *calibrate)
{
    struct fault *fault = &calibrate->common.fault;
    if (calibrate->texts.count == 0 || !calibrate->path)
        return fault_set(fault, FAULT_ARGUMENT, "calibrate: --text and --output are needed");
    if (!path_check_output(calibrate->path, fault))
        return false;
    if (calibrate->ctx < 2)
        return fault_set(fault, FAULT_ARGUMENT, "calibrate: --ctx: expected at least 2, found %u",
                         calibrate->ctx);
    if (calibrate->measure && calibrate->dev_chunks == 0)
        return fault_set(fault, FAULT_ARGUMENT, "calibrate: --dev-chunks: expected at least 1");
    if (strcmp(calibrate->common.device, "cpu") != 0)
        return fault_set(fault, FAULT_ARGUMENT,
                         "calibrate: --device %s: only cpu can look at the inputs of layers",
                         calibrate->common.device);
    if (calibrate->memory_option &&
        (!parse_size(calibrate->memory_option, UINT64_MAX, &calibrate->memory) ||
         calibrate->memory == 0))
        return fault_set(fault, FAULT_ARGUMENT,
                         "calibrate: --hessian-memory: expected a size like 512M, found %s",
                         calibrate->memory_option);
    return true;
}

static bool texts_read(struct calibrate *calibrate)
{
    bool own = calibrate->dev_texts.count > 0;
    const struct option_texts *dev = own ? &calibrate->dev_texts : &calibrate->texts;
    uint32_t keep = calibrate->measure && !own ? calibrate->dev_chunks : 0;
    if (!windows_read(calibrate, &calibrate->texts, 0, calibrate->chunks, keep,
                      &calibrate->windows))
        return false;
    return !calibrate->measure || windows_read(calibrate, dev, own ? 0 : calibrate->windows.count,
                                               calibrate->dev_chunks, 0, &calibrate->dev_windows);
}

static bool session_open(struct calibrate *calibrate)
{
    struct lichen_session_options options;
    lichen_session_defaults(&options);
    options.context = options.batch = calibrate->ctx;
    options.outputs = calibrate->measure ? calibrate->ctx / 2 : 1;
    options.kv = LICHEN_KV_F32;
    return common_session_open(&calibrate->common, calibrate->engine, &options,
                               &calibrate->session);
}

static bool collector_open(struct calibrate *calibrate)
{
    struct fault *fault = &calibrate->common.fault;
    uint32_t count = calibrate->weight_count = lichen_linear_count(calibrate->engine);
    calibrate->weights = calloc((size_t)count + 1, sizeof *calibrate->weights);
    if (!calibrate->weights)
        return fault_set(fault, FAULT_MEMORY, "no memory for a table of %u weights", count);
    for (uint32_t i = 0; i < count; i++) {
        struct lichen_linear linear;
        lichen_linear(calibrate->engine, i, &linear);
        calibrate->weights[i] =
            (struct collector_weight){linear.weight, linear.columns, linear.source};
    }
    const struct collector_options options = {
        .weights = calibrate->weights,
        .weight_count = count,
        .texts = calibrate->texts.items,
        .text_count = (uint32_t)calibrate->texts.count,
        .chunk_count = calibrate->windows.count,
        .chunk_size = calibrate->ctx,
        .hessian = calibrate->hessian,
        .memory = calibrate->memory,
        .threads = calibrate->common.threads,
    };
    return collector_create(&options, &calibrate->collector, fault);
}

static bool watch(void *context, uint32_t index, const float *inputs, uint32_t tokens)
{
    struct calibrate *calibrate = context;
    if (!collector_add(calibrate->collector, index, inputs, tokens, &calibrate->watch_fault))
        return false;
    calibrate->enough = !collector_wants(calibrate->collector, index + 1);
    return !calibrate->enough;
}

static bool run_window(struct calibrate *calibrate, uint32_t window)
{
    const struct windows *windows = &calibrate->windows;
    struct fault fault = {0};
    calibrate->enough = false;
    lichen_rewind(calibrate->session, 0);
    if (lichen_feed(calibrate->session, windows->ids + (size_t)window * windows->size,
                    windows->size, &fault) ||
        calibrate->enough)
        return true;
    const struct fault *cause = calibrate->watch_fault.kind ? &calibrate->watch_fault : &fault;
    return fault_set(&calibrate->common.fault, cause->kind, "%s", cause->text);
}

static bool run_pass(struct calibrate *calibrate, uint32_t pass, uint32_t passes)
{
    struct fault *fault = &calibrate->common.fault;
    struct output *output = &calibrate->common.output;
    uint64_t count = calibrate->windows.count;
    output->activity = "reading";
    if (!collector_pass_begin(calibrate->collector, pass, fault) ||
        !lichen_session_watch(calibrate->session, watch, calibrate, fault))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!output_progress(output, pass * count + i, passes * count))
            return fault_set(fault, FAULT_CANCELLED, "interrupted");
        if (!run_window(calibrate, i))
            return false;
    }
    return lichen_session_watch(calibrate->session, NULL, NULL, fault);
}

static bool run_passes(struct calibrate *calibrate)
{
    struct fault *fault = &calibrate->common.fault;
    uint32_t passes = collector_passes(calibrate->collector);
    for (uint32_t pass = 0; pass < passes; pass++) {
        bool sensitivity = pass == 0 && calibrate->measure;
        if (!run_pass(calibrate, pass, passes) ||
            (sensitivity && !calibrate_sensitivity(calibrate)) ||
            !collector_pass_end(calibrate->collector, calibrate->path, fault))
            return false;
    }
    return collector_finish(calibrate->collector, fault);
}

static void report(const struct calibrate *calibrate, uint64_t elapsed_ns)
{
    uint64_t tokens = (uint64_t)calibrate->windows.count * calibrate->ctx;
    output_note(&calibrate->common.output,
                "%s: %u windows of %u tokens through %u linear layers in %.1f s", calibrate->path,
                calibrate->windows.count, calibrate->ctx, calibrate->weight_count,
                (double)elapsed_ns / 1e9);
    output_detail(&calibrate->common.output, "%.0f tokens/s, %u passes over the text",
                  (double)tokens * 1e9 / (double)elapsed_ns,
                  collector_passes(calibrate->collector));
}

static void calibrate_free(struct calibrate *calibrate)
{
    collector_destroy(calibrate->collector);
    common_session_close(calibrate->session);
    lichen_engine_close(calibrate->engine);
    windows_free(&calibrate->windows);
    windows_free(&calibrate->dev_windows);
    free(calibrate->weights);
    free(calibrate->sensitive);
    free(calibrate->sensitivity);
}

static int calibrate_main(const struct command *command, int argc, char **argv)
{
    struct calibrate calibrate = {.ctx = CTX_DEFAULT, .dev_chunks = DEV_CHUNKS_DEFAULT};
    struct option_set set = {.count = 0};
    int status;
    common_init(&calibrate.common);
    calibrate.common.device = "cpu";
    calibrate_options(&calibrate, &set);
    if (!command_begin_model(command, &calibrate.common, &set, argc, argv, &status))
        return status;
    uint64_t start = time_ns();
    bool done = options_check(&calibrate) &&
                common_open(&calibrate.common, false, &calibrate.engine, NULL) &&
                texts_read(&calibrate) && session_open(&calibrate) && collector_open(&calibrate) &&
                run_passes(&calibrate);
    output_progress_end(&calibrate.common.output);
    if (done)
        report(&calibrate, time_ns() - start);
    status = output_end(done, &calibrate.common.fault);
    calibrate_free(&calibrate);
    return status;
}

const struct command command_calibrate = {
    "calibrate", "[MODEL] --text FILE... -o FILE.gguf", "activation statistics for the converter",
    "Runs text through the model and writes, for every linear layer, the mean square of each\n"
    "column of its input: an imatrix, which llama.cpp reads, too. Calibrate on text like what\n"
    "the model will read, in all its languages; never on the text of a later test.\n"
    "The best MODEL for it is the F16 or BF16 file that is to be quantized.",
    calibrate_main};
