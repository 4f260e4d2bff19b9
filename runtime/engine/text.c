/* text.c: the text side of the API: tokenizing, templates, chat messages, streaming. */
#include "internal.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool no_memory(struct fault *fault)
{
    return fault_set(fault, FAULT_MEMORY, "no memory for text");
}

bool lichen_tokenize(const struct lichen_engine *engine, const char *text, size_t size, bool bos,
                     bool special, struct lichen_ids *out, struct fault *fault)
{
    struct token_list list = {NULL, 0, 0};
    const struct tokenize_options options = {.bos = bos, .special = special};
    if (!tokenizer_encode(engine->tokenizer, text, size, options, &list, fault)) {
        token_list_free(&list);
        return false;
    }
    *out = (struct lichen_ids){list.ids, list.count};
    return true;
}

bool lichen_detokenize(const struct lichen_engine *engine, const int32_t *ids, size_t count,
                       bool special, char **text, size_t *size, struct fault *fault)
{
    uint32_t vocab = tokenizer_count(engine->tokenizer);
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= vocab)
            return fault_set(fault, FAULT_ARGUMENT, "token id %d at %zu: expected 0 .. %u", ids[i],
                             i, vocab - 1);
    return tokenizer_decode_all(engine->tokenizer, ids, count, special, text, size, fault);
}

int32_t lichen_token_find(const struct lichen_engine *engine, const char *spelling)
{
    return tokenizer_find(engine->tokenizer, spelling, strlen(spelling));
}

bool lichen_token_ends(const struct lichen_engine *engine, int32_t id)
{
    return id >= 0 && (uint32_t)id < tokenizer_count(engine->tokenizer) &&
           tokenizer_ends(engine->tokenizer, id);
}

/* Sets object[key] to the spelling of a special token unless the caller gave one. */
static bool set_token(const struct lichen_engine *engine, json_t *object, const char *key,
                      int32_t id)
{
    if (json_object_get(object, key))
        return true;
    struct gguf_string spelling = {"", 0};
    if (id >= 0)
        spelling = tokenizer_spelling(engine->tokenizer, id);
    return json_object_set_new(object, key, json_stringn(spelling.bytes, spelling.size)) == 0;
}

static bool set_defaults(const struct lichen_engine *engine, json_t *object)
{
    const struct tokenizer_specials *specials = tokenizer_specials(engine->tokenizer);
    if (!json_object_get(object, "add_generation_prompt") &&
        json_object_set_new(object, "add_generation_prompt", json_true()) != 0)
        return false;
    return set_token(engine, object, "bos_token", specials->bos) &&
           set_token(engine, object, "eos_token", specials->eos);
}

/* Renders a JSON object that is known to be one; takes nothing. */
static bool render_object(const struct lichen_engine *engine, json_t *object, char **text,
                          size_t *text_size, struct fault *fault)
{
    if (!engine->template)
        return fault_set(fault, engine->template_fault.kind, "%s", engine->template_fault.text);
    if (!set_defaults(engine, object))
        return no_memory(fault);
    char *json = json_dumps(object, JSON_COMPACT);
    if (!json)
        return no_memory(fault);
    bool rendered = template_render(engine->template, json, strlen(json), (int64_t)time(NULL),
                                    text, text_size, fault);
    free(json);
    return rendered || fault_file(fault, engine->model_path);
}

bool lichen_render(const struct lichen_engine *engine, const char *json, size_t size, char **text,
                   size_t *text_size, struct fault *fault)
{
    json_error_t error;
    json_t *object = json_loadb(json, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!object)
        return fault_set(fault, FAULT_ARGUMENT, "JSON line %d, column %d: %s", error.line,
                         error.column, error.text);
    bool rendered = json_is_object(object)
                        ? render_object(engine, object, text, text_size, fault)
                        : fault_set(fault, FAULT_ARGUMENT,
                                    "JSON: expected an object with \"messages\"");
    json_decref(object);
    return rendered;
}

/* ---- chat messages ----
 * What a person typed must not become a control token. The template runs on contents in which a
 * mark (a Unicode noncharacter that no content holds) stands after the first byte sequence of every
 * control spelling; in the rendered text the marks are taken out again and the bytes of each marked
 * spelling are remembered as plain, where the tokenizer recognises no control token. */

enum { MARK_SIZE = 3 };

/* U+FDD0 .. U+FDEF, the first that no message holds. False when all are used. */
static bool mark_choose(const struct lichen_message *messages, size_t count, char mark[4])
{
    for (int candidate = 0; candidate < 32; candidate++) {
        int code = 0xFDD0 + candidate;
        mark[0] = (char)(0xE0 | (code >> 12));
        mark[1] = (char)(0x80 | ((code >> 6) & 0x3F));
        mark[2] = (char)(0x80 | (code & 0x3F));
        mark[3] = 0;
        bool used = false;
        for (size_t i = 0; i < count; i++)
            used = used || strstr(messages[i].content, mark) || strstr(messages[i].role, mark);
        if (!used)
            return true;
    }
    return false;
}

