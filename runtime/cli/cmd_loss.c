/* cmd_loss.c: lichen loss: what quantization costs, by bench/loss_report.c. Here: the command line,
 * the progress bar, and where the report goes. */
#include "command.h"
#include "interrupt.h"
#include "loss_report.h"
#include "loss_views.h"
#include "terminal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS_FAST = 20, CHUNKS_STANDARD = 100, FLOOR_CHUNKS = 4, STABILITY_FAST = 200 };

struct loss_command {
    struct common common;
    struct option_texts texts;
    const char *html, *json, *csv, *png, *markdown;
    const char *kv, *activations, *base_logits, *save_logits;
    bool fast, standard, no_floor, details;
    uint32_t chunks, ctx, protocol, stability;
    bool stability_given;
    uint64_t seed;
    char paths[LOSS_STREAM_MAX][PATH_SIZE]; /* files found: the base, then the candidates */
    struct loss_variant candidates[LOSS_STREAM_MAX];
    size_t candidate_count;
    char *line; /* the command as typed */
    uint64_t start_ns;
    char activity[256];
    json_t *report;
};

static void loss_options(struct loss_command *loss, struct option_set *set)
{
    const struct option_spec specs[] = {
        {"text", 'f', OPTION_TEXTS, &loss->texts, "FILE", "text to measure on (repeatable)", 0},
        {"output", 'o', OPTION_TEXT, &loss->html, "FILE.html", "report as one HTML page", 0},
        {"json", 0, OPTION_TEXT, &loss->json, "FILE", "everything as JSON; - = standard output", 0},
        {"csv", 0, OPTION_TEXT, &loss->csv, "FILE", "one line a candidate and text", 0},
        {"markdown", 0, OPTION_TEXT, &loss->markdown, "FILE", "rows for a model card", 0},
        {"chunks", 0, OPTION_COUNT, &loss->chunks, "N", "windows of each text (0 = all)", 0},
        {"fast", 0, OPTION_FLAG, &loss->fast, NULL, "20 windows, short long-run test", 0},
        {"standard", 0, OPTION_FLAG, &loss->standard, NULL, "100 windows", 0},
        {"ctx", 'c', OPTION_COUNT, &loss->ctx, "N", "tokens of a window (512; hf: 2048)", 0},
        {"protocol", 0, OPTION_CHOICE, &loss->protocol, "llama|hf",
         "windows as llama-perplexity or as the GPTQ papers", 0},
        {"kv", 0, OPTION_TEXT, &loss->kv, "TYPE,..", "every candidate with these KV caches (f16)",
         0},
        {"activations", 0, OPTION_TEXT, &loss->activations, "KIND,..",
         "every candidate with these activations: float, 16, 8 (float)", 0},
        {"device", 0, OPTION_TEXT, &loss->common.device, "DEVICE",
         "of base and candidates, unless a candidate names its own", 0},
        {"threads", 0, OPTION_COUNT, &loss->common.threads, "N", "processors used (0 = all)", 0},
        {"seed", 's', OPTION_SEED, &loss->seed, "S", "of the intervals' draws (1)", 0},
        {"save-logits", 0, OPTION_TEXT, &loss->save_logits, "FILE",
         "keep the base's logits in llama-perplexity's format", 0},
        {"base-logits", 0, OPTION_TEXT, &loss->base_logits, "FILE",
         "such a file instead of BASE and --text", 0},
        {"no-floor", 0, OPTION_FLAG, &loss->no_floor, NULL, "do not run the base against itself",
         0},
        {"details", 0, OPTION_FLAG, &loss->details, NULL,
         "a block a candidate, as llama-perplexity", 0},
    };
    option_set_add(set, specs, sizeof specs / sizeof specs[0]);
    common_add_output(&loss->common, set, false);
}

/* ---- candidates ---- */

static bool parse_word(const char *word, size_t size, const char *const *names, size_t count,
                       uint32_t *value)
{
    for (uint32_t i = 0; i < count; i++)
        if (strlen(names[i]) == size && memcmp(names[i], word, size) == 0) {
            *value = i;
            return true;
        }
    return false;
}

static const char *const kv_names[] = {"f16", "f32", "q8_0"};
static const char *const activation_names[] = {"auto", "16", "8", "float"};

static bool parse_kv(const char *word, size_t size, enum lichen_kv *kv, struct fault *fault)
{
    uint32_t value = 0;
    if (!parse_word(word, size, kv_names, 3, &value))
        return fault_set(fault, FAULT_ARGUMENT, "loss: kv: expected f16, f32 or q8_0, found '%.*s'",
                         size > 40 ? 40 : (int)size, word);
    *kv = (enum lichen_kv)value;
    return true;
}

