/* cmd_convert.c: lichen convert: a published checkpoint to one GGUF file. */
#include "command.h"
#include "convert.h"
#include "convert_fit.h"
#include "convert_report.h"
#include "digest.h"
#include "interrupt.h"
#include "platform.h"
#include "prove.h"
#include "terminal.h"
#include <stdlib.h>
#include <string.h>

struct convert {
    struct common common;
    const char *path, *output, *type, *report, *name;
    struct option_texts type_for;
    uint32_t threads, zero_wrap; /* zero_wrap: 0 = 16, 1 = 0 */
    uint32_t run;                /* enum prove_when */
    const char *imatrix;
    const char *fit;
    float damping, bits;
    bool refine;
    struct calibration *calibration;
    bool resume, dry_run, force, allow_nonfinite, keep_codes;
    struct source *source;
    struct recipe *recipe;
    struct convert_result *results; /* [source_tensor_count] */
    struct convert_proof proof;
    uint64_t start_ns;
};

static void convert_specs(struct convert *convert, struct option_set *set)
{
    const struct option_spec specs[] = {
        {"output", 'o', OPTION_TEXT, &convert->output, "OUT.gguf", "the file to write", 0},
        {"type", 't', OPTION_TEXT, &convert->type, "TYPE",
         "f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q4_k_s q4_k_m q5_k_s q5_k_m q6_k iq4_nl iq4_xs", 0},
        {"type-for", 0, OPTION_TEXTS, &convert->type_for, "REGEX=TYPE",
         "another type for tensors whose name matches; may be repeated, the last wins", 0},
        {"imatrix", 0, OPTION_TEXT, &convert->imatrix, "FILE",
         "weigh errors by this calibration (lichen calibrate, or llama.cpp's)", 0},
        {"refine", 0, OPTION_FLAG, &convert->refine, NULL,
         "minimise the error of the layers' outputs; needs a calibration with --hessian", 0},
        {"damping", 0, OPTION_REAL, &convert->damping, "X",
         "how little --refine trusts the calibration (0 = by type and its length: 0.1, 0.3 or 1)",
         0},
        {"bpw", 0, OPTION_REAL, &convert->bits, "X",
         "the best types of X bits a weight on average; needs a calibration with --sensitivity", 0},
        {"fit", 0, OPTION_TEXT, &convert->fit, "SIZE",
         "the same, for SIZE of the device's memory with --ctx, --kv and --device", 0},
        {"ctx", 'c', OPTION_COUNT, &convert->common.ctx, "N", "context that --fit plans for", 0},
        {"kv", 0, OPTION_CHOICE, &convert->common.kv, "f16|f32|q8_0", "cache that --fit plans for",
         0},
        {"device", 0, OPTION_TEXT, &convert->common.device, "DEVICE", "that --fit plans for", 0},
        {"keep-codes", 0, OPTION_FLAG, &convert->keep_codes, NULL,
         "4- and 8-bit codes of the checkpoint stay what they are, without loss", 0},
        {"gptq-zero-wrap", 0, OPTION_CHOICE, &convert->zero_wrap, "16|0",
         "what a stored GPTQ zero of 15 means", 0},
        {"name", 0, OPTION_TEXT, &convert->name, "NAME", "general.name of the file", 0},
        {"report", 0, OPTION_TEXT, &convert->report, "FILE.json", "types and errors of the tensors",
         0},
        {"resume", 0, OPTION_FLAG, &convert->resume, NULL,
         "go on with what an interrupted run has written", 0},
        {"dry-run", 'n', OPTION_FLAG, &convert->dry_run, NULL,
         "only print the table of types and the size", 0},
        {"force", 0, OPTION_FLAG, &convert->force, NULL, "replace an existing OUT.gguf", 0},
        {"allow-nonfinite", 0, OPTION_FLAG, &convert->allow_nonfinite, NULL,
         "NaN and infinite weights become 0 instead of an error", 0},
        {"proof", 0, OPTION_CHOICE, &convert->run, "auto|always|never",
         "run the file to write down what it answers; auto: where that takes at most 1 GiB", 0},
        {"threads", 0, OPTION_COUNT, &convert->threads, "N", "processors used (0 = all)", 0},
    };
    option_set_add(set, specs, sizeof specs / sizeof specs[0]);
    common_add_output(&convert->common, set, true);
}

static bool show_progress(void *context, const struct convert_progress *progress)
{
    struct convert *convert = context;
    return output_progress(&convert->common.output, progress->bytes_done, progress->bytes_total);
}

static bool prove(void *context, const char *part_path, struct convert_proof *proof,
                  struct fault *fault)
{
    struct convert *convert = context;
    output_progress_end(&convert->common.output);
    output_detail(&convert->common.output, "running the file to write down what it answers");
    bool done = prove_part(part_path, convert->threads, convert->run == PROVE_ALWAYS, proof, fault);
    convert->proof = *proof;
    return done;
}

