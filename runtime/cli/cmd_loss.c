/* cmd_loss.c: lichen loss: what quantization costs, by bench/loss_report.c. Here: the command line,
 * the progress bar, and where the report goes. */
#include "command.h"
#include "interrupt.h"
#include "loss_merge.h"
#include "loss_operands.h"
#include "loss_output.h"
#include "loss_report.h"
#include "loss_views.h"
#include "terminal.h"
#include "text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS_FAST = 20, CHUNKS_STANDARD = 100, FLOOR_CHUNKS = 2, STABILITY_FAST = 200 };

/* 2,000 draws leave one on each side of 99.9 %. */
static const float CI_LEAST = 50, CI_MOST = 99.9F;

struct loss_command {
    struct common common;
    struct option_texts texts;
    struct loss_output report;
    struct loss_choice choice;
    const char *base_logits, *save_logits, *calibration;
    bool fast, standard, no_floor, no_tensors, merge, kld_gate_given, top1_gate_given;
    float kld_gate, top1_gate;
    float ci; /* percent */
    uint32_t chunks, ctx, stride, protocol, stability;
    bool stability_given;
    uint64_t seed;
    struct loss_operands operands;
    char *line; /* the command as typed */
    uint64_t start_ns;
    char activity[256], about[64]; /* what is going on, and with what */
    json_t *json;                  /* the report */
};

static void loss_options(struct loss_command *loss, struct option_set *set)
{
    const struct option_spec specs[] = {
        {"text", 'f', OPTION_TEXTS, &loss->texts, "FILE", "text to measure on (repeatable)", 0},
        {"output", 'o', OPTION_TEXT, &loss->report.html, "FILE.html", "report as one HTML page", 0},
        {"json", 0, OPTION_TEXT, &loss->report.json, "FILE",
         "everything as JSON; - = standard output", 0},
        {"png", 0, OPTION_TEXT, &loss->report.png, "FILE", "the charts as a picture", 0},
        {"csv", 0, OPTION_TEXT, &loss->report.csv, "FILE", "one line a candidate and text", 0},
        {"markdown", 0, OPTION_TEXT, &loss->report.markdown, "FILE", "rows for a model card", 0},
        {"chunks", 0, OPTION_COUNT, &loss->chunks, "N", "windows of each text (0 = all)", 0},
        {"fast", 0, OPTION_FLAG, &loss->fast, NULL, "20 windows, short long-run test", 0},
        {"standard", 0, OPTION_FLAG, &loss->standard, NULL, "100 windows", 0},
        {"ctx", 'c', OPTION_COUNT, &loss->ctx, "N",
         "tokens of a window (512; hf 2048; strided 1024)", 0},
        {"protocol", 0, OPTION_CHOICE, &loss->protocol, "llama|hf|strided",
         "windows as llama-perplexity, the GPTQ papers or Hugging Face's guide", 0},
        {"stride", 0, OPTION_COUNT, &loss->stride, "N",
         "strided: tokens from window to window (half a window)", 0},
        {"kv", 0, OPTION_TEXT, &loss->choice.kv, "TYPE,..",
         "every candidate with these KV caches (f16)", 0},
        {"activations", 0, OPTION_TEXT, &loss->choice.activations, "KIND,..",
         "every candidate with these activations: float, 16, 8 (float)", 0},
        {"device", 0, OPTION_TEXT, &loss->choice.device, "DEVICE",
         "of base and candidates, unless a candidate names its own", 0},
        {"threads", 0, OPTION_COUNT, &loss->common.threads, "N", "processors used (0 = all)", 0},
        {"ci", 0, OPTION_REAL, &loss->ci, "PERCENT", "of the intervals and verdicts (95)", 0},
        {"seed", 's', OPTION_SEED, &loss->seed, "S", "of the intervals' draws (1)", 0},
        {"save-logits", 0, OPTION_TEXT, &loss->save_logits, "FILE",
         "keep the base's logits in llama-perplexity's format", 0},
        {"base-logits", 0, OPTION_TEXT, &loss->base_logits, "FILE",
         "such a file instead of BASE and --text", 0},
        {"fail-if-kld-above", 0, OPTION_REAL, &loss->kld_gate, "X",
         "exit status 1 when a mean KLD is larger", &loss->kld_gate_given},
        {"fail-if-top1-below", 0, OPTION_REAL, &loss->top1_gate, "P",
         "exit status 1 when top-1 is smaller, in %", &loss->top1_gate_given},
        {"merge", 0, OPTION_FLAG, &loss->merge, NULL,
         "the operands are JSON reports; show them as one", 0},
        {"stability", 0, OPTION_COUNT, &loss->stability, "N",
         "tokens of the long answer (2000; software device 200; 0 = none, nor speed)",
         &loss->stability_given},
        {"layers", 0, OPTION_FLAG, &loss->report.layers, NULL,
         "a line a matrix: the noise of its weights", 0},
        {"calibration", 0, OPTION_TEXT, &loss->calibration, "FILE",
         "of lichen calibrate: also the error of every layer's output", 0},
        {"no-tensors", 0, OPTION_FLAG, &loss->no_tensors, NULL, "do not compare weights", 0},
        {"no-floor", 0, OPTION_FLAG, &loss->no_floor, NULL, "do not run the base against itself",
         0},
        {"details", 0, OPTION_FLAG, &loss->report.details, NULL,
         "a block a candidate, as llama-perplexity", 0},
    };
    option_set_add(set, specs, sizeof specs / sizeof specs[0]);
    common_add_output(&loss->common, set, false);
}