/* A copy of text with a mark inside every control spelling; malloc'd. */
static char *mark_text(const struct lichen_engine *engine, const char *text, const char *mark)
{
    size_t size = strlen(text);
    char *marked = malloc(size * (1 + MARK_SIZE) + 1);
    if (!marked)
        return NULL;
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        bool control = tokenizer_control_at(engine->tokenizer, text + i, size - i) > 0;
        marked[used++] = text[i];
        while (control && i + 1 < size && ((unsigned char)text[i + 1] & 0xC0) == 0x80)
            marked[used++] = text[++i];
        if (control) {
            memcpy(marked + used, mark, MARK_SIZE);
            used += MARK_SIZE;
        }
    }
    marked[used] = 0;
    return marked;
}

static bool push_message(const struct lichen_engine *engine, json_t *list,
                         const struct lichen_message *message, const char *mark,
                         struct fault *fault)
{
    char *content = mark_text(engine, message->content, mark);
    if (!content)
        return no_memory(fault);
    json_t *item = json_pack("{s:s, s:s}", "role", message->role, "content", content);
    free(content);
    if (!item)
        return fault_set(fault, FAULT_ARGUMENT, "a message (%s) is not UTF-8", message->role);
    return json_array_append_new(list, item) == 0 || no_memory(fault);
}

/* Takes the marks out of text in place and notes the control spelling around each as plain. */
static size_t unmark(const struct lichen_engine *engine, char *text, size_t size, const char *mark,
                     struct text_range *plain, size_t *plain_count)
{
    size_t used = 0;
    *plain_count = 0;
    for (size_t i = 0; i < size;) {
        if (size - i >= MARK_SIZE && memcmp(text + i, mark, MARK_SIZE) == 0) {
            size_t start = used;
            do
                start--;
            while (start > 0 && ((unsigned char)text[start] & 0xC0) == 0x80);
            plain[(*plain_count)++] = (struct text_range){start, 0};
            i += MARK_SIZE;
        } else {
            text[used++] = text[i++];
        }
    }
    text[used] = 0;
    for (size_t i = 0; i < *plain_count; i++) {
        size_t start = plain[i].offset;
        plain[i].size = tokenizer_control_at(engine->tokenizer, text + start, used - start);
    }
    return used;
}

static bool encode_marked(const struct lichen_engine *engine, char *text, size_t size,
                          const char *mark, struct lichen_ids *out, struct fault *fault)
{
    struct text_range *plain = malloc((size / MARK_SIZE + 1) * sizeof *plain);
    if (!plain)
        return no_memory(fault);
    size_t plain_count;
    size = unmark(engine, text, size, mark, plain, &plain_count);
    /* The template writes BOS itself where the model wants one (bos_token); add it only when it
     * did not. */
    struct token_list list = {NULL, 0, 0};
    const struct tokenizer_specials *specials = tokenizer_specials(engine->tokenizer);
    bool encoded = true;
    if (specials->add_bos && specials->bos >= 0) {
        struct gguf_string bos = tokenizer_spelling(engine->tokenizer, specials->bos);
        if (size < bos.size || memcmp(text, bos.bytes, bos.size) != 0)
            encoded = token_list_push(&list, specials->bos, fault);
    }
    encoded = encoded && tokenizer_encode_chat(engine->tokenizer, text, size, plain, plain_count,
                                               &list, fault);
    free(plain);
    if (!encoded) {
        token_list_free(&list);
        return false;
    }
    *out = (struct lichen_ids){list.ids, list.count};
    return true;
}

bool lichen_chat_ids(const struct lichen_engine *engine, const struct lichen_message *messages,
                     size_t count, bool add_generation_prompt, struct lichen_ids *out,
                     struct fault *fault)
{
    char mark[4];
    if (!mark_choose(messages, count, mark))
        return fault_set(fault, FAULT_ARGUMENT,
                         "the messages hold all Unicode noncharacters U+FDD0..U+FDEF");
    json_t *object = json_pack("{s:[], s:b}", "messages", "add_generation_prompt",
                               (int)add_generation_prompt);
    if (!object)
        return no_memory(fault);
    json_t *list = json_object_get(object, "messages");
    bool done = true;
    for (size_t i = 0; done && i < count; i++)
        done = push_message(engine, list, &messages[i], mark, fault);
    char *text = NULL;
    size_t size = 0;
    done = done && render_object(engine, object, &text, &size, fault) &&
           encode_marked(engine, text, size, mark, out, fault);
    free(text);
    json_decref(object);
    return done;
}

/* ---- streaming: stream.h under the API's name ---- */

bool lichen_stream_open(const struct lichen_engine *engine, const char *const *stops,
                        size_t stop_count, struct lichen_stream **out, struct fault *fault)
{
    struct stream *stream = NULL;
    bool created = stream_create(engine->tokenizer, stops, stop_count, &stream, fault);
    *out = (struct lichen_stream *)stream;
    return created;
}

void lichen_stream_close(struct lichen_stream *stream)
{
    stream_destroy((struct stream *)stream);
}

bool lichen_stream_push(struct lichen_stream *stream, int32_t id, const char **text, size_t *size,
                        bool *stopped, struct fault *fault)
{
    return stream_push((struct stream *)stream, id, text, size, stopped, fault);
}

void lichen_stream_flush(struct lichen_stream *stream, const char **text, size_t *size)
{
    stream_flush((struct stream *)stream, text, size);
}
