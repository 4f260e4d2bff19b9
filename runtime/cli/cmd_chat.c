/* cmd_chat.c: lichen chat: opens the model, reads lines, makes answers. The conversation is the
 * list of messages; each turn renders all of it through the model's template and the engine keeps
 * the prefix that it has already computed. */
#include "chat.h"
#include "interrupt.h"
#include "terminal.h"
#include <stdlib.h>
#include <string.h>

enum { GAUGE_CELLS = 10, FULL_WARNING_PERCENT = 80 };

static void chat_options(struct chat *chat)
{
    const struct option_spec specs[] = {
        {"prompt", 'p', OPTION_TEXT, &chat->prompt, "QUESTION", "answer this and exit", 0},
        {"system", 0, OPTION_TEXT, &chat->system, "TEXT", "the system message", 0},
        {"history", 0, OPTION_TEXT, &chat->history, "FILE",
         "keep the lines you type in FILE (default: nowhere)", 0},
        {"raw", 0, OPTION_NOT_YET, NULL, NULL, "use lichen run --raw", 0},
    };
    option_set_add(&chat->set, specs, sizeof specs / sizeof specs[0]);
    common_add_sampler(&chat->common, &chat->set);
    chat->common.leave_room = true;
    common_add_session(&chat->common, &chat->set);
    common_add_model(&chat->common, &chat->set);
    common_add_output(&chat->common, &chat->set, false);
}

static unsigned percent_used(const struct chat *chat)
{
    uint32_t context = lichen_session_context(chat->session);
    return (unsigned)(100 * (uint64_t)chat->used / (context ? context : 1));
}

static const char *gauge(const struct chat *chat, char text[GAUGE_CELLS + 1])
{
    unsigned cells = (percent_used(chat) * GAUGE_CELLS + 99) / 100;
    for (unsigned i = 0; i < GAUGE_CELLS; i++)
        text[i] = i < cells ? '#' : '-';
    text[GAUGE_CELLS] = 0;
    return text;
}

static bool fits(struct chat *chat, size_t count, struct fault *fault)
{
    uint32_t context = lichen_session_context(chat->session);
    if (count < context)
        return true;
    return fault_set(fault, FAULT_CONTEXT,
                     "the conversation with this message takes %zu tokens and the context has %u "
                     "positions; nothing was cut. /undo takes the last exchange back, /clear "
                     "begins anew, a larger --ctx gives more room",
                     count, (unsigned)context);
}

/* The ids of the whole conversation, to be freed with lichen_free. */
static bool conversation(const struct chat *chat, bool answer, struct lichen_ids *ids,
                         struct fault *fault)
{
    struct lichen_message *messages = calloc(chat->count, sizeof *messages);
    if (!messages)
        return fault_set(fault, FAULT_MEMORY, "out of memory for the conversation");
    for (size_t i = 0; i < chat->count; i++)
        messages[i] = (struct lichen_message){chat->messages[i].role, chat->messages[i].content};
    bool done = lichen_chat_ids(chat->engine, messages, chat->count, answer, ids, fault);
    free(messages);
    return done;
}

void chat_measure(struct chat *chat)
{
    struct lichen_ids ids = {0};
    chat->used = 0;
    if (chat->count > chat_has_system(chat) && conversation(chat, false, &ids, NULL))
        chat->used = (uint32_t)ids.count;
    lichen_free(ids.ids);
}

static bool feed(struct chat *chat, struct fault *fault)
{
    struct lichen_ids ids = {0};
    size_t kept = 0;
    bool done = conversation(chat, true, &ids, fault) && fits(chat, ids.count, fault) &&
                lichen_feed_all(chat->session, ids.ids, ids.count, &kept, fault);
    if (done)
        output_detail(&chat->common.output, "[prompt of %zu tokens, %zu of them kept]", ids.count,
                      kept);
    lichen_free(ids.ids);
    return done;
}

static bool show(void *context, const char *bytes, size_t size, struct fault *fault)
{
    (void)context;
    bool done = text_print_safe(stdout, bytes, size, fault);
    if (fflush(stdout) != 0)
        return fault_set(fault, FAULT_FILE, "standard output: cannot be written");
    return done;
}

