/* cmd_logits.c: lichen logits: the logits after each position as a .npy file. */
#include "command.h"
#include "interrupt.h"
#include "npy.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

enum { ROWS_AT_ONCE = 64, IDS_TEXT_MAX = 64 << 20 };

struct logits {
    struct common common;
    const char *ids_option, *path;
    struct lichen_ids ids;
    struct lichen_engine *engine;
    struct lichen_session *session;
    struct result_file file;
    float *rows; /* [ROWS_AT_ONCE, vocab] */
};

static void logits_options(struct logits *logits, struct option_set *set)
{
    const struct option_spec specs[] = {
        {"ids", 'i', OPTION_TEXT, &logits->ids_option, "IDS",
         "token ids as 1,2,3; - = from standard input", 0},
        {"output", 'o', OPTION_TEXT, &logits->path, "FILE.npy", "float32 [tokens, vocab]", 0},
    };
    option_set_add(set, specs, sizeof specs / sizeof specs[0]);
    common_add_session(&logits->common, set);
    common_add_model(&logits->common, set);
    common_add_output(&logits->common, set, false);
}

static bool logits_ids(struct logits *logits)
{
    struct fault *fault = &logits->common.fault;
    if (!logits->ids_option || !logits->path)
        return fault_set(fault, FAULT_ARGUMENT, "logits: --ids and --output are needed");
    struct text text = {0};
    bool standard = strcmp(logits->ids_option, "-") == 0;
    bool done = !standard || text_read_path(&text, NULL, IDS_TEXT_MAX, fault);
    done = done && parse_ids(standard ? text.bytes : logits->ids_option, "logits: --ids",
                             &logits->ids, fault);
    text_free(&text);
    if (done && logits->ids.count == 0)
        return fault_set(fault, FAULT_ARGUMENT, "logits: --ids: expected token ids, found none");
    return done;
}

static bool logits_session(struct logits *logits)
{
    struct lichen_session_options options;
    common_session_options(&logits->common, &options);
    if (!options.context)
        options.context = (uint32_t)logits->ids.count;
    options.outputs = logits->ids.count < ROWS_AT_ONCE ? (uint32_t)logits->ids.count : ROWS_AT_ONCE;
    return common_session_open(&logits->common, logits->engine, &options, &logits->session);
}

static bool logits_rows(struct logits *logits, uint32_t vocab)
{
    struct fault *fault = &logits->common.fault;
    struct output *output = &logits->common.output;
    output->activity = "computing";
    for (size_t i = 0; i < logits->ids.count; i += ROWS_AT_ONCE) {
        size_t count = logits->ids.count - i;
        count = count < ROWS_AT_ONCE ? count : ROWS_AT_ONCE;
        if (!lichen_feed_logits(logits->session, logits->ids.ids + i, count, count, logits->rows,
                                fault) ||
            !result_write(&logits->file, logits->rows, count * vocab * sizeof(float), fault))
            return false;
        if (!output_progress(output, i + count, logits->ids.count))
            return fault_set(fault, FAULT_CANCELLED, "interrupted");
    }
    return true;
}

static bool logits_write(struct logits *logits)
{
    struct fault *fault = &logits->common.fault;
    struct lichen_model_info info;
    lichen_model_info(logits->engine, &info);
    unsigned char header[NPY_HEADER_SIZE];
    npy_header(logits->ids.count, info.vocab, header);
    logits->rows = malloc((size_t)ROWS_AT_ONCE * info.vocab * sizeof(float));
    if (!logits->rows)
        return fault_set(fault, FAULT_MEMORY, "out of memory for %d rows of logits", ROWS_AT_ONCE);
    bool done = result_write(&logits->file, header, sizeof header, fault) &&
                logits_rows(logits, info.vocab);
    output_progress_end(&logits->common.output);
    return done && result_commit(&logits->file, fault);
}

static void logits_free(struct logits *logits)
{
    result_abort(&logits->file);
    common_session_close(logits->session);
    lichen_engine_close(logits->engine);
    free(logits->ids.ids);
    free(logits->rows);
}

static int logits_main(const struct command *command, int argc, char **argv)
{
    struct logits logits = {.session = NULL};
    struct option_set set = {.count = 0};
    int status;
    common_init(&logits.common);
    logits_options(&logits, &set);
    if (!command_begin_model(command, &logits.common, &set, argc, argv, &status))
        return status;
    /* The file is begun before the model is loaded: a full or wrong folder is known at once. */
    bool done = logits_ids(&logits) &&
                result_open(&logits.file, logits.path, 0666, &logits.common.fault) &&
                common_open(&logits.common, false, &logits.engine, NULL) &&
                logits_session(&logits) && logits_write(&logits);
    status = output_end(done, &logits.common.fault);
    logits_free(&logits);
    return status;
}

const struct command command_logits = {
    "logits", "[MODEL] --ids IDS -o FILE.npy", "logits after each position, as a NumPy file",
    "The file holds float32 [tokens, vocab]: row i = logits after the first i + 1 tokens.\n"
    "Nothing is added to the ids. --exact: the same bytes whatever the chunking.",
    logits_main};
