/* convert_report.c: table, notes and JSON of a conversion. */
#include "convert_report.h"
#include "command.h"
#include "digest.h"
#include "text.h"
#include <string.h>

/* Above it a tensor is said to be held badly: 4-bit types reach 0.1 on ordinary weights. */
#define RELATIVE_BAD 0.3

static const char *reason_text(enum recipe_reason reason)
{
    switch (reason) {
    case RECIPE_PRESET:
        return "preset";
    case RECIPE_MIXTURE:
        return "mixture";
    case RECIPE_FALLBACK:
        return "fallback";
    case RECIPE_UNCHANGED:
        return "unchanged";
    case RECIPE_OVERRIDE:
        return "override";
    case RECIPE_BUDGET:
        return "budget";
    case RECIPE_LOSSLESS:
        return "lossless";
    }
    return "";
}

static const char *shape_text(const struct source_tensor *tensor, char text[96])
{
    text[0] = 0;
    for (uint32_t i = 0; i < tensor->dim_count; i++)
        snprintf(text + strlen(text), 96 - strlen(text), "%s%llu", i ? " x " : "",
                 (unsigned long long)tensor->dims[i]);
    return text;
}

static uint32_t fallback_count(const struct convert_report *report)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < source_tensor_count(report->source); i++)
        count += recipe_choice(report->recipe, i)->reason == RECIPE_FALLBACK;
    return count;
}

static bool print_row(const struct convert_report *report, uint32_t index, struct fault *fault)
{
    const struct source_tensor *tensor = source_tensor_at(report->source, index);
    const struct recipe_choice *choice = recipe_choice(report->recipe, index);
    char shape[96], size[32];
    bool done = text_print_safe(stdout, tensor->name, strlen(tensor->name), fault);
    int width = (int)strlen(tensor->name);
    printf("%*s %-20s %-6s -> %-6s %10s  %s", width < 32 ? 32 - width : 0, "",
           shape_text(tensor, shape), dtype_find(tensor->stored)->name,
           dtype_find(choice->dtype)->name, size_text(choice->size, size),
           reason_text(choice->reason));
    if (choice->reason == RECIPE_FALLBACK)
        printf(" (rows of %llu do not divide %s)", (unsigned long long)tensor->dims[0],
               dtype_find(choice->wanted)->name);
    putchar('\n');
    return done;
}

static void print_types(const struct convert_report *report)
{
    printf("types     ");
    const char *separator = "";
    for (uint32_t id = 0; id < DTYPE_ID_COUNT; id++) {
        uint32_t count = 0;
        uint64_t bytes = 0;
        char size[32];
        for (uint32_t i = 0; i < source_tensor_count(report->source); i++) {
            const struct recipe_choice *choice = recipe_choice(report->recipe, i);
            count += choice->dtype == id;
            bytes += choice->dtype == id ? choice->size : 0;
        }
        if (count == 0)
            continue;
        printf("%s%u %s (%s)", separator, (unsigned)count, dtype_find(id)->name,
               size_text(bytes, size));
        separator = ", ";
    }
    putchar('\n');
}

static uint32_t full_zero_count(const struct convert_report *report)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < source_tensor_count(report->source); i++)
        count += source_tensor_at(report->source, i)->zero_is_full;
    return count;
}

static const char no_tokenizer[] =
    "no tokenizer's files there (tokenizer.json, tokenizer.model, ...): the file takes token ids "
    "alone, no text; put them beside config.json";

static const char full_zeros[] =
    "tensors hold stored GPTQ zeros of all bits (15 of 4 bits), which are taken as one more (16); "
    "packers differ: if the model answers nonsense, convert again with --gptq-zero-wrap 0";

bool convert_report_table(const struct convert_report *report, struct fault *fault)
{
    char size[32];
    bool done = true;
    for (uint32_t i = 0; done && i < source_tensor_count(report->source); i++)
        done = print_row(report, i, fault);
    print_types(report);
    printf("weights   %s, %.2f bits per weight\n", size_text(recipe_size(report->recipe), size),
           recipe_bits_per_weight(report->recipe));
    if (report->size)
        printf("file      %s (%llu bytes)\n", size_text(report->size, size),
               (unsigned long long)report->size);
    uint32_t count = full_zero_count(report);
    if (count)
        printf("note      %u %s\n", (unsigned)count, full_zeros);
    if (!source_unsupported(report->source) && !source_has_tokenizer(report->source))
        printf("note      %s\n", no_tokenizer);
    const char *unsupported = source_unsupported(report->source);
    if (unsupported) {
        printf("note      no file can be made of it: ");
        done = text_print_safe(stdout, unsupported, strlen(unsupported), fault) && done;
        putchar('\n');
    }
    return done;
}

