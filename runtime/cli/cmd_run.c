/* cmd_run.c: lichen run: one prompt, one answer. */
#include "answer.h"
#include "command.h"
#include "interrupt.h"
#include <stdlib.h>
#include <string.h>
#include "terminal.h"

enum { PROMPT_MAX = 64 << 20 };

struct run {
    struct common common;
    const char *prompt_option, *file, *system;
    uint32_t limit;
    bool raw, special;
    struct option_texts stops;
    struct text prompt;
    struct lichen_engine *engine;
    struct lichen_session *session;
    struct lichen_ids ids; /* of the prompt */
    struct answer answer;
    double load_s;
};

static void run_options(struct run *run, struct option_set *set)
{
    const struct option_spec specs[] = {
        {"prompt", 'p', OPTION_TEXT, &run->prompt_option, "PROMPT", "the prompt", 0},
        {"file", 'f', OPTION_TEXT, &run->file, "FILE", "prompt from a file; - = standard input", 0},
        {"tokens", 'n', OPTION_COUNT, &run->limit, "N", "at most N tokens (0 = no limit)", 0},
        {"system", 0, OPTION_TEXT, &run->system, "TEXT", "the system message", 0},
        {"raw", 0, OPTION_FLAG, &run->raw, NULL, "no chat template: continue the prompt", 0},
        {"special", 0, OPTION_FLAG, &run->special, NULL,
         "with --raw: control tokens spelled in the prompt are meant", 0},
        {"stop", 0, OPTION_TEXTS, &run->stops, "TEXT", "end before this text; may be repeated", 0},
    };
    option_set_add(set, specs, sizeof specs / sizeof specs[0]);
    common_add_sampler(&run->common, set);
    run->common.leave_room = true;
    common_add_session(&run->common, set);
    common_add_model(&run->common, set);
    common_add_output(&run->common, set, true);
}

static bool run_prompt(struct run *run)
{
    struct fault *fault = &run->common.fault;
    for (size_t i = 0; i < run->stops.count; i++)
        if (!run->stops.items[i][0])
            return fault_set(fault, FAULT_ARGUMENT, "run: --stop: the text is empty");
    if (run->prompt_option && run->file)
        return fault_set(fault, FAULT_ARGUMENT, "run: --prompt and --file: only one of them");
    if (run->prompt_option)
        return text_add(&run->prompt, run->prompt_option, strlen(run->prompt_option), fault);
    if (!run->file && terminal_is(stdin))
        return fault_set(fault, FAULT_ARGUMENT,
                         "run: no prompt; give -p PROMPT, -f FILE, or text on standard input");
    if (!text_read_path(&run->prompt, run->file, PROMPT_MAX, fault))
        return false;
    if (!run->raw && run->prompt.size && run->prompt.bytes[run->prompt.size - 1] == '\n')
        run->prompt.bytes[--run->prompt.size] = 0; /* what echo adds */
    return true;
}

static bool run_template_there(struct run *run)
{
    struct lichen_model_info info;
    lichen_model_info(run->engine, &info);
    return info.chat_template ||
           fault_set(&run->common.fault, FAULT_UNSUPPORTED,
                     "%s: the file has no chat template, so it cannot answer; "
                     "lichen run --raw continues a text instead",
                     run->common.path);
}

static bool run_ids(struct run *run)
{
    struct fault *fault = &run->common.fault;
    if (run->raw)
        return lichen_tokenize(run->engine, run->prompt.bytes, run->prompt.size, true, run->special,
                               &run->ids, fault);
    if (memchr(run->prompt.bytes, 0, run->prompt.size))
        return fault_set(fault, FAULT_ARGUMENT, "run: the prompt holds a NUL byte");
    struct lichen_message messages[] = {{"system", run->system}, {"user", run->prompt.bytes}};
    size_t skip = run->system ? 0 : 1;
    return run_template_there(run) &&
           lichen_chat_ids(run->engine, messages + skip, 2 - skip, true, &run->ids, fault);
}

static bool run_session(struct run *run, struct dry_breakers *breakers)
{
    struct lichen_session_options options;
    common_dry_breakers(&run->common, run->engine, breakers);
    common_session_options(&run->common, &options);
    if (!common_session_open(&run->common, run->engine, &options, &run->session))
        return false;
    uint32_t context = lichen_session_context(run->session);
    if (run->ids.count > context)
        return fault_set(&run->common.fault, FAULT_CONTEXT,
                         "the prompt has %zu tokens and the context %u positions; a larger --ctx "
                         "or a shorter prompt is needed",
                         run->ids.count, (unsigned)context);
    if (run->ids.count == 0)
        return fault_set(&run->common.fault, FAULT_ARGUMENT, "run: the prompt is empty");
    output_detail(&run->common.output, "prompt: %zu tokens, context: %u positions, seed %llu",
                  run->ids.count, (unsigned)context, (unsigned long long)run->common.sampler.seed);
    return lichen_feed(run->session, run->ids.ids, run->ids.count, &run->common.fault);
}

