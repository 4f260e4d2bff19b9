/* chat_command.c: the /commands of a chat. */
#include "chat.h"
#include "terminal.h"
#include <ctype.h>
#include <string.h>

struct chat_verb {
    const char *name, *operand, *help;
    bool (*run)(struct chat *chat, const char *operand, struct fault *fault);
};

static bool do_help(struct chat *chat, const char *operand, struct fault *fault);

static bool is_role(const struct chat *chat, size_t index, const char *role)
{
    return index < chat->count && strcmp(chat->messages[index].role, role) == 0;
}

static bool do_regen(struct chat *chat, const char *operand, struct fault *fault)
{
    (void)operand;
    if (is_role(chat, chat->count - 1, "assistant"))
        chat_drop(chat, chat->count - 1);
    if (!is_role(chat, chat->count - 1, "user"))
        return fault_set(fault, FAULT_ARGUMENT, "there is no answer to make again");
    return chat_answer(chat, fault);
}

/* Positions are only known exactly at the next answer; until then the gauge shows what is kept. */
static bool do_undo(struct chat *chat, const char *operand, struct fault *fault)
{
    (void)operand;
    size_t count = chat->count;
    while (count > 0 && !is_role(chat, count - 1, "user"))
        count--;
    if (count == 0)
        return fault_set(fault, FAULT_ARGUMENT, "there is nothing to take back");
    output_note(&chat->common.output, "[taken back: %.60s]", chat->messages[count - 1].content);
    chat_drop(chat, count - 1);
    chat_measure(chat);
    return true;
}

static bool do_clear(struct chat *chat, const char *operand, struct fault *fault)
{
    (void)operand;
    (void)fault;
    chat_drop(chat, chat_has_system(chat) ? 1 : 0);
    lichen_rewind(chat->session, 0);
    chat->used = 0;
    output_note(&chat->common.output, "[a new conversation%s]",
                chat->count ? "; the system message stays" : "");
    return true;
}

static bool do_system(struct chat *chat, const char *operand, struct fault *fault)
{
    if (!operand[0]) {
        output_note(&chat->common.output, "%s",
                    chat_has_system(chat) ? chat->messages[0].content : "[no system message]");
        return true;
    }
    bool none = strcmp(operand, "-") == 0;
    if (!chat_set_system(chat, none ? NULL : operand, fault))
        return false;
    output_note(&chat->common.output,
                none ? "[no system message from the next answer on]" : "[from the next answer on]");
    return true;
}

static bool need_operand(const char *operand, const char *what, struct fault *fault)
{
    return operand[0] || fault_set(fault, FAULT_ARGUMENT, "which %s?", what);
}

static bool do_save(struct chat *chat, const char *operand, struct fault *fault)
{
    if (!need_operand(operand, "file", fault) || !chat_save(chat, operand, fault))
        return false;
    output_note(&chat->common.output, "[%zu messages in %s]", chat->count, operand);
    return true;
}

static bool do_load(struct chat *chat, const char *operand, struct fault *fault)
{
    if (!need_operand(operand, "file", fault) || !chat_load(chat, operand, fault))
        return false;
    chat_measure(chat);
    output_note(&chat->common.output, "[%zu messages from %s]", chat->count, operand);
    return true;
}

static void show_memory(const struct chat *chat)
{
    struct lichen_plan plan = {0};
    char text[32];
    lichen_plan_used(chat->session, &plan);
    for (uint32_t i = 0; i < plan.heap_count; i++)
        if (plan.heaps[i].total)
            output_note(&chat->common.output, "memory    %s (%llu bytes) in %s",
                        size_text(plan.heaps[i].total, text),
                        (unsigned long long)plan.heaps[i].total, plan.heaps[i].name);
}

static double per_second(uint64_t count, uint64_t time_ns)
{
    return time_ns ? (double)count * 1e9 / (double)time_ns : 0;
}