static void note_bad(const struct convert_report *report, const struct output *output)
{
    for (uint32_t i = 0; i < source_tensor_count(report->source); i++) {
        const struct convert_result *result = &report->results[i];
        if (result->nonfinite)
            output_note(output, "tensor '%s': %llu weights were NaN or infinite and are 0",
                        result->name, (unsigned long long)result->nonfinite);
        if (result->relative > RELATIVE_BAD)
            output_note(output,
                        "tensor '%s': relative error %.2f: %s does not hold its weights (too large "
                        "or too uneven for it); --type-for gives it another type",
                        result->name, result->relative, dtype_find(result->dtype)->name);
    }
}

/* Tensors whose blocks are decoded and encoded again: what the first encoding lost stays lost. */
static uint32_t requantized_count(const struct convert_report *report)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < source_tensor_count(report->source); i++) {
        const struct source_tensor *tensor = source_tensor_at(report->source, i);
        enum dtype dtype = recipe_choice(report->recipe, i)->dtype;
        bool was_coarse = tensor->lossless != DTYPE_ID_COUNT && tensor->lossless != DTYPE_Q8_0 &&
                          dtype_find(tensor->lossless)->block_weights > 1;
        count += was_coarse && tensor->lossless != dtype && dtype_find(dtype)->block_weights > 1 &&
                 dtype != DTYPE_Q8_0;
    }
    return count;
}

void convert_report_notes(const struct convert_report *report, const struct output *output)
{
    uint32_t count = fallback_count(report);
    if (count)
        output_note(output,
                    "%u tensors have rows that their type's blocks do not divide and got another "
                    "type (lichen convert --dry-run shows which)",
                    (unsigned)count);
    count = requantized_count(report);
    if (count)
        output_note(
            output,
            "%u tensors were quantized before and are quantized again, which loses more than "
            "from the original checkpoint; --keep-codes leaves them as they are",
            (unsigned)count);
    count = full_zero_count(report);
    if (count)
        output_note(output, "%u %s", (unsigned)count, full_zeros);
    if (!source_has_tokenizer(report->source))
        output_note(output, "%s: %s", report->path, no_tokenizer);
    if (report->results)
        note_bad(report, output);
}

static json_t *json_of_row(const struct convert_report *report, uint32_t index)
{
    const struct source_tensor *tensor = source_tensor_at(report->source, index);
    const struct recipe_choice *choice = recipe_choice(report->recipe, index);
    json_t *dims = json_array();
    for (uint32_t i = 0; dims && i < tensor->dim_count; i++)
        json_array_append_new(dims, json_integer((json_int_t)tensor->dims[i]));
    json_t *row =
        json_pack("{s:o, s:o, s:o, s:s, s:s, s:s, s:s, s:I}", "name",
                  json_of_text(tensor->name, strlen(tensor->name)), "from",
                  json_of_text(tensor->from, strlen(tensor->from)), "dims", dims, "stored",
                  dtype_find(tensor->stored)->name, "type", dtype_find(choice->dtype)->name,
                  "reason", reason_text(choice->reason), "wanted", dtype_find(choice->wanted)->name,
                  "bytes", (json_int_t)choice->size);
    if (row && tensor->zero_is_full)
        json_object_set_new(row, "gptq_zero_is_full", json_true());
    if (!row || !report->results)
        return row;
    const struct convert_result *result = &report->results[index];
    char hash[DIGEST_TEXT_SIZE];
    digest_text((struct digest){result->hash[0], result->hash[1]}, hash);
    json_object_set_new(row, "relative_error", json_real(result->relative));
    json_object_set_new(row, "rmse", json_real(result->rmse));
    json_object_set_new(row, "error_max", json_real(result->error_max));
    json_object_set_new(row, "nonfinite", json_integer((json_int_t)result->nonfinite));
    json_object_set_new(row, "xxh3_128", json_string(hash));
    return row;
}

static json_t *json_of_optional(const char *text)
{
    return text ? json_of_text(text, strlen(text)) : json_null();
}

json_t *convert_report_json(const struct convert_report *report)
{
    json_t *tensors = json_array();
    for (uint32_t i = 0; tensors && i < source_tensor_count(report->source); i++)
        json_array_append_new(tensors, json_of_row(report, i));
    const char *architecture = source_architecture(report->source);
    json_t *document = json_pack(
        "{s:i, s:o, s:o, s:o, s:s, s:s, s:o, s:I, s:I, s:f, s:i, s:o}", "schema", 1, "source",
        json_of_optional(report->path), "output", json_of_optional(report->output), "architecture",
        json_of_text(architecture, strlen(architecture)), "type", recipe_preset(report->recipe),
        "recipe", recipe_text(report->recipe), "unsupported",
        json_of_optional(source_unsupported(report->source)), "file_bytes",
        (json_int_t)report->size, "tensor_bytes", (json_int_t)recipe_size(report->recipe),
        "bits_per_weight", recipe_bits_per_weight(report->recipe), "fallbacks",
        (int)fallback_count(report), "tensors", tensors);
    if (document && report->results)
        json_object_set_new(document, "seconds", json_real(report->seconds));
    if (document && report->proof)
        json_object_set_new(document, "proof",
                            json_pack("{s:b, s:s}", "run", (int)report->proof->present, "reason",
                                      report->proof->reason));
    return document;
}
