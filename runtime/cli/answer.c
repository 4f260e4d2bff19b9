/* answer.c: the loop pick, feed, show. */
#include "answer.h"
#include <stdlib.h>

static bool remember(struct answer *answer, int32_t id, struct fault *fault)
{
    if (answer->count == answer->capacity) {
        size_t capacity = answer->capacity ? 2 * answer->capacity : 256;
        int32_t *grown = realloc(answer->ids, capacity * sizeof *grown);
        if (!grown)
            return fault_set(fault, FAULT_MEMORY, "out of memory for the answer");
        answer->ids = grown;
        answer->capacity = capacity;
    }
    answer->ids[answer->count++] = id;
    return true;
}

static bool show(const struct answer_options *options, struct answer *answer, const char *bytes,
                 size_t size, struct fault *fault)
{
    if (size == 0)
        return true;
    return text_add(&answer->text, bytes, size, fault) &&
           (!options->show || options->show(options->context, bytes, size, fault));
}

/* The next token. The last one that can be had is only picked: feeding it would compute logits
 * that nobody reads, or has no place. */
static bool next(struct lichen_session *session, bool last, int32_t *id, struct fault *fault)
{
    return last ? lichen_pick(session, id, fault) : lichen_next(session, id, fault);
}

static bool answer_step(const struct lichen_engine *engine, struct lichen_session *session,
                        const struct answer_options *options, struct lichen_stream *stream,
                        struct answer *answer, bool *over, struct fault *fault)
{
    bool full = lichen_session_count(session) >= lichen_session_context(session);
    bool last = options->limit && answer->count + 1 >= options->limit;
    int32_t id;
    if (!next(session, full || last, &id, fault))
        return false;
    *over = full || last;
    answer->stop = last ? ANSWER_LENGTH : ANSWER_CONTEXT;
    if (lichen_token_ends(engine, id)) {
        *over = true;
        answer->stop = ANSWER_ENDED;
        return true;
    }
    const char *bytes;
    size_t size;
    bool stopped = false;
    if (!remember(answer, id, fault) ||
        !lichen_stream_push(stream, id, &bytes, &size, &stopped, fault) ||
        !show(options, answer, bytes, size, fault))
        return false;
    if (stopped) {
        *over = true;
        answer->stop = ANSWER_TEXT;
    }
    return true;
}

/* Tells the stream what the answer follows; that text itself is not shown. */
static bool begin_after(struct lichen_stream *stream, int32_t after, struct fault *fault)
{
    const char *bytes;
    size_t size;
    bool stopped;
    return after < 0 || lichen_stream_push(stream, after, &bytes, &size, &stopped, fault);
}

static bool answer_loop(const struct lichen_engine *engine, struct lichen_session *session,
                        const struct answer_options *options, struct lichen_stream *stream,
                        struct answer *answer, struct fault *fault)
{
    bool over = false;
    struct fault why = {0};
    while (!over)
        if (!answer_step(engine, session, options, stream, answer, &over, &why))
            break;
    if (!over && why.kind != FAULT_CANCELLED)
        return fault_set(fault, why.kind, "%s", why.text);
    if (!over)
        answer->stop = ANSWER_CANCELLED;
    const char *bytes = "";
    size_t size = 0;
    if (answer->stop != ANSWER_TEXT)
        lichen_stream_flush(stream, &bytes, &size);
    return show(options, answer, bytes, size, fault);
}

bool answer_make(const struct lichen_engine *engine, struct lichen_session *session,
                 const struct answer_options *options, struct answer *answer, struct fault *fault)
{
    *answer = (struct answer){0};
    struct lichen_stream *stream = NULL;
    bool done = text_add(&answer->text, "", 0, fault) &&
                lichen_stream_open(engine, options->stops, options->stop_count, &stream, fault) &&
                begin_after(stream, options->after, fault) &&
                answer_loop(engine, session, options, stream, answer, fault);
    lichen_stream_close(stream);
    return done;
}

void answer_free(struct answer *answer)
{
    text_free(&answer->text);
    free(answer->ids);
    *answer = (struct answer){0};
}

const char *answer_stop_name(enum answer_stop stop)
{
    return stop == ANSWER_ENDED ? "eos" : stop == ANSWER_TEXT ? "stop" : "length";
}