static void report(struct chat *chat, const struct answer *answer)
{
    struct lichen_stats stats;
    char cells[GAUGE_CELLS + 1];
    lichen_stats(chat->session, &stats);
    chat->used = lichen_session_count(chat->session);
    chat->answers++;
    chat->tokens += answer->count;
    double rate = stats.decode_ns ? (double)stats.decode_tokens * 1e9 / (double)stats.decode_ns : 0;
    output_note(&chat->common.output, "[%s%zu tokens, %.1f tokens/s; context %u of %u %s %u %%]",
                answer->stop == ANSWER_CANCELLED ? "stopped; " : "", answer->count, rate,
                (unsigned)chat->used, (unsigned)lichen_session_context(chat->session),
                gauge(chat, cells), percent_used(chat));
    if (answer->stop == ANSWER_CONTEXT)
        output_note(&chat->common.output, "[the context is full, so the answer ends here; nothing "
                                          "was cut. /undo, /clear, or a larger --ctx]");
    else if (percent_used(chat) >= FULL_WARNING_PERCENT)
        output_note(&chat->common.output, "[the context is nearly full: /undo, /clear, or a larger "
                                          "--ctx]");
}

static bool answer_now(struct chat *chat, struct answer *answer, struct fault *fault)
{
    const struct answer_options options = {.after = -1, .show = show};
    lichen_stats_reset(chat->session);
    bool done =
        feed(chat, fault) && answer_make(chat->engine, chat->session, &options, answer, fault);
    if (answer->text.size > 0)
        fputs(answer->text.bytes[answer->text.size - 1] == '\n' ? "" : "\n", stdout);
    fflush(stdout);
    return done && (answer->count > 0 || answer->stop != ANSWER_CANCELLED ||
                    fault_set(fault, FAULT_CANCELLED, "interrupted"));
}

bool chat_answer(struct chat *chat, struct fault *fault)
{
    struct answer answer = {.count = 0};
    bool done =
        answer_now(chat, &answer, fault) && chat_add(chat, "assistant", answer.text.bytes, fault);
    if (done)
        report(chat, &answer);
    else
        chat_drop(chat, chat->count - 1);
    answer_free(&answer);
    return done;
}

/* A turn of the user. Faults are printed here: the chat goes on, or, where no person can try
 * again, is over. */
static void chat_turn(struct chat *chat, const char *line)
{
    struct fault fault = {0};
    if (chat_add(chat, "user", line, &fault) && chat_answer(chat, &fault) && !interrupt_seen())
        return;
    bool person = chat_input_edits(chat->input);
    if (fault.kind == FAULT_CANCELLED && person)
        output_note(&chat->common.output, "[stopped before the answer began; your message is taken "
                                          "back]");
    else if (fault.kind != FAULT_NONE && person)
        output_fault(&fault);
    if (person)
        return;
    chat->failed = chat->over = true;
    if (fault.kind == FAULT_NONE)
        fault_set(&fault, FAULT_CANCELLED, "interrupted");
    chat->common.fault = fault;
}

static void chat_line(struct chat *chat, const char *line)
{
    if (line[0] == '/' && line[1] != '/')
        chat_command(chat, line);
    else if (line[strspn(line, " \t\n")])
        chat_turn(chat, line + (line[0] == '/'));
}

static int chat_loop(struct chat *chat)
{
    unsigned interrupts = 0;
    while (!chat->over) {
        char prompt[32];
        const char *line;
        bool interrupted;
        snprintf(prompt, sizeof prompt, "[%u %%] > ", percent_used(chat));
        if (!chat_input_line(chat->input, prompt, &line, &interrupted))
            break;
        interrupt_clear();
        interrupts = !interrupted ? 0 : line[0] ? 1 : interrupts + 1;
        bool leave = interrupts > 1 || interrupt_final() || !chat_input_edits(chat->input);
        if (interrupted && leave) {
            fputc('\n', stderr);
            return STATUS_INTERRUPTED;
        }
        if (interrupted) {
            fprintf(stderr, "\n(Ctrl-C again, Ctrl-D or /exit leaves)\n");
            continue;
        }
        chat_line(chat, line);
        if (!chat->over)
            interrupt_clear(); /* it stopped the answer */
    }
    if (chat_input_edits(chat->input) && !chat->over)
        fputc('\n', stderr);
    return output_end(!chat->failed, &chat->common.fault);
}