/* ---- progress ---- */

static void activity(void *context, const char *what, const char *about)
{
    struct loss_command *loss = context;
    output_progress_end(&loss->common.output);
    snprintf(loss->activity, sizeof loss->activity, "%s %.60s", what, about);
    snprintf(loss->about, sizeof loss->about, "%s", about);
    loss->common.output.activity = loss->activity;
    loss->start_ns = time_ns();
    output_detail(&loss->common.output, "%s %s", what, about);
}

static const char *time_left(char text[32], double seconds)
{
    if (!isfinite(seconds))
        snprintf(text, 32, "? left");
    else if (seconds < 90)
        snprintf(text, 32, "%.0f s left", seconds);
    else if (seconds < 5400)
        snprintf(text, 32, "%.0f min left", seconds / 60);
    else
        snprintf(text, 32, "%.1f h left", seconds / 3600);
    return text;
}

/* "wiki.test.raw [####      ] 3/20, 2 min left, PPL 22.71, KLD 0.0123 0.0018", cut to the
 * terminal's width. */
static bool progress(void *context, const struct loss_progress *now)
{
    struct loss_command *loss = context;
    struct output *output = &loss->common.output;
    if (interrupt_seen())
        return false;
    uint64_t time = time_ns();
    if (output->quiet || !output->notes_terminal || time - output->progress_ns < 100000000)
        return true;
    output->progress_ns = time;
    char line[512], left[32];
    double share = (double)now->done / (double)now->total;
    double elapsed = (double)(time - loss->start_ns) / 1e9;
    int cells = (int)(10 * share);
    int used = snprintf(line, sizeof line, "%.24s [%.*s%*s] ", loss->about, cells, "##########",
                        10 - cells, "");
    if (now->chunks_total > 1)
        used += snprintf(line + used, sizeof line - (size_t)used, "%u/%u, ", (unsigned)now->chunks,
                         (unsigned)now->chunks_total);
    used += snprintf(line + used, sizeof line - (size_t)used, "%s",
                     time_left(left, share > 0 ? elapsed * (1 - share) / share : (double)NAN));
    if (isfinite(now->nll[0]))
        used += snprintf(line + used, sizeof line - (size_t)used, ", PPL %.4g%s", exp(now->nll[0]),
                         loss->operands.candidate_count ? ", KLD" : "");
    for (size_t i = 1; i <= loss->operands.candidate_count && isfinite(now->nll[0]); i++)
        if (used < (int)sizeof line - 16)
            used += snprintf(line + used, sizeof line - (size_t)used, " %.3g", now->kld[i]);
    int columns = (int)terminal_columns() - 1;
    fprintf(stderr, "\r%-*.*s", columns, columns, line);
    fflush(stderr);
    return true;
}