static bool parse_activations(const char *word, size_t size, enum lichen_activations *activations,
                              struct fault *fault)
{
    uint32_t value = 0;
    if (!parse_word(word, size, activation_names, 4, &value))
        return fault_set(fault, FAULT_ARGUMENT,
                         "loss: activations: expected auto, 16, 8 or float, found '%.*s'",
                         size > 40 ? 40 : (int)size, word);
    *activations = (enum lichen_activations)value;
    return true;
}

/* "kv=q8_0" and the like at the end of an operand; false when it is none. */
static bool is_setting(const char *text)
{
    return strncmp(text, "kv=", 3) == 0 || strncmp(text, "device=", 7) == 0 ||
           strncmp(text, "activations=", 12) == 0;
}

static bool apply_setting(struct loss_variant *variant, char *text, struct fault *fault)
{
    char *value = strchr(text, '=') + 1;
    if (text[0] == 'k')
        return parse_kv(value, strlen(value), &variant->kv, fault);
    if (text[0] == 'a')
        return parse_activations(value, strlen(value), &variant->activations, fault);
    variant->device = value;
    return true;
}

/* FILE, FILE,kv=q8_0 or kv=q8_0 (of the base). The operand is cut at its commas. */
static bool parse_operand(struct loss_command *loss, const struct loss_variant *base, char *operand,
                          struct loss_variant *variant)
{
    struct fault *fault = &loss->common.fault;
    *variant = *base;
    char *comma;
    while ((comma = strrchr(operand, ',')) && is_setting(comma + 1)) {
        if (!apply_setting(variant, comma + 1, fault))
            return false;
        *comma = 0;
    }
    if (is_setting(operand))
        return apply_setting(variant, operand, fault);
    char *path = loss->paths[loss->candidate_count + 1];
    variant->path = path;
    return model_find(operand, path, fault);
}

static bool add_candidate(struct loss_command *loss, const struct loss_variant *variant)
{
    if (loss->candidate_count == LOSS_STREAM_MAX - 2)
        return fault_set(&loss->common.fault, FAULT_ARGUMENT, "loss: at most %d candidates",
                         LOSS_STREAM_MAX - 2);
    loss->candidates[loss->candidate_count++] = *variant;
    return true;
}

/* The candidates so far, each once with every word of a list. */
static bool multiply(struct loss_command *loss, const char *list, bool kv)
{
    struct loss_variant before[LOSS_STREAM_MAX];
    size_t count = loss->candidate_count;
    memcpy(before, loss->candidates, sizeof before);
    loss->candidate_count = 0;
    for (size_t i = 0; i < count; i++) {
        for (const char *word = list; word;) {
            size_t size = strcspn(word, ",");
            struct loss_variant variant = before[i];
            if (!(kv ? parse_kv(word, size, &variant.kv, &loss->common.fault)
                     : parse_activations(word, size, &variant.activations, &loss->common.fault)) ||
                !add_candidate(loss, &variant))
                return false;
            word = word[size] ? word + size + 1 : NULL;
        }
    }
    return true;
}

static bool find_files(struct loss_command *loss, struct loss_variant *base, char **operands,
                       int count)
{
    struct fault *fault = &loss->common.fault;
    *base = (struct loss_variant){.path = loss->paths[0],
                                  .device = loss->common.device,
                                  .activations = LICHEN_ACTIVATIONS_FLOAT,
                                  .kv = LICHEN_KV_F16};
    int first = 0;
    if (!loss->base_logits) {
        if (count == 0)
            return fault_set(fault, FAULT_ARGUMENT,
                             "loss: BASE is needed: the model as it was "
                             "before quantization");
        if (!model_find(operands[first++], loss->paths[0], fault))
            return false;
    }
    for (int i = first; i < count; i++) {
        struct loss_variant variant;
        if (!parse_operand(loss, base, operands[i], &variant) || !add_candidate(loss, &variant))
            return false;
    }
    if (loss->candidate_count == 0 && !loss->base_logits && (loss->kv || loss->activations))
        add_candidate(loss, base); /* what do these cost this file? */
    if (loss->candidate_count == 0 && loss->base_logits)
        return fault_set(fault, FAULT_ARGUMENT, "loss: --base-logits needs a CANDIDATE");
    return (!loss->kv || multiply(loss, loss->kv, true)) &&
           (!loss->activations || multiply(loss, loss->activations, false));
}

/* ---- progress ---- */