/* What the operands mean: a model first, if there is one, then a question. A single word that is
 * no model is not guessed to be a question. */
static bool chat_operands(struct chat *chat, int count, char **operands, struct text *question)
{
    struct fault *fault = &chat->common.fault;
    bool sentence = count > 0 && strpbrk(operands[0], " \t\n") != NULL;
    if (count > 0 && !chat->common.model && (!sentence || model_is(operands[0]))) {
        chat->common.model = *operands++;
        count--;
    }
    if (count > 0 && chat->prompt)
        return fault_set(fault, FAULT_ARGUMENT, "chat: --prompt and a question '%.40s'",
                         operands[0]);
    for (int i = 0; i < count; i++)
        if (!text_add(question, " ", i > 0, fault) ||
            !text_add(question, operands[i], strlen(operands[i]), fault))
            return false;
    if (count > 0)
        chat->prompt = question->bytes;
    return true;
}

static bool chat_open(struct chat *chat)
{
    struct lichen_session_options options;
    struct lichen_model_info info;
    struct common *common = &chat->common;
    if (!common_open(common, false, &chat->engine, NULL))
        return false;
    lichen_model_info(chat->engine, &info);
    if (!info.chat_template)
        return fault_set(&common->fault, FAULT_UNSUPPORTED,
                         "%s: the file has no chat template, so there is no way to chat with it; "
                         "lichen run --raw continues a text instead",
                         common->path);
    common_dry_breakers(common, chat->engine, &chat->breakers);
    common_session_options(common, &options);
    return common_session_open(common, chat->engine, &options, &chat->session) &&
           (!chat->system || chat_set_system(chat, chat->system, &common->fault));
}

static void greet(const struct chat *chat)
{
    struct lichen_model_info info;
    if (!chat_input_edits(chat->input))
        return;
    lichen_model_info(chat->engine, &info);
    output_note(&chat->common.output,
                "%s (%.1f M parameters, %.1f bits each) on %s, context %u.\n"
                "/help lists the commands; Ctrl-C stops an answer, Ctrl-D leaves. Nothing is kept "
                "on disk.",
                chat->common.path, (double)info.parameters / 1e6, info.bits_per_weight,
                lichen_engine_device(chat->engine)->name,
                (unsigned)lichen_session_context(chat->session));
}

static int chat_talk(struct chat *chat)
{
    if (chat->prompt) {
        chat_turn(chat, chat->prompt);
        return output_end(!chat->failed, &chat->common.fault);
    }
    if (!chat_input_open(chat->history, &chat->input, &chat->common.fault))
        return output_fault(&chat->common.fault);
    greet(chat);
    return chat_loop(chat);
}

static void chat_free(struct chat *chat)
{
    chat_input_close(chat->input);
    chat_drop(chat, 0);
    free(chat->messages);
    common_session_close(chat->session);
    lichen_engine_close(chat->engine);
}

static int chat_main(const struct command *command, int argc, char **argv)
{
    struct chat chat = {.count = 0};
    struct text question = {0};
    int first, status;
    common_init(&chat.common);
    chat_options(&chat);
    if (!command_begin(command, &chat.common, &chat.set, argc, argv, &first, &status))
        return status;
    if (chat_operands(&chat, argc - first, argv + first, &question) && chat_open(&chat))
        status = chat_talk(&chat);
    else
        status = output_fault(&chat.common.fault);
    chat_free(&chat);
    text_free(&question);
    return status;
}

const struct command command_chat = {
    "chat", "[MODEL] [QUESTION]", "a conversation in the terminal",
    "With a QUESTION (in quotes) it answers that and exits; without a terminal on standard\n"
    "input every line of it is a turn. Ctrl-C stops an answer and keeps the chat; a line that\n"
    "ends in \\ goes on in the next one; /help lists the commands of the chat. Nothing is kept\n"
    "on disk unless /save or --history asks for it.",
    chat_main};