static bool check_options(struct loss_command *loss)
{
    static const uint32_t ctx_default[] = {
        [LOSS_LLAMA] = 512, [LOSS_HF] = 2048, [LOSS_STRIDED] = 1024};
    struct fault *fault = &loss->common.fault;
    if (!loss->base_logits && loss->texts.count == 0 && !loss->report.layers)
        return fault_set(fault, FAULT_ARGUMENT,
                         "loss: --text FILE is needed (--layers alone compares weights)");
    if (loss->base_logits && loss->texts.count)
        return fault_set(fault, FAULT_ARGUMENT,
                         "loss: --text: the file of --base-logits holds the text already");
    if (loss->save_logits && (loss->texts.count != 1 || loss->protocol != LOSS_LLAMA))
        return fault_set(fault, FAULT_ARGUMENT,
                         "loss: --save-logits takes one --text and --protocol llama");
    if (loss->ctx == 0)
        loss->ctx = ctx_default[loss->protocol];
    if (loss->stride && loss->protocol != LOSS_STRIDED)
        return fault_set(fault, FAULT_ARGUMENT, "loss: --stride needs --protocol strided");
    if (loss->stride == 0)
        loss->stride = loss->ctx / 2;
    if (!(loss->ci >= CI_LEAST && loss->ci <= CI_MOST))
        return fault_set(fault, FAULT_ARGUMENT, "loss: --ci: expected %g .. %g, found %g",
                         (double)CI_LEAST, (double)CI_MOST, (double)loss->ci);
    if (loss->fast && loss->chunks == 0)
        loss->chunks = CHUNKS_FAST;
    if (loss->standard && loss->chunks == 0)
        loss->chunks = CHUNKS_STANDARD;
    if (!loss->stability_given)
        loss->stability = loss->fast ? STABILITY_FAST : LOSS_STABILITY_AUTO;
    return true;
}

static bool run(struct loss_command *loss)
{
    char cache[PATH_SIZE];
    folder_of_cache(cache);
    struct loss_request request = {
        .command = loss->line,
        .base = loss->operands.base,
        .base_logits = loss->base_logits,
        .save_logits = loss->save_logits,
        .candidates = loss->operands.candidates,
        .candidate_count = loss->operands.candidate_count,
        .texts = loss->texts.items,
        .text_count = loss->texts.count,
        .protocol = (enum loss_protocol)loss->protocol,
        .ctx = loss->ctx,
        .stride = loss->stride,
        .chunks_max = loss->chunks,
        .threads = loss->common.threads,
        .level = round(1e4 * (double)loss->ci) / 1e6, /* 99.9f is not 99.9 */
        .seed = loss->seed,
        .floor_chunks = loss->no_floor ? 0 : FLOOR_CHUNKS,
        .stability_tokens = loss->stability,
        .tensors = !loss->no_tensors || loss->report.layers,
        .calibration = loss->calibration,
        .watch = interrupt_watch,
        .progress = progress,
        .activity = activity,
        .context = loss,
    };
    lichen_engine_defaults(&request.engine_options);
    request.engine_options.threads = loss->common.threads;
    request.engine_options.progress = output_progress;
    request.engine_options.progress_context = &loss->common.output;
    request.engine_options.cache_folder = cache[0] && folder_make(cache, NULL) ? cache : NULL;
    bool done = loss_report(&request, &loss->json, &loss->common.fault);
    output_progress_end(&loss->common.output);
    return done;
}

/* ---- reports of earlier runs ---- */

static bool read_report(const char *path, json_t **report, struct fault *fault)
{
    enum { REPORT_MAX = 256 << 20 };
    struct text text = {0};
    bool done = text_read_path(&text, path, REPORT_MAX, fault) &&
                loss_report_parse(text.bytes, text.size, path, report, fault);
    text_free(&text);
    return done;
}