static void activity(void *context, const char *what, const char *about)
{
    struct loss_command *loss = context;
    output_progress_end(&loss->common.output);
    snprintf(loss->activity, sizeof loss->activity, "%s %.60s", what, about);
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

/* "window 3/20, 2 min left, PPL 22.71, KLD 0.0123 0.0018", cut to the terminal's width. */
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
    int used = snprintf(line, sizeof line, "%s: window %u/%u, %s", loss->activity,
                        (unsigned)(now->chunks + 1), (unsigned)now->chunks_total,
                        time_left(left, share > 0 ? elapsed * (1 - share) / share : (double)NAN));
    if (isfinite(now->nll[0]))
        used += snprintf(line + used, sizeof line - (size_t)used, ", PPL %.4g%s", exp(now->nll[0]),
                         loss->candidate_count ? ", KLD" : "");
    for (size_t i = 1; i <= loss->candidate_count && isfinite(now->nll[0]); i++)
        if (used < (int)sizeof line - 16)
            used += snprintf(line + used, sizeof line - (size_t)used, " %.3g", now->kld[i]);
    int columns = (int)terminal_columns() - 1;
    fprintf(stderr, "\r%-*.*s", columns, columns, line);
    fflush(stderr);
    return true;
}

/* ---- where the report goes ---- */

static void write_json(const json_t *report, FILE *stream)
{
    json_dumpf(report, stream, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
    fputc('\n', stream);
}

static bool write_view(struct loss_command *loss, const char *path,
                       void (*view)(const json_t *report, FILE *stream))
{
    struct fault fault = {0};
    struct result_file file = {0};
    if (!path)
        return true;
    if (strcmp(path, "-") == 0) {
        view(loss->report, stdout);
        return true;
    }
    bool done = result_open(&file, path, 0666, &fault);
    if (done)
        view(loss->report, file.file);
    if (done && ferror(file.file))
        done = fault_set(&fault, FAULT_FILE, "%s: cannot be written: is the disk full?", path);
    done = done && result_commit(&file, &fault);
    result_abort(&file);
    if (!done) { /* also after an interrupt, which stays the first fault */
        fault_set(&loss->common.fault, fault.kind, "%s", fault.text);
        output_note(&loss->common.output, "%s", fault.text);
    }
    return done;
}

static bool show_report(struct loss_command *loss)
{
    bool done = true;
    if (!loss->report)
        return true;
    if (!loss->json || strcmp(loss->json, "-") != 0)
        loss_table(loss->report, loss->details, stdout);
    done = write_view(loss, loss->json, write_json) && done;
    done = write_view(loss, loss->csv, loss_csv) && done;
    done = write_view(loss, loss->markdown, loss_markdown) && done;
    return done;
}

static bool check_options(struct loss_command *loss)
{
    struct fault *fault = &loss->common.fault;
    if (!loss->base_logits && loss->texts.count == 0)
        return fault_set(fault, FAULT_ARGUMENT, "loss: --text FILE is needed");
    if (loss->base_logits && loss->texts.count)
        return fault_set(fault, FAULT_ARGUMENT,
                         "loss: --text: the file of --base-logits holds the text already");
    if (loss->save_logits && (loss->texts.count != 1 || loss->protocol != LOSS_LLAMA))
        return fault_set(fault, FAULT_ARGUMENT,
                         "loss: --save-logits takes one --text and --protocol llama");
    if (loss->ctx == 0)
        loss->ctx = loss->protocol == LOSS_HF ? 2048 : 512;
    if (loss->fast && loss->chunks == 0)
        loss->chunks = CHUNKS_FAST;
    if (loss->standard && loss->chunks == 0)
        loss->chunks = CHUNKS_STANDARD;
    return true;
}

static bool run(struct loss_command *loss, const struct loss_variant *base)
{
    char cache[PATH_SIZE];
    folder_of_cache(cache);
    struct loss_request request = {
        .command = loss->line,
        .base = *base,
        .base_logits = loss->base_logits,
        .save_logits = loss->save_logits,
        .candidates = loss->candidates,
        .candidate_count = loss->candidate_count,
        .texts = loss->texts.items,
        .text_count = loss->texts.count,
        .protocol = (enum loss_protocol)loss->protocol,
        .ctx = loss->ctx,
        .chunks_max = loss->chunks,
        .threads = loss->common.threads,
        .level = 0.95,
        .seed = loss->seed,
        .floor_chunks = loss->no_floor ? 0 : FLOOR_CHUNKS,
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
    bool done = loss_report(&request, &loss->report, &loss->common.fault);
    output_progress_end(&loss->common.output);
    return done;
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
    struct loss_variant base;
    int status, first;
    if (!loss)
        return STATUS_FAILED;
    common_init(&loss->common);
    loss->seed = 1;
    loss_options(loss, &set);
    loss->line = join_command(argc, argv);
    if (!command_begin(command, &loss->common, &set, argc, argv, &first, &status)) {
        free(loss->line);
        free(loss);
        return status;
    }
    bool done = (loss->line || fault_set(&loss->common.fault, FAULT_MEMORY, "out of memory")) &&
                check_options(loss) && find_files(loss, &base, argv + first, argc - first) &&
                run(loss, &base);
    done = show_report(loss) && done;
    status = output_end(done, &loss->common.fault);
    json_decref(loss->report);
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