static void fill_options(struct convert *convert, struct convert_options *options)
{
    *options = (struct convert_options){.output = convert->output,
                                        .source = convert->source,
                                        .recipe = convert->recipe,
                                        .calibration = convert->calibration,
                                        .refine = convert->refine,
                                        .damping = convert->damping,
                                        .resume = convert->resume,
                                        .force = convert->force,
                                        .allow_nonfinite = convert->allow_nonfinite,
                                        .threads = convert->threads,
                                        .progress = show_progress,
                                        .prove = convert->run == PROVE_NEVER ? NULL : prove,
                                        .context = convert};
}

static bool calibration_load(struct convert *convert)
{
    struct fault *fault = &convert->common.fault;
    bool hessian = false;
    if (!convert->imatrix)
        return !convert->refine || fault_set(fault, FAULT_ARGUMENT,
                                             "convert: --refine needs --imatrix FILE, made by "
                                             "lichen calibrate --hessian");
    if (convert->damping < 0 || convert->damping > 1000)
        return fault_set(fault, FAULT_ARGUMENT, "convert: --damping: expected 0 .. 1000, found %g",
                         (double)convert->damping);
    if (!calibration_open(convert->imatrix, &convert->calibration, fault))
        return false;
    for (uint32_t i = 0; convert->refine && i < source_tensor_count(convert->source); i++)
        hessian |= calibration_has_hessian(convert->calibration,
                                           source_tensor_at(convert->source, i)->name);
    return !convert->refine || hessian ||
           fault_set(fault, FAULT_ARGUMENT,
                     "%s: has no Hessian of any tensor of %s; make it with lichen calibrate "
                     "--hessian",
                     convert->imatrix, convert->path);
}

/* Which calibration and how it is used belong to the recipe: --resume asks. */
static bool calibration_say(struct convert *convert)
{
    struct digest digest;
    char words[128], hash[DIGEST_TEXT_SIZE];
    if (!digest_file(convert->imatrix, NULL, &digest, NULL, &convert->common.fault))
        return false;
    digest_text(digest, hash);
    snprintf(words, sizeof words, "imatrix %s", hash);
    recipe_say(convert->recipe, words);
    if (!convert->refine)
        return true;
    snprintf(words, sizeof words, convert->damping > 0 ? "refined %g" : "refined",
             (double)convert->damping);
    recipe_say(convert->recipe, words);
    return true;
}

/* --bpw and --fit */
static bool budget_fit(struct convert *convert)
{
    struct fault *fault = &convert->common.fault;
    struct convert_options options;
    uint64_t bytes = 0;
    fill_options(convert, &options);
    if (!convert->fit && convert->bits == 0)
        return true;
    if (convert->fit && convert->bits != 0)
        return fault_set(fault, FAULT_ARGUMENT, "convert: --fit or --bpw, not both");
    if (!convert->calibration)
        return fault_set(fault, FAULT_ARGUMENT,
                         "convert: --%s needs --imatrix FILE, made by lichen calibrate "
                         "--sensitivity",
                         convert->fit ? "fit" : "bpw");
    if (!convert->fit)
        return (convert->bits > 0 && convert->bits <= 32 &&
                convert_fit_bits(convert->recipe, &options, (double)convert->bits, fault)) ||
               fault_set(fault, FAULT_ARGUMENT, "convert: --bpw: expected 1 .. 32, found %g",
                         (double)convert->bits);
    if (!parse_size(convert->fit, UINT64_MAX, &bytes) || bytes == 0)
        return fault_set(fault, FAULT_ARGUMENT, "convert: --fit: expected a size like 6G, found %s",
                         convert->fit);
    if (!convert->output)
        return fault_set(fault, FAULT_ARGUMENT, "convert: --fit needs -o OUT.gguf");
    return convert_fit_device(convert->recipe, &options, &convert->common, bytes);
}

static bool convert_open(struct convert *convert)
{
    struct fault *fault = &convert->common.fault;
    struct source_options options = {.gptq_zero_wrap = convert->zero_wrap ? 0 : 16,
                                     .name = convert->name};
    if (!source_open(convert->path, &options, &convert->source, fault))
        return false;
    if (!calibration_load(convert))
        return false;
    if (!recipe_create(convert->source, convert->type, convert->calibration, &convert->recipe,
                       fault))
        return fault_context(fault, "convert: --type");
    for (size_t i = 0; i < convert->type_for.count; i++)
        if (!recipe_override(convert->recipe, convert->type_for.items[i], fault))
            return fault_context(fault, "convert: --type-for");
    if (convert->keep_codes && !recipe_keep_codes(convert->recipe, fault))
        return fault_context(fault, "convert: --keep-codes");
    return (!convert->calibration || calibration_say(convert)) && budget_fit(convert);
}

/* results */

static void describe(const struct convert *convert, struct convert_report *report)
{
    *report = (struct convert_report){.path = convert->path,
                                      .output = convert->dry_run ? NULL : convert->output,
                                      .source = convert->source,
                                      .recipe = convert->recipe,
                                      .results = convert->results,
                                      .proof = convert->results ? &convert->proof : NULL};
}