static bool merge_reports(struct loss_command *loss, char **paths, int count)
{
    struct fault *fault = &loss->common.fault;
    if (count == 0)
        return fault_set(fault, FAULT_ARGUMENT, "loss: --merge: expected reports (--json)");
    if (!read_report(paths[0], &loss->json, fault))
        return false;
    for (int i = 1; i < count; i++) {
        json_t *other = NULL;
        bool done =
            read_report(paths[i], &other, fault) && loss_merge(loss->json, other, paths[i], fault);
        json_decref(other);
        if (!done)
            return false;
    }
    return true;
}

static bool measure(struct loss_command *loss, char **operands, int count)
{
    loss->choice.no_base = loss->base_logits != NULL;
    return check_options(loss) &&
           loss_operands_parse(&loss->operands, &loss->choice, operands, count,
                               &loss->common.fault) &&
           run(loss);
}

/* ---- gates for scripts ---- */

static bool check_gate(struct loss_command *loss, const json_t *candidate, const json_t *result)
{
    double kld = loss_number(result, "kld", "mean", NULL), top1 = loss_number(result, "top1", NULL);
    struct fault *fault = &loss->common.fault;
    if (loss->kld_gate_given && !(kld <= (double)loss->kld_gate))
        return fault_set(fault, FAULT_FORMAT, "%.100s on %.100s: mean KLD %.6g, at most %g allowed",
                         loss_string(candidate, "label"), loss_string(result, "text"), kld,
                         (double)loss->kld_gate);
    if (loss->top1_gate_given && !(100 * top1 >= (double)loss->top1_gate))
        return fault_set(fault, FAULT_FORMAT, "%.100s on %.100s: top-1 %.4g %%, at least %g needed",
                         loss_string(candidate, "label"), loss_string(result, "text"), 100 * top1,
                         (double)loss->top1_gate);
    return true;
}

static bool check_gates(struct loss_command *loss)
{
    const json_t *candidates = json_object_get(loss->json, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        const json_t *results = json_object_get(candidate, "results");
        for (size_t k = 0; k < json_array_size(results); k++)
            if (!check_gate(loss, candidate, json_array_get(results, k)))
                return false;
    }
    return true;
}

/* "lichen loss A B --text F": what reproduces the report. */
static char *join_command(int argc, char **argv)
{
    size_t size = strlen("lichen") + 1, used = 0;
    for (int i = 0; i < argc; i++)
        size += strlen(argv[i]) + 1;
    char *line = malloc(size);
    if (!line)
        return NULL;
    used += (size_t)snprintf(line, size, "lichen");
    for (int i = 0; i < argc; i++)
        used += (size_t)snprintf(line + used, size - used, " %s", argv[i]);
    return line;
}

static int loss_main(const struct command *command, int argc, char **argv)
{
    struct loss_command *loss = calloc(1, sizeof *loss);
    struct option_set set = {.count = 0};
    int status, first;
    if (!loss)
        return STATUS_FAILED;
    common_init(&loss->common);
    loss->seed = 1;
    loss->ci = 95;
    loss_options(loss, &set);
    loss->line = join_command(argc, argv);
    if (!command_begin(command, &loss->common, &set, argc, argv, &first, &status)) {
        free(loss->line);
        free(loss);
        return status;
    }
    bool done = (loss->line || fault_set(&loss->common.fault, FAULT_MEMORY, "out of memory")) &&
                (loss->merge ? merge_reports(loss, argv + first, argc - first)
                             : measure(loss, argv + first, argc - first));
    loss->report.report = done || !loss->merge ? loss->json : NULL;
    loss->report.output = &loss->common.output;
    loss->report.fault = &loss->common.fault;
    done = loss_output_write(&loss->report) && done && check_gates(loss);
    status = output_end(done, &loss->common.fault);
    json_decref(loss->json);
    free(loss->line);
    free(loss);
    return status;
}

const struct command command_loss = {
    "loss", "BASE [CANDIDATE...] --text FILE", "what quantization costs",
    "Runs base and candidates in lock-step over the same windows of text and compares their\n"
    "logits: perplexity, KL divergence, agreement, with intervals over the windows. CANDIDATE is "
    "a\n"
    "file, or settings of the base (kv=q8_0, activations=8, device=cpu), or FILE,kv=q8_0.",
    loss_main};