static bool do_stats(struct chat *chat, const char *operand, struct fault *fault)
{
    (void)operand;
    (void)fault;
    const struct output *output = &chat->common.output;
    const struct lichen_device *device = lichen_engine_device(chat->engine);
    struct lichen_stats stats;
    lichen_stats(chat->session, &stats);
    output_note(output, "answers   %llu, %llu tokens", (unsigned long long)chat->answers,
                (unsigned long long)chat->tokens);
    output_note(output, "the last  prompt %llu tokens at %.1f tokens/s, answer %llu at %.1f",
                (unsigned long long)stats.prefill_tokens,
                per_second(stats.prefill_tokens, stats.prefill_ns),
                (unsigned long long)stats.decode_tokens,
                per_second(stats.decode_tokens, stats.decode_ns));
    output_note(output, "a token   %.1f MB read (%.1f GB/s), %u dispatches, %u intervals, %s",
                (double)stats.bytes_per_token / 1e6,
                (double)stats.bytes_per_token * 1e-9 *
                    per_second(stats.decode_tokens, stats.decode_ns),
                (unsigned)stats.dispatches_per_token, (unsigned)stats.intervals_per_token,
                stats.activations);
    output_note(output, "device    %s, %s", device->name, device->driver);
    if (stats.recoveries)
        output_note(output, "recovered %u times from a lost device", (unsigned)stats.recoveries);
    output_note(output, "context   %u of %u positions", (unsigned)chat->used,
                (unsigned)lichen_session_context(chat->session));
    show_memory(chat);
    return true;
}

/* Those options that are fields of the sampler. */
static bool is_sampler_option(const struct chat *chat, const struct option_spec *spec)
{
    const char *begin = (const char *)&chat->common.sampler;
    const char *at = spec->target;
    return at >= begin && at < begin + sizeof chat->common.sampler;
}

static void show_settings(const struct chat *chat)
{
    for (size_t i = 0; i < chat->set.count; i++) {
        const struct option_spec *spec = &chat->set.specs[i];
        char value[64];
        if (!is_sampler_option(chat, spec))
            continue;
        option_show(spec, value, sizeof value);
        output_note(&chat->common.output, "%-18s %s", spec->name, value);
    }
}

static bool do_set(struct chat *chat, const char *operand, struct fault *fault)
{
    char name[32];
    size_t length = strcspn(operand, " \t=");
    if (length == 0) {
        show_settings(chat);
        return true;
    }
    snprintf(name, sizeof name, "%.*s", (int)length, operand);
    const char *value = operand + length + strspn(operand + length, " \t=");
    const struct option_spec *spec = option_set_find(&chat->set, name);
    if (!spec || !is_sampler_option(chat, spec))
        return fault_set(fault, FAULT_ARGUMENT, "%s: no such setting; /set lists them", name);
    struct sampler_options before = chat->common.sampler;
    bool done = option_store(spec, value, fault);
    if (done)
        common_dry_breakers(&chat->common, chat->engine, &chat->breakers);
    done = done && lichen_set_sampler(chat->session, &chat->common.sampler, fault);
    if (!done)
        chat->common.sampler = before;
    return done;
}

static bool do_exit(struct chat *chat, const char *operand, struct fault *fault)
{
    (void)operand;
    (void)fault;
    chat->over = true;
    return true;
}

static const struct chat_verb verbs[] = {
    {"help", "", "this list", do_help},
    {"regen", "", "the last answer again, differently", do_regen},
    {"undo", "", "take the last exchange back", do_undo},
    {"clear", "", "a new conversation (the system message stays)", do_clear},
    {"system", "TEXT", "what the model is told to be; - for nothing", do_system},
    {"save", "FILE", "the conversation as a JSON file", do_save},
    {"load", "FILE", "a saved conversation instead of this one", do_load},
    {"stats", "", "speed, memory, context", do_stats},
    {"set", "NAME VALUE", "a sampler setting, as /set temp 0.7; /set lists them", do_set},
    {"exit", "", "leave (or Ctrl-D)", do_exit},
};

static bool do_help(struct chat *chat, const char *operand, struct fault *fault)
{
    (void)operand;
    (void)fault;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        output_note(&chat->common.output, "/%-8s%-11s %s", verbs[i].name, verbs[i].operand,
                    verbs[i].help);
    output_note(&chat->common.output, "A line that ends in \\ goes on in the next one; // begins a "
                                      "message with a slash. Ctrl-C stops an answer.");
    return true;
}

void chat_command(struct chat *chat, const char *line)
{
    struct fault fault = {0};
    size_t length = strcspn(line + 1, " \t\n");
    const char *operand = line + 1 + length;
    operand += strspn(operand, " \t\n");
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strlen(verbs[i].name) != length || memcmp(verbs[i].name, line + 1, length) != 0)
            continue;
        if (!verbs[i].run(chat, operand, &fault))
            output_fault(&fault);
        return;
    }
    fault_set(&fault, FAULT_ARGUMENT, "/%.*s: no such command; /help lists them", (int)length,
              line + 1);
    output_fault(&fault);
}
