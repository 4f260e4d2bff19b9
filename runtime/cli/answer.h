/* answer.h: one answer: from the logits that the session holds to text, token by token. */
#ifndef LICHEN_ANSWER_H
#define LICHEN_ANSWER_H

#include "lichen.h"
#include "text.h"

enum answer_stop {
    ANSWER_ENDED,     /* a token that ends it */
    ANSWER_LENGTH,    /* as many tokens as asked for */
    ANSWER_CONTEXT,   /* no position left */
    ANSWER_TEXT,      /* a stop string */
    ANSWER_CANCELLED, /* Ctrl-C */
};

struct answer_options {
    size_t limit; /* tokens at most; 0 = none */
    const char *const *stops;
    size_t stop_count;
    /* The token before the answer, where the answer continues a text (its first space is then
     * kept); -1 = the answer stands alone. */
    int32_t after;
    /* Gets the text piece by piece, whole characters; NULL = only collected. False: the text
     * could not be written. */
    bool (*show)(void *context, const char *bytes, size_t size, struct fault *fault);
    void *context;
};

struct answer {
    struct text text;
    int32_t *ids; /* [count], without the token that ends it */
    size_t count, capacity;
    enum answer_stop stop;
};

/* Fails for other reasons than `stop`; what came before is in the answer then, too. The session
 * was fed before. */
bool answer_make(const struct lichen_engine *engine, struct lichen_session *session,
                 const struct answer_options *options, struct answer *answer, struct fault *fault);
void answer_free(struct answer *answer);
const char *answer_stop_name(enum answer_stop stop); /* "eos", "length", "stop" */

#endif
