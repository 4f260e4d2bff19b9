/* chat_message.c: the list of messages of a conversation. */
#include "chat.h"
#include <stdlib.h>
#include <string.h>

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

static bool message_make(struct chat_message *message, const char *role, const char *content,
                         struct fault *fault)
{
    message->role = copy_text(role);
    message->content = copy_text(content);
    if (message->role && message->content)
        return true;
    free(message->role);
    free(message->content);
    return fault_set(fault, FAULT_MEMORY, "out of memory for the message");
}

static bool make_room(struct chat *chat, struct fault *fault)
{
    if (chat->count < chat->capacity)
        return true;
    size_t capacity = chat->capacity ? 2 * chat->capacity : 16;
    struct chat_message *grown = realloc(chat->messages, capacity * sizeof *grown);
    if (!grown)
        return fault_set(fault, FAULT_MEMORY, "out of memory for the message");
    chat->messages = grown;
    chat->capacity = capacity;
    return true;
}

bool chat_add(struct chat *chat, const char *role, const char *content, struct fault *fault)
{
    if (!make_room(chat, fault) ||
        !message_make(&chat->messages[chat->count], role, content, fault))
        return false;
    chat->count++;
    return true;
}

void chat_drop(struct chat *chat, size_t count)
{
    while (chat->count > count) {
        struct chat_message *message = &chat->messages[--chat->count];
        free(message->role);
        free(message->content);
    }
}

bool chat_has_system(const struct chat *chat)
{
    return chat->count > 0 && strcmp(chat->messages[0].role, "system") == 0;
}

static void take_system_away(struct chat *chat)
{
    struct chat_message system = chat->messages[0];
    memmove(chat->messages, chat->messages + 1, --chat->count * sizeof system);
    free(system.role);
    free(system.content);
}

bool chat_set_system(struct chat *chat, const char *content, struct fault *fault)
{
    struct chat_message system = {NULL, NULL};
    if (content && (!make_room(chat, fault) || !message_make(&system, "system", content, fault)))
        return false;
    if (chat_has_system(chat))
        take_system_away(chat);
    if (!content)
        return true;
    memmove(chat->messages + 1, chat->messages, chat->count++ * sizeof system);
    chat->messages[0] = system;
    return true;
}