static bool write_report(struct convert *convert, const struct convert_report *report)
{
    struct fault *fault = &convert->common.fault;
    struct result_file file = {0};
    json_t *document = convert_report_json(report);
    char *text = document ? json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(document);
    bool done = (text || fault_set(fault, FAULT_MEMORY, "out of memory for the report")) &&
                result_open(&file, convert->report, 0666, fault) &&
                result_write(&file, text, strlen(text), fault) && result_commit(&file, fault);
    result_abort(&file);
    free(text);
    return done;
}

static bool show(struct convert *convert, const struct convert_report *report)
{
    struct fault *fault = &convert->common.fault;
    char size[32];
    if (convert->report && !write_report(convert, report))
        return false;
    if (convert->common.output.json)
        return output_json(convert_report_json(report), fault);
    if (convert->dry_run)
        return convert_report_table(report, fault);
    convert_report_notes(report, &convert->common.output);
    output_note(&convert->common.output, "%s: %s, %.2f bits per weight, %.1f s", convert->output,
                size_text(report->size, size), recipe_bits_per_weight(convert->recipe),
                report->seconds);
    if (convert->run != PROVE_NEVER && !convert->proof.present)
        output_note(&convert->common.output,
                    "the file was not run, so it carries hashes but no answers: %s",
                    convert->proof.reason);
    return true;
}

static bool dry_run(struct convert *convert)
{
    struct convert_options options;
    struct convert_report report;
    fill_options(convert, &options);
    describe(convert, &report);
    return (source_unsupported(convert->source) ||
            convert_size(&options, &report.size, &convert->common.fault)) &&
           show(convert, &report);
}

static void explain_resume(const struct convert *convert)
{
    if (convert->common.fault.kind != FAULT_ARGUMENT && convert->common.fault.kind != FAULT_NONE &&
        convert_can_resume(convert->output))
        output_note(&convert->common.output,
                    "what is done stays in %s.part; the same command with --resume goes on",
                    convert->output);
}

static bool convert_all(struct convert *convert)
{
    struct convert_options options;
    struct convert_report report;
    uint64_t start = time_ns();
    convert->results = calloc(source_tensor_count(convert->source) + 1, sizeof *convert->results);
    if (!convert->results)
        return fault_set(&convert->common.fault, FAULT_MEMORY, "out of memory");
    fill_options(convert, &options);
    if (!convert->resume && convert_can_resume(convert->output))
        output_note(&convert->common.output,
                    "%s.part of an interrupted run is begun again (--resume would go on with it)",
                    convert->output);
    convert->common.output.activity = "converting";
    bool done = convert_run(&options, convert->results, &convert->common.fault);
    output_progress_end(&convert->common.output);
    if (!done) {
        explain_resume(convert);
        return false;
    }
    describe(convert, &report);
    report.seconds = (double)(time_ns() - start) / 1e9;
    done = convert_size(&options, &report.size, &convert->common.fault) && show(convert, &report);
    if (!done)
        output_note(&convert->common.output, "%s is written and whole; what failed came after it",
                    convert->output);
    return done;
}

static bool check_usage(struct convert *convert, int argc, char **argv, int first)
{
    struct fault *fault = &convert->common.fault;
    if (argc - first > 1)
        return fault_set(fault, FAULT_ARGUMENT,
                         "convert: one SRC is needed, found %s and %s; the output is said by -o",
                         argv[first], argv[first + 1]);
    if (argc - first != 1)
        return fault_set(fault, FAULT_ARGUMENT,
                         "convert: one SRC is needed; usage: lichen convert SRC -o OUT.gguf --type "
                         "TYPE");
    convert->path = argv[first];
    if (!convert->type && (convert->fit || convert->bits != 0))
        convert->type = "q4_k_m"; /* of tensors that the budget leaves alone */
    if (!convert->type)
        return fault_set(fault, FAULT_ARGUMENT,
                         "convert: --type is needed, such as q4_k_m (or --fit, or --bpw)");
    if (convert->report && !path_check_output(convert->report, fault))
        return false;
    return convert->output || convert->dry_run ||
           fault_set(fault, FAULT_ARGUMENT, "convert: -o OUT.gguf is needed (or --dry-run)");
}

static int convert_main(const struct command *command, int argc, char **argv)
{
    struct convert convert = {.type = NULL};
    struct option_set set = {.count = 0};
    int first, status;
    common_init(&convert.common);
    convert_specs(&convert, &set);
    if (!command_begin(command, &convert.common, &set, argc, argv, &first, &status))
        return status;
    bool done = check_usage(&convert, argc, argv, first) && convert_open(&convert) &&
                (convert.dry_run ? dry_run(&convert) : convert_all(&convert));
    status = output_end(done, &convert.common.fault);
    free(convert.results);
    recipe_destroy(convert.recipe);
    calibration_close(convert.calibration);
    source_close(convert.source);
    return status;
}

const struct command command_convert = {
    "convert", "SRC -o OUT.gguf --type TYPE", "a checkpoint to a quantized GGUF file",
    "SRC is a folder of a Hugging Face checkpoint, or a .safetensors, .bin or .gguf file. The "
    "file\n"
    "appears whole or not at all; an interrupted conversion goes on with --resume. It carries\n"
    "hashes and answers of its own, which lichen verify checks.",
    convert_main};
