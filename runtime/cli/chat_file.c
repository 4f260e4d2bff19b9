/* chat_file.c: a conversation as one plain JSON file, only when the user asks for it. */
#include "chat.h"
#include "terminal.h"
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 64 << 20 };

static json_t *json_of_messages(const struct chat *chat)
{
    json_t *messages = json_array();
    for (size_t i = 0; messages && i < chat->count; i++) {
        const struct chat_message *message = &chat->messages[i];
        json_array_append_new(
            messages,
            json_pack("{s:o, s:o}", "role", json_of_text(message->role, strlen(message->role)),
                      "content", json_of_text(message->content, strlen(message->content))));
    }
    return messages;
}

static json_t *chat_file_read(const char *path, struct fault *fault)
{
    struct text text = {0};
    json_error_t error;
    json_t *document = NULL;
    if (text_read_path(&text, path, FILE_MAX, fault)) {
        document = json_loadb(text.bytes, text.size, JSON_REJECT_DUPLICATES, &error);
        if (!document)
            fault_set(fault, FAULT_FORMAT, "%s: not a saved chat: line %d: %s", path, error.line,
                      error.text);
        else if (!json_is_true(json_object_get(document, "lichen_chat")))
            fault_set(fault, FAULT_FORMAT, "%s: JSON, but not a saved chat", path);
    }
    text_free(&text);
    if (!document || json_is_true(json_object_get(document, "lichen_chat")))
        return document;
    json_decref(document);
    return NULL;
}

/* A file that is no chat is never overwritten. */
static bool may_write(const char *path, struct fault *fault)
{
    if (!file_is_regular(path) || !file_exists(path))
        return true;
    json_t *old = chat_file_read(path, NULL);
    json_decref(old);
    return old || fault_set(fault, FAULT_FILE,
                            "%s: exists and is not a saved chat; choose "
                            "another name",
                            path);
}

bool chat_save(const struct chat *chat, const char *path, struct fault *fault)
{
    if (!may_write(path, fault))
        return false;
    json_t *document = json_pack("{s:i, s:b, s:o}", "schema", 1, "lichen_chat", 1, "messages",
                                 json_of_messages(chat));
    char *text = document ? json_dumps(document, JSON_INDENT(2)) : NULL;
    json_decref(document);
    if (!text)
        return fault_set(fault, FAULT_MEMORY, "out of memory for the JSON document");
    struct result_file file;
    bool done = result_open(&file, path, 0600, fault) &&
                result_write(&file, text, strlen(text), fault) &&
                result_write(&file, "\n", 1, fault) && result_commit(&file, fault);
    if (!done)
        result_abort(&file);
    free(text);
    return done;
}

static bool take_messages(struct chat *chat, const json_t *messages, const char *path,
                          struct fault *fault)
{
    size_t i;
    json_t *item;
    json_array_foreach(messages, i, item)
    {
        const char *role = json_string_value(json_object_get(item, "role"));
        const char *content = json_string_value(json_object_get(item, "content"));
        if (!role || !content)
            return fault_set(fault, FAULT_FORMAT,
                             "%s: message %zu: expected texts role and "
                             "content",
                             path, i);
        if (!chat_add(chat, role, content, fault))
            return false;
    }
    return true;
}

bool chat_load(struct chat *chat, const char *path, struct fault *fault)
{
    json_t *document = chat_file_read(path, fault);
    if (!document)
        return false;
    struct chat loaded = {.count = 0};
    bool done = take_messages(&loaded, json_object_get(document, "messages"), path, fault);
    json_decref(document);
    struct chat *keep = done ? &loaded : chat, *drop = done ? chat : &loaded;
    chat_drop(drop, 0);
    free(drop->messages);
    struct chat_message *messages = keep->messages;
    size_t count = keep->count, capacity = keep->capacity;
    chat->messages = messages;
    chat->count = count;
    chat->capacity = capacity;
    return done;
}
