/* chat.h: a conversation in the terminal. cmd_chat.c opens it and makes the answers,
 * chat_command.c does the /commands, chat_file.c saves and loads, chat_input.c reads lines. */
#ifndef LICHEN_CHAT_H
#define LICHEN_CHAT_H

#include "answer.h"
#include "command.h"

struct chat_message {
    char *role, *content; /* both malloc'd */
};

struct chat {
    struct common common;
    const char *prompt, *history, *system;
    struct option_set set; /* the command's options; /set uses those of the sampler */
    struct dry_breakers breakers;
    struct lichen_engine *engine;
    struct lichen_session *session;
    struct chat_message *messages; /* [count]; messages[0] may be the system message */
    size_t count, capacity;
    struct chat_input *input; /* NULL when a question was given on the command line */
    bool over;                /* /exit */
    bool failed;              /* an answer failed and no person is there to try again */
    uint32_t used;            /* positions that the conversation takes */
    uint64_t answers, tokens; /* for /stats */
};

/* ---- messages (chat_message.c) ---- */
bool chat_add(struct chat *chat, const char *role, const char *content, struct fault *fault);
void chat_drop(struct chat *chat, size_t count); /* keeps the first count messages */
/* content NULL takes the system message away. */
bool chat_set_system(struct chat *chat, const char *content, struct fault *fault);
bool chat_has_system(const struct chat *chat);

/* ---- answers (cmd_chat.c) ---- */
/* Answers the conversation, which ends with a user's message. False: no answer; the fault says
 * why, and the last message is dropped again. */
bool chat_answer(struct chat *chat, struct fault *fault);
/* Sets used after messages were taken back or loaded. */
void chat_measure(struct chat *chat);

/* ---- commands (chat_command.c) ---- */
/* line begins with '/'. Faults are printed; they never end the chat. */
void chat_command(struct chat *chat, const char *line);

/* ---- files (chat_file.c): {"schema":1,"lichen_chat":true,"messages":[{role, content}]} ---- */
bool chat_save(const struct chat *chat, const char *path, struct fault *fault);
bool chat_load(struct chat *chat, const char *path, struct fault *fault);

/* ---- input (chat_input.c) ---- */
/* Line editing on a terminal, plain lines otherwise. history: a file that keeps the lines (mode
 * 0600), NULL = they are forgotten. */
bool chat_input_open(const char *history, struct chat_input **input, struct fault *fault);
/* A line without its end; *line is the input's. A line that ends in '\' goes on in the next one.
 * False: no more lines. interrupted: Ctrl-C; line is "", or "^C" where one that was begun is lost. */
bool chat_input_line(struct chat_input *input, const char *prompt, const char **line,
                     bool *interrupted);
bool chat_input_edits(const struct chat_input *input); /* is a person there? */
void chat_input_close(struct chat_input *input);       /* NULL is allowed */

#endif
