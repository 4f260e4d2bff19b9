/* source_rig.c: a folder -> source -> GGUF -> exec_ref -> logits. */
#include "source_rig.h"
#include "run.h"

#include <math.h>
#include <unistd.h>

struct source *rig_source(const char *path)
{
    struct source *source = NULL;
    struct fault fault = {0};
    if (!source_open(path, NULL, &source, &fault))
        fail_msg("%s", fault.text);
    assert_non_null(source);
    return source;
}

void rig_source_refused(const char *path, const char *expected)
{
    struct source *source = NULL;
    struct fault fault = {0};
    if (source_open(path, NULL, &source, &fault)) {
        const char *unsupported = source_unsupported(source);
        bool said = unsupported && strstr(unsupported, expected);
        source_close(source);
        if (!said)
            fail_msg("accepted, expected '%s', unsupported '%s'", expected,
                     unsupported ? unsupported : "");
        return;
    }
    assert_null(source);
    assert_int_not_equal(fault.kind, FAULT_NONE);
    assert_null(strchr(fault.text, '\n'));
    if (!strstr(fault.text, expected))
        fail_msg("'%s' does not say '%s'", fault.text, expected);
    assert_false(source_open(path, NULL, &source, NULL));
}

uint32_t rig_tensor(const struct source *source, const char *name)
{
    for (uint32_t i = 0; i < source_tensor_count(source); i++)
        if (strcmp(source_tensor_at(source, i)->name, name) == 0)
            return i;
    fail_msg("no tensor %s", name);
    return 0;
}

float *rig_rows(const struct source *source, uint32_t index)
{
    const struct source_tensor *tensor = source_tensor_at(source, index);
    float *rows = malloc(tensor->rows * tensor->dims[0] * sizeof *rows);
    struct fault fault = {0};
    assert_non_null(rows);
    if (!source_read(source, index, 0, tensor->rows, rows, &fault))
        fail_msg("%s", fault.text);
    return rows;
}

static enum dtype type_of(const struct source_tensor *tensor, bool lossless)
{
    return lossless && tensor->lossless != DTYPE_ID_COUNT ? tensor->lossless : DTYPE_F32;
}

static void write_tensor(const struct source *source, uint32_t index, bool lossless,
                         struct gguf_writer *writer)
{
    const struct source_tensor *tensor = source_tensor_at(source, index);
    struct fault fault = {0};
    const struct dtype_info *info = dtype_find(type_of(tensor, lossless));
    size_t size = tensor->rows * tensor->dims[0] / info->block_weights * info->block_size;
    void *bytes = malloc(size);
    assert_non_null(bytes);
    bool done = type_of(tensor, lossless) == DTYPE_F32
                    ? source_read(source, index, 0, tensor->rows, bytes, &fault)
                    : source_read_lossless(source, index, 0, tensor->rows, bytes, &fault);
    if (!done || !gguf_writer_write(writer, bytes, size, &fault))
        fail_msg("%s", fault.text);
    free(bytes);
}

void rig_write(const struct source *source, bool lossless, const char *path)
{
    struct gguf_writer *writer;
    struct fault fault = {0};
    assert_null(source_unsupported(source));
    assert_true(gguf_writer_create(&writer, &fault));
    bool done = source_put_metadata(source, writer, &fault);
    for (uint32_t i = 0; i < source_tensor_count(source) && done; i++) {
        const struct source_tensor *tensor = source_tensor_at(source, i);
        done = gguf_put_tensor(writer, tensor->name, type_of(tensor, lossless), tensor->dim_count,
                               tensor->dims, &fault);
    }
    if (!done || !gguf_writer_begin(writer, path, &fault))
        fail_msg("%s", fault.text);
    for (uint32_t i = 0; i < source_tensor_count(source); i++)
        write_tensor(source, i, lossless, writer);
    if (!gguf_writer_finish(writer, &fault))
        fail_msg("%s", fault.text);
    gguf_writer_destroy(writer);
}

