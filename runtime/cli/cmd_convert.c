/* cmd_convert.c: lichen convert: a published checkpoint to one GGUF file. */
#include "command.h"
#include "convert.h"
#include "interrupt.h"
#include "terminal.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

struct convert {
    struct common common;
    const char *output, *type, *report, *name;
    struct option_texts type_for;
    uint32_t threads, zero_wrap; /* zero_wrap: 0 = 16, 1 = 0 */
    bool resume, dry_run, force, allow_nonfinite, keep_codes, no_proof;
    struct source *source;
    struct recipe *recipe;
    struct convert_result *results; /* [source_tensor_count] */
};

static void convert_options(struct convert *convert, struct option_set *set)
{
    const struct option_spec specs[] = {
        {"output", 'o', OPTION_TEXT, &convert->output, "OUT.gguf", "the file to write", 0},
        {"type", 't', OPTION_TEXT, &convert->type, "TYPE",
         "f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q4_k_s q4_k_m q5_k_s q5_k_m q6_k iq4_nl iq4_xs", 0},
        {"type-for", 0, OPTION_TEXTS, &convert->type_for, "REGEX=TYPE",
         "another type for tensors whose name matches; may be repeated, the last wins", 0},
        {"keep-codes", 0, OPTION_FLAG, &convert->keep_codes, NULL,
         "4- and 8-bit codes of the checkpoint stay what they are, without loss", 0},
        {"gptq-zero-wrap", 0, OPTION_CHOICE, &convert->zero_wrap, "16|0",
         "what a stored GPTQ zero of 15 means", 0},
        {"name", 0, OPTION_TEXT, &convert->name, "NAME", "general.name of the file", 0},
        {"report", 0, OPTION_TEXT, &convert->report, "FILE.json", "error of each tensor", 0},
        {"resume", 0, OPTION_FLAG, &convert->resume, NULL,
         "go on with what an interrupted run has written", 0},
        {"dry-run", 0, OPTION_FLAG, &convert->dry_run, NULL,
         "only print the table of types and the size", 0},
        {"force", 0, OPTION_FLAG, &convert->force, NULL, "replace an existing OUT.gguf", 0},
        {"allow-nonfinite", 0, OPTION_FLAG, &convert->allow_nonfinite, NULL,
         "NaN and infinite weights become 0 instead of an error", 0},
        {"no-proof", 0, OPTION_FLAG, &convert->no_proof, NULL,
         "do not run the file to write down what it answers", 0},
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

static bool convert_all(struct convert *convert)
{
    struct convert_options options = {.output = convert->output,
                                      .source = convert->source,
                                      .recipe = convert->recipe,
                                      .resume = convert->resume,
                                      .force = convert->force,
                                      .allow_nonfinite = convert->allow_nonfinite,
                                      .threads = convert->threads,
                                      .progress = show_progress,
                                      .context = convert};
    convert->common.output.activity = "converting";
    bool done = convert_run(&options, convert->results, &convert->common.fault);
    output_progress_end(&convert->common.output);
    return done;
}

static bool convert_open(struct convert *convert, const char *path)
{
    struct fault *fault = &convert->common.fault;
    struct source_options options = {.gptq_zero_wrap = convert->zero_wrap ? 0 : 16,
                                     .name = convert->name};
    if (!source_open(path, &options, &convert->source, fault) ||
        !recipe_create(convert->source, convert->type, false, &convert->recipe, fault))
        return false;
    for (size_t i = 0; i < convert->type_for.count; i++)
        if (!recipe_override(convert->recipe, convert->type_for.items[i], fault))
            return fault_context(fault, "convert: --type-for");
    if (convert->keep_codes && !recipe_keep_codes(convert->recipe, fault))
        return fault_context(fault, "convert: --keep-codes");
    convert->results = calloc(source_tensor_count(convert->source) + 1, sizeof *convert->results);
    return convert->results || fault_set(fault, FAULT_MEMORY, "out of memory");
}

static int convert_main(const struct command *command, int argc, char **argv)
{
    struct convert convert = {.type = NULL};
    struct option_set set = {.count = 0};
    struct fault *fault = &convert.common.fault;
    int first, status;
    common_init(&convert.common);
    convert_options(&convert, &set);
    if (!command_begin(command, &convert.common, &set, argc, argv, &first, &status))
        return status;
    bool done = convert_open(&convert, argv[first]) && convert_all(&convert);
    status = output_end(done, fault);
    free(convert.results);
    recipe_destroy(convert.recipe);
    source_close(convert.source);
    return status;
}

const struct command command_convert = {
    "convert", "SRC", "a checkpoint to a quantized GGUF file",
    "SRC is a folder of a Hugging Face checkpoint, a .safetensors, .bin or .gguf file.",
    convert_main};