static bool run_show(void *context, const char *bytes, size_t size, struct fault *fault)
{
    (void)context;
    bool done = text_print_safe(stdout, bytes, size, fault);
    fflush(stdout);
    return done &&
           (!ferror(stdout) || fault_set(fault, FAULT_FILE, "standard output: cannot be written"));
}

static bool run_answer(struct run *run)
{
    bool stream = !run->common.output.json;
    struct answer_options options = {
        .limit = run->limit,
        .stops = run->stops.items,
        .stop_count = run->stops.count,
        .after = run->raw ? run->ids.ids[run->ids.count - 1] : -1,
        .show = stream ? run_show : NULL,
    };
    bool done = answer_make(run->engine, run->session, &options, &run->answer, &run->common.fault);
    const struct text *text = &run->answer.text;
    if (stream && (done || text->size) && (text->size == 0 || text->bytes[text->size - 1] != '\n'))
        putchar('\n');
    if (done && run->answer.stop == ANSWER_CANCELLED)
        return fault_set(&run->common.fault, FAULT_CANCELLED, "interrupted");
    if (done && run->answer.stop == ANSWER_CONTEXT)
        output_note(&run->common.output,
                    "the context is full (%u positions): the answer ends "
                    "here; a larger --ctx gives more room",
                    (unsigned)lichen_session_context(run->session));
    return done;
}

static double rate(uint64_t tokens, uint64_t time_ns)
{
    return time_ns ? (double)tokens * 1e9 / (double)time_ns : 0;
}

static bool run_report(struct run *run)
{
    struct lichen_stats stats;
    lichen_stats(run->session, &stats);
    if (!run->common.output.json) {
        output_note(&run->common.output,
                    "prompt %llu tokens, %.1f tokens/s; answer %zu tokens, "
                    "%.1f tokens/s",
                    (unsigned long long)stats.prefill_tokens,
                    rate(stats.prefill_tokens, stats.prefill_ns), run->answer.count,
                    rate(stats.decode_tokens, stats.decode_ns));
        return true;
    }
    return output_json(
        json_pack("{s:i, s:o, s:o, s:o, s:s, s:{s:f, s:I, s:f, s:I, s:f}, s:I, s:s, s:o, s:o}",
                  "schema", 1, "prompt_ids", json_of_ids(run->ids.ids, run->ids.count), "ids",
                  json_of_ids(run->answer.ids, run->answer.count), "text",
                  json_of_text(run->answer.text.bytes, run->answer.text.size), "stop",
                  answer_stop_name(run->answer.stop), "timings", "load_s", run->load_s,
                  "prefill_tokens", (json_int_t)stats.prefill_tokens, "prefill_s",
                  (double)stats.prefill_ns / 1e9, "decode_tokens", (json_int_t)stats.decode_tokens,
                  "decode_s", (double)stats.decode_ns / 1e9, "seed",
                  (json_int_t)run->common.sampler.seed, "activations", stats.activations, "device",
                  json_of_device(lichen_engine_device(run->engine)), "model",
                  json_of_model(run->engine)),
        &run->common.fault);
}

static void run_free(struct run *run)
{
    answer_free(&run->answer);
    common_session_close(run->session);
    lichen_free(run->ids.ids);
    lichen_engine_close(run->engine);
    text_free(&run->prompt);
}

static int run_main(const struct command *command, int argc, char **argv)
{
    struct run run = {.session = NULL};
    struct option_set set = {.count = 0};
    struct dry_breakers breakers;
    int status;
    common_init(&run.common);
    run_options(&run, &set);
    if (!command_begin_model(command, &run.common, &set, argc, argv, &status))
        return status;
    bool done = run_prompt(&run) && common_open(&run.common, false, &run.engine, &run.load_s) &&
                run_ids(&run) && run_session(&run, &breakers) && run_answer(&run) &&
                run_report(&run);
    status = output_end(done, &run.common.fault);
    run_free(&run);
    return status;
}

const struct command command_run = {
    "run", "[MODEL] -p PROMPT", "one answer to one prompt",
    "The prompt comes from -p, from -f FILE, or from standard input. The model's own chat\n"
    "template is used; --raw continues the prompt as it is. The answer goes to standard\n"
    "output while it is made.",
    run_main};