void rig_golden_open(struct rig_golden *golden, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/golden.json", folder);
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    json_t *ids = json_object_get(root, "input_ids"), *rows = json_object_get(root, "logits");
    json_t *prompt = json_object_get(root, "prompt_ids"); /* a prefix but for its last token */
    if (prompt) {
        assert_int_equal(json_array_extend(prompt, json_object_get(root, "then_ids")), 0);
        ids = prompt;
    }
    *golden = (struct rig_golden){.token_count = (uint32_t)json_array_size(ids),
                                  .row_count = (uint32_t)json_array_size(rows),
                                  .vocab = (uint32_t)json_array_size(json_array_get(rows, 0)),
                                  .prompt_count = (uint32_t)json_array_size(prompt)};
    if (prompt)
        golden->prompt_count -= (uint32_t)json_array_size(json_object_get(root, "then_ids"));
    assert_true(golden->row_count > 0 && golden->row_count <= golden->token_count);
    golden->tokens = malloc(golden->token_count * sizeof *golden->tokens);
    golden->logits = malloc((size_t)golden->row_count * golden->vocab * sizeof *golden->logits);
    assert_true(golden->tokens && golden->logits && golden->vocab > 0);
    for (uint32_t i = 0; i < golden->token_count; i++)
        golden->tokens[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    for (uint32_t i = 0; i < golden->row_count * golden->vocab; i++) {
        const json_t *value =
            json_array_get(json_array_get(rows, i / golden->vocab), i % golden->vocab);
        assert_true(json_is_number(value));
        golden->logits[i] = (float)json_number_value(value);
    }
    json_decref(root);
}

void rig_golden_close(struct rig_golden *golden)
{
    free(golden->tokens);
    free(golden->logits);
}

/* As the golden was made: the prompt, whose prefix sees itself in both directions, then single
 * tokens; or all at once. */
static void rig_run(struct exec *exec, const struct rig_golden *golden, float *logits)
{
    struct fault fault = {0};
    uint32_t count = golden->prompt_count ? golden->prompt_count : golden->token_count;
    uint32_t rows = golden->row_count - (golden->token_count - count);
    for (uint32_t at = 0; at < golden->token_count; at += count, count = rows = 1) {
        struct batch batch = {
            .tokens = golden->tokens + at, .count = count, .position = at, .outputs = rows};
        batch.prefix = golden->prompt_count ? golden->prompt_count - 1 : 0;
        if (!exec_run(exec, &batch, NULL, &fault) ||
            !exec->methods->logits(exec, 0, rows, logits, &fault))
            fail_msg("%s", fault.text);
        logits += (size_t)rows * golden->vocab;
    }
}

double rig_error(const char *folder, bool lossless)
{
    char path[1024];
    struct rig_golden golden;
    struct run run;
    struct source *source = rig_source(folder);
    snprintf(path, sizeof path, LICHEN_TEST_OUTPUT "/hf-%ld.gguf", (long)getpid());
    rig_write(source, lossless, path);
    source_close(source);
    rig_golden_open(&golden, folder);
    const struct run_options options = {.context = golden.token_count,
                                        .batch_max = golden.token_count,
                                        .outputs_max = golden.row_count,
                                        .threads = 1,
                                        .kv = KV_F32};
    run_open(&run, path, &options);
    remove(path);
    assert_int_equal(run.info.vocab, golden.vocab);
    float *logits = malloc((size_t)golden.row_count * golden.vocab * sizeof *logits);
    assert_non_null(logits);
    rig_run(run.exec, &golden, logits);
    double worst = 0;
    for (uint32_t i = 0; i < golden.row_count * golden.vocab; i++)
        worst = fmax(worst, fabs((double)logits[i] - (double)golden.logits[i]));
    free(logits);
    run_close(&run);
    rig_golden_close(&golden);
    return worst;
}
